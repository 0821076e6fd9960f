"""The SQR B2B API: a JSON token request, a JWT, and two endpoints that take it. `python examples/sqr_b2b.py` serves it.

Its guide shows tokens signed with RS256 and with HS256. Those are two configurations, `create("RS256")` and
`create("HS256")`: a guard never takes both.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from typing import NamedTuple

import flask
import uvicorn
import waitress
import werkzeug.exceptions
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import bearer_guard.flask
import bearer_guard.starlette
from bearer_guard import Guard, JWTVerifier
from bearer_guard.dialects import Failure, by_status, error_body, incident_words, oauth_words
from bearer_guard.issuer import ASGIApp, Dialect, Issuer, IssuerKeys, JWTFormat, KeyRing, WSGIApp, plain_header

ISSUER = "https://id.example.com"
API = "https://api.example.com"
TOKEN_PATH = "/v1/oauth/token"
SCOPES = "read:users write:logs"

# The guide leaves refusals to the API's OpenAPI document: one shape for the client's faults, another for the server's.
WORDS = by_status(client=oauth_words, server=incident_words)
DIALECT = Dialect(
    path=TOKEN_PATH,
    body="json",
    basic=None,
    private_key_jwt=False,
    required=("client_id", "client_secret", "grant_type"),
    token=JWTFormat(header=plain_header),
    too_large=400,
    words=WORDS,
)


class System(NamedTuple):
    issuer: Issuer
    guard: Guard
    asgi_app: Starlette
    wsgi_app: flask.Flask


def create(algorithm: str) -> System:
    """The whole system, its tokens signed with `algorithm`."""
    issuer = Issuer(ISSUER, keys=KeyRing(algorithm), dialects=[DIALECT])
    verifier = JWTVerifier(
        issuer=ISSUER,
        audience=API,
        keys=IssuerKeys(issuer.keys),
        algorithms=[algorithm],
        required_claims=["sub", "client_id", "jti", "scope"],  # with typ JWT, these tell it from other tokens
    )
    guard = Guard(verifier, realm="sqr", error_body=error_body(WORDS))
    return System(issuer, guard, asgi_application(issuer, guard), wsgi_application(issuer, guard))


def asgi_application(issuer: Issuer, guard: Guard) -> Starlette:
    @bearer_guard.starlette.requires("read:users")
    async def user_status(request: Request) -> JSONResponse:
        return JSONResponse({"status": "active", "asked_by": bearer_guard.starlette.current_token(request).client_id})

    async def onboarding_token(request: Request) -> JSONResponse:
        return JSONResponse({"asked_by": bearer_guard.starlette.current_token(request).client_id})

    async def in_our_words(request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        failure = Failure.of_status(status, method=request.method, path=request.url.path)
        return JSONResponse(WORDS(failure), status, getattr(error, "headers", None))

    return Starlette(
        routes=[
            Route(TOKEN_PATH, ASGIApp(issuer)),
            Route("/v1/user-status", user_status, methods=["POST"]),
            Route("/v1/onboarding-token", onboarding_token, methods=["POST"]),
        ],
        middleware=[Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard, public=[TOKEN_PATH])],
        exception_handlers={HTTPException: in_our_words, Exception: in_our_words},
    )


def wsgi_application(issuer: Issuer, guard: Guard) -> flask.Flask:
    app = flask.Flask(__name__)

    @app.post("/v1/user-status")
    @bearer_guard.flask.requires("read:users")
    def user_status() -> dict[str, str | None]:
        return {"status": "active", "asked_by": bearer_guard.flask.current_token().client_id}

    @app.post("/v1/onboarding-token")
    def onboarding_token() -> dict[str, str | None]:
        return {"asked_by": bearer_guard.flask.current_token().client_id}

    @app.errorhandler(Exception)
    def in_our_words(error: Exception) -> flask.Response:
        answer = flask.make_response("", 500)
        if isinstance(error, werkzeug.exceptions.HTTPException):
            answer = flask.make_response(error.get_response())
        failure = Failure.of_status(answer.status_code, method=flask.request.method, path=flask.request.path)
        answer.set_data(json.dumps(dict(WORDS(failure))))
        answer.content_type = "application/json"
        return answer

    guarded = bearer_guard.flask.BearerMiddleware(app.wsgi_app, guard)
    app.wsgi_app = DispatcherMiddleware(guarded, {TOKEN_PATH: WSGIApp(issuer)})  # type: ignore[method-assign]
    return app


issuer, guard, asgi_app, wsgi_app = create("RS256")
client, CLIENT_SECRET = issuer.clients.add(audience=API, scopes=SCOPES)
CLIENT_ID = client.client_id


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    body = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "client_credentials"}
    print(f"curl -H 'Content-Type: application/json' -d '{json.dumps(body)}' {url}{TOKEN_PATH}")
    print(f'curl -i -X POST -H "Authorization: Bearer $TOKEN" {url}/v1/user-status')
    print(f"curl -i -X POST {url}/v1/user-status", flush=True)
    if "--wsgi" in sys.argv:
        waitress.serve(wsgi_app, sockets=[listener])
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(asgi_app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
