"""OroCommerce: one signing key, a back office and a storefront, and tokens that are good for one of them only.

`python examples/orocommerce.py` serves it. Servers of this family publish a PEM key and no key set, name the client in
`aud`, send `scopes` as a list and fractional times, and no `iss`: a token belongs to a side by its client.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import sys
from collections.abc import Mapping
from typing import Any

import flask
import uvicorn
import waitress
import werkzeug.exceptions
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import bearer_guard.flask
import bearer_guard.starlette
from bearer_guard import Guard, JWTVerifier, StaticJWKSet
from bearer_guard.dialects import Failure, error_body, oauth_words
from bearer_guard.issuer import (
    ASGIApp,
    Dialect,
    Grant,
    Issuer,
    JWTFormat,
    KeyRing,
    WSGIApp,
    lifetime_alone,
    plain_header,
)

URL = "https://shop.example.com"
TOKEN_PATH = "/oauth2-token"
BACK_OFFICE = "back office"
STOREFRONT = "storefront"
JSON_API = "application/vnd.api+json"
SCOPE = "all"
WORDS = oauth_words


def access_token(grant: Grant) -> Mapping[str, Any]:
    return {
        "aud": grant.client.client_id,
        "jti": secrets.token_hex(40),
        "iat": grant.now,
        "nbf": grant.now,
        "exp": grant.now + grant.lifetime,
        "sub": grant.client.client_id,
        "scopes": grant.scope.split(),
    }


DIALECT = Dialect(
    path=TOKEN_PATH,
    body="json",
    basic=None,
    private_key_jwt=False,
    required=("grant_type", "client_id", "client_secret"),
    token=JWTFormat(claims=access_token, header=plain_header, identified=False),
    members=lifetime_alone,
    too_large=400,
    words=WORDS,
)


def guard_of(side: str) -> Guard:
    """The guard of one side: the key is the same for both, the clients are not."""
    verifier = JWTVerifier(
        issuer=None,  # written out: the tokens have no `iss`, and one that has it is not one of them
        audience=issuer.clients.of(side),  # a live view: a client that is registered later is admitted too
        keys=StaticJWKSet.from_pem(PUBLIC_KEY, algorithm="RS256"),
        types=["JWT"],
        scope_claims=["scopes"],
        required_claims=["sub", "jti", "iat", "nbf", "scopes"],
    )
    return Guard(verifier, realm=side, error_body=error_body(WORDS))


def users(side: str, asked_by: str | None) -> str:
    return json.dumps({"data": [], "meta": {"side": side, "askedBy": asked_by}})


def asgi_application() -> Starlette:
    @bearer_guard.starlette.requires(SCOPE, guard=back_office)
    async def back_office_users(request: Request) -> Response:
        token = bearer_guard.starlette.current_token(request)
        return Response(users(BACK_OFFICE, token.subject), media_type=JSON_API)

    @bearer_guard.starlette.requires(SCOPE, guard=storefront)
    async def storefront_users(request: Request) -> Response:
        token = bearer_guard.starlette.current_token(request)
        return Response(users(STOREFRONT, token.subject), media_type=JSON_API)

    async def in_our_words(request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        failure = Failure.of_status(status, method=request.method, path=request.url.path)
        return JSONResponse(WORDS(failure), status, getattr(error, "headers", None))

    return Starlette(
        routes=[
            Route(TOKEN_PATH, ASGIApp(issuer)),
            Route("/admin/api/users", back_office_users),
            Route("/api/users", storefront_users),
        ],
        exception_handlers={HTTPException: in_our_words, Exception: in_our_words},
    )


def wsgi_application() -> flask.Flask:
    app = flask.Flask(__name__)

    @app.get("/admin/api/users")
    @bearer_guard.flask.requires(SCOPE, guard=back_office)
    def back_office_users() -> flask.Response:
        return flask.Response(users(BACK_OFFICE, bearer_guard.flask.current_token().subject), mimetype=JSON_API)

    @app.get("/api/users")
    @bearer_guard.flask.requires(SCOPE, guard=storefront)
    def storefront_users() -> flask.Response:
        return flask.Response(users(STOREFRONT, bearer_guard.flask.current_token().subject), mimetype=JSON_API)

    @app.errorhandler(Exception)
    def in_our_words(error: Exception) -> flask.Response:
        answer = flask.make_response("", 500)
        if isinstance(error, werkzeug.exceptions.HTTPException):
            answer = flask.make_response(error.get_response())
        failure = Failure.of_status(answer.status_code, method=flask.request.method, path=flask.request.path)
        answer.set_data(json.dumps(dict(WORDS(failure))))
        answer.content_type = "application/json"
        return answer

    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {TOKEN_PATH: WSGIApp(issuer)})  # type: ignore[method-assign]
    return app


def register(side: str, scopes: str = SCOPE) -> tuple[str, str]:
    """The identifier and the secret of a new client of one side; its tokens are good at once."""
    client, secret = issuer.clients.add(audience=side, scopes=scopes)
    return client.client_id, secret


issuer = Issuer(URL, keys=KeyRing("RS256"), dialects=[DIALECT])
PUBLIC_KEY = issuer.keys.current.public_pem
back_office, storefront = guard_of(BACK_OFFICE), guard_of(STOREFRONT)
asgi_app = asgi_application()
wsgi_app = wsgi_application()
CLIENT_ID, CLIENT_SECRET = register(BACK_OFFICE)
STOREFRONT_CLIENT_ID, STOREFRONT_CLIENT_SECRET = register(STOREFRONT)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    clients = {"admin/api": (CLIENT_ID, CLIENT_SECRET), "api": (STOREFRONT_CLIENT_ID, STOREFRONT_CLIENT_SECRET)}
    for path, (client_id, client_secret) in clients.items():
        body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        print(f"curl -H 'Content-Type: application/json' -d '{json.dumps(body)}' {url}{TOKEN_PATH}")
        print(f'curl -i -H "Accept: {JSON_API}" -H "Authorization: Bearer $TOKEN" {url}/{path}/users')
    sys.stdout.flush()
    if "--wsgi" in sys.argv:
        waitress.serve(wsgi_app, sockets=[listener])
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(asgi_app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
