"""Any ASGI application, no framework: the token is in the scope, and scopes are asked of it or of the guard."""

from __future__ import annotations

import contextlib
import json
import socket

import uvicorn

from bearer_guard import AccessToken, Guard, InsufficientScope
from bearer_guard.asgi import BearerMiddleware, Receive, Scope, Send
from bearer_guard.testing import LocalIssuer

API = "https://api.example.com"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise RuntimeError("this application speaks HTTP alone")
    token: AccessToken | None = scope["bearer_guard.token"]
    if token is None:  # the public path
        await answer(send, {"status": "up"})
        return
    if "read:users" not in token.scopes:
        raise InsufficientScope(["read:users"])  # the middleware makes the 403 of it
    await answer(send, {"status": "active", "asked_by": token.identity})


async def answer(send: Send, content: dict[str, str]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


def create_app(guard: Guard) -> BearerMiddleware:
    return BearerMiddleware(application, guard, public=["/health"])


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    issuer = LocalIssuer(API)  # in production: JWTVerifier(issuer="https://id.example.com", audience=API)
    authorization = issuer.authorization(scope="read:users")["Authorization"]
    print(f"curl -i {url}/v1/user-status")
    print(f"curl -i -H 'Authorization: {authorization}' {url}/v1/user-status", flush=True)
    app = create_app(Guard(issuer.verifier(), realm="users"))
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
