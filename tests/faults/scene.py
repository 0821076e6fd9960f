"""What the fault tests share: a clock that moves when told, a provider's keys, a guard, and callers in every colour."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio

from bearer_guard import (
    AccessDenied,
    AuthorityUnavailable,
    Guard,
    IncomingRequest,
    IntrospectionVerifier,
    JWTVerifier,
    RemoteJWKSet,
)
from tests.faults.provider import PATIENCE, Behaviour, Provider, document
from tests.tokens import ISSUER, NOW, RESOURCE, T, jwk, signer

JWKS = "/jwks"
METADATA = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
INTROSPECTION = "/introspect"
ACTIVE = {"active": True, "aud": RESOURCE, "sub": "u1"}
COLOURS = ("threads", "asyncio", "trio")
WALL_GAPS = pytest.StashKey[list[tuple[float, float, str]]]()
"""Of each case beside an event loop: the slowest step by the wall, the one that took most CPU, and the case."""


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def key(number: int) -> dict[str, Any]:
    """The public JWK number `number`; its kid says so."""
    return jwk(number=number, kid=f"k{number}")


def token(number: int = 1, kid: str | None = None, **claims: Any) -> str:
    """A good token by key `number`, or one that says `kid`."""
    return T({"kid": kid or f"k{number}"}, signer(number=number), **claims)


def keys(*numbers: int) -> dict[str, Any]:
    return {"keys": [key(number) for number in numbers]}


class Callers:
    """Who calls an API behind `guard`, in every colour."""

    guard: Guard

    def ask(self, presented: str) -> int:
        """The status that a client would see."""
        return told(self.guard, lambda request: self.guard.check(request), presented)

    async def aask(self, presented: str) -> int:
        request = asking(presented)
        try:
            await self.guard.acheck(request)
        except (AccessDenied, AuthorityUnavailable) as refused:
            return checked_refusal(self.guard, refused, request)
        return 200

    def ask_in(self, colour: str, presented: Sequence[str], workers: int = 64) -> list[int]:
        """The statuses of these tokens, all asked about at once: by threads, or by tasks of one event loop."""
        return IN_COLOUR[colour](self, presented, workers)

    def ask_one_in(self, colour: str, presented: str) -> int:
        """The status of one token."""
        return self.ask_in(colour, [presented], 1)[0]

    def ask_each_in(self, colour: str, presented: Iterable[str], between: Callable[[], object]) -> list[int]:
        """The statuses of these tokens, asked about one after the other; `between` is called after each."""
        statuses: list[int] = []
        if colour == "threads":
            for what in presented:
                statuses.append(self.ask(what))
                between()
            return statuses

        async def in_turn() -> None:
            for what in presented:
                statuses.append(await self.aask(what))
                between()

        if colour == "asyncio":
            asyncio.run(in_turn())
        else:
            trio.run(in_turn)
        return statuses


class Scene(Callers):
    """One provider, one source of its keys and one guard, all of them real, under a clock of the test's."""

    def __init__(self, provider: Provider, *, discovered: bool = False, **options: Any) -> None:
        self.provider = provider
        self.clock = Clock()
        url = provider.serve(JWKS, document(keys(1), Cache_Control="max-age=600"))
        settings: dict[str, Any] = {"clock": self.clock, **options}
        if discovered:
            provider.serve(METADATA, document({"issuer": provider.url, "jwks_uri": url}))
            self.source = RemoteJWKSet.discover(provider.url, **settings)
        else:
            self.source = RemoteJWKSet(url, **settings)
        self.guard = Guard(JWTVerifier(issuer=ISSUER, audience=RESOURCE, keys=self.source, clock=lambda: NOW, leeway=0))

    @property
    def fetches(self) -> int:
        return self.provider.count(JWKS)

    def publish(self, behaviour: Behaviour | dict[str, Any]) -> None:
        """Let the provider answer so from now on."""
        given = document(behaviour, Cache_Control="max-age=600") if isinstance(behaviour, dict) else behaviour
        self.provider.serve(JWKS, given)

    def settle(self) -> dict[str, Any]:
        """The source's status once no attempt is under way; joins the attempt, so that nothing is waited for longer."""
        attempts = self.source._attempts()
        with attempts.lock:
            under_way = attempts.under_way
        if under_way is not None:
            under_way.future.result(PATIENCE)
        return dict(self.source.status())


