"""The guard by itself: what it asks, what it logs, what a refusal looks like, what it knows about its sources."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvicorn
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import bearer_guard.flask
import bearer_guard.starlette
from bearer_guard import (
    AccessDenied,
    AccessToken,
    AuthorityUnavailable,
    ErrorBody,
    Guard,
    InactiveToken,
    IncomingRequest,
    InsufficientScope,
    InvalidClaim,
    InvalidRequest,
    JWTVerifier,
    MissingToken,
    MultiIssuer,
    Verifier,
    any_of,
    problem_details,
)
from bearer_guard._challenge import parse_challenges
from bearer_guard.testing import LocalIssuer

API = "https://api.example.com"
issuer = LocalIssuer(API)


def request(method: str = "GET", **headers: str) -> IncomingRequest:
    return IncomingRequest(method, "/r", headers)


def good(scope: str = "") -> IncomingRequest:
    return IncomingRequest("GET", "/r", issuer.authorization(scope=scope))


def test_a_good_token_is_what_check_returns_in_both_colours() -> None:
    guard = Guard(issuer.verifier())
    for found in (guard.check(good("a")), asyncio.run(guard.acheck(good("a"), "a"))):
        assert isinstance(found, AccessToken)
        assert found.scopes == {"a"}


def test_what_a_route_requires_is_one_scope_or_a_condition() -> None:
    guard = Guard(issuer.verifier())
    assert guard.check(good("a b"), "a")
    assert guard.check(good("b"), any_of("a", "b"))
    with pytest.raises(InsufficientScope) as raised:
        guard.check(good("b"), "a")
    assert raised.value.required == ("a",)


def test_an_optional_guard_lets_pass_who_presents_no_bearer_token_and_nobody_else() -> None:
    guard = Guard(issuer.verifier(), optional=True)
    assert guard.check(request()) is None
    assert guard.check(request(Authorization="Basic Zm9v")) is None
    for wrong in ("Bearer", "Bearer a b", "Bearer x", ""):
        with pytest.raises(AccessDenied):
            guard.check(request(Authorization=wrong))


def test_a_sender_constrained_token_is_no_bearer_token_whoever_verified_it() -> None:
    class Bound(Verifier):
        def verify(self, token: str) -> AccessToken:
            return AccessToken(confirmation={"jkt": "x"})

    with pytest.raises(InvalidClaim) as raised:
        Guard(Bound()).check(request(Authorization="Bearer x"))
    assert raised.value.claim == "cnf"


def test_a_refusal_is_logged_once_with_its_reason_and_configured_values_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Guard(issuer.verifier())
    token = issuer.token(aud="https://evil.example", sub="a-name", jti="an-id")
    with caplog.at_level(logging.DEBUG, "bearer_guard"):
        incoming = request(Authorization=f"Bearer {token}")
        with pytest.raises(AccessDenied) as raised:
            guard.check(incoming)
        guard.refusal(raised.value, incoming)
    assert caplog.messages == [f"refused with 401, invalid_claim: expected audience '{API}'"]
    assert not any(part in caplog.text for part in ("evil", "a-name", "an-id", *token.split(".")))


@pytest.mark.parametrize(
    "error",
    [MissingToken(), InvalidRequest(), InvalidClaim("aud"), InsufficientScope(["a", "b"]), InsufficientScope(['"'])],
)
def test_a_refusal_has_its_status_its_challenge_and_is_kept_by_no_cache(error: AccessDenied) -> None:
    refusal = Guard(issuer.verifier(), realm="users").refusal(error, request())
    headers = dict(refusal.headers)
    (challenge,) = parse_challenges(headers["www-authenticate"])
    assert refusal.status == error.status
    assert challenge.params["realm"] == "users"
    assert challenge.params.get("error") == error.error
    assert challenge.params.get("scope") == (" ".join(getattr(error, "required", ())) or None)
    assert headers["cache-control"] == "no-store"
    assert headers["content-length"] == str(len(refusal.body))
    assert json.loads(refusal.body).get("error") == error.error


def test_an_exception_that_a_verifier_raises_again_and_again_is_logged_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    always = InactiveToken("revoked")

    class Closed(Verifier):
        def verify(self, token: str) -> AccessToken:
            raise always

    guard, incoming = Guard(Closed()), request(Authorization="Bearer x")
    with caplog.at_level(logging.INFO, "bearer_guard"):
        for _ in range(3):
            with pytest.raises(InactiveToken) as raised:
                guard.check(incoming)
            guard.refusal(raised.value, incoming)
    assert caplog.messages == ["refused with 401, inactive: revoked"] * 3


def test_trouble_at_the_provider_is_a_503_that_says_when_to_come_back() -> None:
    guard = Guard(issuer.verifier())
    for seconds, header in ((0.0, "1"), (1.2, "2"), (29.9, "30"), (math.inf, "86400"), (math.nan, "1"), (-1, "1")):
        refusal = guard.refusal(AuthorityUnavailable("down", retry_after=seconds), request())
        headers = dict(refusal.headers)
        assert (refusal.status, headers["retry-after"]) == (503, header)
        assert "www-authenticate" not in headers


def test_head_gets_the_headers_of_get_and_no_body() -> None:
    guard = Guard(issuer.verifier())
    get, head = (guard.refusal(MissingToken(), request(method)) for method in ("GET", "HEAD"))
    assert head.headers == get.headers
    assert (head.body, bool(get.body)) == (b"", True)


def test_bodies_may_be_problem_details_or_an_apis_own() -> None:
    refusal = Guard(issuer.verifier(), error_body=problem_details).refusal(InsufficientScope(["a"]), request())
    assert dict(refusal.headers)["content-type"] == "application/problem+json"
    assert json.loads(refusal.body) == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "The access token lacks a scope that this resource requires.",
    }

    def own(error: AccessDenied | AuthorityUnavailable, incoming: IncomingRequest) -> ErrorBody:
        return ErrorBody(content={"path": incoming.path, "code": error.status})

    refusal = Guard(issuer.verifier(), error_body=own).refusal(MissingToken(), request())
    assert json.loads(refusal.body) == {"path": "/r", "code": 401}


def test_headers_are_a_mapping_or_pairs_and_names_have_no_case() -> None:
    pairs = IncomingRequest("GET", "/", [("A", "1"), ("a", "2"), ("B", "3")])
    assert pairs.values("a") == ["1", "2"]
    assert pairs.headers == (("a", "1"), ("a", "2"), ("b", "3"))
    assert IncomingRequest("GET", "/", {"A": "1"}).values("a") == ["1"]
    assert repr(pairs) == "IncomingRequest('GET', '/')"


def test_a_guard_knows_its_sources_and_fetches_nothing_to_say_so() -> None:
    provider = LocalIssuer(API)
    guard = Guard(provider.verifier())
    assert not guard.status()["ready"]
    guard.warm()
    assert guard.status()["ready"]
    asyncio.run(guard.awarm())
    (source,) = guard.status()["sources"]
    assert (source["state"], source["fetches"]["begun"]) == ("fresh", 1)
    json.dumps(guard.status())
    cold = Guard(provider.verifier())
    with provider.outage(), pytest.raises(AuthorityUnavailable):
        cold.warm()


def test_one_issuer_that_is_down_leaves_the_others_warm() -> None:
    down, up = LocalIssuer(API, issuer="https://down.example.com"), LocalIssuer(API, issuer="https://up.example.com")
    guard = Guard(MultiIssuer(down.verifier(), up.verifier()))
    with down.outage(), pytest.raises(AuthorityUnavailable, match="down"):
        guard.warm()
    assert [source["state"] for source in guard.status()["sources"]] == ["unavailable", "fresh"]


@pytest.mark.anyio
async def test_an_outage_on_a_cold_start_is_never_the_callers_fault(anyio_backend: str) -> None:
    provider = LocalIssuer(API)
    guard = Guard(provider.verifier())
    incoming = IncomingRequest("GET", "/", provider.authorization())
    with provider.outage(), pytest.raises(AuthorityUnavailable):
        await guard.acheck(incoming)
    with pytest.raises(AuthorityUnavailable):
        guard.check(incoming)  # the back-off of the attempt that failed a moment ago


def test_one_guard_admits_a_cold_crowd_at_two_applications_after_one_fetch() -> None:
    with LocalIssuer(API).serve() as provider:
        headers = {"Authorization": f"Bearer {_token_of(provider)}"}
        guard = Guard(JWTVerifier(issuer=provider.url, audience=API))
        answers = _crowd(guard, headers, 200)
        assert answers == [200] * 200
        assert provider.requests.count("/.well-known/jwks.json") == 1


def _token_of(provider: Any) -> str:
    import base64
    import urllib.request

    credentials = base64.b64encode(f"{provider.client_id}:{provider.client_secret}".encode()).decode()
    asked = urllib.request.Request(
        provider.token_endpoint,
        b"grant_type=client_credentials",
        {"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"},
    )
    with urllib.request.urlopen(asked, timeout=10) as response:
        token: str = json.load(response)["access_token"]
    return token


def _crowd(guard: Guard, headers: dict[str, str], size: int) -> list[int]:
    """The statuses that `size` concurrent requests get, half of them at Starlette under uvicorn, half at Flask."""

    async def answer(incoming: Request) -> JSONResponse:
        return JSONResponse({"who": bearer_guard.starlette.current_token(incoming).identity})

    starlette_app = Starlette(
        routes=[Route("/r", answer)],
        middleware=[Middleware(bearer_guard.starlette.BearerMiddleware, guard=guard)],
    )
    flask_app = Flask("crowd")
    flask_app.add_url_rule("/r", "r", lambda: {"who": bearer_guard.flask.current_token().identity})
    bearer_guard.flask.protect(flask_app, guard)

    import http.client
    import socket

    listener = socket.create_server(("127.0.0.1", 0), backlog=size)
    server = uvicorn.Server(uvicorn.Config(starlette_app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    start = threading.Barrier(size)

    def ask(number: int) -> int:
        start.wait(30)
        if number % 2:
            return flask_app.test_client().get("/r", headers=headers).status_code
        connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=30)
        try:
            connection.request("GET", "/r", headers=headers)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    try:
        with ThreadPoolExecutor(size) as pool:
            return list(pool.map(ask, range(size)))
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
