"""Screening Eagle ID: HS256, an issuer that is no URL, and two other tokens that must never pass as access tokens.

`python examples/screening_eagle.py` serves it. The id_token and the refresh_token have the same issuer, audience, type
and signature as the access token; what tells them apart are their claims.
"""

from __future__ import annotations

import contextlib
import json
import socket
import uuid
from collections.abc import Mapping
from typing import Any

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
from bearer_guard import Guard, InvalidClaim, JWTVerifier
from bearer_guard.dialects import Failure, camel_case_words, error_body
from bearer_guard.issuer import (
    ASGIApp,
    Dialect,
    Grant,
    Issuer,
    IssuerKeys,
    JWTFormat,
    KeyRing,
    WSGIApp,
    granted_members,
    plain_header,
)

ISSUER = "Screening Eagle ID"  # compared exactly, and no URL: keys are configured, not discovered
URL = "https://id.example.com"
SERVICE = "inspect"  # what a client is registered for; its tokens name the client itself in `aud`
TOKEN_PATH = "/api/id/v1/auth/token"
SCOPES = "openid email profile inspect"
A_WEEK = 604_800
USER = 1302


# --- three kinds of token


def registered_claims(grant: Grant, lifetime: int) -> dict[str, Any]:
    return {
        "aud": grant.client.client_id,
        "exp": grant.issued_at + lifetime,
        "jti": str(uuid.uuid4()),
        "iat": grant.issued_at,
        "iss": grant.issuer,
        "sub": str(USER),
    }


def access_token(grant: Grant) -> dict[str, Any]:
    """`scp` is the scope string; `scopes` is a list of something else, the roles of the user."""
    roles = {"scopes": ["user"], "userID": USER, "userRegion": "SG"}
    return {**registered_claims(grant, grant.lifetime), "scp": grant.scope, **roles}


def id_token(grant: Grant) -> dict[str, Any]:
    claims = registered_claims(grant, grant.lifetime)
    del claims["jti"]
    return {
        **claims,
        "email": "test@example.com",
        "email_verified": True,
        "name": "Test User",
        "first_name": "Test",
        "last_name": "User",
        "country_code": "SG",
        "picture": f"{URL}/api/v1/user/{USER}/picture/",
        "updated_at": grant.issued_at,
    }


def refresh_token(grant: Grant) -> dict[str, Any]:
    kept = [scope for scope in grant.scope.split(" ") if scope != "inspect"]
    return {**registered_claims(grant, 9 * A_WEEK), "scp": " ".join([*kept, "offline"])}


def only_access_tokens(claims: Mapping[str, Any]) -> None:
    """Refuse the id_token, which has no `scp` and no `jti`, and the refresh token, which is for going offline."""
    if not isinstance(claims.get("scp"), str) or "offline" in claims["scp"].split(" "):
        raise InvalidClaim("scp", "not an access token")
    if not isinstance(claims.get("scopes"), list | tuple):
        raise InvalidClaim("scopes", "not an access token")
    if type(claims.get("userID")) is not int:
        raise InvalidClaim("userID", "not an access token")


# --- how it is asked and how it answers


def words(failure: Failure) -> Mapping[str, Any]:
    """The document's own example where it fits; else the codes of RFC 6749 and RFC 6750 in its shape."""
    if failure.status == 403:
        return {"error": "Forbidden", "errorDescription": "permission denied"}
    return camel_case_words(failure)


def members(grant: Grant) -> Mapping[str, Any]:
    others = {"id_token": grant.sign(id_token(grant)), "refresh_token": grant.sign(refresh_token(grant))}
    return {**granted_members(grant), **others}


DIALECT = Dialect(
    path=TOKEN_PATH,
    basic="raw",
    in_body=False,
    private_key_jwt=False,
    required=("grant_type", "scope"),
    token=JWTFormat(
        claims=access_token, header=plain_header, validate=only_access_tokens, scope_claims=["scp"], client_claim="aud"
    ),
    members=members,
    too_large=400,
    words=words,
)

issuer = Issuer(ISSUER, url=URL, keys=KeyRing("HS256"), dialects=[DIALECT])
client, CLIENT_SECRET = issuer.clients.add(audience=SERVICE, scopes=SCOPES, token_lifetime=A_WEEK)
CLIENT_ID = client.client_id

verifier = JWTVerifier(
    issuer=ISSUER,
    audience=issuer.clients.of(SERVICE),  # a live view: a client that is registered later is admitted too
    keys=IssuerKeys(issuer.keys),
    algorithms=["HS256"],
    types=["JWT"],
    scope_claims=["scp"],
    required_claims=["sub", "jti", "iat"],
    validate=only_access_tokens,
)
guard = Guard(verifier, realm="Screening Eagle", error_body=error_body(words))


# --- in Starlette


@bearer_guard.starlette.requires("inspect")
async def user(request: Request) -> JSONResponse:
    claims = bearer_guard.starlette.current_token(request).claims
    return JSONResponse({"userID": claims["userID"], "userRegion": claims["userRegion"]})


async def in_our_words(request: Request, error: Exception) -> JSONResponse:
    status = getattr(error, "status_code", 500)
    failure = Failure.of_status(status, method=request.method, path=request.url.path)
    return JSONResponse(words(failure), status, getattr(error, "headers", None))


asgi_app = Starlette(
    routes=[Route(TOKEN_PATH, ASGIApp(issuer), methods=["POST"]), Route("/api/id/v1/user", user)],
    middleware=[Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard, public=[TOKEN_PATH])],
    exception_handlers={HTTPException: in_our_words, 500: in_our_words},
)


# --- and in Flask

wsgi_app = flask.Flask(__name__)
bearer_guard.flask.protect(wsgi_app, guard, public=[TOKEN_PATH])


@wsgi_app.post(TOKEN_PATH)
def token() -> Response:
    return Response.from_app(WSGIApp(issuer), flask.request.environ)


@wsgi_app.get("/api/id/v1/user")
@bearer_guard.flask.requires("inspect")
def this_user() -> dict[str, Any]:
    claims = bearer_guard.flask.current_token().claims
    return {"userID": claims["userID"], "userRegion": claims["userRegion"]}


@wsgi_app.errorhandler(exceptions.HTTPException)
def in_the_same_words(error: exceptions.HTTPException) -> Response:
    answer = Response.force_type(error.get_response())
    failure = Failure.of_status(answer.status_code, method=flask.request.method, path=flask.request.path)
    answer.data, answer.mimetype = json.dumps(dict(words(failure))), "application/json"
    return answer


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    form = f"grant_type=client_credentials&scope={SCOPES.replace(' ', '+')}"
    print(f"curl -u '{CLIENT_ID}:{CLIENT_SECRET}' -d '{form}' {url}{TOKEN_PATH}")
    print(f'curl -i -H "Authorization: Bearer $TOKEN" {url}/api/id/v1/user')
    print(f"curl -i {url}/api/id/v1/user", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(asgi_app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
