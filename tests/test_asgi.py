"""The ASGI middleware: what passes, what is copied, what is rendered, and WebSockets before they are accepted."""

from __future__ import annotations

import json
import threading
from typing import Any

import anyio
import anyio.to_thread
import pytest

from bearer_guard import (
    AuthorityUnavailable,
    ConfigurationError,
    ExpiredToken,
    Guard,
    InsufficientScope,
    JWTVerifier,
    RemoteJWKSet,
)
from bearer_guard._flow import Request, Response
from bearer_guard.asgi import ASGIRequest, BearerMiddleware, route_path
from bearer_guard.testing import LocalIssuer
from tests.contract.asgi_linter import linted
from tests.contract.exchange import Call, exchange_asgi, http_scope, request_event, websocket_scope
from tests.contract.guards import AsyncVerifier, SyncVerifier, guard
from tests.contract.table import auth

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


OK = [
    {"type": "http.response.start", "status": 200, "headers": []},
    {"type": "http.response.body", "body": b"ok"},
]


def scopes_of(*messages: dict[str, Any], raising: Exception | None = None) -> tuple[Any, list[dict[str, Any]]]:
    """An application that sends `messages`, then raises; and the scopes that it was called with."""
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        for message in messages:
            await send(message)
        if raising is not None:
            raise raising

    return app, scopes


async def call(app: Any, scope: dict[str, Any], *events: dict[str, Any]) -> list[dict[str, Any]]:
    return await exchange_asgi(app, scope, list(events) or [request_event(Call())])


async def test_the_scope_is_copied_and_holds_the_token_under_its_one_public_key() -> None:
    app, scopes = scopes_of(*OK)
    scope = http_scope(auth("Bearer good"))
    before = dict(scope)
    assert await call(linted(BearerMiddleware(app, guard())), scope) == OK
    assert scope == before
    assert scopes[0]["bearer_guard.token"].subject == "u1"
    assert [key for key in scopes[0] if key.startswith("bearer_guard")] == ["bearer_guard.token"]


@pytest.mark.parametrize("verifier", [SyncVerifier, AsyncVerifier])
async def test_a_verifier_of_either_colour_serves(verifier: Any) -> None:
    app = BearerMiddleware(scopes_of(*OK)[0], guard(verifier()))
    assert (await call(app, http_scope(auth("Bearer good"))))[0]["status"] == 200
    assert (await call(app, http_scope(auth("Bearer expired"))))[0]["status"] == 401


async def test_ASGI_2_a_token_among_the_subprotocols_of_a_websocket_is_not_seen() -> None:
    app, scopes = scopes_of(*OK)
    call_with = Call(headers=(("Sec-WebSocket-Protocol", "bearer, good"),))
    scope = websocket_scope(call_with, denial=True) | {"subprotocols": ["bearer", "good"]}
    sent = await call(BearerMiddleware(app, guard()), scope, CONNECT)
    assert (sent[0]["status"], scopes) == (401, [])


async def test_ASGI_6_a_caller_that_goes_away_takes_no_other_caller_of_the_same_fetch_along() -> None:
    asked, answer = threading.Event(), threading.Event()
    issuer = LocalIssuer(audience="https://api.example.com")

    class Waiting:
        def send(self, request: Request) -> Response:
            fetched.append(request.url)
            asked.set()
            assert answer.wait(10)
            return Response(status=200, body=json.dumps(issuer.jwks()).encode())

    fetched: list[str] = []
    keys = RemoteJWKSet("https://id.example.com/jwks", transport=Waiting())
    subject = Guard(JWTVerifier(issuer=issuer.issuer, audience="https://api.example.com", keys=keys))
    app = BearerMiddleware(scopes_of(*OK)[0], subject)
    scope = http_scope(auth(issuer.authorization()["Authorization"]))
    statuses: list[int] = []

    async def stays() -> None:
        statuses.append((await call(app, scope))[0]["status"])

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as gone:
            async with anyio.create_task_group() as first:
                first.start_soon(call, app, scope)
                await anyio.to_thread.run_sync(asked.wait)
                tasks.start_soon(stays)
                gone.cancel()
        answer.set()
    assert (statuses, len(fetched)) == ([200], 1)
    assert subject.status()["ready"]


async def test_ASGI_4_lifespan_passes_untouched_with_its_errors() -> None:
    app, scopes = scopes_of(raising=OSError("no database"))
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    with pytest.raises(OSError, match="no database"):
        await call(BearerMiddleware(app, guard()), scope)
    assert scopes[0] is scope
    assert list(scope) == ["type", "asgi", "state"]


