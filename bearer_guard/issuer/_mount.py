"""An issuer as an ASGI or a WSGI application: two thin adapters over `Issuer.respond`.

Neither reads more of a body than one octet above the bound, and neither decides anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from ._messages import MAX_BODY, IssuerRequest, IssuerResponse

Respond: TypeAlias = Callable[[IssuerRequest], IssuerResponse]
Event: TypeAlias = MutableMapping[str, Any]


class ASGIApp:
    """An ASGI application that answers as `respond` does; HTTP and lifespan only."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    async def __call__(
        self,
        scope: Event,
        receive: Callable[[], Awaitable[Event]],
        send: Callable[[Event], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"an issuer serves HTTP, not {scope['type']}")
        body = await _read(receive)
        if body is None:
            return
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        response = self._respond(IssuerRequest(scope["method"], scope["path"], headers, body))
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": encoded})
        await send({"type": "http.response.body", "body": response.body})


class WSGIApp:
    """A WSGI application that answers as `respond` does."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        headers = [(name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")]
        if content_type := environ.get("CONTENT_TYPE"):
            headers.append(("content-type", content_type))
        request = IssuerRequest(
            environ["REQUEST_METHOD"], path.encode("latin-1").decode("utf-8", "replace"), headers, _read_input(environ)
        )
        response = self._respond(request)
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", list(response.headers))
        return [response.body]


def body_length(text: str | None) -> int:
    """How many octets to read for a Content-Length: none where it is absent or no number (RFC 9110 §8.6)."""
    if text is None or not (text.isascii() and text.isdigit()):
        return 0
    return min(int(text[:12]), MAX_BODY + 1)


def _read_input(environ: dict[str, Any]) -> bytes:
    length = MAX_BODY + 1 if environ.get("wsgi.input_terminated") else body_length(environ.get("CONTENT_LENGTH"))
    body: bytes = environ["wsgi.input"].read(length)
    return body


async def _read(receive: Callable[[], Awaitable[Event]]) -> bytes | None:
    body = b""
    while len(body) <= MAX_BODY:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        body += event.get("body", b"")
        if not event.get("more_body", False):
            break
    return body[: MAX_BODY + 1]


async def _lifespan(receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
