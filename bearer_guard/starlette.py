"""The guard in Starlette: middleware for an application, `requires` for a route, `current_token` for a handler.

A handler's refusal is its response, so that Starlette's own middleware sees it. In a WebSocket it is the denial
response where the server has that extension, else a close with code 1008 (RFC 6455 §7.4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar, overload

from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, UnauthenticatedUser
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketState

from . import asgi
from ._errors import AccessDenied, AuthorityUnavailable, UnguardedRoute
from ._gate import GUARD, Carrier, token_in
from ._guard import Guard
from ._handlers import F, decorated, lies_under
from ._http import Refusal
from ._route import Exchange, anonymous, route_of
from ._scopes import Requirement
from ._token import AccessToken

__all__ = ["BearerMiddleware", "current_token", "requires"]

D = TypeVar("D")


class BearerMiddleware(asgi.BearerMiddleware):
    """`bearer_guard.asgi.BearerMiddleware`, whose token is also Starlette's `request.user` and `request.auth`.

    An anonymous request has an `UnauthenticatedUser` and empty `AuthCredentials`, whatever an outer layer had set.

    A Starlette application makes a 500 of an AccessDenied or AuthorityUnavailable that a handler raises, before what is
    around it sees the exception; so on one given as `app`, handlers for them are registered, unless it has its own.
    """

    def __init__(
        self, app: asgi.ASGIApp, guard: Guard, *, public: Collection[str] = (), preflight: bool = True
    ) -> None:
        super().__init__(app, guard, public=public, preflight=preflight)
        if isinstance(app, Starlette):
            for kind in (AccessDenied, AuthorityUnavailable):
                app.exception_handlers.setdefault(kind, _answering(guard))

    def _publish(self, scope: asgi.Scope, token: AccessToken | None) -> None:
        super()._publish(scope, token)
        _present(scope, token)


def requires(*conditions: str | Requirement, guard: Guard | None = None) -> Callable[[F], F]:
    """Let a handler run only for a verified token whose scopes meet every one of `conditions`.

    For functions and methods that receive a Request or a WebSocket, `def` or `async def`, and for HTTPEndpoint and
    WebSocketEndpoint classes. The guard is that of the BearerMiddleware around it, or `guard`; `requires(guard=guard)`
    wants any valid token. Neither `public` nor `optional=True` nor `preflight` exempts a decorated handler. A blocking
    handler's check blocks its worker thread. A refusal is the handler's response; on a function that the router does
    not call, such as a helper or a FastAPI dependency, it is raised as AccessDenied or AuthorityUnavailable, which the
    middleware answers. Raises ConfigurationError for what cannot be decorated, and UnguardedRoute at request time where
    no guard is found.
    """
    route = route_of(conditions, guard)
    return lambda handler: decorated(handler, route, _FRAMEWORK)


@overload
def current_token(connection: HTTPConnection) -> AccessToken: ...
@overload
def current_token(connection: HTTPConnection, *, default: D) -> AccessToken | D: ...
def current_token(connection: HTTPConnection, *, default: Any = ...) -> Any:
    """The verified token of this Request or WebSocket. For an anonymous one `default`, else LookupError is raised."""
    token = token_in(connection.scope)
    if token is not None:
        return token
    if default is not ...:
        return default
    raise anonymous("guard it with BearerMiddleware or @requires, or give default=")


class _HTTPExchange(Exchange):
    __slots__ = ()

    def incoming(self) -> asgi.ASGIRequest:
        return asgi.ASGIRequest(self.carrier)

    def deposit(self, guard: Guard, token: AccessToken) -> None:
        super().deposit(guard, token)
        _present(self.carrier, token)

    def respond(self, refusal: Refusal) -> Response:
        response = Response(refusal.body, refusal.status)
        response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in refusal.headers]
        return response


class _EndpointExchange(_HTTPExchange):
    """An HTTPEndpoint's dispatch has no response to return: it sends."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: HTTPEndpoint) -> None:
        super().__init__(endpoint.scope)
        self._endpoint = endpoint

    async def arespond(self, refusal: Refusal) -> None:
        endpoint = self._endpoint
        await self.respond(refusal)(endpoint.scope, endpoint.receive, endpoint.send)


class _WebSocketExchange(_HTTPExchange):
    __slots__ = ("_websocket",)

    def __init__(self, websocket: WebSocket) -> None:
        super().__init__(websocket.scope)
        self._websocket = websocket

    def respond(self, refusal: Refusal) -> Response:
        raise UnguardedRoute("a blocking function cannot refuse a WebSocket: make the handler async def")

    async def arespond(self, refusal: Refusal) -> None:
        websocket = self._websocket
        if websocket.client_state is WebSocketState.CONNECTING:
            try:
                await websocket.receive()  # the handshake: some servers wait until it has been taken
            except RuntimeError:  # the client is gone
                return
        pending = websocket.application_state is WebSocketState.CONNECTING
        if pending and "websocket.http.response" in (websocket.scope.get("extensions") or ()):
            await websocket.send_denial_response(super().respond(refusal))
        elif websocket.application_state is not WebSocketState.DISCONNECTED:
            await websocket.close(1008)


class _Starlette:
    def exchange(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
        for value in (*args, *kwargs.values()):
            if isinstance(value, WebSocket):
                return _WebSocketExchange(value)
            if isinstance(value, HTTPConnection):
                return _HTTPExchange(value.scope)
        if args and isinstance(args[0], HTTPEndpoint):
            return _EndpointExchange(args[0])
        if args and isinstance(args[0], WebSocketEndpoint):
            endpoint = args[0]
            return _WebSocketExchange(WebSocket(endpoint.scope, endpoint.receive, endpoint.send))
        raise UnguardedRoute(
            "a handler decorated with requires was called without a Request or WebSocket: give it one as an argument"
        )

    def dispatcher(self, cls: type) -> str | None:
        return "dispatch" if issubclass(cls, HTTPEndpoint | WebSocketEndpoint) else None

    def answers_with(self, wrapper: object, exchange: Exchange, args: tuple[Any, ...]) -> bool:
        endpoint = exchange.carrier.get("endpoint")  # what the router is about to call; absent where there is no router
        if endpoint is None or endpoint is wrapper or lies_under(endpoint, wrapper):
            return True
        return bool(args) and isinstance(endpoint, type) and isinstance(args[0], endpoint)


_FRAMEWORK = _Starlette()


def _answering(guard: Guard) -> Callable[[Any, Any], Any]:
    async def answer(connection: HTTPConnection, error: AccessDenied | AuthorityUnavailable) -> Response | None:
        nearest: Guard = connection.scope.get(GUARD, guard)
        refusal = nearest.refusal(error, asgi.ASGIRequest(connection.scope))
        if not isinstance(connection, WebSocket):
            return _HTTPExchange(connection.scope).respond(refusal)
        await _WebSocketExchange(connection).arespond(refusal)
        return None

    return answer


def _present(scope: Carrier, token: AccessToken | None) -> None:
    scope["user"] = UnauthenticatedUser() if token is None else token
    scope["auth"] = AuthCredentials() if token is None else token
