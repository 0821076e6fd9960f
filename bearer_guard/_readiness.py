"""Whether a process can judge tokens yet, as an application for whoever sends requests to it.

Every answer also begins the fetches that a request would begin, and waits for none of them: a process that is asked for
nothing else becomes ready all the same, and stays ready. What is told is what `Guard.status` knows, without the queries
of URLs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from ._errors import ConfigurationError
from ._guard import Guard
from ._verifier import SourceStatus

if TYPE_CHECKING:  # the standard library's stubs name these; nothing does at run time
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_POLICY_VIOLATION: Final = 1008  # RFC 6455 §7.4.1


_QUERY: Final = re.compile(r"\?[^\s\"']*?(?=:?(?:[\s\"']|$))")


def _without_queries(source: SourceStatus) -> dict[str, str | None]:
    error = source["last_error"]
    return {
        "source": source["source"].partition("?")[0],
        "last_error": None if error is None else _QUERY.sub("", error),
    }


class _Readiness:
    def __init__(self, guard: Guard) -> None:
        given: object = guard
        if not isinstance(given, Guard):
            raise ConfigurationError("readiness: guard must be a Guard")
        self._guard = guard

    def answer(self, method: str) -> tuple[HTTPStatus, list[tuple[str, str]], bytes]:
        """Status, header fields and body for a request with this method (RFC 9110 §9.3.1, §9.3.2)."""
        if method not in ("GET", "HEAD"):
            fields = [("allow", "GET, HEAD"), ("content-type", "text/plain"), ("content-length", "0")]
            return HTTPStatus.METHOD_NOT_ALLOWED, fields, b""
        self._guard.warm(wait=False)
        known = self._guard.status()
        sources = [{**source, **_without_queries(source)} for source in known["sources"]]
        body = json.dumps({"ready": known["ready"], "sources": sources}, separators=(",", ":")).encode()
        fields = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
        ]
        status = HTTPStatus.OK if known["ready"] else HTTPStatus.SERVICE_UNAVAILABLE
        return status, fields, b"" if method == "HEAD" else body

    def __repr__(self) -> str:
        return "readiness(guard)"


class ASGIReadiness(_Readiness):
    """An ASGI application that says whether a guard is ready. A WebSocket is refused."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] == "websocket":
            if (await receive())["type"] != "websocket.disconnect":
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
            return
        if scope["type"] != "http":
            raise RuntimeError(f"readiness answers http scopes and refuses the scope type {scope['type']!r}")
        status, fields, body = self.answer(scope["method"])
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class WSGIReadiness(_Readiness):
    """A WSGI application that says whether a guard is ready."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, fields, body = self.answer(environ["REQUEST_METHOD"])
        start_response(f"{status.value} {status.phrase}", fields)
        return [body] if body else []
