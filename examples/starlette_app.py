"""A Starlette API behind the middleware, with scopes on its routes. `python examples/starlette_app.py` serves it."""

from __future__ import annotations

import contextlib
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from bearer_guard import Guard, JWTVerifier, any_of
from bearer_guard.starlette import BearerMiddleware, current_token, requires
from bearer_guard.testing import LocalIssuer

API = "https://api.example.com"


@requires("read:users")
async def user_status(request: Request) -> Response:
    return JSONResponse({"status": "active", "asked_by": current_token(request).identity})


@requires(any_of("write:users", "admin"))
def create_user(request: Request) -> Response:
    return JSONResponse({"created_by": current_token(request).identity}, status_code=201)


@requires("read:events")
async def events(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"listening": current_token(websocket).identity})
    await websocket.close()


async def health(request: Request) -> Response:
    return JSONResponse({"status": "up"})


def create_app(guard: Guard) -> Starlette:
    return Starlette(
        routes=[
            Route("/v1/user-status", user_status, methods=["POST"]),
            Route("/v1/users", create_user, methods=["POST"]),
            WebSocketRoute("/v1/events", events),
            Route("/health", health),
        ],
        middleware=[Middleware(BearerMiddleware, guard=guard, public=["/health"])],
    )


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    # In production this is your identity provider: its URL is all that the verifier needs.
    with LocalIssuer(API).serve(scopes="read:users") as provider:
        guard = Guard(JWTVerifier(issuer=provider.url, audience=API), realm="users")
        print(f"curl {url}/health")
        print(f"curl -i -X POST {url}/v1/user-status")
        print(
            f"curl -u '{provider.client_id}:{provider.client_secret}' "
            f"-d grant_type=client_credentials {provider.token_endpoint}"
        )
        print(f'curl -i -X POST -H "Authorization: Bearer $TOKEN" {url}/v1/user-status', flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(uvicorn.Config(create_app(guard), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
