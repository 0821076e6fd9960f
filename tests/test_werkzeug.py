"""Plain Werkzeug: views that receive a Request, as functions, methods and classes."""

from __future__ import annotations

import asyncio
import functools
from typing import Any
from wsgiref.validate import validator

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from bearer_guard import ConfigurationError, UnguardedRoute
from bearer_guard._challenge import parse_challenges
from bearer_guard.werkzeug import BearerMiddleware, current_token, requires
from tests.contract.guards import AsyncVerifier, guard

GOOD = {"Authorization": "Bearer good"}
WRITER = {"Authorization": "Bearer writer"}


def view(request: Request, **values: Any) -> Response:
    return Response(current_token(request).identity)


class Views:
    @requires("write")
    def method(self, request: Request) -> Response:
        return view(request)


@requires("write")
class Application:
    """As in Werkzeug's own tutorial."""

    def dispatch_request(self, request: Request) -> Response:
        try:
            endpoint, values = self.urls.bind_to_environ(request.environ).match()
        except NotFound as error:
            return error.get_response()  # type: ignore[return-value]
        return getattr(self, endpoint)(request, **values)

    urls = Map([Rule("/", endpoint="root"), Rule("/<name>", endpoint="item")])

    def root(self, request: Request) -> Response:
        return view(request)

    @requires("a")
    def item(self, request: Request, name: str) -> Response:
        return Response(name)


class Buffered(Client):
    """Closes every response, as a server does and the validator wants."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return super().open(*args, buffered=True, **kwargs)


def client(handler: Any, *, guarded: bool = True, **options: Any) -> Client:
    app = validator(Request.application(handler))
    return Buffered(validator(BearerMiddleware(app, guard(), **options)) if guarded else app)


def scope_of(response: Any) -> str:
    (challenge,) = parse_challenges(response.headers["www-authenticate"])
    return challenge.params["scope"]


HANDLERS = {
    "function": requires("write")(view),
    "partial": requires("write")(functools.partial(view)),
    "keyword": lambda request: requires("write")(view)(request=request),
    "method": Views().method,
    "class": Application().dispatch_request,
}


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS.keys())
def test_DEC_1_a_view_of_every_kind_is_guarded_and_DEC_2_never_open(handler: Any) -> None:
    api = client(handler)
    assert [api.get("/", headers=headers).status_code for headers in ({}, GOOD, WRITER)] == [401, 403, 200]
    assert scope_of(api.get("/", headers=GOOD)) == "write"
    assert api.get("/", headers=WRITER).text == "u1"
    with pytest.raises(UnguardedRoute, match="no guard reaches it"):
        client(handler, guarded=False).get("/", headers=WRITER)


def test_a_view_with_a_guard_of_its_own_needs_no_middleware() -> None:
    api = client(requires("write", guard=guard())(view), guarded=False)
    assert [api.get("/", headers=headers).status_code for headers in ({}, GOOD, WRITER)] == [401, 403, 200]


def test_a_view_of_a_guarded_class_may_require_more() -> None:
    api = client(Application().dispatch_request)
    assert scope_of(api.get("/x", headers=WRITER)) == "a"
    assert api.get("/x/y", headers=WRITER).status_code == 404


def test_a_view_called_without_a_request_raises() -> None:
    with pytest.raises(UnguardedRoute, match="without a Request"):
        requires("write")(view)("x")  # type: ignore[arg-type]


def test_a_coroutine_view_is_guarded_from_a_coroutine() -> None:
    @requires("write", guard=guard(AsyncVerifier()))
    async def aview(request: Request) -> Response:
        return view(request)

    def handler(request: Request) -> Response:
        return asyncio.run(aview(request))

    api = client(handler, guarded=False)
    assert [api.get("/", headers=headers).status_code for headers in ({}, GOOD, WRITER)] == [401, 403, 200]


def test_an_async_only_verifier_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="override verify too"):
        client(view, guarded=False) and BearerMiddleware(view, guard(AsyncVerifier()))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="override verify too"):
        requires("write", guard=guard(AsyncVerifier()))(view)


@pytest.mark.parametrize(
    ("make", "fix"),
    [
        (lambda: requires(view), "with parentheses"),
        (lambda: requires('a"b'), "is not a scope"),
        (lambda: requires("a")(dict), "the class dict is not a kind of handler"),
        (lambda: requires("a")(lambda environ, start_response: []), "put BearerMiddleware around it"),
    ],
)
def test_B11_a_mistake_in_a_decorator_is_named_at_import(make: Any, fix: str) -> None:
    with pytest.raises(ConfigurationError, match=fix):
        make()


def test_current_token_of_an_anonymous_request_is_an_error_or_the_default() -> None:
    def handler(request: Request) -> Response:
        with pytest.raises(LookupError, match="no verified access token"):
            current_token(request)
        return Response(str(current_token(request, default="nobody")))

    assert client(handler, public=["/"]).get("/").text == "nobody"


def test_PATH_5_under_a_script_name_public_paths_are_relative_to_it() -> None:
    api = client(lambda request: Response("open"), public=["/health"])
    assert api.get("/health", base_url="http://localhost/api").status_code == 200
    assert api.get("/api/health", base_url="http://localhost").status_code == 401
