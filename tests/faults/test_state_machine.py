"""Random histories of a provider, a clock and callers, against a model that knows only what the provider has said.

Once where the keys are at a URL that was given, and once where they are discovered, move, and the metadata has troubles
of its own. A provider that hangs says nothing until its trouble ends, and then something that must not be believed.

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
HANGING = 0.004
"""Seconds of real time that an attempt may take while the provider hangs."""
ISSUED_BY = "https://id.example.com"
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
        # When that was said: the first and the last moment that it can have been, since not even the provider knows
        # whether an attempt that had the keys and then not the metadata counts as one that ended well.
        self.told_at = self.surely_told_at = 0.0
        self.ended_well: bool | None = True
        self.asked = self.hung = 0
        self.clock = Clock(10_000.0)
        self.released = threading.Event()
        self.attempt = threading.local()  # an attempt is a thread

    def keys(self) -> set[Key]:
        return set(self.published.items())

    def send(self, request: Request) -> Response:
        attempt = self.attempt
        if not hasattr(attempt, "told_before"):
            self.asked += 1
            attempt.number, attempt.told_before, attempt.late = self.asked, None, False
        if attempt.late:
            return self.poison(request)
        return self.answer(request)

    def answer(self, request: Request) -> Response:
        """What is said about keys."""
        self.failed()
        if self.trouble == "hangs":
            return self.hang(request)
        if self.trouble == "down":
            raise ExchangeFailed("the provider is down")
        if self.trouble == "a bug":
            raise ZeroDivisionError
        if self.trouble is not None and not (self.trouble == "304 unasked" and "If-None-Match" in request.headers):
            return self.TROUBLE[self.trouble]()
        return self.tell(request, self.keys())

    def tell(self, request: Request, keys: set[Key]) -> Response:
        members = [jwk(number=number, kid=kid) for kid, number in sorted(keys)]
        body = json.dumps({"keys": [*(ODD_MEMBERS if self.odd else []), *members]}).encode()
        etag = f'"{sorted(keys)}{self.odd}"'.replace(" ", "").replace("'", "").replace('"', "")
        self.attempt.told_before = self.told_at, self.surely_told_at
        self.told, self.told_at, self.surely_told_at, self.ended_well = keys, self.clock.now, self.clock.now, True
        if request.headers.get("If-None-Match") == f'"{etag}"':
            return Response(status=304)
        return Response(status=200, headers={"etag": f'"{etag}"', "content-type": "application/json"}, body=body)

    def failed(self) -> None:
        """The attempt under way ends badly, unless more comes: what it brought before was nothing new, or is void."""
        self.ended_well = False
        if self.attempt.told_before is not None:
            self.told_at, self.surely_told_at = self.attempt.told_before

    def hang(self, request: Request) -> Response:
        released, self.hung = self.released, self.attempt.number
        released.wait(PATIENCE)
        self.attempt.late = True
        return self.poison(request)

    def poison(self, request: Request) -> Response:
        """What comes too late: keys of an attacker's."""
        del request
        members = [jwk(number=ATTACKER, kid=kid) for kid in KIDS]
        return Response(status=200, body=json.dumps({"keys": members}).encode())

    def release(self) -> None:
        self.released.set()
        self.released = threading.Event()


class Issuer(Provider):
    """A provider whose keys are found by metadata, and may move; where they were, they stay as they were."""

    BAD_METADATA: ClassVar[dict[str, dict[str, str]]] = {
        "another issuer": {"issuer": ISSUED_BY + "/", "jwks_uri": ISSUED_BY + "/evil"},
        "no jwks_uri": {"issuer": ISSUED_BY},
        "plain http": {"issuer": ISSUED_BY, "jwks_uri": "http://id.example.com/evil"},
    }
    """Metadata that must not be used, which is another thing than none."""

    def __init__(self) -> None:
        super().__init__()
        self.metadata_trouble: str | None = None
        self.places: dict[str, set[Key] | None] = {"/jwks": None}
        self.asked_at = "/jwks"

    @property
    def place(self) -> str:
        return [*self.places][-1]

    def move(self) -> None:
        self.places[self.place] = self.keys()
        self.places[f"/jwks-{len(self.places)}"] = None

    def answer(self, request: Request) -> Response:
        path = request.url.removeprefix(ISSUED_BY)
        if not path.startswith("/.well-known/"):
            if path not in self.places:
                return self.poison(request)
            self.asked_at, there = path, self.places[path]
            if there is not None and self.trouble is None:
                return self.tell(request, there)
            return super().answer(request)
        fetched, trouble = self.attempt.told_before is not None, self.metadata_trouble
        if trouble in self.BAD_METADATA:
            if not fetched:
                self.failed()
            return Response(status=200, body=json.dumps(self.BAD_METADATA[trouble]).encode())
        if trouble is not None:
            if fetched:
                self.ended_well, self.surely_told_at = None, self.attempt.told_before[1]
            else:
                self.failed()
            if trouble == "down":
                raise ExchangeFailed("the provider is down")
            return Response(status=int(trouble))
        return Response(status=200, body=json.dumps({"issuer": ISSUED_BY, "jwks_uri": ISSUED_BY + self.place}).encode())

    def poison(self, request: Request) -> Response:
        if "/.well-known/" in request.url:
            return Response(
                status=200, body=json.dumps({"issuer": ISSUED_BY, "jwks_uri": ISSUED_BY + "/evil"}).encode()
            )
        return super().poison(request)


