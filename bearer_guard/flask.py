"""The guard in Flask: `BearerMiddleware` around `app.wsgi_app` or `protect` inside, `requires`, `current_token`.

`protect` decides as Flask's first hook of a request, so that Flask's own after-request hooks, such as those that add
CORS fields, see a refusal; the middleware decides before Flask has seen the request at all. A refusal is raised with
its response: nothing that Flask calls can carry on by ignoring it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from flask import Flask, abort, current_app, request
from flask.views import View
from werkzeug.wrappers import Response

from . import wsgi
from ._errors import AccessDenied, AuthorityUnavailable, UnguardedRoute
from ._gate import GUARD, Gate, deposit, token_in
from ._guard import Guard
from ._handlers import BARE, F, decorated, lies_under
from ._http import Refusal
from ._route import Exchange, anonymous, route_of
from ._scopes import Requirement
from ._token import AccessToken
from .werkzeug import response_to

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["BearerMiddleware", "current_token", "protect", "requires"]

D = TypeVar("D")

_DEEPEST = 16
"""Layers of middleware that are looked through for the Flask application."""


class BearerMiddleware(wsgi.BearerMiddleware):
    """`bearer_guard.wsgi.BearerMiddleware` for `app.wsgi_app`: `app.wsgi_app = BearerMiddleware(app.wsgi_app, guard)`.

    Flask would make a 500 of an AccessDenied or AuthorityUnavailable that a view raises, before any middleware sees it;
    so this one also registers error handlers for them, unless the application has its own.
    """

    def __init__(
        self, app: WSGIApplication, guard: Guard, *, public: Collection[str] = (), preflight: bool = True
    ) -> None:
        super().__init__(app, guard, public=public, preflight=preflight)
        flask_app = _flask_inside(app)
        if flask_app is not None:
            flask_app.before_request(_refuse_bare_view)
            _answer_errors(flask_app, guard)


def protect(app: Flask, guard: Guard, *, public: Collection[str] = (), preflight: bool = True) -> None:
    """Guard every request to `app` before its first preprocessor; parameters as those of BearerMiddleware.

    Everything is guarded, unknown paths and static files too; only opening the session comes before. AccessDenied and
    AuthorityUnavailable raised by views are answered as well. Raises ConfigurationError for a mistake, such as a
    verifier that needs an event loop.
    """
    gate = Gate("protect", guard, public, preflight, blocking=True)

    def check(endpoint: str | None, values: dict[str, Any] | None) -> None:
        incoming = wsgi.WSGIRequest(request.environ)
        try:
            token = None if wsgi.exempts(gate, incoming, request.environ) else guard.check(incoming)
        except (AccessDenied, AuthorityUnavailable) as refused:
            abort(_respond(guard.refusal(refused, incoming)))
        deposit(request.environ, guard, token)

    # Flask runs these before every before_request: nothing of the application runs for a request that is refused.
    app.url_value_preprocessor(check)
    hooks = app.url_value_preprocessors[None]
    hooks.insert(0, hooks.pop())
    app.before_request(_refuse_bare_view)
    _answer_errors(app, guard)


def requires(*conditions: str | Requirement, guard: Guard | None = None) -> Callable[[F], F]:
    """Let a view run only for a verified token whose scopes meet every one of `conditions`.

    For view functions, `def` or `async def`, for methods of a MethodView, and for View and MethodView classes. The
    guard is that of `protect` or of the BearerMiddleware around it, or `guard`; `requires(guard=guard)` wants any valid
    token. Neither `public` nor `optional=True` nor `preflight` exempts a decorated view. `@app.route` must stand above
    `@requires`: it takes the view that it sees. Under `protect` or BearerMiddleware the wrong order is an
    UnguardedRoute at request time; with nothing around the view nobody can notice it. Raises ConfigurationError for
    what cannot be decorated, and UnguardedRoute at request time where no guard is found.
    """
    route = route_of(conditions, guard)
    return lambda handler: decorated(handler, route, _FRAMEWORK)


@overload
def current_token() -> AccessToken: ...
@overload
def current_token(*, default: D) -> AccessToken | D: ...
def current_token(*, default: Any = ...) -> Any:
    """The verified token of Flask's current request. For an anonymous one `default`, else LookupError is raised."""
    token = token_in(request.environ)
    if token is not None:
        return token
    if default is not ...:
        return default
    raise anonymous("guard it with protect, BearerMiddleware or @requires, or give default=")


class _FlaskExchange(Exchange):
    __slots__ = ()

    def incoming(self) -> wsgi.WSGIRequest:
        return wsgi.WSGIRequest(self.carrier)

    def respond(self, refusal: Refusal) -> NoReturn:
        abort(_respond(refusal))  # not returned: a helper or a hook that is decorated refuses the request, too


class _Flask:
    def exchange(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
        return _FlaskExchange(request.environ)

    def dispatcher(self, cls: type) -> str | None:
        return "dispatch_request" if issubclass(cls, View) else None

    def answers_with(self, wrapper: object, exchange: Exchange, args: tuple[Any, ...]) -> bool:
        return True


_FRAMEWORK = _Flask()


def _respond(refusal: Refusal) -> Response:
    return response_to(refusal, current_app.response_class)


def _flask_inside(app: Any) -> Flask | None:
    """The Flask application whose `wsgi_app` this is, also below middleware that keeps what it wraps as `app`."""
    for _ in range(_DEEPEST):
        if isinstance(app, Flask) or app is None:
            return app
        app = getattr(app, "__self__", None) or getattr(app, "app", None) or getattr(app, "wsgi_app", None)
    return None


def _refuse_bare_view() -> None:
    """Raise where this request's view was decorated with requires only after the route had taken it undecorated."""
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, BARE, False) and _was_meant_decorated(view):
        raise UnguardedRoute(
            f"the view {request.endpoint!r} is routed without its requires: put @app.route above @requires"
        )


def _was_meant_decorated(view: Any) -> bool:
    # A view may be routed bare on purpose, beside or instead of its decorated form. It was not where the decorator has
    # taken the view's name; inside a function nobody can look that up, and there the decorated form must be routed too.
    if "<locals>" not in view.__qualname__:
        # In its own module: where another decorator wrapped it first, __globals__ are those of that decorator's.
        module = sys.modules.get(view.__module__)
        named = (view.__globals__.get(view.__name__), getattr(module, view.__name__, None))
        return any(lies_under(other, view) for other in named)
    return not any(lies_under(other, view) for other in current_app.view_functions.values())


def _answer_errors(app: Flask, guard: Guard) -> None:
    def answer(error: AccessDenied | AuthorityUnavailable) -> Response:
        nearest: Guard = request.environ.get(GUARD, guard)
        return _respond(nearest.refusal(error, wsgi.WSGIRequest(request.environ)))

    known = app.error_handler_spec[None][None]
    for kind in (AccessDenied, AuthorityUnavailable):
        if kind not in known:
            app.register_error_handler(kind, answer)
