"""Alternative Payments: HTTP Basic, opaque tokens of 56 hexadecimal characters, verified in the issuer's own store.

`python examples/alternative_payments.py` serves it. Bad client credentials are a 403 there, and only at the token
endpoint; `/customers` answers by RFC 6750.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys

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


def asgi_application(issuer: Issuer, guard: Guard) -> Starlette:
    async def customers(request: Request) -> JSONResponse:
        return JSONResponse({"customers": [], "asked_by": bearer_guard.starlette.current_token(request).client_id})

    async def in_our_words(request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        failure = Failure.of_status(status, method=request.method, path=request.url.path)
        return JSONResponse(WORDS(failure), status, getattr(error, "headers", None))

    return Starlette(
        routes=[
            Route(TOKEN_PATH, ASGIApp(issuer)),
            Route("/customers", customers),
        ],
        middleware=[Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard, public=[TOKEN_PATH])],
        exception_handlers={HTTPException: in_our_words, Exception: in_our_words},
    )


def wsgi_application(issuer: Issuer, guard: Guard) -> flask.Flask:
    app = flask.Flask(__name__)

    @app.get("/customers")
    def customers() -> flask.Response:
        return flask.jsonify(customers=[], asked_by=bearer_guard.flask.current_token().client_id)

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


issuer = Issuer(ISSUER, dialects=[DIALECT])
verifier = StoreVerifier(issuer.store, audience=API)
guard = Guard(verifier, realm="payments", error_body=error_body(WORDS))
asgi_app = asgi_application(issuer, guard)
wsgi_app = wsgi_application(issuer, guard)
client, CLIENT_SECRET = issuer.clients.add(audience=API)
CLIENT_ID = client.client_id


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(f"curl -u '{CLIENT_ID}:{CLIENT_SECRET}' -d grant_type=client_credentials {url}{TOKEN_PATH}")
    print(f'curl -i -H "Authorization: Bearer $TOKEN" {url}/customers')
    print(f"curl -i {url}/customers", flush=True)
    if "--wsgi" in sys.argv:
        waitress.serve(wsgi_app, sockets=[listener])
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(asgi_app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
