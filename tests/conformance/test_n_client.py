"""Rows N of the conformance list: a client's own token, asked for, kept, renewed, and shown to nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpx2
import pytest
import trio

from bearer_guard import ConfigurationError
from bearer_guard.client import TokenClient, TokenRequestFailed
from bearer_guard.httpx import BearerAuth
from tests.endpoint import Asked, Endpoint, reply
from tests.fetching import FETCHING, Fetching
from tests.granting import SECRET, Clock, Grants, basic, made, settled
from tests.loopback import Reply
from tests.tokens import T

API = "https://api.example.com"


@pytest.fixture
def grants() -> Grants:
    return Grants()


@pytest.fixture
def endpoint(grants: Grants) -> Iterator[Endpoint]:
    with Endpoint(grants) as server:
        yield server
        grants.gate.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def obtain(request: pytest.FixtureRequest) -> Callable[[TokenClient], str]:
    """How a token is asked for, in each colour and on each event loop; a new loop each time."""
    drivers: dict[str, Callable[[TokenClient], str]] = {
        "blocking": TokenClient.token,
        "asyncio": lambda client: asyncio.run(client.atoken()),
        "trio": lambda client: trio.run(client.atoken),
    }
    return drivers[request.param]


# N01, N02: what is sent, what is taken


def test_N01_basic_url_encodes_each_half_and_puts_nothing_into_the_body(endpoint: Endpoint, obtain: Any) -> None:
    client = made(endpoint, client_id="a:b%", client_secret="a b+c")
    assert obtain(client) == "t1"
    (asked,) = endpoint.asked
    assert basic(asked) == "a%3Ab%25:a+b%2Bc"
    assert (asked.method, asked.path) == ("POST", "/e")
    assert asked.form == {"grant_type": "client_credentials"}
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["accept"] == "application/json"


def test_N01_post_puts_the_credentials_into_the_form_and_sends_no_authorization(endpoint: Endpoint) -> None:
    made(endpoint, auth="post").token()
    (asked,) = endpoint.asked
    assert "authorization" not in asked.headers
    assert asked.form == {"grant_type": "client_credentials", "client_id": "reports", "client_secret": SECRET}


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER"])
def test_N02_the_token_type_is_read_in_any_case(token_type: str, obtain: Any) -> None:
    with Endpoint(Grants(token_type=token_type)) as server:
        assert obtain(made(server)) == "t1"


@pytest.mark.parametrize("token_type", ["mac", "DPoP", "N_A", "bearer token", "", 1, None])
def test_N02_a_token_of_another_type_is_not_used(token_type: Any, obtain: Any) -> None:
    with Endpoint(Grants(token_type=token_type)) as server, pytest.raises(TokenRequestFailed, match="not bearer"):
        obtain(made(server))


# N03, N04: when it asks again


def test_N03_a_token_is_kept_until_the_margin_before_its_end(endpoint: Endpoint, clock: Clock, obtain: Any) -> None:
    client = made(endpoint, clock=clock, renew_before=60)
    assert obtain(client) == "t1"
    clock.now += 3539.9
    assert obtain(client) == "t1"
    assert len(endpoint.asked) == 1
    clock.now += 0.2
    assert obtain(client) in ("t1", "t2")
    settled(client)
    assert obtain(client) == "t2"
    assert len(endpoint.asked) == 2


def test_N03_nobody_waits_for_a_renewal_while_the_token_is_good(
    endpoint: Endpoint, grants: Grants, clock: Clock, obtain: Any
) -> None:
    client = made(endpoint, clock=clock)
    assert obtain(client) == "t1"
    grants.gate.clear()
    clock.now += 3550
    for _ in range(5):
        assert obtain(client) == "t1"
    endpoint.wait_for_requests(2)
    grants.gate.set()
    settled(client)
    assert obtain(client) == "t2"
    assert len(endpoint.asked) == 2


def test_N03_a_short_token_is_renewed_at_half_its_life(clock: Clock) -> None:
    with Endpoint(Grants(expires_in=20)) as server:
        client = made(server, clock=clock, renew_before=60)
        assert client.token() == "t1"
        clock.now += 9.9
        client.token()
        assert len(server.asked) == 1
        clock.now += 0.2
        client.token()
        settled(client)
        assert client.token() == "t2"


@pytest.mark.parametrize(
    ("expires_in", "lifetime"), [("3600", 3600), (3600.5, 3600.5), (2**31 - 1, 2**31 - 1), (None, 300)]
)
def test_N03_digits_in_a_string_count_and_a_missing_lifetime_is_assumed(
    expires_in: Any, lifetime: float, clock: Clock
) -> None:
    with Endpoint(Grants(expires_in=expires_in)) as server:
        client = made(server, clock=clock, renew_before=0)
        assert client.token() == "t1"
        clock.now += lifetime - 0.1
        assert client.token() == "t1"
        clock.now += 0.1
        assert client.token() == "t2"


def test_N03_the_assumed_lifetime_can_be_chosen(clock: Clock) -> None:
    with Endpoint(reply({"access_token": "a", "token_type": "bearer"})) as server:
        client = made(server, clock=clock, assumed_lifetime=10, renew_before=0)
        client.token()
        clock.now += 9
        client.token()
        assert len(server.asked) == 1
        clock.now += 1
        client.token()
        assert len(server.asked) == 2


def test_N04_a_failed_renewal_keeps_a_token_that_is_still_good(
    endpoint: Endpoint, grants: Grants, clock: Clock, obtain: Any
) -> None:
    client = made(endpoint, clock=clock)
    assert obtain(client) == "t1"
    grants.refusal = reply({"error": "invalid_client"}, 401)
    clock.now += 3550
    for _ in range(3):
        assert obtain(client) == "t1"
        settled(client)
    assert len(endpoint.asked) == 2
    clock.now += 50
    with pytest.raises(TokenRequestFailed, match="invalid_client"):
        obtain(client)
    grants.refusal = None
    clock.now += 30
    assert obtain(client) == "t4"


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_N04_a_hundred_tasks_make_one_request(endpoint: Endpoint, grants: Grants, loop: str) -> None:
    client = made(endpoint)
    tokens: list[str] = []

    async def ask() -> None:
        tokens.append(await client.atoken())

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(ask)
            await anyio.lowlevel.checkpoint()
            grants.gate.set()

    grants.gate.clear()
    anyio.run(main, backend=loop)
    assert tokens == ["t1"] * 100
    assert len(endpoint.asked) == 1


def test_N04_a_hundred_threads_make_one_request(endpoint: Endpoint, grants: Grants) -> None:
    client = made(endpoint)
    grants.gate.clear()
    with ThreadPoolExecutor(100) as threads:
        tokens = [threads.submit(client.token) for _ in range(50)]
        tokens += [threads.submit(asyncio.run, client.atoken()) for _ in range(50)]
        endpoint.wait_for_requests(1)
        grants.gate.set()
        assert {token.result(10) for token in tokens} == {"t1"}
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_N04_a_cancelled_caller_takes_nobody_with_it(endpoint: Endpoint, grants: Grants, loop: str) -> None:
    client = made(endpoint)
    tokens: list[str] = []

    async def ask() -> None:
        tokens.append(await client.atoken())

    async def main() -> None:
        async with anyio.create_task_group() as group:
            async with anyio.create_task_group() as impatient:
                impatient.start_soon(client.atoken)
                await anyio.to_thread.run_sync(endpoint.wait_for_requests, 1)
                group.start_soon(ask)
                await anyio.lowlevel.checkpoint()
                impatient.cancel_scope.cancel()
            grants.gate.set()

    grants.gate.clear()
    anyio.run(main, backend=loop)
    assert tokens == ["t1"]
    assert len(endpoint.asked) == 1


# N05, N06: whose token it is, and that nobody reads it


def test_N05_clients_for_two_resources_share_nothing(obtain: Any) -> None:
    def answer(asked: Asked) -> Reply:
        return reply({"access_token": asked.form["resource"][-1], "token_type": "Bearer", "expires_in": 60})

    with Endpoint(answer) as server:
        clients = [made(server, resource=f"{API}/{name}") for name in "ab"]
        assert [obtain(client) for client in clients * 2] == ["a", "b", "a", "b"]
        assert len(server.asked) == 2


def test_N05_clients_that_differ_in_anything_share_nothing(endpoint: Endpoint, obtain: Any) -> None:
    ways = [
        {},
        {"client_id": "other"},
        {"scope": "a"},
        {"scope": "b"},
        {"resource": API},
        {"resource": [API, API + "/2"]},
    ]
    clients = [made(endpoint, **way) for way in ways]
    tokens = [obtain(client) for client in clients]
    assert len(set(tokens)) == len(clients)
    assert [obtain(client) for client in clients] == tokens
    assert len(endpoint.asked) == len(clients)


@pytest.mark.parametrize(
    "token",
    ["opaque", "580defdbe1d21e0001c67e5c2a0a6c98", "a.b.c", "..", "eyJ9.~", pytest.param(T(exp=0), id="expired JWT")],
)
def test_N06_nothing_in_a_token_is_read(token: str, clock: Clock, obtain: Any) -> None:
    with Endpoint(Grants(access_token=token)) as server:
        client = made(server, clock=clock)
        assert obtain(client) == token
        clock.now += 3500
        assert obtain(client) == token
        assert len(server.asked) == 1


# N07: where a token goes


@pytest.fixture
def tokens(endpoint: Endpoint, clock: Clock) -> TokenClient:
    return made(endpoint, clock=clock)


@pytest.fixture
def api() -> Iterator[Endpoint]:
    with Endpoint(reply({"ok": True})) as server:
        yield server


@pytest.fixture
def other() -> Iterator[Endpoint]:
    with Endpoint(reply({"ok": True})) as server:
        yield server


@pytest.fixture(params=FETCHING.values(), ids=FETCHING)
def fetch(request: pytest.FixtureRequest) -> Fetching:
    fetching: Fetching = request.param
    return fetching


def presented(server: Endpoint) -> list[str | None]:
    return [asked.headers.get("authorization") for asked in server.asked]


def test_N07_other_origins_never_see_the_token(
    tokens: TokenClient, api: Endpoint, other: Endpoint, endpoint: Endpoint, fetch: Fetching
) -> None:
    auth = BearerAuth(tokens, origins=api.url)
    assert fetch(auth, "GET", other.endpoint, headers={"Authorization": "Basic eDp5"}).status_code == 200
    assert fetch(auth, "GET", other.endpoint).status_code == 200
    assert fetch(auth, "GET", other.endpoint.replace("127.0.0.1", "localhost")).status_code == 200
    assert presented(other) == ["Basic eDp5", None, None]
    assert endpoint.asked == []


def test_N07_without_origins_the_first_one_alone_sees_the_token(
    tokens: TokenClient, api: Endpoint, other: Endpoint, fetch: Fetching
) -> None:
    auth = BearerAuth(tokens)
    for url in (api.endpoint, other.endpoint, api.endpoint):
        fetch(auth, "GET", url)
    assert presented(api) == ["Bearer t1", "Bearer t1"]
    assert presented(other) == [None]


def test_N07_of_several_first_requests_one_origin_wins(tokens: TokenClient) -> None:
    class Together(dict[str, Any]):
        """Lets nobody go on after looking for a key before all have looked."""

        def __contains__(self, key: object) -> bool:
            found = super().__contains__(key)
            all_looked.wait(10)
            return found

    auth, all_looked = BearerAuth(tokens), threading.Barrier(4)
    auth._open_to = Together()
    with ThreadPoolExecutor(4) as threads:
        seen = threads.map(lambda number: auth._may_see(httpx2.URL(f"https://api{number}.example/")), range(4))
        assert sum(seen) == 1


def test_N07_a_redirect_to_another_origin_carries_no_token(
    tokens: TokenClient, api: Endpoint, other: Endpoint, endpoint: Endpoint, fetch: Fetching
) -> None:
    api.answer = reply({}, 302, Location=other.endpoint)
    other.answer = reply({}, 401)
    auth = BearerAuth(tokens, origins=[api.url])
    assert fetch(auth, "GET", api.endpoint, follow_redirects=True).status_code == 401
    assert presented(api) == ["Bearer t1"]
    assert presented(other) == [None]
    assert len(endpoint.asked) == 1, "the token was not refused: it was not presented"


@pytest.mark.parametrize("url", ["http://id.example.com/token", "http://[2001:db8::1]/token", "ftp://id.example.com/"])
def test_N07_credentials_go_to_https_alone(url: str) -> None:
    with pytest.raises(ConfigurationError, match="token_endpoint must be"):
        made(url)


@pytest.mark.parametrize("origin", ["http://api.example.com", "ws://api.example.com", "api.example.com"])
def test_N07_a_token_goes_to_https_alone(origin: str, endpoint: Endpoint) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        BearerAuth(made(endpoint), origins=origin)
    if "//" in origin:
        with pytest.raises(ConfigurationError, match="in the clear"):
            FETCHING["blocking"](BearerAuth(made(endpoint)), "GET", origin + "/v1")
    assert endpoint.asked == []
