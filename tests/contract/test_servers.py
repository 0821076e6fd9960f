"""Rows that need real bytes on a real socket: uvicorn and waitress on loopback, and WebSockets before they are accepted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
import waitress.server
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from waitress import wasyncore
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import bearer_guard.starlette
from bearer_guard._challenge import parse_challenges

from .adapters import bare_asgi, bare_wsgi
from .exchange import Seen
from .guards import guard


@contextlib.contextmanager
def uvicorn_on(app: Any, **options: Any) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", **options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextlib.contextmanager
def waitress_on(app: Any) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = waitress.server.create_server(app, sockets=[listener], threads=2)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join()
        server.task_dispatcher.shutdown()
        listener.close()


class Server:
    def __init__(self, port: int, seen: Seen, kind: str) -> None:
        self.port = port
        self.seen = seen
        self.kind = kind

    def raw(self, request: bytes) -> tuple[int, bytes]:
        """The status and all the rest of the answer to exactly these bytes."""
        self.seen.take()
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, rest = answer.partition(b"\r\n")
        return int(head.split(b" ")[1]), rest

    def get(self, *lines: bytes, target: bytes = b"/r") -> tuple[int, bytes]:
        head = [b"GET " + target + b" HTTP/1.1", b"Host: api.example.com", b"Connection: close", *lines]
        return self.raw(b"\r\n".join([*head, b"", b""]))


@pytest.fixture(scope="module", params=["uvicorn", "waitress"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    seen = Seen()
    running = (
        uvicorn_on(bare_asgi(guard(), seen)) if request.param == "uvicorn" else waitress_on(bare_wsgi(guard(), seen))
    )
    with running as port:
        yield Server(port, seen, request.param)


def test_a_good_token_is_admitted_and_none_is_not(server: Server) -> None:
    assert server.get(b"Authorization: Bearer good")[0] == 200
    status, rest = server.get()
    assert status == 401
    assert b'www-authenticate: Bearer realm="users"' in rest.replace(b"Www-Authenticate", b"www-authenticate")


def test_B20_head_has_no_body(server: Server) -> None:
    request = b"HEAD /r HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"
    status, rest = server.raw(request)
    assert status == 401
    assert rest.endswith(b"\r\n\r\n")


def test_HTTP_1_two_lines_are_refused(server: Server) -> None:
    for lines in ((b"good", b"junk"), (b"junk", b"good"), (b"good", b"good")):
        assert server.get(*(b"Authorization: Bearer " + token for token in lines))[0] == 400
        assert server.seen.calls == []


@pytest.mark.parametrize("fold", [b"\r\n ", b"\r\n\t", b" \r\n ", b"\n "])
def test_HTTP_3_a_folded_line_is_refused_or_read_as_the_one_line_that_it_is(server: Server, fold: bytes) -> None:
    status, _ = server.get(b"Authorization: Bearer" + fold + b"junk")
    assert status in (400, 401)
    status, _ = server.get(b"Authorization: Bearer good" + fold + b"x")
    assert status == 400
    assert server.seen.calls == []
    # RFC 9112 §5.2: a server refuses a fold, or puts spaces in its place before anybody else sees the line. What comes
    # of it then is the line that it stands for, and nothing is left for the guard to notice.
    status, _ = server.get(b"Authorization: Bearer" + fold + b"good")
    unfolds = server.kind == "uvicorn" or fold in (b"\r\n ", b" \r\n ")
    assert status == (200 if unfolds else 400)


@pytest.mark.parametrize("byte", [bytes([value]) for value in (0, 9, 10, 13, 0x7F, 0x80, 0xE9, 0xFF)], ids=bytes.hex)
def test_HTTP_4_a_byte_outside_the_grammar_is_a_400(server: Server, byte: bytes) -> None:
    status, rest = server.get(b"Authorization: Bearer go" + byte + b"od")
    assert status in (400, 401)
    assert b"invalid_request" in rest or status == 400
    assert b"Traceback" not in rest
    assert server.seen.calls == []


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization : Bearer good",
        b"Authorization_: Bearer good",
        b"HTTP_AUTHORIZATION: Bearer good",
        b"HTTP-Authorization: Bearer good",
        b"Proxy-Authorization: Bearer good",
    ],
)
def test_HTTP_5_no_other_name_is_read(server: Server, line: bytes) -> None:
    assert server.get(line)[0] in (400, 401)
    assert server.seen.calls == []


def test_HTTP_11_a_trailer_is_not_read(server: Server) -> None:
    head = b"POST /r HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    head += b"Trailer: Authorization\r\n\r\n"
    assert server.raw(head + b"1\r\nx\r\n0\r\nAuthorization: Bearer good\r\n\r\n")[0] in (400, 401)
    assert server.seen.calls == []


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        (b"/open", {200}),
        (b"/docs/a?x=%2f", {200}),
        (b"/docs/%2e%2e/r", {400, 401}),
        (b"/docs/..%2fr", {400, 401}),
        (b"/docs/%2E%2E%5Cr", {400, 401}),
        (b"//open", {400, 401}),
        (b"/open%00", {400, 401}),
        (b"/docs/%ff", {400, 401}),
        (b"/docs/%c0%ae%c0%ae/r", {400, 401}),
    ],
)
def test_PATH_6_only_a_plain_target_is_public_on_a_real_server(
    server: Server, target: bytes, statuses: set[int]
) -> None:
    assert server.get(target=target)[0] in statuses


def test_PATH_3_an_absolute_target_and_a_forged_host_do_not_choose_the_path(server: Server) -> None:
    assert server.get(target=b"http://x/r")[0] in (400, 401)
    request = b"GET /r HTTP/1.1\r\nHost: x/open?a=\r\nX-Original-URL: /open\r\nConnection: close\r\n\r\n"
    assert server.raw(request)[0] in (400, 401)
    assert server.seen.calls == []


# WebSockets


async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(bearer_guard.starlette.current_token(websocket).identity)
    await websocket.close()


@pytest.fixture(scope="module")
def sockets() -> Iterator[int]:
    requires = bearer_guard.starlette.requires
    routes = [
        WebSocketRoute("/any", greet),
        WebSocketRoute("/write", requires("write")(greet)),
    ]
    middleware = [Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard())]
    with uvicorn_on(Starlette(routes=routes, middleware=middleware), ws="websockets-sansio") as port:
        yield port


async def greeting(port: int, path: str, token: str | None) -> str:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    url = f"ws://127.0.0.1:{port}{path}"
    async with connect(url, additional_headers=headers, proxy=None) as connection:
        return str(await connection.recv())


def test_ASGI_1_a_websocket_with_a_good_token_is_accepted(sockets: int) -> None:
    assert asyncio.run(greeting(sockets, "/any", "good")) == "u1"
    assert asyncio.run(greeting(sockets, "/write", "writer")) == "u1"


@pytest.mark.parametrize(
    ("path", "token", "status", "error"),
    [
        ("/any", None, 401, None),
        ("/any", "expired", 401, "invalid_token"),
        ("/write", "good", 403, "insufficient_scope"),
    ],
)
def test_ASGI_1_a_client_sees_a_real_status_and_challenge_before_accept(
    sockets: int, path: str, token: str | None, status: int, error: str | None
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(greeting(sockets, path, token))
    response = refused.value.response
    assert response.status_code == status
    (challenge,) = parse_challenges(response.headers["WWW-Authenticate"])
    assert challenge.params.get("error") == error
    assert json.loads(response.body).get("error") == error
