"""The linter sees each breach: without this the contract suite could pass by a linter that looks away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .asgi_linter import Breach, linted
from .exchange import Call, exchange_asgi, http_scope, request_event, websocket_scope

START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
BODY: dict[str, Any] = {"type": "http.response.body", "body": b""}
CONNECT: dict[str, Any] = {"type": "websocket.connect"}
ACCEPT: dict[str, Any] = {"type": "websocket.accept"}
CLOSE: dict[str, Any] = {"type": "websocket.close", "code": 1000}
DENY: dict[str, Any] = {"type": "websocket.http.response.start", "status": 401, "headers": []}
DENIED: dict[str, Any] = {"type": "websocket.http.response.body", "body": b""}


def run(scope: dict[str, Any], messages: list[Any], *, events: list[Any] | None = None, take: int = 1) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(take):
            await receive()
        for message in messages:
            await send(message)

    asyncio.run(exchange_asgi(linted(app), scope, events if events is not None else [request_event(Call())]))


def test_a_plain_exchange_of_each_kind_passes() -> None:
    run(http_scope(Call()), [START, BODY])
    run(
        websocket_scope(Call(), denial=True), [ACCEPT, {"type": "websocket.send", "text": "x"}, CLOSE], events=[CONNECT]
    )
    run(websocket_scope(Call(), denial=True), [DENY, DENIED], events=[CONNECT])
    run({"type": "lifespan"}, [{"type": "lifespan.startup.complete"}], events=[{"type": "lifespan.startup"}])


@pytest.mark.parametrize(
    ("messages", "breach"),
    [
        ([], "before its response was complete"),
        ([START], "before its response was complete"),
        ([BODY], "body before start"),
        ([START, START], "starts twice"),
        ([START, BODY, BODY], "after the end"),
        ([START, {**BODY, "body": "text"}], "not bytes"),
        ([{**START, "status": "200"}], "status"),
        ([{**START, "headers": [(b"X-Upper", b"")]}], "lower case"),
        ([{**START, "headers": [("x", b"")]}], "not bytes"),
        ([{**START, "headers": [(b":status", b"")]}], "pseudo-header"),
        ([{**START, "headers": [(b"x y", b"")]}], "not a token"),
        ([{**START, "headers": [(b"x", b"a\r\nb: c")]}], "line break"),
        ([{**START, "headers": [(b"x",)]}], "not a pair"),
        ([{**START, "headers": [(b"content-length", b"2")]}, BODY], "content-length 2, body of 0"),
        ([{**START, "headers": [(b"content-length", b"0")] * 2}], "content-length twice"),
        ([{"type": "http.response.trailers"}], "unexpected event"),
        ([("http.response.start",)], "not a dict"),
        ([{}], "no type"),
    ],
)
def test_a_breach_in_a_response_is_seen(messages: list[Any], breach: str) -> None:
    with pytest.raises(Breach, match=breach):
        run(http_scope(Call()), messages)


def test_a_body_in_answer_to_head_is_seen() -> None:
    with pytest.raises(Breach, match="in answer to HEAD"):
        run(http_scope(Call(method="HEAD")), [START, {**BODY, "body": b"x"}])


@pytest.mark.parametrize(
    ("messages", "take", "breach"),
    [
        ([CLOSE], 0, "before websocket.connect was received"),
        ([], 1, "returned in state 'handshake'"),
        ([ACCEPT], 1, "returned in state 'open'"),
        ([ACCEPT, ACCEPT], 1, "accept twice"),
        ([CLOSE, CLOSE], 1, "after the close"),
        ([ACCEPT, DENY], 1, "after accept"),
        ([DENY, CLOSE], 1, "within a denial response"),
        ([{"type": "websocket.send", "text": "x"}], 1, "unexpected event"),
        ([ACCEPT, {"type": "websocket.send"}], 1, "not one of"),
        ([{**CLOSE, "code": "1000"}], 1, "not an int"),
    ],
)
def test_a_breach_in_a_websocket_is_seen(messages: list[Any], take: int, breach: str) -> None:
    with pytest.raises(Breach, match=breach):
        run(websocket_scope(Call(), denial=True), messages, events=[CONNECT], take=take)


def test_a_denial_response_without_the_extension_is_seen() -> None:
    with pytest.raises(Breach, match="without the extension"):
        run(websocket_scope(Call(), denial=False), [DENY, DENIED], events=[CONNECT])


@pytest.mark.parametrize(
    ("members", "breach"),
    [
        ({"type": "x"}, "unknown scope type"),
        ({"path": b"/"}, "path is not a str"),
        ({"raw_path": "/"}, "raw_path is not bytes"),
        ({"root_path": b""}, "root_path is not a str"),
        ({"query_string": ""}, "query_string is not bytes"),
        ({"headers": iter(())}, "headers are not a list"),
        ({"headers": [(b"Host", b"x")]}, "lower case"),
        ({"method": "get"}, "upper case"),
        ({"asgi": {}}, "without its version"),
        ({1: 2}, "not a str"),
    ],
)
def test_a_breach_in_a_scope_is_seen(members: dict[Any, Any], breach: str) -> None:
    with pytest.raises(Breach, match=breach):
        run(http_scope(Call()) | members, [START, BODY])


def test_a_breach_in_events_and_lifespan_is_seen() -> None:
    with pytest.raises(Breach, match=r"received websocket\.connect"):
        run(http_scope(Call()), [START, BODY], events=[CONNECT])
    with pytest.raises(Breach, match="unanswered"):
        run({"type": "lifespan"}, [], events=[{"type": "lifespan.startup"}])
    with pytest.raises(Breach, match="unexpected event"):
        run({"type": "lifespan"}, [{"type": "lifespan.shutdown.complete"}], events=[{"type": "lifespan.startup"}])
