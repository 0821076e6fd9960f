"""Starlette: handlers of every kind under `requires`, the token as user and auth, CORS outside the guard."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import requires as starlette_requires
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from bearer_guard import (
    AccessDenied,
    AccessToken,
    AuthorityUnavailable,
    ConfigurationError,
    InsufficientScope,
    UnguardedRoute,
    Verifier,
    all_of,
    any_of,
)
from bearer_guard._challenge import parse_challenges
from bearer_guard.starlette import BearerMiddleware, current_token, requires
from tests.contract.asgi_linter import linted
from tests.contract.exchange import exchange_asgi, http_scope, websocket_scope
from tests.contract.guards import AsyncVerifier, SyncVerifier, TableVerifier, guard
from tests.contract.table import auth

GOOD = {"Authorization": "Bearer good"}
WRITER = {"Authorization": "Bearer writer"}


def client(*routes: Any, guarded: bool = True, **options: Any) -> TestClient:
    middleware = [Middleware(BearerMiddleware, guard=guard(), **options)] if guarded else []
    return TestClient(linted(Starlette(routes=list(routes), middleware=middleware)))


def scope_of(response: Any) -> str:
    (challenge,) = parse_challenges(response.headers["www-authenticate"])
    return challenge.params["scope"]


async def coroutine(request: Request) -> Response:
    return PlainTextResponse(current_token(request).identity)


def blocking(request: Request) -> Response:
    return PlainTextResponse(current_token(request).identity)


class Instance:
    async def __call__(self, request: Request) -> Response:
        return await coroutine(request)


class BlockingInstance:
    def __call__(self, request: Request) -> Response:
        return blocking(request)


class Views:
    async def method(self, request: Request) -> Response:
        return await coroutine(request)

    @staticmethod
    async def static(request: Request) -> Response:
        return await coroutine(request)

    @requires("write")
    async def decorated_method(self, request: Request) -> Response:
        return await coroutine(request)

    @requires("write")
    @staticmethod
    async def decorated_static(request: Request) -> Response:
        return await coroutine(request)

    @requires("write")
    @classmethod
    async def decorated_class(cls, request: Request) -> Response:
        return await coroutine(request)


async def with_prefix(prefix: str, *, request: Request) -> Response:
    return await coroutine(request)


HANDLERS = {
    "async def": requires("write")(coroutine),
    "def": requires("write")(blocking),
    "lambda": requires("write")(lambda request: blocking(request)),
    "partial": requires("write")(functools.partial(blocking)),
    "async partial": requires("write")(functools.partial(functools.partial(coroutine))),
    "instance": requires("write")(Instance()),
    "blocking instance": requires("write")(BlockingInstance()),
    "bound method": requires("write")(Views().method),
    "static method": requires("write")(Views.static),
    "decorated method": Views().decorated_method,
    "decorated static method": Views.decorated_static,
    "decorated class method": Views.decorated_class,
}


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS.keys())
def test_DEC_1_a_handler_of_every_kind_is_guarded(handler: Any) -> None:
    api = client(Route("/", handler))
    assert api.get("/").status_code == 401
    refused = api.get("/", headers=GOOD)
    assert (refused.status_code, scope_of(refused)) == (403, "write")
    assert api.get("/", headers=WRITER).text == "u1"


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS.keys())
def test_DEC_2_a_handler_that_no_guard_reaches_raises_and_names_the_fix(handler: Any) -> None:
    with pytest.raises(UnguardedRoute, match="put BearerMiddleware around the application, or give"):
        client(Route("/", handler), guarded=False).get("/", headers=WRITER)


def test_a_wrapper_keeps_name_signature_kind_and_shows_its_route() -> None:
    for function in (coroutine, blocking):
        wrapped = requires("a", any_of("b", "c"))(function)
        assert (wrapped.__name__, inspect.signature(wrapped)) == (function.__name__, inspect.signature(function))
        assert inspect.iscoroutinefunction(wrapped) == inspect.iscoroutinefunction(function)
        assert wrapped.__bearer_guard__.requirement == all_of("a", any_of("b", "c"))
        assert repr(wrapped.__bearer_guard__) == "<Route requires all_of('a', any_of('b', 'c'))>"
    assert requires("a")(Instance()).__name__ == "Instance"


def test_the_request_is_found_as_a_keyword_argument() -> None:
    handler = requires("write")(with_prefix)

    async def call(request: Request) -> Response:
        return await handler("x", request=request)

    assert client(Route("/", call)).get("/", headers=GOOD).status_code == 403
    assert client(Route("/", call)).get("/", headers=WRITER).status_code == 200


def test_a_handler_called_without_a_request_raises() -> None:
    @requires("write")
    def handler(thing: object) -> str:
        return "open"

    with pytest.raises(UnguardedRoute, match="without a Request or WebSocket"):
        handler(1)


# Decorators that meet


def test_B08_stacked_decorators_add_up_and_the_403_names_all_at_once() -> None:
    @requires("a")
    @requires(any_of("b", "c"), guard=None)
    @requires("d", "a")
    async def handler(request: Request) -> Response:
        return PlainTextResponse("ok")

    refused = client(Route("/", handler)).get("/", headers=GOOD)
    assert (refused.status_code, scope_of(refused)) == (403, "a b d")


def test_decorators_with_one_guard_share_it_and_verify_once() -> None:
    verifier = TableVerifier()
    own = guard(verifier)

    @requires("a")
    @requires("b", guard=own)
    async def handler(request: Request) -> Response:
        return PlainTextResponse("ok")

    api = client(Route("/", handler), guarded=False)
    assert scope_of(api.get("/", headers=GOOD)) == "a b"
    verifier.asked.clear()
    assert api.get("/", headers={"Authorization": "Bearer has-ab"}).text == "ok"
    assert verifier.asked == ["has-ab"]


def test_decorators_with_different_guards_each_ask_their_own() -> None:
    class Other(Verifier):
        def verify(self, token: str) -> AccessToken:
            return AccessToken(subject="other", scopes=["x"])

    @requires("write", guard=guard())
    @requires("x", guard=guard(Other()))
    async def handler(request: Request) -> Response:
        return PlainTextResponse(current_token(request).identity)

    api = client(Route("/", handler), guarded=False)
    assert scope_of(api.get("/", headers=GOOD)) == "write"
    assert api.get("/", headers=WRITER).text == "other"


def test_a_guard_of_the_route_does_not_take_the_token_of_another_guard() -> None:
    class Strict(Verifier):
        def verify(self, token: str) -> AccessToken:
            raise InsufficientScope(["strict"])

    api = client(Route("/", requires(guard=guard(Strict()))(coroutine)))
    assert scope_of(api.get("/", headers=GOOD)) == "strict"


def test_requires_with_a_guard_alone_wants_any_valid_token() -> None:
    api = client(Route("/", requires(guard=guard())(coroutine)), guarded=False)
    assert [api.get("/", headers=headers).status_code for headers in ({}, GOOD)] == [401, 200]
    assert requires("a")(requires(guard=guard())(coroutine)).__bearer_guard__.requirement == all_of("a")


def test_PATH_10_a_decorated_handler_on_a_public_path_is_guarded() -> None:
    async def public(request: Request) -> Response:
        return PlainTextResponse("open")

    routes = [Route("/items/export", requires("write")(blocking)), Route("/items/{id}", public)]
    api = client(*routes, public=["/items/*"])
    assert api.get("/items/1").text == "open"
    assert api.get("/items/export").status_code == 401
    assert api.get("/items/export", headers=GOOD).status_code == 403
    assert api.get("/items/export", headers=WRITER).text == "u1"


def test_another_decorator_in_between_is_still_called() -> None:
    seen: list[str] = []

    def counted(handler: Any) -> Any:
        @functools.wraps(handler)
        async def wrapper(request: Request) -> Any:
            seen.append("called")
            return await handler(request)

        return wrapper

    handler = requires("a")(counted(requires("b")(coroutine)))
    api = client(Route("/", handler))
    assert scope_of(api.get("/", headers=GOOD)) == "a b"
    assert seen == []
    assert api.get("/", headers={"Authorization": "Bearer has-ab"}).status_code == 200
    assert seen == ["called"]


# Generators


def test_G12_a_generator_yields_nothing_before_the_check() -> None:
    @requires("write")
    def lines(request: Request) -> Any:
        yield "secret"

    @requires("write")
    async def alines(request: Request) -> Any:
        yield "secret"

    def stream(request: Request) -> Response:
        result = lines(request)
        return result if isinstance(result, Response) else StreamingResponse(result)

    async def collect(request: Request) -> Response:
        return PlainTextResponse("".join([line async for line in alines(request)]))

    for endpoint in (stream, collect):
        api = client(Route("/", endpoint))
        assert scope_of(api.get("/", headers=GOOD)) == "write"
        assert api.get("/", headers=WRITER).text == "secret"
    assert inspect.isasyncgenfunction(alines)


def test_a_decorated_generator_is_driven_as_the_one_that_it_decorates() -> None:
    seen: list[Any] = []

    async def dialogue(request: Request) -> Any:
        try:
            seen.append((yield 1))
            try:
                yield 2
            except ValueError as error:
                seen.append(str(error))
            yield 3
        finally:
            seen.append("closed")

    async def drive(generator: Any, *, to_the_end: bool) -> list[Any]:
        items = [await anext(generator), await generator.asend("sent"), await generator.athrow(ValueError("thrown"))]
        if to_the_end:
            return [*items, *[item async for item in generator]]
        await generator.aclose()
        return items

    request = Request(http_scope(auth("Bearer writer")))
    for to_the_end in (True, False):
        assert asyncio.run(drive(requires("write", guard=guard())(dialogue)(request), to_the_end=to_the_end)) == [
            1,
            2,
            3,
        ]
        assert seen == ["sent", "thrown", "closed"]
        seen.clear()


# Classes


def test_an_endpoint_class_is_guarded_for_every_verb() -> None:
    @requires("write")
    class Endpoint(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            return await coroutine(request)

        def post(self, request: Request) -> Response:
            return blocking(request)

    api = client(Route("/", Endpoint))
    for verb in ("GET", "POST", "HEAD", "DELETE", "OPTIONS"):
        assert api.request(verb, "/").status_code == 401
        assert api.request(verb, "/", headers=GOOD).status_code == 403
    assert api.get("/", headers=WRITER).text == "u1"
    assert api.delete("/", headers=WRITER).status_code == 405


def test_requirements_of_a_class_and_its_methods_add_up_and_are_named_together() -> None:
    @requires("a")
    class Endpoint(HTTPEndpoint):
        @requires("b")
        async def get(self, request: Request) -> Response:
            return await coroutine(request)

        async def post(self, request: Request) -> Response:
            return await coroutine(request)

    api = client(Route("/", Endpoint))
    assert scope_of(api.get("/", headers=GOOD)) == "a b"
    assert api.head("/", headers=GOOD).headers["www-authenticate"].endswith('scope="a b"')
    assert scope_of(api.post("/", headers=GOOD)) == "a"
    assert api.get("/", headers={"Authorization": "Bearer has-a"}).status_code == 403
    assert api.get("/", headers={"Authorization": "Bearer has-ab"}).text == "u1"


def test_no_other_base_brings_a_subclass_past_the_requirement() -> None:
    @requires("write")
    class Guarded(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            return PlainTextResponse("in")

    class Fast(HTTPEndpoint):
        async def dispatch(self) -> None:
            request = Request(self.scope, receive=self.receive)
            await (await self.get(request))(self.scope, self.receive, self.send)  # type: ignore[attr-defined]

    class Both(Fast, Guarded):
        pass

    class Below(Both):
        pass

    for endpoint in (Both, Below):
        api = client(Route("/", endpoint))
        assert [api.get("/", headers=headers).status_code for headers in (GOOD, WRITER)] == [403, 200]
    assert Below.dispatch is Both.dispatch


def test_a_subclass_inherits_the_requirement_and_may_add_to_it_but_not_lose_it() -> None:
    hooks: list[str] = []

    @requires("a")
    class Base(HTTPEndpoint):
        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            hooks.append(cls.__name__)

        async def get(self, request: Request) -> Response:
            return await coroutine(request)

    @requires("b")
    class Added(Base):
        pass

    class Overridden(Base):
        async def dispatch(self) -> None:
            await PlainTextResponse("open")(self.scope, self.receive, self.send)

    class Below(Added):
        async def dispatch(self) -> None:
            await PlainTextResponse("open")(self.scope, self.receive, self.send)

    assert hooks == ["Added", "Overridden", "Below"]
    api = client(Route("/base", Base), Route("/added", Added), Route("/over", Overridden), Route("/below", Below))
    assert scope_of(api.get("/base", headers=GOOD)) == "a"
    assert scope_of(api.get("/added", headers=GOOD)) == "b a"
    assert scope_of(api.get("/over", headers=GOOD)) == "a"
    assert set(scope_of(api.get("/below", headers=GOOD)).split()) == {"a", "b"}
    assert api.get("/over", headers={"Authorization": "Bearer has-a"}).text == "open"


def test_a_class_without_a_guard_raises() -> None:
    @requires("write")
    class Endpoint(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            return await coroutine(request)

    with pytest.raises(UnguardedRoute):
        client(Route("/", Endpoint), guarded=False).get("/", headers=WRITER)


# WebSockets


@requires("write")
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(current_token(websocket).identity)
    await websocket.close()


@requires("write")
class Socket(WebSocketEndpoint):
    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("u1")
        await websocket.close()


class ConnectOnly(WebSocketEndpoint):
    @requires("write")
    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("u1")
        await websocket.close()


SOCKETS = {"function": socket, "class": Socket, "on_connect": ConnectOnly}


@pytest.mark.parametrize("endpoint", SOCKETS.values(), ids=SOCKETS.keys())
def test_ASGI_1_a_decorated_websocket_is_refused_before_accept_with_the_real_response(endpoint: Any) -> None:
    api = client(WebSocketRoute("/", endpoint))
    with pytest.raises(WebSocketDenialResponse) as denied, api.websocket_connect("/", headers=GOOD):
        pass
    assert (denied.value.status_code, scope_of(denied.value)) == (403, "write")
    assert denied.value.json()["error"] == "insufficient_scope"
    with api.websocket_connect("/", headers=WRITER) as connection:
        assert connection.receive_text() == "u1"


@pytest.mark.parametrize("endpoint", [socket, Socket])
@pytest.mark.anyio
async def test_ASGI_1_without_the_extension_the_close_code_is_1008(endpoint: Any) -> None:
    app = linted(BearerMiddleware(Starlette(routes=[WebSocketRoute("/r", endpoint)]), guard()))
    scope = websocket_scope(auth("Bearer good"), denial=False)
    sent = await exchange_asgi(app, scope, [{"type": "websocket.connect"}])
    assert [(event["type"], event["code"]) for event in sent] == [("websocket.close", 1008)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_a_websocket_that_is_open_already_is_closed_and_a_closed_one_left_alone() -> None:
    @requires("write")
    async def guarded(websocket: WebSocket) -> None:
        raise AssertionError("never called")

    async def accepts(websocket: WebSocket) -> None:
        await websocket.accept()
        await guarded(websocket)
        raise AssertionError("never reached")

    async def closes(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(1001)
        await guarded(websocket)

    for endpoint, code in ((accepts, 1008), (closes, 1001)):
        api = client(WebSocketRoute("/", endpoint))
        with api.websocket_connect("/", headers=GOOD) as connection, pytest.raises(WebSocketDisconnect) as closed:
            connection.receive_text()
        assert closed.value.code == code


def test_a_websocket_endpoint_that_is_open_already_is_closed_and_a_closed_one_left_alone() -> None:
    @requires("write")
    async def guarded(websocket: WebSocket) -> None:
        raise AssertionError("never called")

    @functools.wraps(guarded)  # so that what it returns counts as the answer
    async def accepts(websocket: WebSocket) -> None:
        await websocket.accept()
        await guarded(websocket)
        await guarded(websocket)

    api = client(WebSocketRoute("/", accepts))
    with api.websocket_connect("/", headers=GOOD) as connection, pytest.raises(WebSocketDisconnect) as closed:
        connection.receive_text()
    assert closed.value.code == 1008


def test_a_websocket_whose_client_is_gone_before_the_refusal_is_left_alone() -> None:
    @requires("write", guard=guard())
    async def guarded(websocket: WebSocket) -> None:
        raise AssertionError("never called")

    async def gone() -> Any:
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there")

    asyncio.run(guarded(WebSocket(websocket_scope(auth(), denial=True), gone, send)))


def refusing(handler: Any) -> None:
    """Assert that a request without the scope is refused by the helper that `handler` calls, and that it ends there."""
    answer = client(Route("/", handler)).get("/", headers=GOOD)
    assert answer.status_code == 403
    assert 'scope="write"' in answer.headers["www-authenticate"]


def test_a_helper_that_is_decorated_refuses_the_request_instead_of_returning_a_refusal() -> None:
    @requires("write")
    async def helper(request: Request) -> None:
        raise AssertionError("never called")

    @requires("write")
    def blocking_helper(request: Request) -> None:
        raise AssertionError("never called")

    async def handler(request: Request) -> Response:
        await helper(request)
        raise AssertionError("never reached")

    def blocking_handler(request: Request) -> Response:
        blocking_helper(request)
        raise AssertionError("never reached")

    class Endpoint(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            await helper(request)
            raise AssertionError("never reached")

    for caller in (handler, blocking_handler, functools.partial(handler), Endpoint):
        refusing(caller)


def raising(error: Exception) -> Any:
    async def http(request: Request) -> Response:
        raise error

    async def websocket(websocket: WebSocket) -> None:
        raise error

    return [Route("/", http), WebSocketRoute("/ws", websocket)]


def test_what_a_whole_application_raises_is_answered_around_it_too() -> None:
    for error, status in ((InsufficientScope(["write"]), 403), (AuthorityUnavailable("down"), 503)):
        app = TestClient(linted(BearerMiddleware(Starlette(routes=raising(error)), guard())))
        assert app.get("/", headers=GOOD).status_code == status
        with pytest.raises(WebSocketDenialResponse) as denied, app.websocket_connect("/ws", headers=GOOD):
            pass
        assert denied.value.status_code == status


def test_the_applications_own_exception_handler_is_left_in_place() -> None:
    async def teapot(request: Any, error: Exception) -> Response:
        return PlainTextResponse("mine", 418)

    app = Starlette(routes=raising(InsufficientScope(["write"])), exception_handlers={AccessDenied: teapot})
    assert TestClient(BearerMiddleware(app, guard())).get("/", headers=GOOD).status_code == 418


class Decorated:
    @requires("write")
    async def method(self, request: Request) -> Response:
        raise AssertionError("never called")


def test_a_handler_that_a_router_calls_by_another_name_still_answers_by_itself() -> None:
    @requires("write", guard=guard())
    async def handler(request: Request, extra: int = 0) -> Response:
        raise AssertionError("never called")

    @functools.wraps(handler)
    async def wrapped(request: Request) -> Any:
        return await handler(request)

    for endpoint in (handler, wrapped, functools.partial(handler, extra=1), functools.partial(wrapped)):
        answer = TestClient(Starlette(routes=[Route("/", endpoint)])).get("/")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="users"')
    refusing(Decorated().method)


def test_a_blocking_function_that_is_to_refuse_a_websocket_raises() -> None:
    @requires("write")
    def guarded(websocket: WebSocket) -> None:
        raise AssertionError("never called")

    api = client(WebSocketRoute("/", guarded))
    with pytest.raises(UnguardedRoute, match="make the handler async def"), api.websocket_connect("/", headers=GOOD):
        pass


# Colours


@pytest.mark.parametrize("handler", [coroutine, blocking])
def test_a_verifier_with_verify_alone_serves_both_colours(handler: Any) -> None:
    api = client(Route("/", requires("write", guard=guard(SyncVerifier()))(handler)), guarded=False)
    assert [api.get("/", headers=headers).status_code for headers in ({}, GOOD, WRITER)] == [401, 403, 200]


def test_an_async_only_verifier_is_refused_for_a_blocking_handler_never_open() -> None:
    own = guard(AsyncVerifier())
    with pytest.raises(ConfigurationError, match="make the handler async def, or override verify too"):
        requires("write", guard=own)(blocking)
    api = client(Route("/", requires("write", guard=own)(coroutine)), guarded=False)
    assert [api.get("/", headers=headers).status_code for headers in ({}, GOOD, WRITER)] == [401, 403, 200]
    routes = [Route("/", requires("write")(blocking)), Route("/open", requires("write")(blocking))]
    app = Starlette(routes=routes, middleware=[Middleware(BearerMiddleware, guard=own, public=["/open"])])
    assert TestClient(app).get("/", headers=WRITER).text == "u1"  # the middleware has verified the token
    with pytest.raises(UnguardedRoute, match="make the handler async def, or override verify too"):
        TestClient(app).get("/open", headers=WRITER)


# Configuration


@pytest.mark.parametrize(
    ("make", "fix"),
    [
        (lambda: requires(), "name at least one scope, or give guard="),
        (lambda: requires(coroutine), "with parentheses"),
        (lambda: requires("a b"), "requires: 'a b' holds a space"),
        (lambda: requires('a"b'), "is not a scope"),
        (lambda: requires("é"), "'é' is not a scope"),
        (lambda: requires(1, 2), "int is not a condition"),
        (lambda: requires("a", guard=1), "guard must be a Guard, not int"),
        (lambda: requires("a")(1), "int is not a handler"),
        (lambda: requires("a")(property(coroutine)), "property is not a handler"),
        (lambda: requires("a")(dict), "the class dict is not a kind of handler"),
        (lambda: requires("a")(Starlette()), "put BearerMiddleware around it"),
    ],
)
def test_B11_a_mistake_in_a_decorator_is_named_at_import(make: Any, fix: str) -> None:
    with pytest.raises(ConfigurationError, match=fix):
        make()


def test_every_mistake_in_a_decorator_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        requires("a b", "", guard="g")  # type: ignore[arg-type]
    assert len(caught.value.problems) == 3


def test_a_builtin_without_a_signature_can_be_decorated_and_is_never_open() -> None:
    with pytest.raises(UnguardedRoute):
        requires("a")(vars)({})


# User, auth and current_token


def test_the_token_serves_as_user_and_as_auth() -> None:
    async def who(request: Request) -> Response:
        assert request.user is request.auth is current_token(request)
        return PlainTextResponse(f"{request.user.display_name} {request.user.is_authenticated}")

    api = client(
        Route("/", who), Route("/read", starlette_requires("read")(who)), Route("/w", starlette_requires("w")(who))
    )
    assert api.get("/", headers=GOOD).text == "u1 True"
    assert api.get("/read", headers=GOOD).status_code == 200
    assert api.get("/w", headers=GOOD).status_code == 403
    alone = client(Route("/", requires(guard=guard())(who)), guarded=False)
    assert alone.get("/", headers=GOOD).text == "u1 True"


def test_ASGI_7_an_anonymous_request_has_nobody_as_user_whatever_an_outer_layer_set() -> None:
    async def who(request: Request) -> Response:
        with pytest.raises(LookupError, match="no verified access token"):
            current_token(request)
        assert current_token(request, default=None) is None
        return PlainTextResponse(f"{request.user.is_authenticated} {request.auth.scopes}")

    inner = BearerMiddleware(Starlette(routes=[Route("/open", who)]), guard(), public=["/open"])

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        forged = AccessToken(subject="admin")
        await inner(scope | {"user": forged, "auth": forged, "state": {"user": forged}}, receive, send)

    assert TestClient(outer).get("/open").text == "False []"


def test_a_refusal_raised_by_a_handler_is_answered() -> None:
    async def handler(request: Request) -> Response:
        raise InsufficientScope(["x", "y"])

    assert scope_of(client(Route("/", handler)).get("/", headers=GOOD)) == "x y"


# The application around it


def test_a_CORS_layer_outside_the_guard_gives_a_401_its_fields_and_answers_preflights() -> None:
    cors = Middleware(CORSMiddleware, allow_origins=["https://app.example"], allow_headers=["authorization"])
    app = Starlette(routes=[Route("/", coroutine)], middleware=[cors, Middleware(BearerMiddleware, guard=guard())])
    api = TestClient(linted(app))
    refused = api.get("/", headers={"Origin": "https://app.example"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"
    assert "www-authenticate" in refused.headers
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    assert api.options("/", headers=preflight).status_code == 200


def test_PATH_9_unknown_paths_and_wrong_methods_are_guarded_too() -> None:
    api = client(Route("/", coroutine))
    assert [api.get("/nowhere").status_code, api.delete("/").status_code, api.get("//").status_code] == [401] * 3
    assert [api.get("/nowhere", headers=GOOD).status_code, api.delete("/", headers=GOOD).status_code] == [404, 405]


def test_PATH_5_inside_a_mount_public_paths_are_relative_to_it() -> None:
    async def open_(request: Request) -> Response:
        return PlainTextResponse("open")

    inside = BearerMiddleware(Starlette(routes=[Route("/health", open_)]), guard(), public=["/health"])
    api = TestClient(Starlette(routes=[Mount("/api", inside), Route("/health", open_)]))
    assert [api.get(path).status_code for path in ("/api/health", "/health", "/api/other")] == [200, 200, 401]
    outside = client(Mount("/api", routes=[Route("/health", open_)]), public=["/health"])
    assert outside.get("/api/health").status_code == 401
