"""OroCommerce: one signing key, a back office and a storefront, and tokens that are good for one of them only.

`python examples/orocommerce.py` serves it. Servers of this family publish a PEM key and no key set, name the client in
`aud`, send `scopes` as a list and fractional times, and no `iss`: a token belongs to a side by its client.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from collections.abc import Mapping
from typing import Any

import flask
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from werkzeug import exceptions, wrappers

import bearer_guard.flask
import bearer_guard.starlette
from bearer_guard import AccessToken, Guard, JWTVerifier, StaticJWKSet
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
    token=JWTFormat(
        claims=access_token, header=plain_header, identified=False, scope_claims=["scopes"], client_claim="aud"
    ),
    members=lifetime_alone,
    too_large=400,
    words=WORDS,
)

issuer = Issuer(URL, keys=KeyRing("RS256"), dialects=[DIALECT])
PUBLIC_KEY = issuer.keys.current.public_pem


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


def register(side: str, scopes: str = SCOPE) -> tuple[str, str]:
    """The identifier and the secret of a new client of one side; its tokens are good at once."""
    client, secret = issuer.clients.add(audience=side, scopes=scopes)
    return client.client_id, secret


back_office, storefront = guard_of(BACK_OFFICE), guard_of(STOREFRONT)
CLIENT_ID, CLIENT_SECRET = register(BACK_OFFICE)
STOREFRONT_CLIENT_ID, STOREFRONT_CLIENT_SECRET = register(STOREFRONT)


def users(side: str, token: AccessToken) -> str:
    return json.dumps({"data": [], "meta": {"side": side, "askedBy": token.subject}})


# --- in Starlette


@bearer_guard.starlette.requires(SCOPE, guard=back_office)
async def back_office_users(request: Request) -> Response:
    return Response(users(BACK_OFFICE, bearer_guard.starlette.current_token(request)), media_type=JSON_API)


@bearer_guard.starlette.requires(SCOPE, guard=storefront)
async def storefront_users(request: Request) -> Response:
    return Response(users(STOREFRONT, bearer_guard.starlette.current_token(request)), media_type=JSON_API)


async def in_our_words(request: Request, error: Exception) -> JSONResponse:
    status = getattr(error, "status_code", 500)
    failure = Failure.of_status(status, method=request.method, path=request.url.path)
    return JSONResponse(WORDS(failure), status, getattr(error, "headers", None))


asgi_app = Starlette(
    routes=[
        Route(TOKEN_PATH, ASGIApp(issuer), methods=["POST"]),
        Route("/admin/api/users", back_office_users),
        Route("/api/users", storefront_users),
    ],
    exception_handlers={HTTPException: in_our_words, 500: in_our_words},
)


# --- and in Flask

wsgi_app = flask.Flask(__name__)


@wsgi_app.post(TOKEN_PATH)
def token() -> wrappers.Response:
    return wrappers.Response.from_app(WSGIApp(issuer), flask.request.environ)


@wsgi_app.get("/admin/api/users")
@bearer_guard.flask.requires(SCOPE, guard=back_office)
def users_of_back_office() -> flask.Response:
    return flask.Response(users(BACK_OFFICE, bearer_guard.flask.current_token()), mimetype=JSON_API)


@wsgi_app.get("/api/users")
@bearer_guard.flask.requires(SCOPE, guard=storefront)
def users_of_storefront() -> flask.Response:
    return flask.Response(users(STOREFRONT, bearer_guard.flask.current_token()), mimetype=JSON_API)


@wsgi_app.errorhandler(exceptions.HTTPException)
def in_the_same_words(error: exceptions.HTTPException) -> wrappers.Response:
    answer = wrappers.Response.force_type(error.get_response())
    failure = Failure.of_status(answer.status_code, method=flask.request.method, path=flask.request.path)
    answer.data, answer.mimetype = json.dumps(dict(WORDS(failure))), "application/json"
    return answer


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    clients = {"admin/api": (CLIENT_ID, CLIENT_SECRET), "api": (STOREFRONT_CLIENT_ID, STOREFRONT_CLIENT_SECRET)}
    for path, (client_id, client_secret) in clients.items():
        body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        print(f"curl -H 'Content-Type: application/json' -d '{json.dumps(body)}' {url}{TOKEN_PATH}")
        accept = f"-H 'Accept: {JSON_API}'"
        print(f'curl -i {accept} -H "Authorization: Bearer $TOKEN" {url}/{path}/users', flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(asgi_app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
