"""The same small application under every adapter. It serves every path and says what it was called with.

Rules: `POST /w` needs `write`, `/ab` needs `a` and `b`, `/either` needs `x` or `y`; `/open` and `/docs/*` are public where
the adapter has public paths; everything else needs any valid token.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bearer_guard.asgi
import bearer_guard.flask
import bearer_guard.starlette
import bearer_guard.werkzeug
import bearer_guard.wsgi
from bearer_guard import AccessToken, Guard, all_of, any_of

from .asgi_linter import linted
from .exchange import Call, Reply, Seen, call_asgi, call_wsgi

PUBLIC = ["/open", "/docs/*"]
RULES = {"/w": all_of("write"), "/ab": all_of("a", "b"), "/either": any_of("x", "y")}
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@dataclass(frozen=True)
class Adapter:
    name: str
    build: Callable[..., Any]  # (guard, seen, **options of the middleware) -> application
    kind: str
    public: bool = True
    """Whether it is a middleware, with public paths and preflights; else a decorator on every handler."""

    decorates: bool = True
    """Whether the rules of RULES are decorators on its handlers."""

    def send(self, app: Any, call: Call, **members: Any) -> Reply:
        return (call_asgi if self.kind == "asgi" else call_wsgi)(app, call, **members)


def record(seen: Seen, token: AccessToken | None, method: str, path: str, query: str, body: bytes) -> bytes:
    seen.calls.append({"token": token, "method": method, "path": path, "query": query, "body": body})
    return json.dumps({"subject": token and token.subject}).encode()


def _options(options: dict[str, Any]) -> dict[str, Any]:
    return {"public": PUBLIC, **options}


def bare_asgi(guard: Guard, seen: Seen, **options: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        token = scope["bearer_guard.token"]
        if rule := RULES.get(scope["path"]):
            guard.authorize(token, rule)
        body = (await receive())["body"]
        answer = record(seen, token, scope["method"], scope["path"], scope["query_string"].decode(), body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer})

    return bearer_guard.asgi.BearerMiddleware(linted(app), guard, **_options(options))


def _starlette(guard: Guard | None, seen: Seen, middleware: list[Any]) -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def answer(request: Request) -> Response:
        token = bearer_guard.starlette.current_token(request, default=None)
        body = await request.body()
        text = record(seen, token, request.method, request.scope["path"], request.scope["query_string"].decode(), body)
        headers = {"content-length": str(len(text))}
        return Response(b"" if request.method == "HEAD" else text, 200, headers, "application/json")

    rest = answer if guard is None else bearer_guard.starlette.requires(guard=guard)(answer)
    requires = [
        Route(path, bearer_guard.starlette.requires(rule, guard=guard)(answer), methods=VERBS)
        for path, rule in RULES.items()
    ]
    return Starlette(routes=[*requires, Route("/{path:path}", rest, methods=VERBS)], middleware=middleware)


def starlette_middleware(guard: Guard, seen: Seen, **options: Any) -> Any:
    from starlette.middleware import Middleware

    middleware = Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard, **_options(options))
    return _starlette(None, seen, [middleware])


def starlette_decorator(guard: Guard, seen: Seen) -> Any:
    return _starlette(guard, seen, [])


def bare_wsgi(guard: Guard, seen: Seen, **options: Any) -> Any:
    from wsgiref.validate import validator

    def app(environ: Any, start_response: Any) -> list[bytes]:
        token = environ["bearer_guard.token"]
        if rule := RULES.get(environ["PATH_INFO"]):
            guard.authorize(token, rule)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        answer = record(seen, token, environ["REQUEST_METHOD"], path, environ["QUERY_STRING"], body)
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer]

    return bearer_guard.wsgi.BearerMiddleware(validator(app), guard, **_options(options))


def _werkzeug(guard: Guard | None, seen: Seen) -> Any:
    from werkzeug.wrappers import Request, Response

    def answer(request: Request) -> Response:
        token = bearer_guard.werkzeug.current_token(request, default=None)
        query = request.query_string.decode()
        text = record(seen, token, request.method, request.root_path + request.path, query, request.get_data())
        return Response(text, content_type="application/json")

    views = {path: bearer_guard.werkzeug.requires(rule, guard=guard)(answer) for path, rule in RULES.items()}
    rest = answer if guard is None else bearer_guard.werkzeug.requires(guard=guard)(answer)

    @Request.application
    def app(request: Request) -> Response:
        return views.get(request.path, rest)(request)

    return app


def werkzeug_middleware(guard: Guard, seen: Seen, **options: Any) -> Any:
    return bearer_guard.werkzeug.BearerMiddleware(_werkzeug(None, seen), guard, **_options(options))


def werkzeug_decorator(guard: Guard, seen: Seen) -> Any:
    return _werkzeug(guard, seen)


def _flask(guard: Guard | None, seen: Seen) -> Any:
    from flask import Flask, Response, request

    app = Flask("contract", static_folder=None)
    app.url_map.merge_slashes = False

    def answer(**values: Any) -> Response:
        token = bearer_guard.flask.current_token(default=None)
        query = request.query_string.decode()
        text = record(seen, token, request.method, request.root_path + request.path, query, request.get_data())
        return Response(text, content_type="application/json")

    def rule_for(path: str, view: Any, endpoint: str) -> None:
        app.add_url_rule(path, endpoint, view, methods=VERBS, provide_automatic_options=False)

    for path, rule in RULES.items():
        rule_for(path, bearer_guard.flask.requires(rule, guard=guard)(answer), path)
    rest = answer if guard is None else bearer_guard.flask.requires(guard=guard)(answer)
    rule_for("/", rest, "root")
    rule_for("/<path:rest>", rest, "rest")
    return app


def flask_middleware(guard: Guard, seen: Seen, **options: Any) -> Any:
    app = _flask(None, seen)
    app.wsgi_app = bearer_guard.flask.BearerMiddleware(app.wsgi_app, guard, **_options(options))
    return app


def flask_protect(guard: Guard, seen: Seen, **options: Any) -> Any:
    app = _flask(None, seen)
    bearer_guard.flask.protect(app, guard, **_options(options))
    return app


def flask_decorator(guard: Guard, seen: Seen) -> Any:
    return _flask(guard, seen)


ADAPTERS = (
    Adapter("asgi", bare_asgi, "asgi", decorates=False),
    Adapter("starlette-middleware", starlette_middleware, "asgi"),
    Adapter("starlette-decorator", starlette_decorator, "asgi", public=False),
    Adapter("wsgi", bare_wsgi, "wsgi", decorates=False),
    Adapter("werkzeug-middleware", werkzeug_middleware, "wsgi"),
    Adapter("werkzeug-decorator", werkzeug_decorator, "wsgi", public=False),
    Adapter("flask-middleware", flask_middleware, "wsgi"),
    Adapter("flask-protect", flask_protect, "wsgi"),
    Adapter("flask-decorator", flask_decorator, "wsgi", public=False),
)
MIDDLEWARE = tuple(adapter for adapter in ADAPTERS if adapter.public)
DECORATED = tuple(adapter for adapter in ADAPTERS if adapter.decorates)
