"""Rows G of the conformance list: scopes (RFC 6749 §3.3, RFC 8693 §4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.views import MethodView
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

import bearer_guard.flask
import bearer_guard.starlette
from bearer_guard import ConfigurationError, InsufficientScope, InvalidClaim, all_of, any_of
from tests.answers import IS, OK, admitted, ask, guard, refused
from tests.tokens import ABSENT, CLAIMS, HEADER, T, json_octets, raw


@pytest.mark.parametrize(
    "scope",
    [
        "read:all",
        "Read",
        "READ",
        "readx",
        "xread",
        "thread",
        "x\tread",
        "x\nread",
        "x\rread",
        "x\x0bread",
        "x\x0cread",
        "x\x1cread",
        "x\x00read",
        "x\u00a0read",
        "x\u2003read",
        "x\u2028read",
        "x,read",
        "x+read",
        "rea",
        "r\u0435ad",
        "\uff52ead",
        "read\u200b",
        "",
        " ",
    ],
    ids=ascii,
)
def test_G01_a_scope_is_split_at_spaces_alone_and_compared_exactly(scope: str) -> None:
    answer = ask(guard(), T(scope=scope), "read")
    assert answer.kind == IS
    assert type(answer.error) is InsufficientScope
    assert answer.params is not None
    assert answer.params["scope"] == "read"


@pytest.mark.parametrize("scope", ["read", "read write", "write read", "a read b"])
def test_G01_a_scope_that_is_there_is_found(scope: str) -> None:
    assert admitted(guard(), T(scope=scope), required="read").scopes == frozenset(scope.split(" "))


def test_G02_an_array_in_scope_grants_nothing_unless_a_callable_reads_it() -> None:
    token = T(scope=["write"])
    assert ask(guard(), token, "write").kind == IS
    assert ask(guard(), token).kind == OK
    assert ask(guard(scope_claims=lambda claims: claims["scope"]), token, "write").kind == OK


@pytest.mark.parametrize("value", ["write", "a write", ["write"], ["a", "write"]], ids=str)
def test_G02_scp_may_be_text_or_an_array_of_texts(value: Any) -> None:
    assert ask(guard(), T(scope=ABSENT, scp=value), "write").kind == OK
    assert ask(guard(scope_claims=["scp"]), T(scp=value), "write").kind == OK
    assert ask(guard(scope_claims=["permissions"]), T(permissions=value), "write").kind == OK


def test_G02_an_element_with_a_space_is_one_odd_scope_and_not_two() -> None:
    assert ask(guard(), T(scope=ABSENT, scp=["a write"]), "write").kind == IS


@pytest.mark.parametrize("value", [["write", 1], [["write"]], {"write": 1}, True, 5, None, [None]], ids=str)
@pytest.mark.parametrize("claim", ["scope", "scp"])
def test_G02_any_other_type_is_refused(claim: str, value: Any) -> None:
    for required in (None, "write"):
        refused(guard(), T(**{"scope": ABSENT, claim: value}), InvalidClaim, required=required)


def test_G02_the_first_claim_that_is_present_counts_and_there_is_no_union() -> None:
    assert ask(guard(), T(scope="read", scp="write"), "write").kind == IS
    assert ask(guard(scope_claims=["scp", "scope"]), T(scope="read", scp="write"), "write").kind == OK
    assert ask(guard(), T(scope="", scp="write"), "write").kind == IS


def test_G03_without_a_scope_claim_there_are_no_scopes() -> None:
    assert ask(guard(), T(scope=ABSENT), "write").kind == IS
    assert admitted(guard(), T(scope=ABSENT)).scopes == frozenset()


def test_G04_spaces_at_the_ends_and_in_between_are_harmless() -> None:
    token = T(scope=" read  write ")
    assert admitted(guard(), token, required=all_of("read", "write")).scopes == {"read", "write"}
    assert ask(guard(), raw(HEADER, json_octets({**CLAIMS, "scope": "read read"})), "read").kind == OK


@pytest.mark.parametrize(
    "combine", [any_of, all_of, bearer_guard.starlette.requires, bearer_guard.flask.requires], ids=range(4)
)
def test_G05_no_condition_at_all_is_a_configuration_error_and_never_allows(combine: Callable[..., Any]) -> None:
    for conditions in ((), (any_of,), ([],), ("",), ("a b",), (["a"],), (None,)):
        with pytest.raises(ConfigurationError):
            combine(*conditions)


def test_G05_all_of_and_any_of_mean_what_they_say() -> None:
    table = [
        (all_of("a", "b"), {"a b": OK, "b a c": OK, "a": IS, "": IS}),
        (any_of("a", "b"), {"a": OK, "b": OK, "c": IS, "": IS}),
        (any_of("x", all_of("a", any_of("b", "c"))), {"x": OK, "a b": OK, "a c": OK, "a": IS, "b c": IS}),
        (all_of(any_of("a", "b"), any_of("c", "d")), {"a d": OK, "b c": OK, "a b": IS, "c d": IS}),
    ]
    for required, answers in table:
        for scope, expected in answers.items():
            assert ask(guard(), T(scope=scope), required).kind == expected


def bearer(scope: str | None = None) -> dict[str, str]:
    return {} if scope is None else {"Authorization": f"Bearer {T(scope=scope)}"}


def starlette_app() -> Starlette:
    requires = bearer_guard.starlette.requires

    @requires("a")
    async def coroutine(request: Request) -> PlainTextResponse:
        return PlainTextResponse("in")

    @requires("a")
    def function(request: Request) -> PlainTextResponse:
        return PlainTextResponse("in")

    @requires("a")
    @requires("b")
    async def twice(request: Request) -> PlainTextResponse:
        return PlainTextResponse("in")

    class View(HTTPEndpoint):
        @requires("a")
        async def get(self, request: Request) -> PlainTextResponse:
            return PlainTextResponse("in")

    async def plain(request: Request) -> PlainTextResponse:
        return PlainTextResponse("in")

    @requires("a")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("in")
        await websocket.close()

    handlers = {"/coroutine": coroutine, "/function": function, "/twice": twice, "/view": View, "/plain": plain}
    return Starlette(
        routes=[*(Route(path, handler) for path, handler in handlers.items()), WebSocketRoute("/socket", socket)],
        middleware=[Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard())],
    )


ONE, TWO, NONE = (
    {"a": 200, "b": 403, "": 403, None: 401},
    {"a b": 200, "a": 403, "b": 403, None: 401},
    {"": 200, None: 401},
)
ROUTES = {
    "/coroutine": ONE,
    "/function": ONE,
    "/twice": TWO,
    "/view": ONE,
    "/plain": NONE,
    "/nowhere": {None: 401, "": 404},
}


@pytest.mark.parametrize(("path", "answers"), ROUTES.items(), ids=ROUTES)
def test_G12_requirements_add_up_and_an_undecorated_route_stays_protected_in_starlette(
    path: str, answers: dict[str | None, int]
) -> None:
    with TestClient(starlette_app()) as client:
        assert {scope: client.get(path, headers=bearer(scope)).status_code for scope in answers} == answers


def test_G12_a_web_socket_is_refused_before_it_is_accepted() -> None:
    with TestClient(starlette_app()) as client:
        with client.websocket_connect("/socket", headers=bearer("a")) as session:
            assert session.receive_text() == "in"
        for scope in ("b", None):
            with pytest.raises(Exception) as caught, client.websocket_connect("/socket", headers=bearer(scope)):
                pass
            assert isinstance(caught.value, WebSocketDisconnect) or getattr(caught.value, "status_code", 0) in (
                401,
                403,
            )


def flask_app() -> Flask:
    requires, app = bearer_guard.flask.requires, Flask("api")

    @app.get("/function")
    @requires("a")
    def function() -> str:
        return "in"

    @app.get("/twice")
    @requires("a")
    @requires("b")
    def twice() -> str:
        return "in"

    @app.get("/generator")
    @requires("a")
    def generator() -> Any:
        return (part for part in ("i", "n"))

    @app.get("/plain")
    def plain() -> str:
        return "in"

    class View(MethodView):
        decorators = [requires("a")]

        @requires("b")
        def get(self) -> str:
            return "in"

    app.add_url_rule("/view", view_func=View.as_view("view"))
    app.wsgi_app = bearer_guard.flask.BearerMiddleware(app.wsgi_app, guard())  # type: ignore[method-assign]
    return app


FLASK_ROUTES = {
    "/function": ONE,
    "/twice": TWO,
    "/generator": ONE,
    "/plain": NONE,
    "/view": TWO,
    "/nowhere": {None: 401, "": 404},
}


@pytest.mark.parametrize(("path", "answers"), FLASK_ROUTES.items(), ids=FLASK_ROUTES)
def test_G12_requirements_add_up_and_an_undecorated_route_stays_protected_in_flask(
    path: str, answers: dict[str | None, int]
) -> None:
    client = flask_app().test_client()
    assert {scope: client.get(path, headers=bearer(scope)).status_code for scope in answers} == answers