class Introspected(Callers):
    """One provider, a verifier that asks its introspection endpoint, and one guard, under a clock of the test's."""

    def __init__(self, provider: Provider, **options: Any) -> None:
        self.provider = provider
        self.clock = Clock(float(NOW))
        url = provider.serve(INTROSPECTION, document(ACTIVE))
        settings: dict[str, Any] = {"audience": RESOURCE, "client_id": "api", "client_secret": "s3cret", **options}
        self.verifier = IntrospectionVerifier(**{"endpoint": url, "clock": self.clock, **settings})
        self.guard = Guard(self.verifier)

    @property
    def questions(self) -> int:
        return self.provider.count(INTROSPECTION)

    def publish(self, behaviour: Behaviour) -> None:
        """Let the endpoint answer so from now on."""
        self.provider.serve(INTROSPECTION, behaviour)

    def have_patience(self, seconds: float = PATIENCE) -> None:
        """Give questions so much time from now on: what is to be answered is not lost to a busy machine."""
        self.verifier._questions._timeout = seconds

    def settle(self) -> dict[str, Any]:
        """What is known of the endpoint once no question is under way."""
        landed(self.verifier)
        return dict(self.verifier.status())


def landed(verifier: IntrospectionVerifier) -> None:
    """Wait until no question is under way, also none that no request waits for."""
    kept = verifier._answers._process.here()
    with kept.lock:
        under_way = [*kept.flights.values()]
    for flight in under_way:
        flight.future.result(PATIENCE)


def asking(presented: str) -> IncomingRequest:
    return IncomingRequest("GET", "/", {"Authorization": f"Bearer {presented}"})


def told(guard: Guard, check: Callable[[IncomingRequest], object], presented: str) -> int:
    request = asking(presented)
    try:
        check(request)
    except (AccessDenied, AuthorityUnavailable) as refused:
        return checked_refusal(guard, refused, request)
    return 200


def checked_refusal(guard: Guard, refused: AccessDenied | AuthorityUnavailable, request: IncomingRequest) -> int:
    """The status, once the refusal has the fields that its kind must have."""
    refusal = guard.refusal(refused, request)
    fields = dict(refusal.headers)
    if refusal.status == 503:
        assert 1 <= int(fields["retry-after"]) <= 35
        assert "www-authenticate" not in fields
    else:
        assert "retry-after" not in fields
        assert fields["www-authenticate"].startswith("Bearer ")
    return refusal.status


def _in_threads(scene: Callers, presented: Sequence[str], workers: int) -> list[int]:
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(scene.ask, presented, timeout=PATIENCE))


def _in_asyncio(scene: Callers, presented: Sequence[str], workers: int) -> list[int]:
    del workers

    async def all_at_once() -> list[int]:
        return list(await asyncio.wait_for(asyncio.gather(*map(scene.aask, presented)), PATIENCE))

    return asyncio.run(all_at_once())


def _in_trio(scene: Callers, presented: Sequence[str], workers: int) -> list[int]:
    del workers
    statuses: dict[int, int] = {}

    async def one(place: int, what: str) -> None:
        statuses[place] = await scene.aask(what)

    async def all_at_once() -> None:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                for place, what in enumerate(presented):
                    nursery.start_soon(one, place, what)

    trio.run(all_at_once)
    return [statuses[place] for place in range(len(presented))]


IN_COLOUR: dict[str, Callable[[Callers, Sequence[str], int], list[int]]] = {
    "threads": _in_threads,
    "asyncio": _in_asyncio,
    "trio": _in_trio,
}


def together(*calls: Callable[[], Any]) -> list[Any]:
    """The results of these calls, each made in a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(PATIENCE) for future in [pool.submit(call) for call in calls]]


def eventually(condition: Callable[[], object]) -> None:
    """Until `condition` holds; for what happens in a thread that nobody can join."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came"
        threading.Event().wait(0.002)


def alike(statuses: Iterable[int], status: int) -> bool:
    return set(statuses) == {status}
