"""The token client against real endpoints on loopback: what it sends, what it takes, when it asks again (CLI-*)."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import re
import socket
import threading
import time
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
import trio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bearer_guard import AuthorityUnavailable, BearerGuardError, ConfigurationError
from bearer_guard import client as client_module
from bearer_guard._flow import Request, Response
from bearer_guard._grant import Granted
from bearer_guard.client import TokenClient, TokenRequestFailed
from bearer_guard.testing import LocalIssuer
from tests.endpoint import Asked, Endpoint, reply
from tests.granting import SECRET, Clock, Grants, basic, made, settled
from tests.loopback import Reply
from tests.tokens import private_key

API = "https://api.example.com"


@pytest.fixture
def grants() -> Grants:
    return Grants()


@pytest.fixture
def endpoint(grants: Grants) -> Iterator[Endpoint]:
    with Endpoint(grants) as server:
        yield server
        grants.gate.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def obtain(request: pytest.FixtureRequest) -> Callable[[TokenClient], str]:
    """How a token is asked for, in each colour and on each event loop; a new loop each time."""
    drivers: dict[str, Callable[[TokenClient], str]] = {
        "blocking": TokenClient.token,
        "asyncio": lambda client: asyncio.run(client.atoken()),
        "trio": lambda client: trio.run(client.atoken),
    }
    return drivers[request.param]


# What is sent


def test_basic_raw_sends_both_halves_as_they_are(endpoint: Endpoint) -> None:
    made(endpoint, auth="basic_raw", client_secret="a b+c").token()
    assert basic(endpoint.asked[0]) == "reports:a b+c"


def test_a_json_body_carries_the_same_members(endpoint: Endpoint) -> None:
    made(endpoint, auth="post", body="json", scope="a b", resource=API, extra={"audience": "x"}).token()
    (asked,) = endpoint.asked
    assert asked.headers["content-type"] == "application/json"
    assert asked.json == {
        "grant_type": "client_credentials",
        "client_id": "reports",
        "client_secret": SECRET,
        "scope": "a b",
        "resource": API,
        "audience": "x",
    }


def test_several_resources_are_repeated_in_a_form_and_a_list_in_json(endpoint: Endpoint) -> None:
    resources = [API, "urn:example:other"]
    made(endpoint, resource=resources, scope=["a", "b"]).token()
    made(endpoint, resource=resources, scope=["a", "b"], body="json").token()
    form, in_json = endpoint.asked
    assert form.body.endswith(b"scope=a+b&resource=https%3A%2F%2Fapi.example.com&resource=urn%3Aexample%3Aother")
    assert in_json.json["resource"] == resources
    assert in_json.json["scope"] == "a b"


@pytest.mark.parametrize(("kind", "algorithm"), [("P-256", "ES256"), ("RSA", "RS256"), ("Ed25519", "Ed25519")])
def test_private_key_jwt_signs_a_new_assertion_for_the_issuer_alone(
    endpoint: Endpoint, kind: str, algorithm: str
) -> None:
    pem = private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    options = {"auth": "private_key_jwt", "client_secret": None, "private_key": pem, "issuer": "https://id.example.com"}
    for _ in range(2):
        made(endpoint, **options).token()
    seen = set()
    for asked in endpoint.asked:
        assert "authorization" not in asked.headers
        form = asked.form
        assert form.keys() == {"grant_type", "client_assertion_type", "client_assertion"}
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        signing_input, _, signature = form["client_assertion"].rpartition(".")
        header = jwt.get_unverified_header(form["client_assertion"])
        assert header == {"alg": algorithm, "typ": "client-authentication+jwt"}
        if algorithm == "Ed25519":
            private_key(kind).public_key().verify(urlsafe_b64decode(signature + "=="), signing_input.encode())
        claims = jwt.decode(
            form["client_assertion"],
            private_key(kind).public_key(),
            algorithms=[algorithm],
            audience="https://id.example.com",
            options={"verify_signature": algorithm != "Ed25519"},  # which PyJWT knows by its old name alone
        )
        assert claims["iss"] == claims["sub"] == "reports"
        assert claims["aud"] == "https://id.example.com"
        assert claims["exp"] - claims["iat"] == 60
        assert abs(claims["iat"] - time.time()) < 30
        seen.add(claims["jti"])
    assert len(seen) == 2


def test_a_secret_that_is_a_callable_is_fetched_for_each_request(endpoint: Endpoint, clock: Clock, obtain: Any) -> None:
    secrets = iter(["first", "second"])
    client = made(endpoint, client_secret=lambda: next(secrets), clock=clock)
    assert obtain(client) == "t1"
    clock.now += 3600
    assert obtain(client) == "t2"
    assert [basic(asked) for asked in endpoint.asked] == ["reports:first", "reports:second"]


@pytest.mark.parametrize("fetched", [KeyError("vault: hunter2"), "", None, b"bytes", "\ud800"], ids=ascii)
def test_a_callable_that_brings_no_secret_makes_the_authority_unavailable(endpoint: Endpoint, fetched: Any) -> None:
    def fetch() -> Any:
        if isinstance(fetched, Exception):
            raise fetched
        return fetched

    with pytest.raises(AuthorityUnavailable, match="client_secret: the callable") as caught:
        made(endpoint, client_secret=fetch).token()
    assert "hunter2" not in str(caught.value)
    assert endpoint.asked == []


# What is taken


BAD_ANSWERS = {
    "N02 mac": {"token_type": "mac"},
    "DPoP": {"token_type": "DPoP"},
    "no type": {"token_type": None},
    "type no text": {"token_type": 1},
    "no token": {"access_token": None},
    "token no text": {"access_token": 7},
    "empty token": {"access_token": ""},
    "CR LF": {"access_token": "a\r\nX-Evil: 1"},
    "space": {"access_token": "a b"},
    "trailing newline": {"access_token": "a\n"},
    "comma": {"access_token": "a,b"},
    "quote": {"access_token": 'a"b'},
    "NUL": {"access_token": "a\x00"},
    "not ASCII": {"access_token": "é"},
    "too long": {"access_token": "a" * (16 * 1024 + 1)},
    "negative": {"expires_in": -1},
    "zero": {"expires_in": 0},
    "huge": {"expires_in": 2**31},
    "huge float": {"expires_in": 1e300},
    "huge string": {"expires_in": "99999999999"},
    "boolean": {"expires_in": True},
    "text": {"expires_in": "soon"},
    "float in a string": {"expires_in": "3.6e3"},
    "signed string": {"expires_in": "-3600"},
    "Arabic digits": {"expires_in": "٣٦٠٠"},
    "list": {"expires_in": [3600]},
}


@pytest.mark.parametrize("members", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_CLI_1_an_answer_that_must_not_be_used_is_an_error_and_never_cached(members: Any, clock: Clock) -> None:
    grants = Grants(**members)
    with Endpoint(grants) as server:
        client = made(server, clock=clock)
        with pytest.raises(TokenRequestFailed) as caught:
            client.authorization()
        assert (caught.value.status, caught.value.error, caught.value.description) == (200, None, None)
        clock.now += 2
        grants.members = {}
        assert client.authorization() == {"Authorization": "Bearer t2"}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b"",
        b"[]",
        b'"token"',
        b'{"access_token": "a", "token_type": "Bearer", "expires_in": NaN}',
        b'{"access_token": "a", "token_type": "Bearer", "expires_in": 1e999}',
        b'{"access_token": "a", "access_token": "b", "token_type": "Bearer"}',
        b'\xff\xfe{"access_token": "a", "token_type": "Bearer"}',
        b"[" * 5000,
    ],
)
def test_CLI_1_what_is_not_an_unambiguous_json_object_is_an_error(body: bytes, obtain: Any) -> None:
    with Endpoint(reply(body)) as server, pytest.raises(TokenRequestFailed, match="JSON"):
        obtain(made(server))


def test_an_answer_of_megabytes_is_not_read_to_its_end() -> None:
    with Endpoint(reply(b" " * 2**20)) as server, pytest.raises(AuthorityUnavailable, match="larger than"):
        made(server).token()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_CLI_1_a_redirect_is_an_error_and_is_not_followed(status: int, obtain: Any) -> None:
    with Endpoint(Grants()) as elsewhere:
        answer = reply({}, status, Location=elsewhere.endpoint)
        with (
            Endpoint(answer) as server,
            pytest.raises(TokenRequestFailed, match="redirects are not followed") as caught,
        ):
            obtain(made(server))
        assert caught.value.status == status
        assert elsewhere.asked == []


def test_a_created_answer_is_taken_too() -> None:
    with Endpoint(reply({"access_token": "a", "token_type": "bearer"}, 201)) as server:
        assert made(server).token() == "a"


@pytest.mark.parametrize(
    ("status", "body", "error", "description", "temporary"),
    [
        (
            400,
            {"error": "invalid_scope", "error_description": "no such scope"},
            "invalid_scope",
            "no such scope",
            False,
        ),
        (401, {"error": "invalid_client"}, "invalid_client", None, False),
        (401, {"error": "Forbidden", "errorDescription": "permission denied"}, "Forbidden", "permission denied", False),
        (
            503,
            {
                "code": 503,
                "timestamp": "2025-07-11T06:51:25.202Z",
                "path": "/oauth2/token",
                "method": "POST",
                "error": "INTERNAL_SERVER_ERROR",
                "message": "Internal Server Error",
            },
            "INTERNAL_SERVER_ERROR",
            "Internal Server Error",
            True,
        ),
        (403, {"message": "invalid credentials"}, None, "invalid credentials", False),
        (403, {"reason": "bad client", "hint": "ask", "n": 1}, None, "reason: bad client; hint: ask", False),
        (403, {"code": "E42", "detail": "no"}, "E42", "no", False),
        (400, {"error": {"code": 1}, "message": ""}, None, None, False),
        (403, b"<html>Forbidden</html>", None, None, False),
        (429, b"", None, None, True),
        (404, {}, None, None, False),
    ],
)
def test_a_refusal_carries_the_code_and_words_of_the_provider(
    status: int, body: Any, error: str | None, description: str | None, temporary: bool, obtain: Any
) -> None:
    with Endpoint(reply(body, status)) as server:
        with pytest.raises(TokenRequestFailed) as caught:
            obtain(made(server))
        failure = caught.value
        assert (failure.status, failure.error, failure.description) == (status, error, description)
        assert failure.temporary is temporary
        words = [word for word in (error, description) if word]
        assert str(failure) == ", ".join(
            [f"token endpoint {server.endpoint}: status {status}", *([": ".join(words)] if words else [])]
        )
        assert isinstance(failure, BearerGuardError)
        copied = pickle.loads(pickle.dumps(failure))
        assert (str(copied), copied.status, copied.retry_after) == (str(failure), status, failure.retry_after)


@pytest.mark.parametrize(
    ("options", "repeated"),
    [
        ({}, SECRET),
        ({}, "s3cret%2Fof%2Bthe+client%3A%C3%A9"),
        ({"auth": "basic_raw"}, SECRET),
        ({"auth": "post"}, SECRET),
        ({"auth": "post"}, "s3cret%2Fof%2Bthe+client%3A%C3%A9"),
        ({}, None),
    ],
)
def test_whatever_the_provider_repeats_the_secret_is_in_no_error_and_no_log(
    options: Any, repeated: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    def echo(asked: Asked) -> Reply:
        text = repeated or asked.headers["authorization"].partition(" ")[2]
        sent.append(text)
        return reply({"error": f"bad {text}", "error_description": f"got\r\n{text}" + "x" * 400}, 401)

    sent: list[str] = []
    with caplog.at_level(logging.DEBUG), Endpoint(echo) as server, pytest.raises(TokenRequestFailed) as caught:
        made(server, **options).token()
    failure = caught.value
    assert failure.error == "bad [hidden]"
    assert failure.description is not None
    assert failure.description.startswith("got  [hidden]xxx")
    assert len(failure.description) == 300
    for text in (str(failure), repr(failure), caplog.text):
        assert sent[0] not in text
        assert SECRET not in text
    assert "no token from" in caplog.text
    assert failure.__cause__ is None
    assert failure.__context__ is None


@pytest.mark.parametrize(
    "spell",
    [str.upper, lambda text: text[:-1], lambda text: "-".join((text[:9], text[9:]))],
    ids=["upper case", "cut", "with a dash"],
)
def test_a_secret_in_another_spelling_hides_the_whole_text(spell: Any) -> None:
    def echo(asked: Asked) -> Reply:
        return reply({"error": "invalid_client", "error_description": f"got {spell(SECRET)}"}, 401)

    with Endpoint(echo) as server, pytest.raises(TokenRequestFailed) as caught:
        made(server).token()
    assert (caught.value.error, caught.value.description) == ("invalid_client", "[hidden]")


def test_an_assertion_that_the_provider_repeats_is_hidden() -> None:
    pem = private_key("P-256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def echo(asked: Asked) -> Reply:
        return reply({"error_description": asked.form["client_assertion"]}, 401)

    with Endpoint(echo) as server, pytest.raises(TokenRequestFailed) as caught:
        made(
            server, auth="private_key_jwt", client_secret=None, private_key=pem, issuer="https://id.example.com"
        ).token()
    assert caught.value.description == "[hidden]"


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", {}, b"[]"])
def test_a_server_error_without_a_word_is_an_unavailable_authority(body: Any, obtain: Any) -> None:
    with Endpoint(reply(body, 502, Retry_After="7")) as server:
        with pytest.raises(AuthorityUnavailable, match="status 502") as caught:
            obtain(made(server))
        assert 6.9 < caught.value.retry_after <= 7


def test_an_endpoint_that_cannot_be_reached_is_an_unavailable_authority(obtain: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/token"
        client = made(url)
        with pytest.raises(AuthorityUnavailable, match="Connection refused"):
            obtain(client)
        kept = client._renewal._attempts_here.failure
        assert kept is not None
        assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None), "frames hold the secret"


def test_an_endpoint_that_hangs_holds_nobody_longer_than_the_timeout(
    endpoint: Endpoint, grants: Grants, obtain: Any
) -> None:
    grants.gate.clear()
    begun = time.monotonic()
    with pytest.raises(AuthorityUnavailable, match="in time"):
        obtain(made(endpoint, timeout=0.2))
    assert time.monotonic() - begun < 8


# The documents of real providers


def document_000(asked: Asked) -> Reply:
    assert asked.json == {"client_id": "reports", "client_secret": SECRET, "grant_type": "client_credentials"}
    return reply({"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 3600, "scope": "read:users"})


def document_001(asked: Asked) -> Reply:
    assert asked.form == {"grant_type": "client_credentials"}
    if basic(asked) != f"reports:{SECRET}":
        return reply({"message": "invalid credentials"}, 403)
    return reply(
        {
            "access_token": "580defdbe1d21e0001c67e5c2a0a6c98ba8b4a059dc5825388501574",
            "expires_in": 3600,
            "token_type": "bearer",
        }
    )


def document_002(asked: Asked) -> Reply:
    assert asked.form == {"grant_type": "client_credentials", "scope": "openid inspect"}
    if basic(asked) != f"reports:{SECRET}":
        return reply({"error": "Forbidden", "errorDescription": "permission denied"}, 401)
    members = {"scope": "openid inspect", "token_type": "Bearer", "access_token": "a.b.c", "expires_in": 604800}
    return reply({**members, "id_token": "i.d.t", "refresh_token": "r.e.f"})


def document_003(asked: Asked) -> Reply:
    assert asked.json == {"grant_type": "client_credentials", "client_id": "reports", "client_secret": SECRET}
    return reply({"token_type": "Bearer", "expires_in": 3600, "access_token": "your.access.token"})


def document_004(asked: Asked) -> Reply:
    if asked.json.get("client_secret") != SECRET:
        return reply({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
    return reply({"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 3600})


@pytest.mark.parametrize(
    ("document", "options", "token", "lifetime"),
    [
        (document_000, {"auth": "post", "body": "json"}, "a.b.c", 3600),
        (document_001, {"auth": "basic_raw"}, "580defdbe1d21e0001c67e5c2a0a6c98ba8b4a059dc5825388501574", 3600),
        (document_002, {"auth": "basic_raw", "scope": "openid inspect"}, "a.b.c", 604800),
        (document_003, {"auth": "post", "body": "json"}, "your.access.token", 3600),
        (document_004, {"auth": "post", "body": "json"}, "a.b.c", 3600),
    ],
)
def test_tokens_are_obtained_and_renewed_as_each_document_says(
    document: Any, options: Any, token: str, lifetime: int, clock: Clock, obtain: Any
) -> None:
    with Endpoint(document) as server:
        client = made(server, clock=clock, **options)
        assert obtain(client) == token
        clock.now += lifetime - 61
        assert obtain(client) == token
        assert len(server.asked) == 1
        clock.now += 61
        assert obtain(client) == token
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("document", "options", "status", "error", "description"),
    [
        (document_001, {"auth": "basic_raw"}, 403, None, "invalid credentials"),
        (document_002, {"auth": "basic_raw", "scope": "openid inspect"}, 401, "Forbidden", "permission denied"),
        (document_004, {"auth": "post", "body": "json"}, 401, "invalid_client", "Client authentication failed"),
    ],
)
def test_bad_credentials_are_refused_in_the_words_of_each_document(
    document: Any, options: Any, status: int, error: str | None, description: str
) -> None:
    with Endpoint(document) as server, pytest.raises(TokenRequestFailed) as caught:
        made(server, client_secret="wrong", **options).token()
    assert (caught.value.status, caught.value.error, caught.value.description) == (status, error, description)
    assert not caught.value.temporary


@pytest.mark.parametrize(
    ("kind", "options"), [("form", {}), ("form", {"auth": "post"}), ("json", {"auth": "post", "body": "json"})]
)
def test_tokens_of_a_local_issuer_pass_its_guard(kind: str, options: Any, obtain: Any) -> None:
    issuer = LocalIssuer(audience=API)
    with issuer.serve(scopes="read write") as server:
        url = server.token_endpoint if kind == "form" else server.json_token_endpoint
        client = TokenClient(
            url, client_id=server.client_id, client_secret=server.client_secret, scope="read", resource=API, **options
        )
        token = issuer.verifier().verify(obtain(client))
        assert token.client_id == server.client_id
        assert token.scopes == {"read"}
        with pytest.raises(TokenRequestFailed) as caught:
            TokenClient(url, client_id=server.client_id, client_secret="wrong", **options).token()
        assert (caught.value.status, caught.value.error) == (401, "invalid_client")


# When it asks again


def test_the_lifetime_counts_from_the_request_so_a_token_can_be_over_when_it_comes(clock: Clock) -> None:
    def slow(asked: Asked) -> Reply:
        clock.now += 5
        return reply({"access_token": "a", "token_type": "bearer", "expires_in": 4})

    with Endpoint(slow) as server, pytest.raises(AuthorityUnavailable, match="had expired when it came"):
        made(server, clock=clock).token()


def test_failures_are_followed_by_a_growing_back_off_that_a_success_ends(
    endpoint: Endpoint, grants: Grants, clock: Clock
) -> None:
    client = made(endpoint, clock=clock)
    grants.refusal = reply({"error": "invalid_client"}, 401)
    pauses = []
    for number in range(1, 8):
        with pytest.raises(TokenRequestFailed) as caught:
            client.token()
        pauses.append(caught.value.retry_after)
        clock.now += pauses[-1] - 0.01
        with pytest.raises(TokenRequestFailed):
            client.token()
        assert len(endpoint.asked) == number
        clock.now += 0.02
    for pause, longest in zip(pauses, [1, 2, 4, 8, 16, 30, 30], strict=True):
        assert 0.75 * longest <= pause <= longest
    grants.refusal = None
    assert client.token() == "t8"
    grants.refusal = reply({}, 401)
    clock.now += 3600
    with pytest.raises(TokenRequestFailed) as caught:
        client.token()
    assert caught.value.retry_after <= 1


@pytest.mark.parametrize(("asked_for", "obeyed"), [("12", 12), ("3600", 30), ("0", 1), ("soon", 1)])
def test_retry_after_is_obeyed_up_to_the_longest_back_off(
    endpoint: Endpoint, grants: Grants, clock: Clock, asked_for: str, obeyed: float
) -> None:
    grants.refusal = reply({}, 429, Retry_After=asked_for)
    with pytest.raises(TokenRequestFailed) as caught:
        made(endpoint, clock=clock).token()
    assert 0.75 * obeyed <= caught.value.retry_after <= obeyed


class Stuck:
    """A transport that keeps no deadline: its first exchange ends when `released`."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.number = 0

    def send(self, request: Request) -> Response:
        self.number += 1
        number = self.number
        if number == 1:
            assert self.released.wait(10)
        members = {"access_token": f"t{number}", "token_type": "Bearer", "expires_in": 3600}
        return Response(status=200, body=json.dumps(members).encode())


