"""Random histories of an introspection endpoint, a clock and callers, against a model that knows only what was said.

In every state: an infrastructure fault never yields 401, and nothing is admitted that the model would refuse. How often
the endpoint is asked is not held here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qs

import trio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bearer_guard import Guard, IntrospectionVerifier
from bearer_guard.transport import ExchangeFailed, Request, Response
from tests.faults.scene import Callers, Clock
from tests.tokens import NOW, RESOURCE

YES, NO = 60.0, 5.0
SLACK = 1.0
"""Seconds that an answer may lie in the future."""
TOKENS = ["one", "two"]


class Said(NamedTuple):
    """What the endpoint said about a token, and when: until when it is active, or None for a no."""

    at: float
    until: float | None


class Endpoint:
    """A transport whose other end behaves as it is told, and remembers what it has said."""

    TROUBLE: ClassVar[dict[str, Callable[[], Response]]] = {
        "500": lambda: Response(status=500, body=b'{"active":true}'),
        "401": lambda: Response(status=401, body=b'{"error":"invalid_client"}'),
        "403": lambda: Response(status=403, body=b'{"active":false}'),
        "429": lambda: Response(status=429, headers={"retry-after": "20"}),
        "redirect": lambda: Response(status=302, headers={"location": "https://evil.example/"}),
        "HTML": lambda: Response(status=200, headers={"content-type": "text/html"}, body=b"<html>"),
        "[]": lambda: Response(status=200, body=b"[]"),
        "nothing": lambda: Response(status=200),
        "half": lambda: Response(status=200, body=b'{"active":fal'),
        "twice": lambda: Response(status=200, body=b'{"active":false,"active":true}'),
    }

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.trouble: str | None = None
        self.failed = False  # when it was asked last
        self.active = dict.fromkeys(TOKENS, clock.now + 100_000)
        self.said: dict[str, list[Said]] = {token: [] for token in TOKENS}

    def send(self, request: Request) -> Response:
        (token,) = parse_qs((request.body or b"").decode())["token"]
        self.failed = self.trouble is not None
        if self.trouble == "down":
            raise ExchangeFailed("the endpoint is down")
        if self.trouble is not None:
            return self.TROUBLE[self.trouble]()
        until = self.active.get(token)
        self.said[token].append(Said(self.clock.now, until))
        answer: dict[str, Any] = {"active": until is not None}
        if until is not None:
            answer.update(aud=RESOURCE, sub="u1", exp=until)
        return Response(status=200, headers={"content-type": "application/json"}, body=json.dumps(answer).encode())


class Histories(RuleBasedStateMachine, Callers):
    """What may happen, and what must be true of each answer."""

    grace = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(float(NOW))
        self.endpoint = Endpoint(self.clock)
        self.guard = Guard(
            IntrospectionVerifier(
                endpoint="https://id.example.com/introspect",
                audience=RESOURCE,
                client_id="api",
                client_secret="s3cret",
                leeway=0,
                cache_ttl=YES,
                negative_ttl=NO,
                stale_if_error=self.grace,
                clock=self.clock,
                transport=self.endpoint,
            )
        )

    # --- the endpoint and the clock

    @rule(trouble=st.sampled_from(["down", *Endpoint.TROUBLE]), after=st.sampled_from([0.0, 6.0, 99.0]))
    def trouble_begins(self, trouble: str, after: float) -> None:
        self.clock.pass_by(after)
        self.endpoint.trouble = trouble
        self.every_token_is_presented()

    @rule()
    def trouble_ends(self) -> None:
        self.endpoint.trouble = None
        self.every_token_is_presented()

    @rule(token=st.sampled_from(TOKENS), lifetime=st.sampled_from([50.0, 90.0, 100_000.0]))
    def a_token_is_issued(self, token: str, lifetime: float) -> None:
        self.endpoint.active[token] = self.clock.now + lifetime

    @rule(token=st.sampled_from(TOKENS), after=st.sampled_from([0.0, 61.0]))
    def a_token_is_revoked(self, token: str, after: float) -> None:
        self.clock.pass_by(after)
        self.endpoint.active.pop(token, None)
        self.a_token_is_presented(token, "blocking")

    @rule(seconds=st.sampled_from([4.0, 6.0, 61.0, 99.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @rule(seconds=st.sampled_from([0.1, 20.0, 200.0]))
    def the_clock_steps_back(self, seconds: float) -> None:
        self.clock.pass_by(-seconds)

    # --- the callers

    @rule(token=st.sampled_from(TOKENS), colour=st.sampled_from(["blocking", "asyncio", "trio"]))
    def a_token_is_presented(self, token: str, colour: str) -> None:
        endpoint, now = self.endpoint, self.clock.now
        said = endpoint.said[token]
        heard = len(said)
        status = self.status_of(token, colour)
        asked = len(said) > heard
        last = said[-1] if said else None
        if status == 200:
            assert last is not None, "admitted, though nobody has said anything"
            assert last.until is not None, "admitted after a no"
            assert now < last.until, "admitted past its end"
            assert -SLACK <= now - last.at < YES + (self.grace if endpoint.failed else 0.0), (
                "admitted by a yes of long ago"
            )
        elif status == 401:
            assert last is not None, "an infrastructure fault was taken for a wrong token"
            over = last.until is not None and now >= last.until
            assert last.until is None or over, "a token that is active was refused"
            assert asked or over or -SLACK <= now - last.at < NO, "refused by a no of long ago"
        else:
            assert status == 503
            assert not asked, "the endpoint has answered"

    def every_token_is_presented(self) -> None:
        for token in TOKENS:
            self.a_token_is_presented(token, "blocking")

    def status_of(self, token: str, colour: str) -> int:
        if colour == "asyncio":
            return asyncio.run(self.aask(token))
        return trio.run(self.aask, token) if colour == "trio" else self.ask(token)

    @invariant()
    def the_status_can_be_told(self) -> None:
        (source,) = self.guard.status()["sources"]
        assert source["state"] in {"fresh", "refreshing", "stale", "cooling_down", "unavailable"}


class PatientHistories(Histories):
    """The same where a yes serves for a while past its time, as long as the endpoint is in trouble."""

    grace = 100.0


TestHistories = Histories.TestCase
TestPatientHistories = PatientHistories.TestCase
TestHistories.settings = TestPatientHistories.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
