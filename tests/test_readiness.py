"""The readiness application under both interfaces: what it tells, what it begins, and that it never waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from werkzeug import Response

import bearer_guard.asgi
import bearer_guard.wsgi
from bearer_guard import (
    AuthorityUnavailable,
    ConfigurationError,
    Guard,
    IntrospectionVerifier,
    JWTVerifier,
    RemoteJWKSet,
    SharedSecret,
)
from bearer_guard.starlette import BearerMiddleware
from bearer_guard.testing import LocalIssuer
from tests.contract.asgi_linter import linted
from tests.contract.exchange import Call, Reply, call_asgi, call_wsgi, exchange_asgi, websocket_scope
from tests.faults.provider import Provider, document
from tests.faults.scene import ACTIVE, JWKS, Introspected, Scene, keys, token
from tests.faults.test_introspection_in_trouble import signed_answer

API = "https://api.example.com"
SECRET = "9Yw1cPz7uQm2Vn8Kf4Rj6Lb0Xs3Td5Hg"
EITHER: dict[str, Callable[[Guard, Call], Reply]] = {
    "asgi": lambda guard, call: call_asgi(bearer_guard.asgi.readiness(guard), call),
    "wsgi": lambda guard, call: call_wsgi(bearer_guard.wsgi.readiness(guard), call),
}
in_either = pytest.mark.parametrize("answer", EITHER.values(), ids=EITHER)
Answers = Callable[[Guard, Call], Reply]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@in_either
def test_a_process_that_is_asked_for_nothing_else_becomes_ready_without_anyone_waiting(
    provider: Provider, answer: Answers
) -> None:
    scene = Scene(provider)
    with provider.held():
        for _ in range(3):
            reply = answer(scene.guard, Call())
            assert (reply.status, json.loads(reply.body)["ready"]) == (503, False)
        provider.wait_for(1)
    scene.settle()
    reply = answer(scene.guard, Call())
    assert reply.status == 200
    assert reply.values("content-type") == ["application/json"]
    assert reply.values("cache-control") == ["no-store"]
    assert reply.values("content-length") == [str(len(reply.body))]
    assert json.loads(reply.body) == json.loads(json.dumps(scene.guard.status()))
    assert scene.fetches == 1


@in_either
def test_a_process_stays_ready_through_an_outage_and_is_not_past_its_bound(provider: Provider, answer: Answers) -> None:
    scene = Scene(provider, stale_if_error=100.0)
    scene.guard.warm()
    scene.publish(document({}, 503))
    for _ in range(14):  # nobody but the load balancer asks, and the keys are refreshed all the same
        scene.clock.pass_by(49)
        assert answer(scene.guard, Call()).status == 200
        scene.settle()
    scene.clock.pass_by(49)
    reply = answer(scene.guard, Call())
    assert reply.status == 503
    (source,) = json.loads(reply.body)["sources"]
    assert (source["state"], source["last_error"]) == ("unavailable", "status 503")
    scene.settle()
    scene.publish(keys(1))
    scene.clock.pass_by(31)
    assert answer(scene.guard, Call()).status == 503
    scene.settle()
    assert answer(scene.guard, Call()).status == 200


@in_either
def test_a_provider_that_is_down_is_not_asked_more_often_than_the_back_off_allows(
    provider: Provider, answer: Answers
) -> None:
    scene = Scene(provider)
    scene.publish(document({}, 429, Retry_After="20"))
    for _ in range(50):
        assert answer(scene.guard, Call()).status == 503
        scene.settle()
    assert scene.fetches == 1


@in_either
def test_head_has_no_body_and_other_methods_are_refused(answer: Answers) -> None:
    guard = Guard(JWTVerifier(issuer="https://id.example.com", audience=API, keys=SharedSecret(SECRET)))
    got, head = answer(guard, Call()), answer(guard, Call("HEAD"))
    assert (head.status, head.body) == (200, b"")
    assert head.values("content-length") == got.values("content-length")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        refused = answer(guard, Call(method))
        assert (refused.status, refused.values("allow"), refused.body) == (405, ["GET, HEAD"], b"")


@in_either
def test_no_secret_and_no_query_of_a_url_is_told(provider: Provider, answer: Answers) -> None:
    provider.serve(JWKS + "?key=s3cret", document(keys(1)))
    verifier = JWTVerifier(
        issuer="https://id.example.com", audience=API, keys=RemoteJWKSet(provider.url + JWKS + "?key=s3cret")
    )
    reply = answer(Guard(verifier), Call())
    (source,) = json.loads(reply.body)["sources"]
    assert source["source"] == provider.url + JWKS
    assert b"s3cret" not in reply.body


@in_either
def test_no_query_is_told_in_an_error_either(provider: Provider, answer: Answers) -> None:
    url = provider.url + JWKS + "?key=s3cret"
    signed = RemoteJWKSet(url)
    endpoint = provider.serve("/introspect", document({}, 404))
    verifier = IntrospectionVerifier(
        endpoint=endpoint,
        audience=API,
        client_id="api",
        client_secret="x",
        signed=signed,
        issuer="https://id.example.com",
    )
    guard = Guard(verifier)
    with pytest.raises(AuthorityUnavailable):
        guard.warm()
    errors = [source["last_error"] for source in json.loads(answer(guard, Call()).body)["sources"]]
    assert errors == ["status 404", "status 404"]
    provider.serve("/introspect", signed_answer())
    with pytest.raises(AuthorityUnavailable) as caught:
        verifier.verify("token")
    assert f"keys of {url}: status 404" in str(caught.value)
    reply = answer(guard, Call())
    assert f"keys of {provider.url + JWKS}: status 404" in reply.body.decode()
    assert b"s3cret" not in reply.body


@in_either
def test_sources_that_need_nothing_are_ready_at_once(answer: Answers) -> None:
    verifier = JWTVerifier(issuer="https://id.example.com", audience=API, keys=SharedSecret(SECRET))
    reply = answer(Guard(verifier), Call())
    assert reply.status == 200
    assert SECRET.encode() not in reply.body


@in_either
def test_an_introspection_endpoint_is_asked_whether_it_answers_until_it_has(
    answer: Answers, provider: Provider
) -> None:
    scene = Introspected(provider)
    scene.publish(document({"error": "invalid_client"}, 401))
    for _ in range(9):
        reply = answer(scene.guard, Call())
        assert reply.status == 503
        assert b"s3cret" not in reply.body
        scene.settle()
    assert scene.questions == 1
    scene.publish(document({"active": False}))
    scene.clock.pass_by(1)
    answer(scene.guard, Call())
    scene.settle()
    assert [answer(scene.guard, Call()).status for _ in range(9)] == [200] * 9
    assert scene.questions == 2


@in_either
def test_an_outage_of_the_introspection_endpoint_makes_no_process_unready_and_its_end_is_noticed(
    answer: Answers, provider: Provider
) -> None:
    scene = Introspected(provider)
    scene.guard.warm()
    scene.publish(document({}, 503, Retry_After="1"))
    assert scene.ask("token") == 503
    for _ in range(9):
        reply = answer(scene.guard, Call())
        assert reply.status == 200
        assert json.loads(reply.body)["sources"][0]["state"] == "stale"
    assert scene.questions == 2
    scene.publish(document(ACTIVE))
    scene.clock.pass_by(1)
    answer(scene.guard, Call())
    assert scene.settle()["state"] == "fresh"
    assert scene.questions == 3


def test_a_secret_from_a_vault_is_fetched_on_the_way_to_readiness() -> None:
    secret = SharedSecret(lambda: SECRET)
    guard = Guard(JWTVerifier(issuer="https://id.example.com", audience=API, keys=secret))
    assert EITHER["asgi"](guard, Call()).status == 503
    guard.warm()
    assert EITHER["asgi"](guard, Call()).status == 200
    assert guard.status()["sources"][0]["fetches"]["begun"] == 1


def test_inside_starlette_it_is_a_route_or_a_mount_that_is_public() -> None:
    issuer = LocalIssuer(API)
    guard = Guard(issuer.verifier())
    guard.warm()
    app = Starlette(
        routes=[
            Route("/ready", bearer_guard.asgi.readiness(guard)),
            Mount("/status", bearer_guard.asgi.readiness(guard)),
        ],
        middleware=[Middleware(BearerMiddleware, guard=guard, public=["/ready", "/status/*"])],
    )
    client = TestClient(app)
    for path in ("/ready", "/status/"):
        assert client.get(path).json()["ready"] is True
    assert client.get("/elsewhere").status_code == 401


def test_inside_flask_it_answers_a_view() -> None:
    guard = Guard(LocalIssuer(API).verifier())
    guard.warm()
    flask_app, ready = Flask(__name__), bearer_guard.wsgi.readiness(guard)
    flask_app.add_url_rule("/ready", view_func=lambda: Response.from_app(ready, _environ()), endpoint="ready")
    response = flask_app.test_client().get("/ready")
    assert response.get_json()["ready"] is True
    assert response.headers["Cache-Control"] == "no-store"


def _environ() -> Any:
    from flask import request

    return request.environ


def test_a_websocket_is_refused_and_another_kind_of_scope_is_a_mistake() -> None:
    app = linted(bearer_guard.asgi.readiness(Guard(LocalIssuer(API).verifier())))
    scope = websocket_scope(Call(), denial=False)
    (closed,) = asyncio.run(exchange_asgi(app, scope, [{"type": "websocket.connect"}]))
    assert closed["type"] == "websocket.close"
    assert asyncio.run(exchange_asgi(app, scope, [])) == []  # gone before it was answered
    with pytest.raises(RuntimeError, match="lifespan"):
        asyncio.run(exchange_asgi(app, {"type": "lifespan", "asgi": {"version": "3.0"}}, []))


@pytest.mark.parametrize("make", [bearer_guard.asgi.readiness, bearer_guard.wsgi.readiness], ids=["asgi", "wsgi"])
def test_what_is_no_guard_is_told_while_constructing(make: Any) -> None:
    with pytest.raises(ConfigurationError, match="guard must be a Guard"):
        make("guard")
    assert repr(make(Guard(LocalIssuer(API).verifier()))) == "readiness(guard)"


def test_to_begin_without_waiting_raises_nothing_whatever_the_provider_does(provider: Provider) -> None:
    scene = Scene(provider)
    scene.publish(document({}, 500))
    scene.guard.warm(wait=False)
    assert scene.settle()["fetches"]["failed"] == 1
    scene.guard.warm(wait=False)
    assert scene.fetches == 1
    scene.publish(keys(1))
    scene.clock.pass_by(1)
    scene.guard.warm(wait=False)
    scene.settle()
    with provider.held():
        assert scene.ask(token()) == 200