class Awaited(logging.Handler):
    """Knows when a line with these words has been logged."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        self.seen = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self.words in record.getMessage():
            self.seen.set()


def test_an_attempt_that_outlives_its_deadline_is_replaced_and_its_late_answer_dropped(clock: Clock) -> None:
    transport = Stuck()
    client = made("https://id.example.com/token", transport=transport, timeout=0.05, clock=clock)
    first = client._renewal._begin_or_join(None)
    assert first is not None
    with pytest.raises(AuthorityUnavailable, match="in time"):
        client.token()
    clock.now += 2
    assert client.token() == "t2"
    logger, told = logging.getLogger("bearer_guard"), Awaited("the answer came too late")
    logger.addHandler(told)
    try:
        transport.released.set()
        assert told.seen.wait(10)
    finally:
        logger.removeHandler(told)
    assert client.token() == "t2"


def test_a_transport_that_breaks_its_contract_is_an_unavailable_authority() -> None:
    class Broken:
        def send(self, request: Request) -> Response:
            raise RuntimeError(f"cannot send {request.headers}")

    with pytest.raises(AuthorityUnavailable, match=r"unexpected RuntimeError$"):
        made("https://id.example.com/token", transport=Broken()).token()


def test_a_thread_that_cannot_be_started_counts_as_a_failure(
    endpoint: Endpoint, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = made(endpoint, clock=clock)
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr("bearer_guard._renewal._thread.start_new_thread", refuse)
        with pytest.raises(AuthorityUnavailable, match="no thread can be started"):
            client.token()
    clock.now += 2
    assert client.token() == "t1"


def test_a_clock_that_steps_back_neither_locks_out_nor_wears_out_the_token(endpoint: Endpoint, clock: Clock) -> None:
    client = made(endpoint, clock=clock)
    assert client.token() == "t1"
    clock.now -= 500
    assert client.token() == "t1"
    settled(client)
    assert client.token() == "t2"
    assert len(endpoint.asked) == 2


def test_a_clock_that_steps_back_ends_the_back_off(endpoint: Endpoint, grants: Grants, clock: Clock) -> None:
    client = made(endpoint, clock=clock)
    grants.refusal = reply({}, 400)
    with pytest.raises(TokenRequestFailed):
        client.token()
    grants.refusal = None
    clock.now -= 500
    assert client.token() == "t2"


def forked(work: Callable[[], bool]) -> bool:
    """Whether `work`, in a forked child of this process, returns True."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is what is tried here
        pid = os.fork()
    if pid == 0:
        ok = False
        try:
            ok = work()
        finally:
            os._exit(0 if ok else 1)
    return os.waitpid(pid, 0)[1] == 0


