"""The two protected APIs of the demo, a Starlette and a Flask application behind one guard, under real servers.

The only module of the command that imports frameworks and servers: they come with the extra `demo`.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from waitress import wasyncore  # type: ignore[import-untyped, unused-ignore]
from waitress.server import create_server  # type: ignore[import-untyped, unused-ignore]

from .. import flask as flask_adapter
from .. import starlette as starlette_adapter
from .._guard import Guard
from ._scenario import SCOPE

PATH: Final = "/v1/user-status"
HOST: Final = "127.0.0.1"


def starlette_api(guard: Guard) -> Starlette:
    """The API in Starlette: everything is guarded, and this path needs a scope."""

    @starlette_adapter.requires(SCOPE)
    async def user_status(request: Request) -> JSONResponse:
        token = starlette_adapter.current_token(request)
        return JSONResponse({"status": "active", "asked_by": token.client_id})

    return Starlette(
        routes=[Route(PATH, user_status, methods=["POST"])],
        middleware=[Middleware(starlette_adapter.BearerMiddleware, guard=guard)],
    )


def flask_api(guard: Guard) -> Flask:
    """The same API in Flask."""
    app = Flask("demo")

    @app.post(PATH)
    @flask_adapter.requires(SCOPE)
    def user_status() -> ResponseReturnValue:
        return jsonify(status="active", asked_by=flask_adapter.current_token().client_id)

    app.wsgi_app = flask_adapter.BearerMiddleware(app.wsgi_app, guard)  # type: ignore[method-assign]
    return app


@contextmanager
def under_uvicorn(app: Any) -> Iterator[str]:
    """Serve an ASGI application on a free loopback port; the value is its URL."""
    # Taken before the server starts, so that nobody else can take it and early connections wait in the queue.
    listening = socket.create_server((HOST, 0))
    url = f"http://{HOST}:{listening.getsockname()[1]}"
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none", http="h11")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="uvicorn", daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextmanager
def under_waitress(app: Any) -> Iterator[str]:
    """Serve a WSGI application on a free loopback port; the value is its URL."""
    listening = socket.create_server((HOST, 0))
    url = f"http://{HOST}:{listening.getsockname()[1]}"
    sockets: dict[int, Any] = {}
    server: Any = create_server(app, map=sockets, sockets=[listening], threads=8)
    # How many requests wait for a thread, on a busy machine also the first one, has no place in what the demo prints.
    server.task_dispatcher.queue_logger = unheard = logging.Logger("waitress.queue")
    unheard.disabled = True
    thread = threading.Thread(target=server.run, name="waitress", daemon=True)
    thread.start()
    try:
        yield url
    finally:
        # First the workers: one that has just answered still wakes the loop, through a pipe that must be open.
        server.task_dispatcher.shutdown()
        open_until_then: dict[int, Any] = {}

        def end_the_loop() -> None:
            open_until_then.update(sockets)
            sockets.clear()  # closed later: this may run before the pipe is written to

        server.trigger.pull_trigger(end_the_loop)
        thread.join()
        wasyncore.close_all(open_until_then, ignore_all=True)
        listening.close()
