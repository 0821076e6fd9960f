"""The WSGI middleware: what passes, what is copied, and that the rules of PEP 3333 are kept on refusals."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from bearer_guard import (
    AccessToken,
    AuthorityUnavailable,
    ConfigurationError,
    ExpiredToken,
    InsufficientScope,
    Verifier,
)
from bearer_guard.wsgi import BearerMiddleware, WSGIRequest
from tests.contract.exchange import Call, exchange_wsgi, wsgi_environ
from tests.contract.guards import AsyncVerifier, SyncVerifier, guard
from tests.contract.table import auth

GOOD = auth("Bearer good")
HEADERS = [("Content-Type", "text/plain")]


def send(app: Any, call: Call = GOOD, **members: Any) -> Any:
    return exchange_wsgi(validator(app), wsgi_environ(call, **members))


class Body:
    """An application's iterable: yields `chunks`, raising those that are exceptions, and knows whether it was closed."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = list(chunks)
        self.closed = 0

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        if not self.chunks:
            raise StopIteration
        chunk = self.chunks.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self) -> None:
        self.closed += 1


def app_of(body: Any, *, start: bool = True) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        if start:
            start_response("200 OK", HEADERS)
        if isinstance(body, Exception):
            raise body
        return body

    return app


def test_the_environ_is_copied_and_holds_the_token_under_its_one_public_key() -> None:
    inner: list[dict[str, Any]] = []

    def app(environ: Any, start_response: Any) -> Any:
        inner.append(environ)
        return app_of([b"ok"])(environ, start_response)

    environ = wsgi_environ(GOOD)
    before = dict(environ)
    assert exchange_wsgi(BearerMiddleware(app, guard()), environ).body == b"ok"
    assert environ == before
    assert type(inner[0]) is dict
    assert inner[0]["bearer_guard.token"].subject == "u1"
    assert [key for key in inner[0] if key.startswith("bearer_guard")] == ["bearer_guard.token"]


def test_a_verifier_with_verify_alone_serves_and_one_that_needs_a_loop_is_refused_at_construction() -> None:
    assert send(BearerMiddleware(app_of([b"ok"]), guard(SyncVerifier()))).status == 200
    with pytest.raises(ConfigurationError, match="override verify too"):
        BearerMiddleware(app_of([b"ok"]), guard(AsyncVerifier()))


def test_every_mistake_of_construction_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        BearerMiddleware(app_of([]), None, public="/health", preflight=None)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("error", "status"), [(InsufficientScope(["x"]), 403), (ExpiredToken(), 401), (AuthorityUnavailable(), 503)]
)
@pytest.mark.parametrize("start", [True, False])
def test_a_refusal_raised_in_the_call_is_answered(error: Exception, status: int, start: bool) -> None:
    assert send(BearerMiddleware(validator(app_of(error, start=start)), guard())).status == status


@pytest.mark.parametrize("first", [(), (b"",), (b"", b"")])
def test_a_refusal_raised_before_the_first_bytes_is_answered_and_the_iterable_is_closed(first: Any) -> None:
    body = Body(*first, InsufficientScope(["x"]), b"never")
    reply = send(BearerMiddleware(app_of(body), guard()))
    assert (reply.status, reply.values("content-length")) == (403, [str(len(reply.body))])
    assert body.closed == 1


def test_a_refusal_raised_by_a_generator_before_start_response_is_answered() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/r":
            raise InsufficientScope(["x"])
        start_response("200 OK", HEADERS)
        yield b"ok"

    middleware = BearerMiddleware(app, guard())
    assert send(middleware).status == 403
    assert send(middleware, auth("Bearer good", target="/other")).body == b"ok"
    head = send(middleware, auth("Bearer good", method="HEAD"))
    assert (head.status, head.body) == (403, b"")


def test_a_refusal_after_the_first_bytes_propagates() -> None:
    body = Body(b"some", InsufficientScope(["x"]))
    with pytest.raises(InsufficientScope):
        send(BearerMiddleware(app_of(body), guard()))
    assert body.closed == 1
    started: list[str] = []
    chunks = BearerMiddleware(app_of(Body(b"some", InsufficientScope(["x"]))), guard())(
        wsgi_environ(GOOD), lambda status, *rest: started.append(status) or (lambda data: None)
    )
    with pytest.raises(InsufficientScope):
        list(chunks)
    assert started == ["200 OK"]


def test_WSGI_3_a_second_start_response_brings_exc_info() -> None:
    seen: list[Any] = []

    def start_response(status: str, headers: Any, *exc_info: Any) -> Any:
        seen.append((status, *(info[0] for info in exc_info)))
        return lambda data: None

    list(BearerMiddleware(app_of(ExpiredToken()), guard())(wsgi_environ(GOOD), start_response))
    assert seen == [("200 OK",), ("401 Unauthorized", ExpiredToken)]
    seen.clear()
    list(BearerMiddleware(app_of(ExpiredToken(), start=False), guard())(wsgi_environ(GOOD), start_response))
    assert seen == [("401 Unauthorized",)]


