"""Random histories of a provider, a clock and callers, against a model that knows only what the provider has said.

In every state: an infrastructure fault never yields 401, and nothing is admitted that the model would refuse.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

import trio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bearer_guard import Guard, JWTVerifier, RemoteJWKSet
from bearer_guard.transport import ExchangeFailed, Request, Response
from tests.faults.provider import PATIENCE
from tests.faults.scene import Callers, Clock
from tests.tokens import ISSUER, NOW, RESOURCE, T, jwk, signer

AGE, STALE, COOLDOWN = 600.0, 1000.0, 30.0
KIDS = ["a", "b", "c", "d"]
ATTACKER = 99
ODD_MEMBERS: list[Any] = [7, None, {"kty": "X"}, {"kty": "oct", "k": "AAAA", "kid": "a"}]

Key = tuple[str, int]
"""A kid, and the number of the key that has this name."""


class Provider:
    """A transport whose other end behaves as it is told, and remembers what it has said."""

    TROUBLE: ClassVar[dict[str, Callable[[], Response]]] = {
        "500": lambda: Response(status=500),
        "429": lambda: Response(status=429, headers={"retry-after": "20"}),
        "404": lambda: Response(status=404, body=b'{"keys":[]}'),
        "redirect": lambda: Response(status=302, headers={"location": "https://evil.example/jwks"}),
        "HTML": lambda: Response(status=200, headers={"content-type": "text/html"}, body=b"<html>"),
        "{}": lambda: Response(status=200, body=b"{}"),
        "[]": lambda: Response(status=200, body=b"[]"),
        "no keys": lambda: Response(status=200, body=b'{"keys":[]}'),
        "no usable key": lambda: Response(status=200, body=json.dumps({"keys": ODD_MEMBERS}).encode()),
        "half": lambda: Response(status=200, body=b'{"keys":[{"kty":'),
        "304 unasked": lambda: Response(status=304),
    }

    def __init__(self) -> None:
        self.published: dict[str, int] = {"a": 0}
        self.trouble: str | None = None
        self.odd = False
        self.told: set[Key] | None = None
        self.told_at = 0.0
        self.ended_well = True
        self.asked = 0
        self.clock = Clock(10_000.0)

    def keys(self) -> set[Key]:
        return set(self.published.items())

    def send(self, request: Request) -> Response:
        self.asked += 1
        self.ended_well = False
        if self.trouble == "down":
            raise ExchangeFailed("the provider is down")
        if self.trouble == "a bug":
            raise ZeroDivisionError
        if self.trouble is not None and not (self.trouble == "304 unasked" and "If-None-Match" in request.headers):
            return self.TROUBLE[self.trouble]()
        members = [jwk(number=number, kid=kid) for kid, number in sorted(self.keys())]
        body = json.dumps({"keys": [*(ODD_MEMBERS if self.odd else []), *members]}).encode()
        etag = f'"{sorted(self.keys())}{self.odd}"'.replace(" ", "").replace("'", "").replace('"', "")
        self.told, self.told_at, self.ended_well = self.keys(), self.clock.now, True
        if request.headers.get("If-None-Match") == f'"{etag}"':
            return Response(status=304)
        return Response(status=200, headers={"etag": f'"{etag}"', "content-type": "application/json"}, body=body)


class Histories(RuleBasedStateMachine, Callers):
    """What may happen, and what must be true of each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.provider = Provider()
        self.clock = self.provider.clock
        self.made = 0
        self.last_moved = self.clock.now
        self.source = RemoteJWKSet(
            "https://id.example.com/jwks",
            stale_if_error=STALE,
            cooldown=COOLDOWN,
            timeout=PATIENCE,
            clock=self.clock,
            transport=self.provider,
        )
        self.guard = Guard(JWTVerifier(issuer=ISSUER, audience=RESOURCE, keys=self.source, clock=lambda: NOW, leeway=0))

    # --- the provider and the clock

    @rule(trouble=st.sampled_from(["down", "a bug", *Provider.TROUBLE]))
    def trouble_begins(self, trouble: str) -> None:
        self.provider.trouble = trouble

    @rule()
    def trouble_ends(self) -> None:
        self.provider.trouble = None

    @rule(kid=st.sampled_from(KIDS))
    def a_key_is_published_or_replaced(self, kid: str) -> None:
        self.made += 1
        self.provider.published[kid] = self.made % 12

    @precondition(lambda self: len(self.provider.published) > 1)
    @rule(data=st.data())
    def a_key_is_removed(self, data: st.DataObject) -> None:
        del self.provider.published[data.draw(st.sampled_from(sorted(self.provider.published)))]

    @rule()
    def odd_members_come_or_go(self) -> None:
        self.provider.odd = not self.provider.odd

    @rule(seconds=st.sampled_from([0.5, 2.0, 31.0, 300.0, 481.0, 700.0, 1201.0, 1601.0, 10_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @rule(seconds=st.sampled_from([0.1, 20.0, 4000.0]))
    def the_clock_steps_back(self, seconds: float) -> None:
        self.clock.pass_by(-seconds)

    # --- the callers

    @rule(kid=st.sampled_from(KIDS), colour=st.sampled_from(["blocking", "asyncio", "trio"]))
    def a_token_of_a_published_or_remembered_kid(self, kid: str, colour: str) -> None:
        told = dict(self.provider.told or set())
        number = self.provider.published.get(kid, told.get(kid))
        if number is not None:
            self.judge((kid, number), genuine=True, colour=colour)

    @precondition(lambda self: self.provider.told)
    @rule(data=st.data())
    def a_token_under_keys_that_are_held(self, data: st.DataObject) -> None:
        assert self.provider.told is not None
        self.judge(data.draw(st.sampled_from(sorted(self.provider.told))), genuine=True, colour="blocking")

    @rule(kid=st.sampled_from([*KIDS, "strange", "stranger"]), colour=st.sampled_from(["blocking", "asyncio"]))
    def a_forged_token(self, kid: str, colour: str) -> None:
        self.judge((kid, ATTACKER), genuine=False, colour=colour)

    @rule(count=st.integers(1, 30))
    def a_swarm_of_strangers(self, count: int) -> None:
        asked = self.provider.asked
        for number in range(count):
            self.judge((f"made-up-{number}", ATTACKER), genuine=False, colour="blocking")
        assert self.provider.asked - asked <= 4  # a cold start or a refresh, a retry of it, and the budget of two

    @precondition(lambda self: self.provider.trouble is None)
    @rule(data=st.data())
    def a_published_key_after_the_cool_down(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.provider.published.items())))
        self.clock.pass_by(COOLDOWN)
        self.judge(key, genuine=True, colour="blocking", must_get_in=True)

    def judge(self, key: Key, *, genuine: bool, colour: str, must_get_in: bool = False) -> None:
        """Present a token that `key` signed, and hold the answer against what the provider has said."""
        provider, now = self.provider, self.clock.now
        before = provider.told or set()
        if now < provider.told_at:
            provider.told_at = now  # a clock that stepped back: the bound counts from when that was noticed
        age = now - provider.told_at
        usable = bool(before) and age < AGE + STALE
        asked = provider.asked
        status = self.status_of(key, colour)
        self.settle()
        after = provider.told or set()
        fetched = provider.asked > asked and provider.ended_well
        if status == 200:
            assert genuine
            assert (usable and key in before) or (fetched and key in after), "admitted by keys that do not count"
        elif status == 401:
            assert not genuine or key not in after, "a key that the provider publishes was refused"
            assert provider.told is not None, "refused, though nobody has said anything"
            assert provider.ended_well, "an infrastructure fault was taken for a wrong token"
        else:
            assert status == 503
            assert not (usable and key in before), "a token that is known to be good was put off"
            assert not (usable and provider.ended_well), "a wrong token was taken for an infrastructure fault"
        if usable and key in before and age <= 2 * AGE:
            assert status == 200, "a good token was refused"
        if must_get_in:
            assert status == 200, "a published key was not found after the cool-down"

    def status_of(self, key: Key, colour: str) -> int:
        kid, number = key
        presented = T({"kid": kid}, signer(number=number))
        if colour == "asyncio":
            return asyncio.run(self.aask(presented))
        return trio.run(self.aask, presented) if colour == "trio" else self.ask(presented)

    def settle(self) -> None:
        """Until no attempt is under way: what it brings counts for the next request in any case."""
        end = time.monotonic() + PATIENCE
        while True:
            fetches = self.source.status()["fetches"]
            if fetches["begun"] == fetches["succeeded"] + fetches["failed"]:
                return
            assert time.monotonic() < end
            threading.Event().wait(0.0005)

    @invariant()
    def the_status_is_one_of_five_and_ready_is_what_it_says(self) -> None:
        status = self.guard.status()
        (source,) = status["sources"]
        assert source["state"] in {"fresh", "refreshing", "stale", "cooling_down", "unavailable"}
        age = max(0.0, self.clock.now - self.provider.told_at)
        assert status["ready"] is (self.provider.told is not None and age < AGE + STALE)
        assert source["fetches"]["begun"] == self.provider.asked
        assert (source["age"] is None) is (self.provider.told is None)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