async def test_ASGI_4_lifespan_events_pass_both_ways() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for phase in ("startup", "shutdown"):
            assert await receive() == {"type": f"lifespan.{phase}"}
            await send({"type": f"lifespan.{phase}.complete"})

    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = await call(linted(BearerMiddleware(app, guard())), {"type": "lifespan", "asgi": {"version": "3.0"}}, *events)
    assert [event["type"] for event in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("kind", ["webtransport", "", "HTTP"])
async def test_ASGI_5_an_unknown_scope_type_is_refused_by_name(kind: str) -> None:
    app, scopes = scopes_of(*OK)
    with pytest.raises(RuntimeError, match=f"refuses the scope type '{kind}'"):
        await call(BearerMiddleware(app, guard(optional=True)), {"type": kind, "path": "/"})
    assert scopes == []


def _generator(pairs: Any) -> Any:
    yield from pairs


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"Authorization", b"Bearer good")], 200),
        (((b"AUTHORIZATION", b"Bearer good"),), 200),
        ([[b"authorization", b"Bearer good"]], 200),
        ([], 401),
        (None, 401),
    ],
)
async def test_ASGI_5_headers_of_any_shape_are_read_or_refused(headers: Any, status: int) -> None:
    app = BearerMiddleware(scopes_of(*OK)[0], guard())
    assert (await call(app, http_scope(Call()) | {"headers": headers}))[0]["status"] == status


async def test_ASGI_5_headers_that_can_be_read_once_reach_the_application_too() -> None:
    app, scopes = scopes_of(*OK)
    pairs = [(b"Authorization", b"Bearer good"), (b"x", b"\xff")]
    await call(BearerMiddleware(app, guard()), http_scope(Call(method="OPTIONS")) | {"headers": _generator(pairs)})
    assert scopes[0]["headers"] == pairs


async def test_ASGI_5_a_scope_without_headers_is_refused_and_one_without_raw_path_works() -> None:
    app = BearerMiddleware(scopes_of(*OK)[0], guard(), public=["/open"])
    bare = http_scope(Call(target="/open", tells_target=False))
    del bare["headers"]
    assert (await call(app, bare))[0]["status"] == 200
    assert (await call(app, bare | {"path": "/r"}))[0]["status"] == 401
    assert (await call(app, bare | {"raw_path": None}))[0]["status"] == 200


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        ("", "/a", "/a"),
        ("/api", "/api/a", "/a"),
        ("/api", "/api", ""),
        ("/api", "/apix/a", "/apix/a"),
        ("/api", "/a", "/a"),
        ("/api/", "/api/a", "/api/a"),
        ("/api", "/api//a", "//a"),
    ],
)
async def test_PATH_5_the_mount_point_is_taken_off_as_starlette_does(root: str, path: str, expected: str) -> None:
    from starlette._utils import get_route_path

    scope = {"path": path, "root_path": root}
    assert route_path(scope) == get_route_path(scope) == expected


@pytest.mark.parametrize(
    ("error", "status"), [(InsufficientScope(["x"]), 403), (ExpiredToken(), 401), (AuthorityUnavailable(), 503)]
)
async def test_a_refusal_raised_by_the_application_is_answered(error: Exception, status: int) -> None:
    app = linted(BearerMiddleware(scopes_of(raising=error)[0], guard()))
    assert (await call(app, http_scope(auth("Bearer good"))))[0]["status"] == status


async def test_a_refusal_after_the_response_has_started_propagates() -> None:
    app = BearerMiddleware(scopes_of(OK[0], raising=ExpiredToken())[0], guard())
    with pytest.raises(ExpiredToken):
        await call(app, http_scope(auth("Bearer good")))


async def test_a_refusal_after_an_early_hint_is_answered() -> None:
    hint = {"type": "http.response.early_hint", "links": []}
    sent = await call(
        BearerMiddleware(scopes_of(hint, raising=ExpiredToken())[0], guard()), http_scope(auth("Bearer good"))
    )
    assert [event.get("status") for event in sent] == [None, 401, None]


async def test_ASGI_10_another_exception_of_the_application_propagates() -> None:
    app = BearerMiddleware(scopes_of(raising=KeyError("x"))[0], guard())
    with pytest.raises(KeyError):
        await call(app, http_scope(auth("Bearer good")))


async def test_every_header_is_shown_to_an_error_body() -> None:
    request = ASGIRequest(http_scope(Call(headers=(("X-A", "1"), ("X-A", "\xe9")))))
    assert request.headers == (("x-a", "1"), ("x-a", "\xe9"))
    assert request.values("x-a") == ["1", "\xe9"]
    assert (request.method, request.path) == ("GET", "/r")


# WebSockets

CONNECT = {"type": "websocket.connect"}


