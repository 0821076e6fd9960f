"""The guard around any ASGI application, HTTP and WebSocket (ASGI 3.0; RFC 6750 §3). Imports no framework.

Refuses by default: a scope of a kind that it does not know raises, and only lifespan passes untouched. A WebSocket is
refused before it is accepted, with the real status and challenge where the server has the denial-response extension.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, TypeAlias

from ._errors import AccessDenied, AuthorityUnavailable
from ._gate import Gate, deposit
from ._guard import Guard
from ._http import IncomingRequest, Refusal
from ._readiness import ASGIReadiness
from ._token import AccessToken

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["BearerMiddleware", "readiness"]

_AUTHORIZATION = b"authorization"
_POLICY_VIOLATION = 1008  # RFC 6455 §7.4.1; before accept a server answers it with a bare 403


class ASGIRequest(IncomingRequest):
    """A view on a scope. Header fields are bytes there and are read as ISO 8859-1 (RFC 9110 §5.5)."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"] if scope["type"] == "http" else "GET"
        self.path: str = scope["path"]
        self._scope = scope

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        pairs = self._scope.get("headers") or ()
        return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in pairs)

    def values(self, name: str) -> list[str]:
        wanted = _AUTHORIZATION if name == "authorization" else name.encode("latin-1")
        length = len(wanted)
        pairs = self._scope.get("headers") or ()
        return [value.decode("latin-1") for found, value in pairs if len(found) == length and found.lower() == wanted]


class BearerMiddleware:
    """Guards every HTTP and WebSocket request to `app`; what passes finds its token in `scope["bearer_guard.token"]`.

    `public` lists paths that need no token: `"/health"` exactly, `"/docs/*"` with everything below. They are compared
    with the path less `root_path`, as a router sees it. With `preflight=True` a CORS preflight passes too. On both the
    token is None. AccessDenied and AuthorityUnavailable raised by `app` are answered as well, unless its response has
    started; an open WebSocket is closed with code 1008. Any other exception propagates. The scope that the server gave
    is copied, never changed.

    Raises ConfigurationError for a mistake in its parameters, and RuntimeError for a scope type that it does not know.
    """

    def __init__(self, app: ASGIApp, guard: Guard, *, public: Collection[str] = (), preflight: bool = True) -> None:
        self.app = app
        self._gate = Gate("BearerMiddleware", guard, public, preflight, blocking=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self.app(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise RuntimeError(f"BearerMiddleware guards http and websocket scopes and refuses the scope type {kind!r}")
        inner = dict(scope)
        if not isinstance(inner.get("headers", ()), (list, tuple)):
            inner["headers"] = list(inner["headers"] or ())  # one that can be read only once
        gate = self._gate
        guard = gate.guard
        request = ASGIRequest(inner)
        exchange = _Exchange(inner, receive, send)
        try:
            exempt = gate.may_exempt(request) and _exempts(gate, request, inner)
            self._publish(inner, None if exempt else await guard.acheck(request))
            await self.app(inner, receive if kind == "http" else exchange.receive, exchange.send)
        except (AccessDenied, AuthorityUnavailable) as refused:
            if exchange.started and kind == "http":
                raise
            await exchange.refuse(guard.refusal(refused, request))

    def _publish(self, scope: Scope, token: AccessToken | None) -> None:
        deposit(scope, self._gate.guard, token)


def readiness(guard: Guard) -> ASGIApp:
    """An application that answers GET with 200 when every source of `guard` can judge tokens, else with 503.

    Its JSON is `{"ready": ..., "sources": [...]}`, as `Guard.status` has them. It never waits, and begins the fetches
    that a request would begin. Nothing in it is guarded: mount it where a load balancer asks, and list it in `public`.
    """
    return ASGIReadiness(guard)


def _exempts(gate: Gate, request: IncomingRequest, scope: Scope) -> bool:
    raw = scope.get("raw_path")
    return gate.exempts(request, route_path(scope), None if raw is None else raw.decode("latin-1"))


def route_path(scope: Scope) -> str:
    """The path less `root_path`, which is taken off at a "/" boundary only: what Starlette's router matches."""
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    if path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path


class _Exchange:
    """One exchange between server and application, watched for how far it has come."""

    __slots__ = ("_connected", "_ended", "_receive", "_scope", "_send", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._connected = False
        self._ended = False
        self.started = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._connected = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """The server's own `send`, with no coroutine of ours around it."""
        if message["type"] in _STARTS:
            self.started = True
            self._ended = message["type"] != "websocket.accept"
        return self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        if self._scope["type"] == "http":
            await self._respond("http", refusal)
            return
        if self.started:
            if not self._ended:
                await self._close()
            return
        # The server's first event is the client's handshake, and some wait until it has been taken.
        if not self._connected and (await self._receive())["type"] == "websocket.disconnect":
            return
        if "websocket.http.response" in (self._scope.get("extensions") or ()):
            await self._respond("websocket.http", refusal)
        else:
            await self._close()

    async def _close(self) -> None:
        await self._send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})

    async def _respond(self, prefix: str, refusal: Refusal) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in refusal.headers]
        await self._send({"type": f"{prefix}.response.start", "status": refusal.status, "headers": headers})
        await self._send({"type": f"{prefix}.response.body", "body": refusal.body})


_STARTS = frozenset(
    {"http.response.start", "websocket.accept", "websocket.close", "websocket.http.response.start"},
)