def test_WSGI_3_after_write_the_server_gets_the_exception_back() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", HEADERS)(b"out already")
        raise ExpiredToken()

    with pytest.raises(ExpiredToken):
        exchange_wsgi(BearerMiddleware(app, guard()), wsgi_environ(GOOD))


def test_WSGI_3_the_application_may_replace_its_own_response_by_exc_info() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", HEADERS)
        try:
            raise OSError
        except OSError:
            start_response("500 Internal Server Error", HEADERS, sys.exc_info())
        return [b"broken"]

    assert send(BearerMiddleware(validator(app), guard())).status == 500


def test_WSGI_3_close_reaches_the_application_and_chunks_pass_one_by_one() -> None:
    body = Body(b"a", b"", b"b")
    assert send(BearerMiddleware(app_of(body), guard())).body == b"ab"
    assert body.closed == 1


def test_an_iterator_without_close_is_fine() -> None:
    assert send(BearerMiddleware(app_of(iter([b"a"])), guard())).body == b"a"


def test_a_list_and_a_servers_file_wrapper_pass_as_they_are(tmp_path: Any) -> None:
    for body in ([b"a"], (b"a",)):
        chunks = BearerMiddleware(app_of(body), guard())(wsgi_environ(GOOD), lambda *args: lambda data: None)
        assert chunks is body
    (tmp_path / "f").write_bytes(b"x")
    with (tmp_path / "f").open("rb") as file:
        wrapped = FileWrapper(file)
        environ = wsgi_environ(GOOD, **{"wsgi.file_wrapper": FileWrapper})
        assert BearerMiddleware(app_of(wrapped), guard())(environ, lambda *args: lambda data: None) is wrapped


def test_ASGI_10_another_exception_of_the_application_propagates() -> None:
    for body in (KeyError("x"), Body(KeyError("x"))):
        with pytest.raises(KeyError):
            send(BearerMiddleware(app_of(body), guard()))


def test_WSGI_4_fifty_threads_with_fifty_tokens_do_not_mix() -> None:
    class Echo(Verifier):
        def verify(self, token: str) -> AccessToken:
            return AccessToken(subject=token)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", HEADERS)
        return [environ["bearer_guard.token"].subject.encode()]

    middleware = BearerMiddleware(app, guard(Echo()))
    names = [f"token-{number}" for number in range(50)] * 10
    with ThreadPoolExecutor(50) as pool:
        replies = pool.map(lambda name: send(middleware, auth(f"Bearer {name}")).body.decode(), names)
        assert list(replies) == names


def test_WSGI_2_the_input_is_not_read() -> None:
    environ = wsgi_environ(auth("Bearer good", method="POST", body=b"access_token=x"))
    exchange_wsgi(BearerMiddleware(app_of([b"ok"]), guard()), environ)
    assert environ["wsgi.input"].read() == b"access_token=x"


def test_a_request_shows_its_fields_and_its_path_decoded() -> None:
    call = Call(target="/caf%C3%A9", root="/api", headers=(("X-A", "1"), ("Content-Type", "text/plain")), body=b"x")
    request = WSGIRequest(wsgi_environ(call))
    assert (request.method, request.path) == ("GET", "/api/café")
    assert set(request.headers) >= {("x-a", "1"), ("content-type", "text/plain"), ("content-length", "1")}
    assert request.values("content-type") == ["text/plain"]
    assert request.values("x-a") == ["1"]
    assert request.values("x-b") == []


@pytest.mark.parametrize("key", ["REQUEST_URI", "RAW_URI"])
def test_PATH_2_the_raw_target_closes_a_public_path_under_either_name(key: str) -> None:
    app = BearerMiddleware(app_of([b"ok"]), guard(), public=["/docs/*"])
    call = Call(target="/docs/a", tells_target=False)
    assert send(app, call).status == 200
    assert send(app, call, **{key: "/docs/a?x=%2f"}).status == 200
    assert send(app, call, **{key: "/docs/x/%2e%2E/a"}).status == 401
    assert send(app, call, **{key: "/other"}).status == 401


def test_PATH_5_the_root_of_a_mounted_application_is_its_root() -> None:
    app = BearerMiddleware(app_of([b"ok"]), guard(), public=["/"])
    assert send(app, Call(target="", root="/api")).status == 200
    assert send(BearerMiddleware(app_of([b"ok"]), guard(), public=["/api"]), Call(target="", root="/api")).status == 401
