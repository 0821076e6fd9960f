"""A plain Werkzeug application: a URL map, views that receive a Request, and the middleware around all of it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable
from typing import Any

import waitress
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from bearer_guard import Guard
from bearer_guard.testing import LocalIssuer
from bearer_guard.werkzeug import BearerMiddleware, current_token, requires

API = "https://api.example.com"


@requires("read:users")
def user_status(request: Request, user: str) -> Response:
    content = {"user": user, "status": "active", "asked_by": current_token(request).identity}
    return Response(json.dumps(content), content_type="application/json")


def health(request: Request) -> Response:
    return Response('{"status":"up"}', content_type="application/json")


VIEWS: dict[str, Callable[..., Response]] = {"user_status": user_status, "health": health}
URLS = Map([Rule("/v1/users/<user>/status", endpoint="user_status"), Rule("/health", endpoint="health")])


@Request.application
def routed(request: Request) -> Response | HTTPException:
    try:
        endpoint, values = URLS.bind_to_environ(request.environ).match()
    except HTTPException as error:
        return error
    return VIEWS[endpoint](request, **values)


def create_app(guard: Guard) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    return BearerMiddleware(routed, guard, public=["/health"])


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    issuer = LocalIssuer(API)  # in production: JWTVerifier(issuer="https://id.example.com", audience=API)
    guard = Guard(issuer.verifier(), realm="users")
    print(f"curl -i {url}/v1/users/4711/status")
    authorization = issuer.authorization(scope="read:users")["Authorization"]
    print(f"curl -i -H 'Authorization: {authorization}' {url}/v1/users/4711/status", flush=True)
    waitress.serve(create_app(guard), sockets=[listener])


if __name__ == "__main__":
    main()
