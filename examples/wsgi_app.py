"""Any WSGI application, no framework: the token is in the environ, and scopes are asked of it or of the guard."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable
from typing import Any

import waitress

from bearer_guard import AccessToken, Guard, InsufficientScope
from bearer_guard.testing import LocalIssuer
from bearer_guard.wsgi import BearerMiddleware

API = "https://api.example.com"


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    token: AccessToken | None = environ["bearer_guard.token"]
    if token is None:  # the public path
        return answer(start_response, {"status": "up"})
    if "read:users" not in token.scopes:
        raise InsufficientScope(["read:users"])  # the middleware makes the 403 of it
    return answer(start_response, {"status": "active", "asked_by": token.identity})


def answer(start_response: Callable[..., Any], content: dict[str, str]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(content).encode()]


def create_app(guard: Guard) -> BearerMiddleware:
    return BearerMiddleware(application, guard, public=["/health"])


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    issuer = LocalIssuer(API)  # in production: JWTVerifier(issuer="https://id.example.com", audience=API)
    authorization = issuer.authorization(scope="read:users")["Authorization"]
    print(f"curl -i {url}/v1/user-status")
    print(f"curl -i -H 'Authorization: {authorization}' {url}/v1/user-status", flush=True)
    waitress.serve(create_app(Guard(issuer.verifier(), realm="users")), sockets=[listener])


if __name__ == "__main__":
    main()
