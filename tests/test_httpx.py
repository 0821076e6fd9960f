"""The httpx2 adapter: a pooled transport whose promises hold, and a token that goes to its own origins alone (N07)."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio

import bearer_guard.httpx
from bearer_guard import AuthorityUnavailable, ConfigurationError, IntrospectionVerifier, JWTVerifier, RemoteJWKSet
from bearer_guard._flow import ExchangeFailed, Join, Request, Response
from bearer_guard._transport import USER_AGENT
from bearer_guard._workers import MOST, Workers
from bearer_guard.client import TokenClient, TokenRequestFailed
from bearer_guard.httpx import BearerAuth, HTTPXTransport
from tests.endpoint import Asked, Endpoint, loopback_certificate, reply, server_context
from tests.fetching import FETCHING, TRUST, Fetching, run_asyncio
from tests.granting import Clock, Grants
from tests.loopback import Loopback
from tests.tokens import ISSUER, NOW, RESOURCE, T, jwks

Sending = Callable[..., Response]


class KeepAlive(Endpoint):
    """Keeps connections open, and knows over how many of them requests came."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.connections: set[int] = set()
        handler: Any = self.RequestHandlerClass
        self.RequestHandlerClass = type("Handler", (handler,), {"protocol_version": "HTTP/1.1"})

    def _respond(self, handler: BaseHTTPRequestHandler) -> None:
        self.connections.add(handler.client_address[1])
        super()._respond(handler)


def post(url: str, **options: Any) -> Request:
    return Request(
        method="POST", url=url, body=b"a=b", headers={"Content-Type": "text/plain"}, **{"timeout": 5.0, **options}
    )


async def in_this_loop(request: Request, client: Any) -> Response:
    async with httpx2.AsyncClient(trust_env=False, verify=TRUST) as async_client:
        return await HTTPXTransport(client, async_client).asend(request)


def blocking(request: Request) -> Response:
    with HTTPXTransport() as transport:
        return transport.send(request)


def with_client(request: Request) -> Response:
    with httpx2.Client(trust_env=False, verify=TRUST) as client:
        return HTTPXTransport(client).send(request)


def in_threads_of(run: Callable[..., Any]) -> Sending:
    def send(request: Request) -> Response:
        with HTTPXTransport() as transport:
            return run(transport.asend, request)

    return send


def natively_in(run: Callable[..., Any]) -> Sending:
    def send(request: Request) -> Response:
        with httpx2.Client(trust_env=False, verify=TRUST) as client:
            return run(in_this_loop, request, client)

    return send


