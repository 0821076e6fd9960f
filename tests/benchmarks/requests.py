"""Requests to an application in process, ASGI and WSGI: bare, and with a middleware around it."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

Batch = Callable[[], None]
Wrap = Callable[[Any], Any]

_HEADERS = {
    "host": "api.example.com",
    "user-agent": "reporting/2.1",
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
    "x-request-id": "0d2f1c8e",
}


def asgi_batch(wrap: Wrap | None, tokens: Sequence[str]) -> Batch:
    """One request a token; the coroutine is driven by hand, as nothing in it has to wait."""
    app = asgi_application if wrap is None else wrap(asgi_application)
    scopes = [asgi_scope(token) for token in tokens]

    def batch() -> None:
        for scope in scopes:
            try:
                app(scope, _receive, _send).send(None)
            except StopIteration:
                continue
            raise AssertionError("the application waits for something")

    return batch


def wsgi_batch(wrap: Wrap | None, tokens: Sequence[str]) -> Batch:
    """One request a token."""
    app = wsgi_application if wrap is None else wrap(wsgi_application)
    environs = [wsgi_environ(token) for token in tokens]

    def batch() -> None:
        for environ in environs:
            app(environ, _start_response)

    return batch


def asgi_scope(token: str) -> dict[str, Any]:
    fields = {**_HEADERS, "authorization": f"Bearer {token}"}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/v1/reports",
        "raw_path": b"/v1/reports",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def wsgi_environ(token: str) -> dict[str, Any]:
    fields = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in _HEADERS.items()}
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/v1/reports",
        "QUERY_STRING": "",
        "RAW_URI": "/v1/reports",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        **fields,
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": None,
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


async def asgi_application(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def wsgi_application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"{}"]


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b""}


async def _send(message: MutableMapping[str, Any]) -> None:
    pass


def _start_response(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> None:
    pass
