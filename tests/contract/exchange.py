"""One request and its response, and how each kind of application is called with it inside its linter."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from .asgi_linter import linted


@dataclass(frozen=True)
class Call:
    """A request. `target` is what stands in the request line, less the query; it is decoded once, as servers do."""

    method: str = "GET"
    target: str = "/r"
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    body: bytes = b""
    root: str = ""
    tells_target: bool = True

    @property
    def path(self) -> bytes:
        return unquote_to_bytes(self.target)


@dataclass(frozen=True)
class Reply:
    status: int
    phrase: str | None
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found.lower() == name]


@dataclass
class Seen:
    """What the application was called with."""

    calls: list[dict[str, Any]] = field(default_factory=list)

    def take(self) -> list[dict[str, Any]]:
        taken, self.calls[:] = list(self.calls), []
        return taken


def call_asgi(app: Any, call: Call, **scope_members: Any) -> Reply:
    sent = asyncio.run(exchange_asgi(linted(app), http_scope(call, **scope_members), [request_event(call)]))
    start, bodies = sent[0], sent[1:]
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    return Reply(start["status"], None, headers, b"".join(event.get("body", b"") for event in bodies))


def request_event(call: Call) -> dict[str, Any]:
    return {"type": "http.request", "body": call.body, "more_body": False}


async def exchange_asgi(app: Any, scope: dict[str, Any], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Call `app` with `scope`, hand it `events`, then hold the line; what it sent."""
    waiting = list(events)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        kind = "http.disconnect" if scope["type"] == "http" else "websocket.disconnect"
        return {"type": kind} if kind == "http.disconnect" else {"type": kind, "code": 1005, "reason": ""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def http_scope(call: Call, **members: Any) -> dict[str, Any]:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.root + call.path.decode("utf-8", "replace"),
        "root_path": call.root,
        "query_string": call.query.encode("latin-1"),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in call.headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        **members,
    }
    if call.tells_target:
        scope["raw_path"] = (call.root + call.target).encode("latin-1")
    return scope


def websocket_scope(call: Call, *, denial: bool, **members: Any) -> dict[str, Any]:
    scope = http_scope(call, **members)
    scope |= {"type": "websocket", "scheme": "ws", "subprotocols": []}
    scope["extensions"] = {"websocket.http.response": {}} if denial else {}
    del scope["method"]
    return scope


def call_wsgi(app: Any, call: Call, **members: Any) -> Reply:
    return exchange_wsgi(validator(app), wsgi_environ(call, **members))


def wsgi_environ(call: Call, **members: Any) -> dict[str, Any]:
    """As a server makes it that keeps every field: `-` and `_` fall together, repeated lines are joined with a comma."""
    environ: dict[str, Any] = {"REQUEST_METHOD": call.method, "SCRIPT_NAME": call.root}
    setup_testing_defaults(environ)
    environ |= {
        "PATH_INFO": call.path.decode("latin-1"),
        "QUERY_STRING": call.query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(call.body)),
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
    }
    if call.tells_target:
        environ["REQUEST_URI"] = call.root + call.target + (f"?{call.query}" if call.query else "")
    for name, value in call.headers:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if name.lower() != "host" and key in environ else value
    return environ | members


def exchange_wsgi(app: Any, environ: dict[str, Any]) -> Reply:
    """Call `app` as a server does: headers count from the first bytes on, and the iterable is closed."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        if exc_info is not None and any(written):
            raise exc_info[1]
        assert exc_info is not None or not started, "start_response was called twice"
        started[:] = [(status, list(headers))]
        return written.append

    chunks = app(environ, start_response)
    try:
        for chunk in chunks:
            assert started
            written.append(chunk)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    status, headers = started[0]
    code, _, phrase = status.partition(" ")
    return Reply(int(code), phrase, tuple(headers), b"".join(written))
