"""The SQR B2B API: a JSON token request, a JWT, and two endpoints that take it. `python examples/sqr_b2b.py` serves it.

Its guide shows tokens signed with RS256 and with HS256. Those are two configurations, `create("RS256")` and
`create("HS256")`: a guard never takes both.
"""

from __future__ import annotations

import contextlib
import json
import socket
from typing import NamedTuple

import flask
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from werkzeug import exceptions
from werkzeug.wrappers import Response

import bearer_guard.flask
import bearer_guard.starlette
from bearer_guard import Guard, JWTVerifier
from bearer_guard.dialects import Failure, by_status, error_body, incident_words, oauth_words
from bearer_guard.issuer import ASGIApp, Dialect, Issuer, IssuerKeys, JWTFormat, KeyRing, WSGIApp, plain_header

ISSUER = "https://id.example.com"
API = "https://api.example.com"
TOKEN_PATH = "/v1/oauth/token"

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
    """The whole system, whose tokens are signed with `algorithm` and whose guard takes no other."""
    issuer = Issuer(ISSUER, keys=KeyRing(algorithm), dialects=[DIALECT])
    verifier = JWTVerifier(
        issuer=ISSUER,
        audience=API,
        keys=IssuerKeys(issuer.keys),
        algorithms=[algorithm],
        required_claims=["sub", "client_id", "jti"],  # the header says JWT and no more: these tell an access token
    )
    guard = Guard(verifier, realm="sqr", error_body=error_body(WORDS))
    return System(issuer, guard, starlette_app(issuer, guard), flask_app(issuer, guard))


# --- in Starlette


@bearer_guard.starlette.requires("read:users")
async def user_status(request: Request) -> JSONResponse:
    return JSONResponse({"status": "active", "asked_by": bearer_guard.starlette.current_token(request).client_id})


async def onboarding_token(request: Request) -> JSONResponse:
    return JSONResponse({"asked_by": bearer_guard.starlette.current_token(request).client_id})


async def in_our_words(request: Request, error: Exception) -> JSONResponse:
    status = getattr(error, "status_code", 500)
    failure = Failure.of_status(status, method=request.method, path=request.url.path)
    return JSONResponse(WORDS(failure), status, getattr(error, "headers", None))


def starlette_app(issuer: Issuer, guard: Guard) -> Starlette:
    return Starlette(
        routes=[
            Route(TOKEN_PATH, ASGIApp(issuer), methods=["POST"]),
            Route("/v1/user-status", user_status, methods=["POST"]),
            Route("/v1/onboarding-token", onboarding_token, methods=["POST"]),
        ],
        middleware=[Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard, public=[TOKEN_PATH])],
        exception_handlers={HTTPException: in_our_words, 500: in_our_words},
    )


# --- and in Flask


def flask_app(issuer: Issuer, guard: Guard) -> flask.Flask:
    app = flask.Flask(__name__)
    bearer_guard.flask.protect(app, guard, public=[TOKEN_PATH])

    @app.post(TOKEN_PATH)
    def token() -> Response:
        return Response.from_app(WSGIApp(issuer), flask.request.environ)

    @app.post("/v1/user-status")
    @bearer_guard.flask.requires("read:users")
    def user_status() -> dict[str, str | None]:
        return {"status": "active", "asked_by": bearer_guard.flask.current_token().client_id}

    @app.post("/v1/onboarding-token")
    def onboarding_token() -> dict[str, str | None]:
        return {"asked_by": bearer_guard.flask.current_token().client_id}

    @app.errorhandler(exceptions.HTTPException)
    def in_our_words(error: exceptions.HTTPException) -> Response:
        answer = Response.force_type(error.get_response())
        failure = Failure.of_status(answer.status_code, method=flask.request.method, path=flask.request.path)
        answer.data, answer.mimetype = json.dumps(dict(WORDS(failure))), "application/json"
        return answer

    return app


issuer, guard, asgi_app, wsgi_app = create("RS256")
client, CLIENT_SECRET = issuer.clients.add(audience=API, scopes="read:users write:logs")
CLIENT_ID = client.client_id


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    body = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "client_credentials"}
    print(f"curl -H 'Content-Type: application/json' -d '{json.dumps(body)}' {url}{TOKEN_PATH}")
    for path in ("/v1/user-status", "/v1/onboarding-token"):
        print(f'curl -i -X POST -H "Authorization: Bearer $TOKEN" {url}{path}')
    print(f"curl -i -X POST {url}/v1/user-status", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(asgi_app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
