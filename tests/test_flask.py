"""Flask: the middleware and `protect`, views of every kind, error handlers, and CORS by after-request hooks."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, request
from flask.views import MethodView, View
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.middleware.shared_data import SharedDataMiddleware

from bearer_guard import AccessDenied, AuthorityUnavailable, ConfigurationError, InsufficientScope, UnguardedRoute
from bearer_guard._challenge import parse_challenges
from bearer_guard.flask import BearerMiddleware, current_token, protect, requires
from tests.contract.exchange import exchange_wsgi, wsgi_environ
from tests.contract.guards import AsyncVerifier, SyncVerifier, guard
from tests.contract.table import auth

GOOD = {"Authorization": "Bearer good"}
WRITER = {"Authorization": "Bearer writer"}


def scope_of(response: Any) -> str:
    (challenge,) = parse_challenges(response.headers["www-authenticate"])
    return challenge.params["scope"]


def by_middleware(app: Flask, **options: Any) -> None:
    app.wsgi_app = BearerMiddleware(app.wsgi_app, guard(), **options)  # type: ignore[method-assign]


def by_protect(app: Flask, **options: Any) -> None:
    protect(app, guard(), **options)


both = pytest.mark.parametrize("guarded", [by_middleware, by_protect])


def make(view: Any = None, **options: Any) -> Flask:
    app = Flask("test", static_folder=None)
    if view is not None:
        app.add_url_rule("/", "view", view, methods=["GET", "POST"], **options)
    return app


def view() -> str:
    return current_token().identity


async def aview() -> str:
    return current_token().identity


class Instance:
    def __call__(self) -> str:
        return view()


@requires("write")
class Plain(View):
    def dispatch_request(self) -> str:
        return view()


@requires("write")
class Async(View):
    async def dispatch_request(self) -> str:
        return view()


@requires("write")
class Once(MethodView):
    init_every_request = False

    def get(self) -> str:
        return view()

    def post(self) -> str:
        return view()


class Methods(MethodView):
    @requires("write")
    def get(self) -> str:
        return view()


class Decorators(MethodView):
    decorators = [requires("write")]

    async def get(self) -> str:
        return view()


VIEWS = {
    "def": requires("write")(view),
    "async def": requires("write")(aview),
    "partial": requires("write")(functools.partial(view)),
    "instance": requires("write")(Instance()),
    "View": Plain.as_view("view"),
    "async View": Async.as_view("view"),
    "MethodView": Once.as_view("view"),
    "method": Methods.as_view("view"),
    "decorators": Decorators.as_view("view"),
    "as_view": requires("write")(Methods.as_view("view")),
}


@both
@pytest.mark.parametrize("handler", VIEWS.values(), ids=VIEWS.keys())
def test_DEC_1_a_view_of_every_kind_is_guarded(guarded: Any, handler: Any) -> None:
    app = make(handler)
    guarded(app)
    api = app.test_client()
    assert [api.get("/", headers=headers).status_code for headers in ({}, GOOD, WRITER)] == [401, 403, 200]
    assert scope_of(api.get("/", headers=GOOD)) == "write"
    assert api.get("/", headers=WRITER).text == "u1"


@pytest.mark.parametrize("handler", VIEWS.values(), ids=VIEWS.keys())
def test_DEC_2_a_view_that_no_guard_reaches_is_a_500_and_names_the_fix(handler: Any) -> None:
    app = make(handler)
    assert app.test_client().get("/", headers=WRITER).status_code == 500
    app.testing = True
    with pytest.raises(UnguardedRoute, match="no guard reaches it"):
        app.test_client().get("/", headers=WRITER)


def test_G12_a_view_that_is_a_generator_sends_nothing_before_the_check() -> None:
    @requires("write", guard=guard(SyncVerifier()))
    def lines() -> Any:
        yield "secret"

    api = make(lines).test_client()
    assert [api.get("/", headers=headers).status_code for headers in ({}, GOOD, WRITER)] == [401, 403, 200]
    assert api.get("/", headers=WRITER).text == "secret"


def test_requirements_of_a_class_and_its_methods_are_named_together() -> None:
    @requires("a")
    class Api(MethodView):
        @requires("b")
        def get(self) -> str:
            return view()

    app = make(Api.as_view("view"))
    by_protect(app)
    api = app.test_client()
    assert scope_of(api.get("/", headers=GOOD)) == scope_of(api.head("/", headers=GOOD)) == "a b"
    assert api.get("/", headers={"Authorization": "Bearer has-ab"}).text == "u1"


def test_an_async_view_may_have_a_guard_that_needs_a_loop_and_nothing_else_may() -> None:
    own = guard(AsyncVerifier())
    api = make(requires("write", guard=own)(aview)).test_client()
    assert [api.get("/", headers=headers).status_code for headers in ({}, GOOD, WRITER)] == [401, 403, 200]
    for wrong in (
        lambda: requires("write", guard=own)(view),
        lambda: protect(make(), own),
        lambda: BearerMiddleware(make().wsgi_app, own),
    ):
        with pytest.raises(ConfigurationError, match="override verify too"):
            wrong()


def test_every_mistake_in_protect_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        protect(make(), 1, public=["x"], preflight="no")  # type: ignore[arg-type]
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("make_it", "fix"),
    [
        (lambda: requires(view), "with parentheses"),
        (lambda: requires("é"), "is not a scope"),
        (lambda: requires("a")(dict), "the class dict is not a kind of handler"),
        (lambda: requires("a")(make().wsgi_app), "put BearerMiddleware around it"),
    ],
)
def test_B11_a_mistake_in_a_decorator_is_named_at_import(make_it: Any, fix: str) -> None:
    with pytest.raises(ConfigurationError, match=fix):
        make_it()


@both
def test_a_refusal_raised_by_a_view_is_answered(guarded: Any) -> None:
    def handler() -> str:
        raise AuthorityUnavailable("down") if "down" in request.args else InsufficientScope(["x", "y"])

    app = make(handler)
    guarded(app)
    api = app.test_client()
    assert scope_of(api.get("/", headers=GOOD)) == "x y"
    down = api.get("/?down", headers=GOOD)
    assert (down.status_code, down.headers["retry-after"]) == (503, "1")


@both
def test_the_applications_own_error_handler_is_left_in_place(guarded: Any) -> None:
    def handler() -> str:
        raise InsufficientScope(["x"])

    app = make(handler)
    app.register_error_handler(AccessDenied, lambda error: ("mine", 418))
    guarded(app)
    assert app.test_client().get("/", headers=GOOD).status_code == 418


def test_the_middleware_guards_any_wsgi_application_too() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"ok"]

    statuses = [
        exchange_wsgi(BearerMiddleware(app, guard()), wsgi_environ(call)).status
        for call in (auth("Bearer good"), auth("Bearer x"))
    ]
    assert statuses == [200, 401]
    assert BearerMiddleware(make(view), guard()).app is not None


def test_protect_decides_before_anything_of_the_application_runs() -> None:
    seen: list[str] = []
    app = make(view)
    app.before_request(lambda: seen.append("before"))
    app.url_value_preprocessor(lambda endpoint, values: seen.append("preprocessor"))
    by_protect(app)
    assert app.test_client().get("/").status_code == 401
    assert seen == []
    assert app.test_client().get("/", headers=GOOD).status_code == 200
    assert seen == ["preprocessor", "before"]


def test_a_hook_or_a_helper_that_is_decorated_refuses_the_request() -> None:
    hook = requires("write")(lambda: None)
    blueprint = Blueprint("b", "b", url_prefix="/b")
    blueprint.before_request(hook)
    blueprint.add_url_rule("/", "view", view)

    def careless() -> str:
        hook()
        return "went on"

    app = make(careless)
    app.register_blueprint(blueprint)
    by_middleware(app)
    for path in ("/", "/b/"):
        assert app.test_client().get(path, headers=GOOD).status_code == 403
        assert app.test_client().get(path, headers=WRITER).status_code == 200


@pytest.mark.parametrize("wrap", [ProxyFix, lambda app: SharedDataMiddleware(ProxyFix(app), {})])
def test_the_middleware_finds_flask_below_other_middleware(wrap: Any) -> None:
    def handler() -> str:
        raise InsufficientScope(["x"])

    app = make(handler)
    app.wsgi_app = wrap(app.wsgi_app)  # type: ignore[method-assign]
    by_middleware(app)
    assert app.test_client().get("/", headers=GOOD).status_code == 403


def test_middleware_that_wraps_itself_is_not_looked_through_for_ever() -> None:
    class Round:
        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return [b"ok"]

    app = Round()
    app.app = app  # type: ignore[attr-defined]
    assert exchange_wsgi(BearerMiddleware(app, guard()), wsgi_environ(auth("Bearer good"))).status == 200


def test_protect_reaches_blueprints_static_files_and_unknown_paths() -> None:
    app = Flask("test", root_path=str(Path(__file__).parent), static_folder="contract", static_url_path="/static")
    blueprint = Blueprint("b", "b", url_prefix="/b")
    blueprint.add_url_rule("/", "view", view)
    app.register_blueprint(blueprint)
    by_protect(app)
    paths = ("/b/", "/static/guards.py", "/nowhere")
    assert [app.test_client().get(path).status_code for path in paths] == [401] * 3
    assert app.test_client().post("/b/").status_code == 401
    assert app.test_client().get("/nowhere", headers=GOOD).status_code == 404


def test_a_refusal_by_protect_passes_the_after_request_hooks_that_add_CORS_fields() -> None:
    app = make(requires("write")(view))

    @app.after_request
    def cors(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "https://app.example"
        return response

    by_protect(app)
    for headers, status in (({}, 401), (GOOD, 403), (WRITER, 200)):
        response = app.test_client().get("/", headers=headers)
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert "www-authenticate" in app.test_client().get("/").headers


@both
def test_a_preflight_gets_flasks_own_answer_unless_it_is_closed(guarded: Any) -> None:
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    for options, status in (({}, 200), ({"preflight": False}, 401)):
        app = make(requires("write")(view))
        guarded(app, **options)
        assert app.test_client().options("/", headers=headers).status_code == status


@both
def test_current_token_of_an_anonymous_request_is_an_error_or_the_default(guarded: Any) -> None:
    def handler() -> str:
        with pytest.raises(LookupError, match="no verified access token"):
            current_token()
        return str(current_token(default="nobody"))

    app = make(handler)
    guarded(app, public=["/"])
    assert app.test_client().get("/").text == "nobody"


def test_current_token_outside_a_request_is_flasks_error() -> None:
    with pytest.raises(RuntimeError, match="outside of request context"):
        current_token()


def test_refusals_are_responses_of_the_applications_own_class() -> None:
    class Own(Response):
        pass

    app = make(view)
    app.response_class = Own
    by_protect(app)
    kinds: list[type] = []

    @app.after_request
    def kind(response: Response) -> Response:
        kinds.append(type(response))
        return response

    app.test_client().get("/")
    assert kinds == [Own]


def test_PATH_8_a_redirect_of_the_router_carries_nothing_and_is_guarded() -> None:
    app = Flask("test", static_folder=None)
    app.add_url_rule("/admin/", "view", view)
    by_protect(app, public=["/open"])
    for path in ("/admin", "//admin/", "/admin//"):
        assert app.test_client().get(path).status_code == 401


@both
def test_a_view_that_is_routed_before_it_is_decorated_is_never_open(guarded: Any) -> None:
    app = make()
    app.testing = True
    guarded(app)

    @requires("admin")
    @app.route("/admin")
    def admin() -> str:
        raise AssertionError("open")

    with pytest.raises(UnguardedRoute, match=r"put @app\.route above @requires"):
        app.test_client().get("/admin", headers=GOOD)


@requires("admin")
def rebound() -> str:
    raise AssertionError("open")


@both
def test_a_view_of_a_module_may_be_routed_bare_beside_its_decorated_form(guarded: Any) -> None:
    app = make()
    guarded(app)
    app.add_url_rule("/bare", "bare", view)
    app.add_url_rule("/decorated", "decorated", requires("write")(view))
    client = app.test_client()
    assert client.get("/bare", headers=GOOD).status_code == 200
    assert client.get("/decorated", headers=GOOD).status_code == 403


@both
def test_a_view_of_a_module_whose_name_the_decorator_took_is_never_routed_bare(guarded: Any) -> None:
    app = make()
    app.testing = True
    guarded(app)
    app.add_url_rule("/", "rebound", rebound.__wrapped__)  # type: ignore[attr-defined]
    with pytest.raises(UnguardedRoute, match="routed without its requires"):
        app.test_client().get("/", headers=GOOD)
