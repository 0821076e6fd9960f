"""An issuer as an ASGI or a WSGI application: two thin adapters over `Issuer.respond` and `Issuer.arespond`.

Neither keeps more of a body than one octet above the bound, and neither decides anything. What is too long is read on
and thrown away for a while, because a client that is still sending would not see the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeAlias

from ._messages import MAX_BODY, IssuerRequest, IssuerResponse

Respond: TypeAlias = Callable[[IssuerRequest], IssuerResponse]
Event: TypeAlias = MutableMapping[str, Any]

MAX_DRAINED: Final = 32 * 1024 * 1024
_CHUNK: Final = 64 * 1024


class Responder(Protocol):
    """What both adapters mount: an `Issuer`."""

    def respond(self, request: IssuerRequest, /) -> IssuerResponse: ...
    async def arespond(self, request: IssuerRequest, /) -> IssuerResponse: ...


class ASGIApp:
    """An ASGI application that answers as an `Issuer` does; HTTP and lifespan only.

    A plain function from request to response is taken too, and is called on the event loop.
    """

    def __init__(self, responder: Responder | Respond) -> None:
        self._responder = responder

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
        request = IssuerRequest(scope["method"], scope["path"], headers, body)
        responder = self._responder
        response = responder(request) if callable(responder) else await responder.arespond(request)
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": encoded})
        await send({"type": "http.response.body", "body": response.body})


class WSGIApp:
    """A WSGI application that answers as an `Issuer` does, or a plain function from request to response."""

    def __init__(self, responder: Responder | Respond) -> None:
        self._respond: Respond = responder if callable(responder) else responder.respond

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
    return min(int(text[:12]), MAX_DRAINED)


def read_bounded(read: Callable[[int], bytes], length: int) -> bytes:
    """At most `length` octets, of which those above the bound are thrown away as they come."""
    body = read(min(length, MAX_BODY + 1))
    left = length - len(body)
    while len(body) > MAX_BODY and left > 0 and (more := read(min(left, _CHUNK))):
        left -= len(more)
    return body


def _read_input(environ: dict[str, Any]) -> bytes:
    length = MAX_DRAINED if environ.get("wsgi.input_terminated") else body_length(environ.get("CONTENT_LENGTH"))
    return read_bounded(environ["wsgi.input"].read, length)


async def _read(receive: Callable[[], Awaitable[Event]]) -> bytes | None:
    body = bytearray()
    seen = 0
    while seen <= MAX_DRAINED:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        chunk = event.get("body", b"")
        seen += len(chunk)
        body += chunk[: MAX_BODY + 1 - len(body)]
        if not event.get("more_body", False):
            break
    return bytes(body)


async def _lifespan(receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
