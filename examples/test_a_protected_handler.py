"""How an API team tests a protected handler: real tokens, no network. `pytest examples/test_a_protected_handler.py`"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from bearer_guard import Guard, JWTVerifier
from bearer_guard.starlette import BearerMiddleware, current_token, requires
from bearer_guard.testing import BrokenToken, LocalIssuer

API = "https://api.example.com"

# The application as it is in production, guard and all.
guard = Guard(JWTVerifier(issuer="https://id.example.com", audience=API))


@requires("read:users")
async def user_status(request: Request) -> Response:
    return JSONResponse({"asked_by": current_token(request).subject})


app = Starlette(
    routes=[Route("/v1/user-status", user_status)],
    middleware=[Middleware(BearerMiddleware, guard=guard)],
)

issuer = LocalIssuer(API)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with issuer.override(guard):
        yield TestClient(app)


def test_a_token_with_the_scope_is_let_in(client: TestClient) -> None:
    response = client.get("/v1/user-status", headers=issuer.authorization(scope="read:users", sub="u1"))
    assert response.status_code == 200
    assert response.json() == {"asked_by": "u1"}


def test_a_token_without_the_scope_learns_which_one_it_needs(client: TestClient) -> None:
    response = client.get("/v1/user-status", headers=issuer.authorization(scope="write:users"))
    assert response.status_code == 403
    assert 'scope="read:users"' in response.headers["www-authenticate"]


def test_an_expired_token_is_refused(client: TestClient) -> None:
    response = client.get("/v1/user-status", headers=issuer.authorization(scope="read:users", expires_in=-60))
    assert response.status_code == 401


@pytest.mark.parametrize("bad", list(issuer.broken_tokens(scope="read:users")), ids=lambda bad: bad.name)
def test_no_broken_token_gets_in(client: TestClient, bad: BrokenToken) -> None:
    response = client.get("/v1/user-status", headers={"Authorization": bad.authorization})
    assert response.status_code == bad.status


def test_good_tokens_survive_an_outage_of_the_identity_provider(client: TestClient) -> None:
    headers = issuer.authorization(scope="read:users")
    assert client.get("/v1/user-status", headers=headers).status_code == 200
    with issuer.outage():
        assert client.get("/v1/user-status", headers=headers).status_code == 200


if __name__ == "__main__":
    raise SystemExit(subprocess.call([sys.executable, "-m", "pytest", "-q", __file__]))
