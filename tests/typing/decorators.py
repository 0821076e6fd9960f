"""Checked by mypy and pyright, never run: `requires` keeps a handler's kind and signature."""

from __future__ import annotations

from typing import assert_type

import starlette.requests
import starlette.responses
import werkzeug.wrappers

from bearer_guard import AccessToken, Guard, JWTVerifier, any_of
from bearer_guard import flask as flask_guard
from bearer_guard import starlette as starlette_guard
from bearer_guard import werkzeug as werkzeug_guard


@starlette_guard.requires("read:users")
async def asynchronous(request: starlette.requests.Request, limit: int = 1) -> starlette.responses.Response:
    return starlette.responses.Response(str(limit))


@starlette_guard.requires(any_of("admin", "read:users"))
def blocking(request: starlette.requests.Request) -> starlette.responses.Response:
    return starlette.responses.Response()


@werkzeug_guard.requires("read:users")
def view(request: werkzeug.wrappers.Request, name: str) -> werkzeug.wrappers.Response:
    return werkzeug.wrappers.Response(name)


@flask_guard.requires("read:users")
def flask_view(number: int) -> str:
    return str(number)


async def calls(request: starlette.requests.Request, old: werkzeug.wrappers.Request) -> None:
    assert_type(await asynchronous(request, limit=2), starlette.responses.Response)
    assert_type(blocking(request), starlette.responses.Response)
    assert_type(view(old, "x"), werkzeug.wrappers.Response)
    assert_type(flask_view(number=1), str)
    await asynchronous(request, "two")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    flask_view("one")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def tokens(request: starlette.requests.Request, old: werkzeug.wrappers.Request) -> None:
    assert_type(starlette_guard.current_token(request), AccessToken)
    assert_type(starlette_guard.current_token(request, default=None), AccessToken | None)
    assert_type(werkzeug_guard.current_token(old), AccessToken)
    assert_type(flask_guard.current_token(), AccessToken)
    assert_type(flask_guard.current_token(default=None), AccessToken | None)


def guards() -> None:
    guard = Guard(JWTVerifier(issuer="https://id.example.com", audience="https://api.example.com"), realm="users")
    starlette_guard.requires("a", guard=guard)
    starlette_guard.requires(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
