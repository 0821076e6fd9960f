"""Screening Eagle ID: HS256, an issuer that is no URL, and two other tokens that must never pass as access tokens.

`python examples/screening_eagle.py` serves it. The id_token and the refresh_token have the same issuer, audience, type
and signature as the access token; what tells them apart are their claims.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import uuid
from collections.abc import Mapping
from typing import Any

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
from bearer_guard import Guard, InvalidClaim, JWTVerifier, SharedSecret
from bearer_guard.dialects import Failure, camel_case_words, error_body
from bearer_guard.issuer import (
    ASGIApp,
    Dialect,
    Grant,
    Issuer,
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


def words(failure: Failure) -> Mapping[str, Any]:
    """The document's own example where it fits; else the codes of RFC 6749 and RFC 6750 in its shape."""
    if failure.status == 403:
        return {"error": "Forbidden", "errorDescription": "permission denied"}
    return camel_case_words(failure)


def registered(grant: Grant, lifetime: int) -> dict[str, Any]:
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
    return {
        **registered(grant, grant.lifetime),
        "scp": grant.scope,
        "scopes": ["user"],
        "userID": USER,
        "userRegion": "SG",
    }


def id_token(grant: Grant) -> dict[str, Any]:
    claims = registered(grant, grant.lifetime)
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
    return {**registered(grant, 9 * A_WEEK), "scp": " ".join([*kept, "offline"])}


def only_access_tokens(claims: Mapping[str, Any]) -> None:
    """Refuse the id_token, which has no `scp` and no `jti`, and the refresh token, which is for going offline."""
    if not isinstance(claims.get("scp"), str) or "offline" in claims["scp"].split(" "):
        raise InvalidClaim("scp", "not an access token")
    if not isinstance(claims.get("scopes"), list | tuple):
        raise InvalidClaim("scopes", "not an access token")
    if type(claims.get("userID")) is not int:
        raise InvalidClaim("userID", "not an access token")


def members(grant: Grant) -> Mapping[str, Any]:
    others = {"id_token": grant.sign(id_token(grant)), "refresh_token": grant.sign(refresh_token(grant))}
    return {**granted_members(grant), **others}


DIALECT = Dialect(
    path=TOKEN_PATH,
    basic="raw",
    in_body=False,
    private_key_jwt=False,
    required=("grant_type", "scope"),
    token=JWTFormat(claims=access_token, header=plain_header, validate=only_access_tokens),
    members=members,
    too_large=400,
    words=words,
)


def asgi_application(issuer: Issuer, guard: Guard) -> Starlette:
    @bearer_guard.starlette.requires("inspect")
    async def user(request: Request) -> JSONResponse:
        claims = bearer_guard.starlette.current_token(request).claims
        return JSONResponse({"userID": claims["userID"], "userRegion": claims["userRegion"]})

    async def in_our_words(request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        failure = Failure.of_status(status, method=request.method, path=request.url.path)
        return JSONResponse(words(failure), status, getattr(error, "headers", None))

    return Starlette(
        routes=[
            Route(TOKEN_PATH, ASGIApp(issuer)),
            Route("/api/id/v1/user", user),
        ],
        middleware=[Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard, public=[TOKEN_PATH])],
        exception_handlers={HTTPException: in_our_words, Exception: in_our_words},
    )


def wsgi_application(issuer: Issuer, guard: Guard) -> flask.Flask:
    app = flask.Flask(__name__)

    @app.get("/api/id/v1/user")
    @bearer_guard.flask.requires("inspect")
    def user() -> dict[str, Any]:
        claims = bearer_guard.flask.current_token().claims
        return {"userID": claims["userID"], "userRegion": claims["userRegion"]}

    @app.errorhandler(Exception)
    def in_our_words(error: Exception) -> flask.Response:
        answer = flask.make_response("", 500)
        if isinstance(error, werkzeug.exceptions.HTTPException):
            answer = flask.make_response(error.get_response())
        failure = Failure.of_status(answer.status_code, method=flask.request.method, path=flask.request.path)
        answer.set_data(json.dumps(dict(words(failure))))
        answer.content_type = "application/json"
        return answer

    guarded = bearer_guard.flask.BearerMiddleware(app.wsgi_app, guard)
    app.wsgi_app = DispatcherMiddleware(guarded, {TOKEN_PATH: WSGIApp(issuer)})  # type: ignore[method-assign]
    return app


issuer = Issuer(ISSUER, url=URL, keys=KeyRing("HS256"), dialects=[DIALECT])
verifier = JWTVerifier(
    issuer=ISSUER,
    audience=issuer.clients.of(SERVICE),  # a live view: a client that is registered later is admitted too
    keys=SharedSecret(issuer.keys.current.secret, algorithm="HS256"),
    types=["JWT"],
    scope_claims=["scp"],
    required_claims=["sub", "jti", "iat"],
    validate=only_access_tokens,
)
guard = Guard(verifier, realm="Screening Eagle", error_body=error_body(words))
asgi_app = asgi_application(issuer, guard)
wsgi_app = wsgi_application(issuer, guard)
client, CLIENT_SECRET = issuer.clients.add(audience=SERVICE, scopes=SCOPES, token_lifetime=A_WEEK)
CLIENT_ID = client.client_id


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(
        f"curl -u '{CLIENT_ID}:{CLIENT_SECRET}' -d 'grant_type=client_credentials&scope={SCOPES.replace(' ', '+')}' "
        f"{url}{TOKEN_PATH}"
    )
    print(f'curl -i -H "Authorization: Bearer $TOKEN" {url}/api/id/v1/user')
    print(f"curl -i {url}/api/id/v1/user", flush=True)
    if "--wsgi" in sys.argv:
        waitress.serve(wsgi_app, sockets=[listener])
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(asgi_app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