def test_a_fork_in_the_middle_of_a_request_leaves_the_child_able_to_ask(endpoint: Endpoint, grants: Grants) -> None:
    client = made(endpoint)
    grants.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.token)
        endpoint.wait_for_requests(1)

        def child() -> bool:
            return client.token() == "t2"

        releaser = threading.Thread(target=lambda: (endpoint.wait_for_requests(2), grants.gate.set()))
        releaser.start()
        assert forked(child)
        releaser.join(10)
        assert waiting.result(10) == "t1"
    assert len(endpoint.asked) == 2


def test_another_process_starts_afresh_and_keeps_the_token(
    endpoint: Endpoint, grants: Grants, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = made(endpoint, clock=clock)
    assert client.token() == "t1"
    grants.refusal = reply({}, 400)
    clock.now += 3550
    client.token()
    settled(client)
    grants.refusal = None
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    assert client.token() == "t1"
    settled(client)
    assert client.token() == "t3"


def test_a_caller_who_comes_back_from_the_lock_too_late_begins_nothing(endpoint: Endpoint) -> None:
    client = made(endpoint)
    client.token()
    assert client._renewal._begin_or_join(None) is None
    assert len(endpoint.asked) == 1


# A token that an API refuses


def test_CLI_2_a_refused_token_is_renewed_once_however_many_notice(endpoint: Endpoint, obtain: Any) -> None:
    client = made(endpoint)
    token = obtain(client)
    assert all(client.invalidate(token) for _ in range(10))
    assert obtain(client) == "t2"
    assert client.invalidate("t1")
    assert obtain(client) == "t2"
    assert len(endpoint.asked) == 2


def test_CLI_2_an_api_that_refuses_everything_makes_no_storm(endpoint: Endpoint, clock: Clock) -> None:
    client = made(endpoint, clock=clock)
    tried = [client.invalidate(client.token()) for _ in range(50)]
    assert tried == [True, True] + [False] * 48
    assert client.token() == "t3"
    assert len(endpoint.asked) == 3
    clock.now += 30
    assert client.invalidate("t3")
    assert client.token() == "t4"


def test_a_refused_token_serves_on_while_renewing_fails(endpoint: Endpoint, grants: Grants, clock: Clock) -> None:
    client = made(endpoint, clock=clock)
    token = client.token()
    grants.refusal = reply(b"", 503)
    assert client.invalidate(token)
    for _ in range(5):
        assert client.token() == token
    assert len(endpoint.asked) == 2
    grants.refusal = None
    clock.now += 2
    assert client.token() == "t3"


def test_a_refusal_before_there_is_any_token_is_nothing_new(endpoint: Endpoint) -> None:
    assert made(endpoint).invalidate("made up")


# The rest


def test_the_header_field_presents_the_token_in_both_colours(endpoint: Endpoint) -> None:
    client = made(endpoint)
    assert client.authorization() == asyncio.run(client.aauthorization()) == {"Authorization": "Bearer t1"}


def test_no_representation_holds_a_secret_or_a_token(endpoint: Endpoint) -> None:
    client = made(endpoint)
    client.token()
    shown = f"{client!r} {client} {Granted('t1', 1.0)!r} {vars(client._renewal)}"
    assert SECRET not in shown
    assert not re.search(r"\bt1\b", shown)
    assert repr(client) == f"TokenClient({endpoint.endpoint!r}, client_id='reports')"


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"token_endpoint": "http://id.example.com/token"}, "token_endpoint must be https"),
    ({"token_endpoint": "file:///etc/passwd"}, "token_endpoint must be an absolute https URL"),
    ({"client_id": ""}, "needs client_id"),
    ({"client_id": "\ud800"}, "client_id must be text"),
    ({"client_id": "a:b", "auth": "basic_raw"}, "colon"),
    ({"client_secret": None}, "needs a client_secret"),
    ({"client_secret": 7}, "needs a client_secret"),
    ({"client_secret": "\ud800"}, "needs a client_secret"),
    ({"auth": "bearer"}, "auth must be one of basic, basic_raw, post, private_key_jwt"),
    ({"auth": "none"}, "auth must be one of"),
    ({"auth": ["basic"]}, "auth must be one of"),
    ({"auth": "private_key_jwt"}, "client_secret does not go with"),
    ({"auth": "private_key_jwt", "client_secret": None}, "needs private_key"),
    ({"private_key": "x"}, 'go with auth="private_key_jwt"'),
    ({"scope": ""}, "scope '' is not one"),
    ({"scope": "a  b"}, "scope '' is not one"),
    ({"scope": 'a"b'}, "is not one"),
    ({"scope": ["a", 1]}, "scope 1 is not one"),
    ({"resource": "api"}, "resource 'api' is not an absolute URI"),
    ({"resource": API + "#x"}, "without a fragment"),
    ({"resource": [API, 1]}, "resource 1"),
    ({"extra": {"client_secret": "x"}}, "extra must not hold client_secret"),
    ({"extra": {"n": 1}}, "extra must map names"),
    ({"extra": ["a"]}, "extra must map names"),
    ({"body": "xml"}, "body must be one of form, json"),
    ({"timeout": 0}, "timeout must be greater than 0"),
    ({"timeout": float("nan")}, "timeout must be a number"),
    ({"renew_before": -1}, "renew_before must be a number"),
    ({"assumed_lifetime": 0}, "assumed_lifetime must be greater than 0"),
    ({"clock": 7}, "clock must be a callable"),
    ({"proxy": "ftp://proxy.example"}, "proxy must be"),
    ({"transport": Stuck(), "proxy": "http://proxy.example"}, "give ssl_context and proxy to the transport"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_a_mistake_is_told_while_constructing(options: dict[str, Any], message: str) -> None:
    arguments = {"token_endpoint": "https://id.example.com/token", **options}
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        made(arguments.pop("token_endpoint"), **arguments)
    assert len(caught.value.problems) == 1 or options.get("auth") == "private_key_jwt"


def test_all_mistakes_of_one_construction_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        TokenClient("ftp://x", client_id="", scope="", resource="x", extra={"scope": "x"}, timeout=-1, body="x")  # type: ignore[arg-type]
    assert len(caught.value.problems) == 8
    assert all(problem.startswith("TokenClient: ") for problem in caught.value.problems)


def test_plain_http_beyond_loopback_needs_to_be_called_unsafe() -> None:
    assert made("http://id.example.com/token", unsafe_http=True).token_endpoint == "http://id.example.com/token"


def test_the_public_names_are_these() -> None:
    assert client_module.__all__ == ["TokenClient", "TokenRequestFailed"]