WAYS: dict[str, Sending] = {
    "blocking": blocking,
    "a given client": with_client,
    "asyncio": in_threads_of(run_asyncio),
    "trio": in_threads_of(trio.run),
    "a given client in asyncio": natively_in(run_asyncio),
    "a given client in trio": natively_in(trio.run),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def send(request: pytest.FixtureRequest) -> Sending:
    """How an exchange is made: each colour, with clients of the transport's own and with given ones."""
    sending: Sending = request.param
    return sending


def raw(*chunks: bytes, pause: float = 0.0) -> Callable[[BaseHTTPRequestHandler], None]:
    """A page that writes these octets and nothing else, `pause` seconds after one another, until nobody reads."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        for chunk in chunks:
            handler.wfile.write(chunk)
            handler.wfile.flush()
            if pause and stopped.wait(pause):
                return

    stopped = threading.Event()
    return write


# The transport


def test_an_answer_comes_with_its_status_its_fields_and_its_body(send: Sending) -> None:
    with Endpoint(reply(b"words", 418, X_Thing="Value")) as server:
        answer = send(post(server.endpoint))
        assert (answer.status, answer.body, answer.headers["x-thing"]) == (418, b"words", "Value")
        (asked,) = server.asked
        assert (asked.method, asked.path, asked.body) == ("POST", "/e", b"a=b")
        assert asked.headers["user-agent"] == USER_AGENT
        assert asked.headers["accept-encoding"] == "identity"
        assert asked.headers["content-type"] == "text/plain"


def test_a_request_without_a_body_has_none(send: Sending) -> None:
    with Endpoint() as server:
        send(Request(method="GET", url=server.endpoint))
        (asked,) = server.asked
        assert (asked.method, asked.body) == ("GET", b"")
        assert not asked.headers.keys() & {"content-length", "transfer-encoding", "content-type"}


def test_nothing_of_a_given_client_is_sent_along() -> None:
    options: dict[str, Any] = {
        "auth": ("user", "pass"),
        "headers": {"X-Mine": "1"},
        "cookies": {"session": "1"},
        "params": {"q": "1"},
        "base_url": "https://elsewhere.example",
        "follow_redirects": True,
        "trust_env": False,
    }
    with Endpoint(reply({}, 302, Location="/elsewhere", Set_Cookie="a=b")) as server:
        with httpx2.Client(**options) as client:
            transport = HTTPXTransport(client)
            assert [transport.send(post(server.endpoint)).status for _ in range(2)] == [302, 302]

            async def both() -> None:
                async with httpx2.AsyncClient(**options) as async_client:
                    native = HTTPXTransport(client, async_client)
                    assert [(await native.asend(post(server.endpoint))).status for _ in range(2)] == [302, 302]

            asyncio.run(both())
        assert server.requests == ["/e"] * 4
        for asked in server.asked:
            assert not asked.headers.keys() & {"authorization", "x-mine", "cookie"}


def test_connections_are_kept_across_colours_and_event_loops() -> None:
    with KeepAlive(reply({})) as server, HTTPXTransport() as transport:
        transport.send(post(server.endpoint))
        for _ in range(3):
            asyncio.run(transport.asend(post(server.endpoint)))
            trio.run(transport.asend, post(server.endpoint))
        assert len(server.asked) == 7
        assert len(server.connections) == 1


def test_a_redirect_is_an_answer_and_is_not_followed(send: Sending) -> None:
    with Endpoint() as elsewhere, Endpoint(reply(b"", 307, Location=elsewhere.endpoint)) as server:
        assert send(post(server.endpoint)).status == 307
        assert elsewhere.requests == []


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x"])
def test_an_answer_that_is_compressed_is_refused_unread(send: Sending, coding: str) -> None:
    bomb = gzip.compress(bytes(10**7))
    with Endpoint(reply(bomb, Content_Encoding=coding)) as server, pytest.raises(ExchangeFailed, match="compressed"):
        send(post(server.endpoint))


def test_an_endless_answer_is_refused_while_it_is_read(send: Sending) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    ended = threading.Event()

    def endless(handler: BaseHTTPRequestHandler) -> None:
        try:
            while True:
                handler.wfile.write(bytes(65536))
        except OSError:
            ended.set()
            raise

    with Loopback() as server:
        server.pages["/"] = lambda handler: (handler.wfile.write(head), endless(handler))[1]
        with pytest.raises(ExchangeFailed, match="larger than 1000 bytes"):
            send(post(server.url + "/", limit=1000))
        assert ended.wait(10)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n"


@pytest.mark.parametrize(
    "page",
    [
        raw(b"", b"", pause=2),
        raw(b"HTTP/1.1 200 OK\r\n", *[b"X-Drip: 1\r\n"] * 100, pause=0.02),
        raw(HEAD + b"\r\n", *[b"x"] * 100, pause=0.02),
        raw(HEAD + b"\r\n", pause=2),
    ],
    ids=["silence", "fields that drip", "a body that drips", "no body"],
)
def test_the_deadline_is_real_whatever_drips_in(send: Sending, page: Any) -> None:
    with Loopback() as server:
        server.pages["/"] = page
        begun = time.monotonic()
        with pytest.raises(ExchangeFailed, match="no complete answer in time"):
            send(post(server.url + "/", timeout=0.12))
        assert 0.1 < time.monotonic() - begun < 8


def test_an_exchange_that_nobody_waits_for_any_more_hangs_up() -> None:
    arrived, hung_up, forever = threading.Event(), threading.Event(), threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        arrived.set()
        handler.wfile.write(HEAD + b"\r\n")
        try:
            while not forever.wait(0.01):
                handler.wfile.write(b"x")
        except OSError:
            hung_up.set()

    with Loopback() as server, HTTPXTransport() as transport:
        server.page("/", {})
        transport.send(post(server.url + "/", timeout=20.0))  # so that the client is there before time is short
        server.pages["/"] = drip
        for timeout in (0.1, 1, 10):  # a busy machine may not even connect in a short one
            with pytest.raises(ExchangeFailed, match="in time"):
                transport.send(post(server.url + "/", timeout=timeout))
            if arrived.is_set():
                break
        assert hung_up.wait(60)
        forever.set()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"\x00\x01\x02\r\n\r\n"])
def test_an_answer_that_breaks_off_or_is_none_is_a_failure(send: Sending, answer: bytes) -> None:
    with Loopback() as server:
        server.pages["/"] = raw(answer)
        with pytest.raises(ExchangeFailed, match=r"^RemoteProtocolError$"):
            send(post(server.url + "/"))


def test_a_connection_that_is_refused_is_a_failure(send: Sending) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(ExchangeFailed, match=r"^ConnectError$"):
            send(post(f"http://127.0.0.1:{closed.getsockname()[1]}/"))


def test_a_failure_never_quotes_what_was_to_be_sent(send: Sending) -> None:
    with Endpoint() as server, pytest.raises(ExchangeFailed) as caught:
        send(Request(method="POST", url=server.endpoint, headers={"Authorization": "Bearer s3cret\r\nX: y"}))
    assert str(caught.value) == "LocalProtocolError"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that only a test trusts, with its key."""
    return loopback_certificate(tmp_path_factory.mktemp("tls") / "both.pem")


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[Endpoint]:
    with Endpoint(reply({}), context=server_context(certificate)) as server:
        yield server


def test_a_certificate_that_nobody_vouches_for_is_refused(tls_server: Endpoint, send: Sending) -> None:
    with pytest.raises(ExchangeFailed, match="TLS certificate not trusted: "):
        send(post(tls_server.endpoint))
    assert tls_server.asked == []


def test_a_given_client_says_whom_to_trust(tls_server: Endpoint, certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=certificate)
    with httpx2.Client(verify=trust, trust_env=False) as client:
        assert HTTPXTransport(client).send(post(tls_server.endpoint)).status == 200


def test_no_environment_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Endpoint() as server:
        assert blocking(post(server.endpoint)).status == 200


def test_another_process_makes_connections_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with KeepAlive() as server, HTTPXTransport() as transport:
        transport.send(post(server.endpoint))
        with monkeypatch.context() as patch:
            parent = os.getpid()
            patch.setattr(os, "getpid", lambda: parent + 1)
            transport.send(post(server.endpoint))
            transport.close()
        transport.send(post(server.endpoint))
        assert len(server.connections) == 2


def test_closing_twice_or_unused_does_nothing_more() -> None:
    transport = HTTPXTransport()
    transport.close()
    transport.close()


def test_hooks_of_a_given_client_see_the_context_of_the_caller() -> None:
    span: ContextVar[str] = ContextVar("span")
    seen: list[str] = []
    with (
        Endpoint() as server,
        httpx2.Client(verify=TRUST, event_hooks={"request": [lambda _: seen.append(span.get())]}) as client,
    ):
        span.set("mine")
        HTTPXTransport(client).send(post(server.endpoint))
    assert seen == ["mine"]


def test_whatever_a_given_client_raises_is_a_failed_exchange() -> None:
    def fail(_: httpx2.Request) -> None:
        raise RuntimeError("the hook's own trouble")

    with (
        Endpoint() as server,
        httpx2.Client(verify=TRUST, event_hooks={"request": [fail]}) as client,
        pytest.raises(ExchangeFailed, match=r"^unexpected RuntimeError$"),
    ):
        HTTPXTransport(client).send(post(server.endpoint))


def test_the_time_outs_of_a_client_are_a_deadline_that_passed() -> None:
    def hang(_: httpx2.Request) -> None:
        raise httpx2.ConnectTimeout("while connecting")

    with (
        httpx2.Client(verify=TRUST, event_hooks={"request": [hang]}) as client,
        pytest.raises(ExchangeFailed, match=r"^no complete answer in time$"),
    ):
        HTTPXTransport(client).send(post("http://127.0.0.1:9/"))


def test_at_most_so_many_exchanges_are_under_way_and_the_others_take_their_turn() -> None:
    gate = threading.Event()

    def held(asked: Asked) -> Any:
        assert gate.wait(60)
        return reply({})

    with Endpoint(held) as server, HTTPXTransport() as transport, ThreadPoolExecutor(MOST + 6) as threads:
        answers = [threads.submit(transport.send, post(server.endpoint, timeout=60)) for _ in range(MOST + 6)]
        server.wait_for_requests(MOST)
        assert len(server.asked) == MOST
        gate.set()
        assert {answer.result(60).status for answer in answers} == {200}
        assert len(server.asked) == MOST + 6


def test_an_exchange_whose_turn_comes_too_late_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bearer_guard._workers.MOST", 1)
    gate = threading.Event()

    def held(asked: Asked) -> Any:
        assert gate.wait(10)
        return reply({})

    with Endpoint(held) as server, HTTPXTransport() as transport, ThreadPoolExecutor(1) as threads:
        first = threads.submit(transport.send, post(server.endpoint))
        server.wait_for_requests(1)
        with pytest.raises(ExchangeFailed, match="in time"):
            transport.send(post(server.endpoint, timeout=0.05))
        gate.set()
        assert first.result(10).status == 200
        assert transport.send(post(server.endpoint)).status == 200
        assert len(server.asked) == 2


def refuse_threads(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_without_a_thread_an_exchange_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with Endpoint() as server, HTTPXTransport() as transport:
        with monkeypatch.context() as patch:
            patch.setattr("bearer_guard._workers._thread.start_new_thread", refuse_threads)
            with pytest.raises(ExchangeFailed, match="no thread can be started"):
                transport.send(post(server.endpoint))
        assert transport.send(post(server.endpoint)).status == 200
        assert len(server.asked) == 1


def test_an_exchange_without_a_thread_of_its_own_waits_for_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, begun, workers = threading.Event(), threading.Event(), Workers()
    deadline = time.monotonic() + 10

    def held() -> Response:
        begun.set()
        assert gate.wait(10)
        return Response(status=200)

    first = workers.outcome(held, deadline)
    joined = next(first)
    assert begun.wait(10)
    with monkeypatch.context() as patch:
        patch.setattr("bearer_guard._workers._thread.start_new_thread", refuse_threads)
        second = workers.outcome(lambda: Response(status=201), deadline)
        waiting = next(second)
    gate.set()
    for flow, step, status in ((first, joined, 200), (second, waiting, 201)):
        assert isinstance(step, Join)
        step.future.result(10)
        with pytest.raises(StopIteration) as ended:
            flow.send(None)
        assert ended.value.value.status == status


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("client",), "client must be an httpx2.Client"),
        ((httpx2.AsyncClient(),), "client must be an httpx2.Client"),
        ((httpx2.Client(), httpx2.Client()), "async_client must be an httpx2.AsyncClient"),
        ((None, httpx2.AsyncClient()), "give client as well"),
    ],
)
def test_clients_of_the_wrong_kind_are_told_while_constructing(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        HTTPXTransport(*arguments)


def test_introspection_keys_and_tokens_go_over_one_connection() -> None:
    def answer(asked: Asked) -> Any:
        if asked.method == "GET":
            return reply(jwks())
        if "token" in asked.form:
            return reply({"active": True, "aud": RESOURCE, "sub": "u1"})
        return reply({"access_token": "t", "token_type": "bearer"})

    with KeepAlive(answer) as server, HTTPXTransport() as transport:
        keys = RemoteJWKSet(server.endpoint, transport=transport)
        verifier = JWTVerifier(issuer=ISSUER, audience=RESOURCE, keys=keys, clock=lambda: NOW)
        assert verifier.verify(T()).subject == "u1"
        secrets = {"client_id": "api", "client_secret": "s"}
        opaque = IntrospectionVerifier(endpoint=server.endpoint, audience=RESOURCE, transport=transport, **secrets)
        assert asyncio.run(opaque.averify("opaque")).subject == "u1"
        assert TokenClient(server.endpoint, transport=transport, **secrets).token() == "t"
        assert len(server.asked) == 3
        assert len(server.connections) == 1


# The token on requests


@pytest.fixture(params=FETCHING.values(), ids=FETCHING)
def fetch(request: pytest.FixtureRequest) -> Fetching:
    fetching: Fetching = request.param
    return fetching


@pytest.fixture
def authority() -> Iterator[Endpoint]:
    with Endpoint(Grants()) as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(authority: Endpoint, clock: Clock) -> TokenClient:
    return TokenClient(authority.endpoint, client_id="reports", client_secret="s3cret", clock=clock)


@pytest.fixture
def api() -> Iterator[Endpoint]:
    with Endpoint(reply({"ok": True})) as server:
        yield server


@pytest.fixture
def other() -> Iterator[Endpoint]:
    with Endpoint(reply({"ok": True})) as server:
        yield server


def presented(server: Endpoint) -> list[str | None]:
    return [asked.headers.get("authorization") for asked in server.asked]


def test_requests_to_a_configured_origin_carry_the_token(
    tokens: TokenClient, api: Endpoint, other: Endpoint, fetch: Fetching
) -> None:
    auth = BearerAuth(tokens, origins=[api.url, other.url + "/"])
    for url in (api.endpoint, other.endpoint, api.endpoint):
        assert fetch(auth, "GET", url).status_code == 200
    assert presented(api) == ["Bearer t1", "Bearer t1"]
    assert presented(other) == ["Bearer t1"]


def test_a_redirect_within_the_origin_keeps_the_token(tokens: TokenClient, api: Endpoint, fetch: Fetching) -> None:
    api.answer = reply({}, 302, Location="/there")
    api.page("/there", {"ok": True})
    assert fetch(BearerAuth(tokens), "GET", api.endpoint, follow_redirects=True).json() == {"ok": True}
    assert api.requests == ["/e", "/there"]


def refusing(*tokens: str) -> Callable[[Asked], Any]:
    """An API that answers these tokens with 401, and others with their request's body."""

    def answer(asked: Asked) -> Any:
        if asked.headers.get("authorization") in {f"Bearer {token}" for token in tokens}:
            return reply({"error": "invalid_token"}, 401)
        return reply(asked.body)

    return answer


def test_a_401_is_tried_once_more_with_a_fresh_token_and_the_same_body(
    tokens: TokenClient, api: Endpoint, fetch: Fetching
) -> None:
    api.answer = refusing("t1")
    answer = fetch(BearerAuth(tokens), "POST", api.endpoint, content=b"body")
    assert (answer.status_code, answer.content) == (200, b"body")
    assert presented(api) == ["Bearer t1", "Bearer t2"]
    assert fetch(BearerAuth(tokens), "POST", api.endpoint, json={"a": 1}).json() == {"a": 1}
    assert presented(api)[2:] == ["Bearer t2"]


def test_a_body_that_cannot_be_sent_again_is_not_but_the_next_request_has_a_fresh_token(
    tokens: TokenClient, api: Endpoint, fetch: Fetching
) -> None:
    api.answer = refusing("t1")
    auth = BearerAuth(tokens)
    assert (
        fetch(auth, "POST", api.endpoint, content=iter([b"bo", b"dy"]), headers={"Content-Length": "4"}).status_code
        == 401
    )
    assert fetch(auth, "POST", api.endpoint, content=b"body").status_code == 200
    assert presented(api) == ["Bearer t1", "Bearer t2"]


def test_other_refusals_are_not_tried_again(tokens: TokenClient, api: Endpoint, fetch: Fetching) -> None:
    api.answer = reply({}, 403)
    assert fetch(BearerAuth(tokens), "GET", api.endpoint).status_code == 403
    assert presented(api) == ["Bearer t1"]


def test_CLI_2_a_resource_that_always_refuses_makes_no_storm(
    tokens: TokenClient, api: Endpoint, authority: Endpoint, fetch: Fetching
) -> None:
    api.answer = reply({}, 401)
    auth = BearerAuth(tokens)
    for _ in range(10):
        assert fetch(auth, "GET", api.endpoint).status_code == 401
    assert len(authority.asked) == 3
    assert len(api.asked) == 12, "each of the first two tokens was followed by one more try"


def test_a_401_while_the_authority_is_down_is_handed_on(
    tokens: TokenClient, api: Endpoint, authority: Endpoint, fetch: Fetching
) -> None:
    api.answer = reply({}, 401)
    tokens.token()
    authority.answer = reply(b"", 503)
    assert fetch(BearerAuth(tokens), "GET", api.endpoint).status_code == 401
    assert presented(api) == ["Bearer t1"]


def test_what_the_token_client_raises_reaches_the_caller(
    tokens: TokenClient, api: Endpoint, authority: Endpoint, clock: Clock, fetch: Fetching
) -> None:
    authority.answer = reply({"error": "invalid_client"}, 401)
    with pytest.raises(TokenRequestFailed, match="invalid_client"):
        fetch(BearerAuth(tokens), "GET", api.endpoint)
    authority.answer = reply(b"", 500)
    clock.now += 2
    with pytest.raises(AuthorityUnavailable):
        fetch(BearerAuth(tokens), "GET", api.endpoint)
    assert api.asked == []


def test_the_token_never_travels_in_the_clear(tokens: TokenClient, authority: Endpoint, fetch: Fetching) -> None:
    with pytest.raises(ConfigurationError, match=r"http://api\.example\.com would get the token in the clear"):
        fetch(BearerAuth(tokens), "GET", "http://api.example.com/v1")
    assert authority.asked == []
    assert BearerAuth(tokens, unsafe_http=True)._may_see(httpx2.URL("http://api.example.com/v1"))
    assert BearerAuth(tokens)._may_see(httpx2.URL("wss://api.example.com/v1"))


def test_a_url_that_is_none_gets_no_token(tokens: TokenClient, authority: Endpoint, fetch: Fetching) -> None:
    with pytest.raises(httpx2.UnsupportedProtocol):
        fetch(BearerAuth(tokens), "GET", "/v1")
    assert authority.asked == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"origins": ["http://api.example.com"]}, "must be https"),
        ({"origins": ["https://api.example.com/v1"]}, "must end after the host"),
        ({"origins": ["https://api.example.com/?q"]}, "must end after the host"),
        ({"origins": "api.example.com"}, "must be an absolute https URL"),
        ({"origins": [7]}, "must be an absolute https URL"),
        ({"origins": []}, "origins is empty"),
        ({"token_client": "t1"}, "token_client must be a TokenClient"),
    ],
)
def test_mistakes_are_told_while_constructing(tokens: TokenClient, options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        BearerAuth(options.pop("token_client", tokens), **options)


def test_the_representation_shows_whose_tokens_these_are(tokens: TokenClient, authority: Endpoint) -> None:
    tokens.token()
    assert repr(BearerAuth(tokens)) == f"BearerAuth(TokenClient({authority.endpoint!r}, client_id='reports'))"


def test_the_public_names_are_these() -> None:
    assert bearer_guard.httpx.__all__ == ["BearerAuth", "HTTPXTransport"]


def test_the_token_client_and_the_core_load_no_httpx() -> None:
    check = "import sys, bearer_guard, bearer_guard.client; sys.exit('httpx2' in sys.modules or 'anyio' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=30)


def test_a_crew_is_left_behind_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers()
    crew = workers._crew
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    flow = workers.outcome(lambda: Response(status=200), time.monotonic() + 5)
    next(flow).future.result(10)  # type: ignore[union-attr]
    assert workers._crew is not crew
