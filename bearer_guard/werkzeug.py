"""The guard in plain Werkzeug applications: middleware, `requires` for views that receive a Request, `current_token`.

A view's refusal is the Response that it returns, so that the application's own processing of responses sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar, overload

from werkzeug.wrappers import Request, Response

from . import wsgi
from ._errors import UnguardedRoute
from ._gate import token_in
from ._guard import Guard
from ._handlers import F, decorated
from ._http import Refusal
from ._route import Exchange, anonymous, route_of
from ._scopes import Requirement
from ._token import AccessToken

__all__ = ["BearerMiddleware", "current_token", "requires"]

D = TypeVar("D")


class BearerMiddleware(wsgi.BearerMiddleware):
    """`bearer_guard.wsgi.BearerMiddleware`, under the name that every adapter has it."""


def requires(*conditions: str | Requirement, guard: Guard | None = None) -> Callable[[F], F]:
    """Let a view run only for a verified token whose scopes meet every one of `conditions`.

    For functions and methods that receive a Werkzeug Request, and for classes whose `dispatch_request` method does. The
    guard is that of the BearerMiddleware around it, or `guard`; `requires(guard=guard)` wants any valid token. Neither
    `public` nor `optional=True` nor `preflight` exempts a decorated view. A refusal is the view's Response: do not
    decorate a helper whose result a view ignores. Raises ConfigurationError for what cannot be decorated, and
    UnguardedRoute at request time where no guard is found.
    """
    route = route_of(conditions, guard)
    return lambda handler: decorated(handler, route, _FRAMEWORK)


@overload
def current_token(request: Request) -> AccessToken: ...
@overload
def current_token(request: Request, *, default: D) -> AccessToken | D: ...
def current_token(request: Request, *, default: Any = ...) -> Any:
    """The verified token of this request. For an anonymous one `default` is returned, else LookupError is raised."""
    token = token_in(request.environ)
    if token is not None:
        return token
    if default is not ...:
        return default
    raise anonymous("guard it with BearerMiddleware or @requires, or give default=")


def response_to(refusal: Refusal, kind: type[Response]) -> Response:
    """`refusal` as a response of the class `kind`, byte for byte."""
    status = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
    # A list, as setting bytes would replace the Content-Length, which for HEAD is that of the body left out.
    return kind([refusal.body] if refusal.body else [], status, list(refusal.headers))


class _WerkzeugExchange(Exchange):
    __slots__ = ()

    def incoming(self) -> wsgi.WSGIRequest:
        return wsgi.WSGIRequest(self.carrier)

    def respond(self, refusal: Refusal) -> Response:
        return response_to(refusal, Response)


class _Werkzeug:
    def exchange(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
        for value in (*args, *kwargs.values()):
            if isinstance(value, Request):
                return _WerkzeugExchange(value.environ)
        raise UnguardedRoute("a view decorated with requires was called without a Request: give it one as an argument")

    def dispatcher(self, cls: type) -> str | None:
        return "dispatch_request" if callable(getattr(cls, "dispatch_request", None)) else None

    def answers_with(self, wrapper: object, exchange: Exchange, args: tuple[Any, ...]) -> bool:
        return True  # the application calls its views itself, and nobody else knows which function is one


_FRAMEWORK = _Werkzeug()
