"""Alternative Payments: HTTP Basic, opaque tokens of 56 hexadecimal characters, verified in the issuer's own store.

`python examples/alternative_payments.py` serves it. Bad client credentials are a 403 there, and only at the token
endpoint; `/customers` answers by RFC 6750.
"""

from __future__ import annotations

import contextlib
import json
import socket
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
from bearer_guard import Guard
from bearer_guard.dialects import Failure, error_body, oauth_words
from bearer_guard.issuer import ASGIApp, Dialect, Issuer, OpaqueFormat, StoreVerifier, WSGIApp, lifetime_alone

ISSUER = "https://id.example.com"
API = "https://api.example.com"
TOKEN_PATH = "/oauth/token"

WORDS = oauth_words  # the document promises a JSON object of strings
DIALECT = Dialect(
    path=TOKEN_PATH,
    basic="raw",
    in_body=False,
    private_key_jwt=False,
    token=OpaqueFormat(octets=28),
    token_type="bearer",
    members=lifetime_alone,
    statuses={"invalid_client": 403},
    too_large=400,
    words=WORDS,
)

issuer = Issuer(ISSUER, dialects=[DIALECT])
client, CLIENT_SECRET = issuer.clients.add(audience=API, scopes="read:customers")
CLIENT_ID = client.client_id

guard = Guard(StoreVerifier(issuer.store, audience=API), realm="payments", error_body=error_body(WORDS))


# --- in Starlette


@bearer_guard.starlette.requires("read:customers")
async def customers(request: Request) -> JSONResponse:
    return JSONResponse({"customers": [], "asked_by": bearer_guard.starlette.current_token(request).client_id})


async def in_our_words(request: Request, error: Exception) -> JSONResponse:
    status = getattr(error, "status_code", 500)
    failure = Failure.of_status(status, method=request.method, path=request.url.path)
    return JSONResponse(WORDS(failure), status, getattr(error, "headers", None))


asgi_app = Starlette(
    routes=[Route(TOKEN_PATH, ASGIApp(issuer), methods=["POST"]), Route("/customers", customers)],
    middleware=[Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard, public=[TOKEN_PATH])],
    exception_handlers={HTTPException: in_our_words, 500: in_our_words},
)


# --- and in Flask

wsgi_app = flask.Flask(__name__)
bearer_guard.flask.protect(wsgi_app, guard, public=[TOKEN_PATH])


@wsgi_app.post(TOKEN_PATH)
def token() -> Response:
    return Response.from_app(WSGIApp(issuer), flask.request.environ)


@wsgi_app.get("/customers")
@bearer_guard.flask.requires("read:customers")
def list_customers() -> dict[str, Any]:
    return {"customers": [], "asked_by": bearer_guard.flask.current_token().client_id}


@wsgi_app.errorhandler(exceptions.HTTPException)
def in_the_same_words(error: exceptions.HTTPException) -> Response:
    answer = Response.force_type(error.get_response())
    failure = Failure.of_status(answer.status_code, method=flask.request.method, path=flask.request.path)
    answer.data, answer.mimetype = json.dumps(dict(WORDS(failure))), "application/json"
    return answer


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(f"curl -u '{CLIENT_ID}:{CLIENT_SECRET}' -d grant_type=client_credentials {url}{TOKEN_PATH}")
    print(f'curl -i -H "Authorization: Bearer $TOKEN" {url}/customers')
    print(f"curl -i {url}/customers", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(asgi_app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
