"""The introspection verifier beyond the conformance rows: who asks, who waits, what serves in trouble, what is a mistake."""

from __future__ import annotations

import _thread
import asyncio
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from bearer_guard import (
    AuthorityUnavailable,
    ConfigurationError,
    Guard,
    InactiveToken,
    IntrospectionVerifier,
    MalformedToken,
    RemoteJWKSet,
)
from bearer_guard._credentials import MAX_TOKEN_LENGTH
from bearer_guard._flow import Request, Response
from bearer_guard._questions import key_of
from tests.endpoint import Asked, Endpoint, reply
from tests.faults.scene import landed
from tests.granting import Clock
from tests.test_client import forked
from tests.tokens import ISSUER, NOW, RESOURCE, jwks, raw, signer

ACTIVE = {"active": True, "aud": RESOURCE, "sub": "u1"}


class Gated:
    """Answers when its gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.answer: Any = reply(ACTIVE)

    def __call__(self, asked: Asked) -> Any:
        assert self.gate.wait(10)
        return self.answer


@pytest.fixture
def gated() -> Gated:
    return Gated()


@pytest.fixture
def endpoint(gated: Gated) -> Iterator[Endpoint]:
    with Endpoint(gated) as server:
        yield server
        gated.gate.set()


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = NOW
    return clock


def introspecting(server: Endpoint | str, **options: Any) -> IntrospectionVerifier:
    defaults: dict[str, Any] = {
        "endpoint": server if isinstance(server, str) else server.endpoint,
        "audience": RESOURCE,
        "client_id": "api",
        "client_secret": "s3cret",
        "clock": lambda: NOW,
    }
    return IntrospectionVerifier(**{**defaults, **options})


# Who asks and who waits


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("options", [{}, {"cache_size": 0}, {"cache_ttl": 0}])
def test_a_hundred_tasks_with_one_token_make_one_question_even_if_nothing_is_remembered(
    endpoint: Endpoint, gated: Gated, loop: str, options: Any
) -> None:
    verifier, subjects = introspecting(endpoint, **options), []

    async def ask() -> None:
        subjects.append((await verifier.averify("token")).subject)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(ask)
            await anyio.to_thread.run_sync(endpoint.wait_for_requests, 1)
            gated.gate.set()

    anyio.run(main, backend=loop)
    assert subjects == ["u1"] * 100
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_cancelled_caller_takes_nobody_with_it(loop: str) -> None:
    verifier, subjects = introspecting("https://id.example.com/i", transport=Patient()), []

    async def ask() -> None:
        subjects.append((await verifier.averify("token")).subject)

    async def main() -> None:
        async with anyio.create_task_group() as group, anyio.create_task_group() as impatient:
            impatient.start_soon(verifier.averify, "token")
            await anyio.lowlevel.checkpoint()
            group.start_soon(ask)
            await anyio.lowlevel.checkpoint()
            impatient.cancel_scope.cancel()
        assert verifier.status()["fetches"] == {"begun": 2, "succeeded": 1, "failed": 0}

    anyio.run(main, backend=loop)
    assert subjects == ["u1"]


class Patient:
    """A native transport: its first exchange never ends, unless it is cancelled."""

    number = 0

    def send(self, request: Request) -> Response:
        raise AssertionError("a coroutine has asend")

    async def asend(self, request: Request) -> Response:
        self.number += 1
        if self.number == 1:
            await anyio.sleep_forever()
        return Response(status=200, body=b'{"active":true,"aud":"https://api.example","sub":"u1"}')


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_those_who_wait_for_a_failure_fail_with_it_and_ask_no_more(endpoint: Endpoint, gated: Gated, loop: str) -> None:
    verifier = introspecting(endpoint)
    gated.answer = reply({}, 503, Retry_After="9")
    failures: list[AuthorityUnavailable] = []

    async def ask() -> None:
        with pytest.raises(AuthorityUnavailable, match="status 503") as caught:
            await verifier.averify("token")
        failures.append(caught.value)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(ask)
            await anyio.to_thread.run_sync(endpoint.wait_for_requests, 1)
            gated.gate.set()

    anyio.run(main, backend=loop)
    assert [failure.retry_after for failure in failures] == [9.0] * 8
    assert len({id(failure) for failure in failures}) == 8
    assert len(endpoint.asked) == 1


def test_an_answer_that_comes_between_looking_and_asking_is_taken(
    endpoint: Endpoint, gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated.gate.set()
    verifier = introspecting(endpoint)
    verifier.verify("token")
    monkeypatch.setattr(verifier._answers, "find", lambda *_, **__: None)
    assert verifier.verify("token").subject == "u1"
    assert len(endpoint.asked) == 1


class Lost:
    """A transport that keeps no deadline: its first exchange ends when `released`."""

    def __init__(self) -> None:
        self.released, self.begun = threading.Event(), threading.Event()
        self.timeouts: list[float] = []

    def send(self, request: Request) -> Response:
        self.timeouts.append(request.timeout)
        if len(self.timeouts) == 1:
            self.begun.set()
            assert self.released.wait(10)
        return Response(status=200, body=b'{"active":true,"aud":"https://api.example","sub":"u1"}')


def test_nobody_waits_past_the_deadline_for_one_who_is_lost_and_the_next_one_asks_again() -> None:
    transport = Lost()
    verifier = introspecting("https://id.example.com/i", transport=transport, timeout=0.1)
    with ThreadPoolExecutor(1) as threads:
        lost = threads.submit(verifier.verify, "token")
        assert transport.begun.wait(10)
        with pytest.raises(AuthorityUnavailable, match="no answer in time"):
            verifier.verify("token")
        assert verifier.verify("token").subject == "u1"
        transport.released.set()
        assert lost.result(10).subject == "u1"
    assert len(transport.timeouts) == 2
    assert all(0 < timeout <= 0.1 for timeout in transport.timeouts)


def test_a_fork_in_the_middle_of_a_question_leaves_the_child_able_to_ask(endpoint: Endpoint, gated: Gated) -> None:
    verifier = introspecting(endpoint)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(verifier.verify, "token")
        endpoint.wait_for_requests(1)
        releaser = threading.Thread(target=lambda: (endpoint.wait_for_requests(2), gated.gate.set()))
        releaser.start()
        assert forked(lambda: verifier.verify("token").subject == "u1")
        releaser.join(10)
        assert waiting.result(10).subject == "u1"
    assert len(endpoint.asked) == 2


def test_what_a_transport_of_ones_own_raises_is_a_bug_that_propagates_and_locks_nobody_out() -> None:
    class Broken:
        calls = 0

        def send(self, request: Request) -> Response:
            self.calls += 1
            if self.calls == 1:
                raise ZeroDivisionError
            return Response(status=200, body=b'{"active":true,"aud":"https://api.example"}')

    verifier = introspecting("https://id.example.com/i", transport=Broken())
    with pytest.raises(ZeroDivisionError):
        verifier.verify("token")
    assert verifier.verify("token").subject is None


def test_a_secret_that_cannot_be_fetched_is_trouble_and_nothing_is_asked(endpoint: Endpoint) -> None:
    def fetch() -> str:
        raise OSError("vault")

    verifier = introspecting(endpoint, client_secret=fetch)
    with pytest.raises(AuthorityUnavailable, match=r"introspection at .*: client_secret: the callable raised OSError"):
        asyncio.run(verifier.averify("token"))
    assert endpoint.asked == []
    assert verifier.status()["fetches"] == {"begun": 1, "succeeded": 0, "failed": 1}


# What serves in trouble


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_cancelled_question_that_was_to_find_out_leaves_the_next_one_to_do_so(clock: Clock, loop: str) -> None:
    transport = Faltering()
    verifier = introspecting("https://id.example.com/i", transport=transport, clock=clock)

    async def main() -> None:
        with pytest.raises(AuthorityUnavailable):
            await verifier.averify("token")
        clock.now += 1
        with anyio.move_on_after(0.01):
            await verifier.averify("token")
        assert transport.number == 2
        assert (await verifier.averify("another")).subject == "u1"

    anyio.run(main, backend=loop)
    assert verifier.status()["fetches"] == {"begun": 3, "succeeded": 1, "failed": 1}


RESTING = Response(status=503, headers={"retry-after": "1"}, body=b"{}")


class Faltering(Patient):
    """It wants to be left alone at first, and its second exchange never ends, unless it is cancelled."""

    async def asend(self, request: Request) -> Response:
        if self.number == 0:
            self.number += 1
            return RESTING
        self.number += 1
        if self.number == 2:
            await anyio.sleep_forever()
        return Response(status=200, body=b'{"active":true,"aud":"https://api.example","sub":"u1"}')


def test_a_question_that_is_lost_while_it_was_to_find_out_counts_as_failed(clock: Clock) -> None:
    transport = LostLater()
    verifier = introspecting("https://id.example.com/i", transport=transport, timeout=0.1, clock=clock)
    with pytest.raises(AuthorityUnavailable, match="status 503"):
        verifier.verify("token")
    clock.now += 1
    with ThreadPoolExecutor(1) as threads:
        lost = threads.submit(verifier.verify, "token")
        assert transport.begun.wait(10)
        flight = verifier._answers._process.here().flights[key_of("token")]
        while time.monotonic() < flight.deadline:
            assert verifier.status()["last_error"]
        assert verifier.status()["last_error"] == "no answer in time"
        assert 1.5 <= (verifier.status()["next_refresh"] or 0) <= 2
        clock.now += 2
        assert verifier.verify("another").subject == "u1"
        transport.released.set()
        assert lost.result(10).subject == "u1"
    assert verifier.status()["state"] == "fresh"


class LostLater(Lost):
    """It wants to be left alone at first, and its second exchange keeps no deadline."""

    def send(self, request: Request) -> Response:
        if not self.timeouts:
            self.timeouts.append(request.timeout)
            return RESTING
        self.timeouts.append(request.timeout)
        if len(self.timeouts) == 2:
            self.begun.set()
            assert self.released.wait(10)
        return Response(status=200, body=b'{"active":true,"aud":"https://api.example","sub":"u1"}')


class Bugs:
    """A transport that answers once and then does what no transport should."""

    calls = 0

    def send(self, request: Request) -> Response:
        self.calls += 1
        if self.calls == 1:
            return Response(status=200, body=b'{"active":true,"aud":"https://api.example","sub":"u1"}')
        if self.calls == 2:
            return RESTING
        raise ZeroDivisionError


def test_a_bug_where_nobody_waits_for_it_is_logged_and_followed_by_the_back_off(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    transport = Bugs()
    verifier = introspecting(
        "https://id.example.com/i", transport=transport, cache_ttl=0, stale_if_error=60, clock=clock
    )
    assert [verifier.verify("token").subject for _ in range(2)] == ["u1"] * 2
    clock.now += 1
    assert [verifier.verify("token").subject for _ in range(9)] == ["u1"] * 9
    landed(verifier)
    assert [verifier.verify("token").subject for _ in range(9)] == ["u1"] * 9
    assert transport.calls == 3
    assert verifier.status()["last_error"] == "unexpected ZeroDivisionError"
    assert caplog.messages == ["no answer from https://id.example.com/i: unexpected ZeroDivisionError"]


def test_a_thread_that_cannot_be_started_is_trouble_that_goes_on(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Bugs()
    verifier = introspecting(
        "https://id.example.com/i", transport=transport, cache_ttl=0, stale_if_error=60, clock=clock
    )
    assert [verifier.verify("token").subject for _ in range(2)] == ["u1"] * 2

    def none_left(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", none_left)
    clock.now += 1
    assert [verifier.verify("token").subject for _ in range(9)] == ["u1"] * 9
    assert transport.calls == 2
    assert verifier.status()["last_error"] == "no thread can be started"
    assert verifier.status()["fetches"] == {"begun": 3, "succeeded": 1, "failed": 2}


def test_in_trouble_a_yes_serves_for_the_grace_and_nothing_else_does(
    endpoint: Endpoint, gated: Gated, clock: Clock
) -> None:
    gated.gate.set()
    verifier = introspecting(endpoint, clock=clock, cache_ttl=60, stale_if_error=100)
    assert verifier.verify("token").subject == "u1"
    gated.answer = reply({}, 500)
    clock.now += 159
    assert verifier.verify("token").subject == "u1"
    assert len(endpoint.asked) == 2
    with pytest.raises(AuthorityUnavailable):
        verifier.verify("another")
    clock.now += 1
    with pytest.raises(AuthorityUnavailable):
        verifier.verify("token")


def test_a_revocation_is_noticed_at_once_when_the_trouble_is_over(
    endpoint: Endpoint, gated: Gated, clock: Clock
) -> None:
    gated.gate.set()
    verifier = introspecting(endpoint, clock=clock, cache_ttl=0, stale_if_error=100)
    assert verifier.verify("token").subject == "u1"
    gated.answer = reply({}, 500)
    assert verifier.verify("token").subject == "u1"
    gated.answer = reply({"active": False})
    with pytest.raises(InactiveToken):
        verifier.verify("token")
    gated.answer = reply({}, 500)
    clock.now += 10
    with pytest.raises(AuthorityUnavailable):
        verifier.verify("token")


def test_by_default_nothing_serves_past_its_time(endpoint: Endpoint, gated: Gated, clock: Clock) -> None:
    gated.gate.set()
    verifier = introspecting(endpoint, clock=clock)
    verifier.verify("token")
    gated.answer = reply({}, 500)
    clock.now += 60
    with pytest.raises(AuthorityUnavailable):
        verifier.verify("token")


# The rest


def test_an_overlong_token_is_refused_unasked(endpoint: Endpoint) -> None:
    with pytest.raises(MalformedToken, match="longer than") as caught:
        introspecting(endpoint).verify("a" * (MAX_TOKEN_LENGTH + 1))
    assert caught.value.reason == "token_too_long"
    assert endpoint.asked == []


def test_what_handlers_do_to_a_claim_stays_with_them(endpoint: Endpoint, gated: Gated) -> None:
    gated.gate.set()
    gated.answer = reply({**ACTIVE, "list": [1], "object": {"a": 1}})
    verifier = introspecting(endpoint)
    first, second = verifier.verify("token"), verifier.verify("token")
    assert first == second
    assert first.claims["list"] == (1,)
    with pytest.raises(TypeError):
        first.claims["object"]["a"] = 2  # type: ignore[index]


def signed_no(asked: Asked) -> Any:
    """That no token is active, in a signed answer."""
    claims = {"iss": ISSUER, "aud": "api", "iat": NOW, "token_introspection": {"active": False}}
    signed = raw({"alg": "ES256", "typ": "token-introspection+jwt", "kid": "k1"}, claims, signer())
    return reply(signed.encode(), Content_Type="application/token-introspection+jwt")


def test_the_status_tells_of_the_endpoint_and_of_the_keys_of_signed_answers() -> None:
    with Endpoint(reply(jwks())) as server, Endpoint(signed_no) as endpoint:
        keys = RemoteJWKSet(server.endpoint)
        guard = Guard(introspecting(endpoint, issuer=ISSUER, signed=keys))
        assert [source["source"] for source in guard.status()["sources"]] == [endpoint.endpoint, server.endpoint]
        assert [source["state"] for source in guard.status()["sources"]] == ["unavailable"] * 2
        assert not guard.status()["ready"]
        guard.warm()
        assert guard.status()["ready"]
        assert [source["state"] for source in guard.status()["sources"]] == ["fresh"] * 2
        assert (len(server.asked), len(endpoint.asked)) == (1, 1)


def test_the_representation_names_the_endpoint_alone() -> None:
    assert (
        repr(introspecting("https://id.example.com/i")) == "IntrospectionVerifier(endpoint='https://id.example.com/i')"
    )


def test_plain_http_beyond_loopback_needs_to_be_called_unsafe() -> None:
    assert introspecting("http://id.example.com/i", unsafe_http=True)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"endpoint": "http://id.example.com/i"}, "endpoint must be https"),
    ({"audience": ""}, "audience is required"),
    ({"audience": []}, "audience is empty"),
    ({"issuer": ""}, "issuer must be a string"),
    ({"issuer": 7}, "issuer must be a string"),
    ({"client_secret": None}, "needs a client_secret"),
    ({"auth": "digest"}, "auth must be one of"),
    ({"auth": "bearer", "client_secret": "a b"}, "is no bearer token"),
    ({"leeway": 301}, "leeway must be 0 to 300"),
    ({"required_claims": "jti"}, "required_claims must be a list"),
    ({"validate": 7}, "validate must be a callable"),
    ({"cache_ttl": -1}, "cache_ttl must be a number"),
    ({"negative_ttl": float("inf")}, "negative_ttl must be a number"),
    ({"stale_if_error": "1"}, "stale_if_error must be a number"),
    ({"cache_size": -1}, "cache_size must be a number of tokens"),
    ({"cache_size": True}, "cache_size must be a number of tokens"),
    ({"cache_size": 1.5}, "cache_size must be a number of tokens"),
    ({"cache_size": 0, "stale_if_error": 60}, "cache_size=0 remembers none: leave one of them out"),
    ({"timeout": 0}, "timeout must be greater than 0"),
    ({"signed": "keys"}, "signed must be the keys of the server"),
    ({"signed": RemoteJWKSet("https://id.example.com/jwks")}, "signed answers need issuer"),
    ({"clock": NOW}, "clock must be a callable"),
    ({"proxy": "https://proxy.example"}, "proxy must be an http URL"),
    ({"transport": Lost(), "proxy": "http://proxy.example"}, "give ssl_context and proxy to the transport"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_a_mistake_is_told_while_constructing(options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        introspecting(options.pop("endpoint", "https://id.example.com/i"), **options)
    assert len(caught.value.problems) == 1


def test_the_audience_must_be_given_though_it_may_be_none() -> None:
    with pytest.raises(ConfigurationError, match="audience is required"):
        IntrospectionVerifier(endpoint="https://id.example.com/i", client_id="api", client_secret="s")
    assert introspecting("https://id.example.com/i", audience=None)


def test_all_mistakes_of_one_construction_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        introspecting("ftp://x", audience="", issuer="", auth="x", leeway=-1, timeout=0, cache_size=-1, clock=7)
    assert len(caught.value.problems) == 8