class Histories(RuleBasedStateMachine, Callers):
    """What may happen, and what must be true of each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.provider = self.begin()
        self.clock = self.provider.clock
        self.made = 0
        self.stepped_back = 0.0
        settings: dict[str, Any] = {"stale_if_error": STALE, "cooldown": COOLDOWN, "timeout": PATIENCE}
        self.source = self.keys_of(clock=self.clock, transport=self.provider, **settings)
        self.guard = Guard(JWTVerifier(issuer=ISSUER, audience=RESOURCE, keys=self.source, clock=lambda: NOW, leeway=0))

    def begin(self) -> Provider:
        return Provider()

    def keys_of(self, **options: Any) -> RemoteJWKSet:
        return RemoteJWKSet(ISSUED_BY + "/jwks", **options)

    # --- the provider and the clock

    @rule(trouble=st.sampled_from(["down", "a bug", "hangs", *Provider.TROUBLE]))
    def trouble_begins(self, trouble: str) -> None:
        self.provider.trouble = trouble
        self.trouble_has_changed()

    @rule()
    def trouble_ends(self) -> None:
        self.provider.trouble = None
        self.trouble_has_changed()

    def trouble_has_changed(self) -> None:
        self.source._timeout = HANGING if self.provider.trouble == "hangs" else PATIENCE
        self.provider.release()

    def teardown(self) -> None:
        self.provider.release()

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
        self.stepped_back += seconds

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

    def serves_what_is_published(self) -> bool:
        return self.provider.trouble is None

    @precondition(lambda self: self.serves_what_is_published())
    @rule(data=st.data())
    def a_published_key_after_the_cool_down(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.provider.published.items())))
        self.clock.pass_by(COOLDOWN + self.stepped_back)  # which nobody may have noticed
        self.stepped_back = 0.0
        self.judge(key, genuine=True, colour="blocking", must_get_in=True)

    def judge(self, key: Key, *, genuine: bool, colour: str, must_get_in: bool = False) -> None:
        """Present a token that `key` signed, and hold the answer against what the provider has said."""
        provider, now = self.provider, self.clock.now
        before = provider.told or set()
        # A clock that stepped back: the bound counts from when that was noticed.
        provider.told_at, provider.surely_told_at = min(provider.told_at, now), min(provider.surely_told_at, now)
        age = now - provider.surely_told_at
        usable = bool(before) and age < AGE + STALE
        may_be_usable = bool(before) and now - provider.told_at < AGE + STALE
        asked = provider.asked
        status = self.status_of(key, colour)
        self.settle()
        after = provider.told or set()
        fetched = provider.asked > asked and provider.ended_well is not False
        known = {kid for kid, _ in before}
        if status == 200:
            assert genuine
            assert (may_be_usable and key in before) or (fetched and key in after), "admitted by keys that do not count"
        elif status == 401:
            assert not genuine or key not in after, "a key that the provider publishes was refused"
            assert provider.told is not None, "refused, though nobody has said anything"
            told = provider.ended_well is not False or key[0] in known
            assert told, "an infrastructure fault was taken for a wrong token"
        else:
            assert status == 503
            assert not (usable and key in before), "a token that is known to be good was put off"
            told = provider.ended_well is True or (key[0] in known and not genuine)
            assert not (usable and told), "a wrong token was taken for an infrastructure fault"
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
        """Until no attempt is under way, since what one brings counts for the next request in any case, and its thread
        is at its end or hangs.
        """
        end = time.monotonic() + PATIENCE
        while True:
            fetches, last = self.source.status()["fetches"], self.source._attempts().last
            at_rest = last is None or last.future.done() or self.provider.hung == last.number
            if at_rest and fetches["begun"] == fetches["succeeded"] + fetches["failed"]:
                return
            assert time.monotonic() < end
            threading.Event().wait(0.0005)

    @invariant()
    def the_status_is_one_of_five_and_ready_is_what_it_says(self) -> None:
        status = self.guard.status()
        (source,) = status["sources"]
        assert source["state"] in {"fresh", "refreshing", "stale", "cooling_down", "unavailable"}
        ready = {
            self.provider.told is not None and max(0.0, self.clock.now - moment) < AGE + STALE
            for moment in (self.provider.told_at, self.provider.surely_told_at)
        }
        assert status["ready"] in ready
        assert source["fetches"]["begun"] == self.provider.asked
        assert (source["age"] is None) is (self.provider.told is None)


class DiscoveredHistories(Histories):
    """The same where metadata says where the keys are."""

    provider: Issuer

    def begin(self) -> Issuer:
        return Issuer()

    def keys_of(self, **options: Any) -> RemoteJWKSet:
        return RemoteJWKSet.discover(ISSUED_BY, **options)

    @rule(trouble=st.sampled_from([None, "down", "404", "500", *Issuer.BAD_METADATA]))
    def the_metadata_change(self, trouble: str | None) -> None:
        self.provider.metadata_trouble = trouble

    @precondition(lambda self: len(self.provider.places) < 4)
    @rule()
    def the_keys_move(self) -> None:
        self.provider.move()

    def serves_what_is_published(self) -> bool:
        provider = self.provider
        return provider.trouble is None and provider.metadata_trouble is None and provider.asked_at == provider.place


TestHistories = Histories.TestCase
TestDiscoveredHistories = DiscoveredHistories.TestCase
TestHistories.settings = TestDiscoveredHistories.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
