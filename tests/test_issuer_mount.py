"""The issuer as an ASGI and as a WSGI application, and over HTTP on loopback: carried as it is, in bounded memory."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from bearer_guard.cli._apps import under_uvicorn, under_waitress
from bearer_guard.issuer import JSON_BODY, STANDARD, ASGIApp, Issuer, IssuerRequest, IssuerResponse, WSGIApp
from bearer_guard.issuer._chunked import read_chunked
from bearer_guard.issuer._loopback import LoopbackServer

API = "https://api.example.com"
JWKS = "/.well-known/jwks.json"


@contextmanager
def loopback(issuer: Issuer) -> Iterator[str]:
    server = LoopbackServer()
    server.start(issuer.respond)
    try:
        yield server.url
    finally:
        server.close()


@pytest.fixture(params=["asgi under uvicorn", "wsgi under waitress", "loopback"])
def mounted(request: pytest.FixtureRequest) -> Iterator[tuple[Issuer, int]]:
    issuer = Issuer("https://id.example.com", dialects=(STANDARD, JSON_BODY))
    serving = {
        "asgi under uvicorn": lambda: under_uvicorn(ASGIApp(issuer.respond)),
        "wsgi under waitress": lambda: under_waitress(WSGIApp(issuer.respond)),
        "loopback": lambda: loopback(issuer),
    }[request.param]
    with serving() as url:
        yield issuer, int(url.rpartition(":")[2])


def exchange(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    *,
    chunked: bool = False,
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        sent = iter([body[:7], body[7:]]) if chunked and body else body
        connection.request(method, path, sent, headers or {}, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_a_token_is_granted_over_a_real_socket(mounted: tuple[Issuer, int]) -> None:
    issuer, port = mounted
    client, secret = issuer.clients.add(audience=API, scopes="read")
    body = {"client_id": client.client_id, "client_secret": secret, "grant_type": "client_credentials"}
    json_type = {"Content-Type": "application/json"}
    status, headers, answer = exchange(
        port, "POST", "/v1/oauth/token?grant_type=x", json.dumps(body).encode(), json_type
    )
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert json.loads(answer)["scope"] == "read"


def test_the_key_set_is_served_with_its_etag_and_not_sent_twice(mounted: tuple[Issuer, int]) -> None:
    issuer, port = mounted
    status, headers, body = exchange(port, "GET", JWKS)
    assert (status, json.loads(body)) == (200, issuer.keys.jwks())
    again = exchange(port, "GET", JWKS, headers={"If-None-Match": headers["etag"]})
    assert (again[0], again[2]) == (304, b"")
    assert exchange(port, "HEAD", JWKS)[2] == b""


def test_malformed_requests_are_answered_with_a_4xx(mounted: tuple[Issuer, int]) -> None:
    _, port = mounted
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert exchange(port, "POST", STANDARD.path, b"\xff\0" * 1000, form)[0] == 400
    assert exchange(port, "POST", STANDARD.path, None, {"Content-Length": "0"})[0] == 400
    assert exchange(port, "PUT", STANDARD.path, b"")[0] == 405
    assert exchange(port, "GET", "/%ff%00")[0] == 404


def test_a_body_above_the_bound_is_answered_with_413(mounted: tuple[Issuer, int]) -> None:
    _, port = mounted
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert exchange(port, "POST", STANDARD.path, b"a" * 65_537, form)[0] == 413


OF_10_MB = b"grant_type=client_credentials&padding=" + b"a" * 10_000_000
MALFORMED: dict[str, tuple[bytes, int]] = {
    "10 MB": (OF_10_MB, 413),
    "100,000 parameters": (b"&".join(b"a%d=1" % number for number in range(100_000)), 413),
    "100 parameters": (b"&".join(b"a%d=1" % number for number in range(100)), 400),
    "NUL": (b"grant_type=client_credentials&client_id=a%00b&client_secret=c", 400),
    "invalid UTF-8": (b"grant_type=client_credentials&client_id=%ff", 400),
    "a member twice": (b"grant_type=client_credentials&grant_type=client_credentials", 400),
    "JSON": (b"{}", 400),
}
MALFORMED_JSON = [
    b'{"a":' * 10_000,
    b'{"client_id":"a","client_id":"a","client_secret":"b","grant_type":"client_credentials"}',
    b'{"client_id":"\\u0000","client_secret":"b","grant_type":"client_credentials"}',
    b"[]",
]


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
@pytest.mark.parametrize(("body", "expected"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_body_gets_the_documents_answer_in_bounded_memory_over_every_server(
    mounted: tuple[Issuer, int], body: bytes, expected: int, chunked: bool
) -> None:
    _, port = mounted
    sent = [(STANDARD.path, "application/x-www-form-urlencoded", body)]
    sent += [(JSON_BODY.path, "application/json", other) for other in ([body] if expected == 413 else MALFORMED_JSON)]
    for path, media_type, content in sent:
        status, headers, answer = exchange(port, "POST", path, content, {"Content-Type": media_type}, chunked=chunked)
        assert (status, json.loads(answer)["error"]) == (expected, "invalid_request")
        assert headers["cache-control"] == "no-store"


def test_a_good_request_may_come_in_chunks(mounted: tuple[Issuer, int]) -> None:
    issuer, port = mounted
    client, secret = issuer.clients.add(audience=API)
    members = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": secret}
    body, form = urlencode(members).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    assert exchange(port, "POST", STANDARD.path, body, form, chunked=True)[0] == 200


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nTrailer: x\r\n\r\n", b"hello world"),
        (b"5\nhello\n0\n\n", b"hello"),
        (b"0\r\n", b""),
        (b"5\r\nhello", b""),
        (b"5\r\nhel", b""),
        (b"5\r\nhello!\r\n0\r\n\r\n", b""),
        (b"x\r\nhello\r\n0\r\n\r\n", b""),
        (b"-5\r\nhello\r\n0\r\n\r\n", b""),
        (b"", b""),
        (b"0\r\n" + b"a: b\r\n" * 1000, b""),
        (b"f" * 9 + b"\r\n", b""),
    ],
)
def test_chunks_are_taken_whole_or_not_at_all(sent: bytes, kept: bytes) -> None:
    assert read_chunked(io.BytesIO(sent)) == kept


def test_chunks_beyond_the_bound_are_thrown_away_and_beyond_another_not_read() -> None:
    chunk = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    assert read_chunked(io.BytesIO(chunk + b"0\r\n\r\n")) == b"a" * 65_537
    endless = io.BytesIO(chunk * 40)
    assert read_chunked(endless) == b"a" * 65_537
    assert endless.tell() < len(chunk) * 34


def echo(request: IssuerRequest) -> IssuerResponse:
    shown = json.dumps([request.method, request.path, sorted(request.headers), len(request.body)]).encode()
    return IssuerResponse(status=200, headers=(("content-type", "application/json"),), body=shown)


def through_wsgi(**environ: Any) -> Any:
    setup_testing_defaults(environ)
    seen: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        seen.append(status)
        return seen.append

    chunks = validator(WSGIApp(echo))(environ, start_response)
    try:
        return json.loads(b"".join(chunks))
    finally:
        chunks.close()  # type: ignore[attr-defined]


def test_the_wsgi_application_passes_the_linter_and_sees_the_whole_path() -> None:
    method, path, headers, length = through_wsgi(
        REQUEST_METHOD="POST",
        SCRIPT_NAME="/t1",
        PATH_INFO="/tökén".encode().decode("latin-1"),
        CONTENT_TYPE="text/plain",
        CONTENT_LENGTH="5",
        HTTP_IF_NONE_MATCH="x",
        QUERY_STRING="a=b",
        **{"wsgi.input": io.BytesIO(b"hello, world")},
    )
    assert (method, path, length) == ("POST", "/t1/tökén", 5)
    assert ["content-type", "text/plain"] in headers
    assert ["if-none-match", "x"] in headers


@pytest.mark.parametrize(("length", "read"), [("", 0), ("abc", 0), ("-5", 0), ("\u0665", 0), ("9" * 5000, 7)])
def test_a_content_length_that_is_no_number_counts_as_none(length: str, read: int) -> None:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(b"content")}
    body = WSGIApp(echo)(environ, lambda *_: None)
    assert json.loads(b"".join(body))[3] == read


def test_an_input_that_ends_by_itself_is_read_up_to_the_bound() -> None:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"wsgi.input": io.BytesIO(b"a" * 100_000), "wsgi.input_terminated": True}
    assert json.loads(b"".join(WSGIApp(echo)(environ, lambda *_: None)))[3] == 65_537


def through_asgi(scope: dict[str, Any], *events: dict[str, Any]) -> tuple[list[Any], int]:
    pending, sent = list(events), []

    async def receive() -> dict[str, Any]:
        return pending.pop(0)

    async def send(event: Any) -> None:
        sent.append(event)

    asyncio.run(ASGIApp(echo)(scope, receive, send))
    return sent, len(pending)


def test_the_asgi_application_keeps_a_body_up_to_the_bound_and_throws_the_rest_away() -> None:
    chunk = {"type": "http.request", "body": b"a" * 40_000, "more_body": True}
    sent, left = through_asgi(
        {"type": "http", "method": "POST", "path": "/x", "headers": [(b"a", b"\xe9")]},
        *[chunk] * 4,
        {"type": "http.request", "body": b"a"},
    )
    assert json.loads(sent[1]["body"]) == ["POST", "/x", [["a", "é"]], 65_537]
    assert left == 0


def test_the_asgi_application_stops_to_read_what_goes_on_and_on() -> None:
    chunk = {"type": "http.request", "body": b"a" * 8_000_000, "more_body": True}
    sent, left = through_asgi({"type": "http", "method": "POST", "path": "/x", "headers": []}, *[chunk] * 9)
    assert json.loads(sent[1]["body"])[3] == 65_537
    assert left == 4


def test_the_asgi_application_answers_nobody_who_has_gone() -> None:
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
    assert through_asgi(scope, {"type": "http.disconnect"}) == ([], 0)


def test_the_asgi_application_takes_part_in_the_lifespan_and_refuses_other_scopes() -> None:
    sent, _ = through_asgi({"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [event["type"] for event in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with pytest.raises(RuntimeError, match="not websocket"):
        through_asgi({"type": "websocket"})


def test_a_server_that_refuses_keeps_its_port_and_comes_back_on_it() -> None:
    server = LoopbackServer()
    server.start(echo)
    try:
        assert exchange(server.port, "GET", "/a")[0] == 200
        server.refuse()
        server.refuse()
        with pytest.raises(ConnectionRefusedError):
            exchange(server.port, "GET", "/b")
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", server.port))
        server.listen()
        server.listen()
        assert exchange(server.port, "GET", "/c")[0] == 200
        assert server.requests == ["/a", "/c"]
    finally:
        server.close()


def test_a_gate_that_is_shut_closes_the_connection_without_an_answer() -> None:
    server = LoopbackServer(lambda: False)
    server.start(echo)
    try:
        with pytest.raises(http.client.RemoteDisconnected):
            exchange(server.port, "GET", "/")
    finally:
        server.close()


def test_a_connection_that_breaks_disturbs_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    def failing(request: IssuerRequest) -> IssuerResponse:
        if request.path == "/break":
            raise OSError("broken")
        return echo(request)

    server = LoopbackServer()
    server.start(failing)
    try:
        with pytest.raises(http.client.RemoteDisconnected):
            exchange(server.port, "GET", "/break")
        assert exchange(server.port, "GET", "/")[0] == 200
        assert capsys.readouterr() == ("", "")
    finally:
        server.close()