def echo(*, raising: Exception | None = None, accept_first: bool = False) -> tuple[Any, list[dict[str, Any]]]:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        assert (await receive())["type"] == "websocket.connect"
        if accept_first or raising is None:
            await send({"type": "websocket.accept"})
        if raising is not None:
            raise raising
        await send({"type": "websocket.close", "code": 1000, "reason": ""})

    return app, scopes


async def test_ASGI_1_a_good_token_reaches_the_application() -> None:
    app, scopes = echo()
    sent = await call(
        linted(BearerMiddleware(linted(app), guard())), websocket_scope(auth("Bearer good"), denial=True), CONNECT
    )
    assert [event["type"] for event in sent] == ["websocket.accept", "websocket.close"]
    assert scopes[0]["bearer_guard.token"].subject == "u1"


@pytest.mark.parametrize(
    ("request_", "status"),
    [(Call(), 401), (auth("Bearer expired"), 401), (auth("Bearer", "x"), 400), (auth("Bearer outage"), 503)],
)
async def test_ASGI_1_it_is_refused_before_accept_with_the_real_response(request_: Call, status: int) -> None:
    app, scopes = echo()
    scope = websocket_scope(request_, denial=True)
    start, body = await call(linted(BearerMiddleware(app, guard())), scope, CONNECT)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert body["type"] == "websocket.http.response.body"
    http = await call(BearerMiddleware(app, guard()), http_scope(request_))
    assert (start["headers"], body["body"]) == (http[0]["headers"], http[1]["body"])
    assert scopes == []


@pytest.mark.parametrize("extensions", [{}, None, {"tls": {}}])
async def test_ASGI_1_without_the_extension_the_close_code_is_1008(extensions: Any) -> None:
    app, scopes = echo()
    scope = websocket_scope(Call(), denial=False) | {"extensions": extensions}
    sent = await call(BearerMiddleware(app, guard()), scope, CONNECT)
    assert [(event["type"], event["code"]) for event in sent] == [("websocket.close", 1008)]
    assert scopes == []


async def test_ASGI_1_a_client_that_has_gone_is_sent_nothing() -> None:
    gone = {"type": "websocket.disconnect", "code": 1006}
    app, _ = echo()
    assert await call(linted(BearerMiddleware(app, guard())), websocket_scope(Call(), denial=True), gone) == []


async def test_a_public_path_is_public_for_websockets_and_a_preflight_is_none() -> None:
    app, scopes = echo()
    middleware = BearerMiddleware(app, guard(), public=["/open"])
    await call(middleware, websocket_scope(Call(target="/open"), denial=True), CONNECT)
    assert scopes[0]["bearer_guard.token"] is None


@pytest.mark.parametrize("denial", [True, False])
async def test_a_refusal_raised_before_accept_is_answered_in_the_same_way(denial: bool) -> None:
    app, _ = echo(raising=InsufficientScope(["x"]))
    scope = websocket_scope(auth("Bearer good"), denial=denial)
    sent = await call(linted(BearerMiddleware(app, guard())), scope, CONNECT)
    assert (sent[0].get("status"), sent[0].get("code")) == ((403, None) if denial else (None, 1008))


async def test_a_refusal_raised_after_accept_closes_the_websocket() -> None:
    app, _ = echo(raising=InsufficientScope(["x"]), accept_first=True)
    scope = websocket_scope(auth("Bearer good"), denial=True)
    sent = await call(linted(BearerMiddleware(app, guard())), scope, CONNECT)
    assert [(message["type"], message.get("code")) for message in sent] == [
        ("websocket.accept", None),
        ("websocket.close", 1008),
    ]


async def test_every_mistake_of_construction_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        BearerMiddleware(scopes_of()[0], "guard", public=["health", "/a*"], preflight=1)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 4
    assert "guard must be a Guard" in str(caught.value)
    assert "preflight must be True or False" in str(caught.value)


# --- no I/O, no suspension -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache_size", [0, 10])
def test_ASGI_where_nothing_is_fetched_the_coroutine_ends_without_having_suspended_once(cache_size: int) -> None:
    # No event loop runs: whatever needed a task, a thread or a timer would raise, and what waits would not end at once.
    issuer = LocalIssuer("https://api.example.com")
    keeper = Guard(issuer.verifier(cache_size=cache_size))
    keeper.warm()
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is to be received")

    app = BearerMiddleware(scopes_of(*OK)[0], keeper)
    token = issuer.token()
    for credentials, status in ((token, 200), (token, 200), (issuer.token(aud="another"), 401), ("a b", 400)):
        with pytest.raises(StopIteration):
            app(http_scope(auth(f"Bearer {credentials}")), receive, send).send(None)
        assert [message["status"] for message in sent if "status" in message] == [status]
        sent.clear()
