"""What an introspection endpoint said about tokens, remembered for a short while (RFC 7662 §4).

An entry is found by the SHA-256 of the token and holds no token. Yes and no are kept apart, each bounded, so that
tokens which strangers invent never push out those that are in use. An answer is never kept past the token's end. Who
may ask while the endpoint is in trouble is for `_trouble` to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Final, NamedTuple

from cachetools import LRUCache

from ._claims import Claims
from ._process import PerProcess
from ._trouble import Failure, Question, Trouble

_SLACK: Final = 1.0
"""Seconds that an answer may lie in the future: two threads read the clock in one order and get here in another."""


class Answer(NamedTuple):
    """What an endpoint said: the claims of an active token, or None for any other; `at` is when it was asked."""

    claims: Claims | None
    at: float

    def alive(self, now: float) -> bool:
        """Whether `exp` has not come; what is no NumericDate there is for the claim rules to refuse."""
        expires = None if self.claims is None else self.claims.get("exp")
        return not isinstance(expires, int | float) or now < expires


class Flight(Question):
    """A question that is under way; whoever has the same one waits for it, until `deadline` (real time) at most.

    It ends with an `answer`, with a `failure` that says why there is none, or, abandoned by the request that asked,
    with neither.
    """

    __slots__ = ("answer", "failure", "future")

    def __init__(self, key: bytes, deadline: float, *, nobodys: bool = False) -> None:
        super().__init__(key, deadline, nobodys=nobodys)
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()
        self.answer: Answer | None = None
        self.failure: Failure | None = None


class Known(NamedTuple):
    """What `Guard.status` tells; `age` counts from the last answer, whatever it said."""

    state: str
    age: float | None
    next_question: float | None
    error: str | None
    counts: dict[str, int]


class _Kept:
    """What one process knows. Hold `lock` to read or write: a fork meanwhile may find the caches half changed."""

    def __init__(
        self, active: LRUCache[bytes, Answer], inactive: LRUCache[bytes, Answer], answered_at: float | None
    ) -> None:
        self.lock = Lock()
        self.active = active
        self.inactive = inactive
        self.trouble = Trouble(answered_at)
        self.flights: dict[bytes, Flight] = {}
        self.counts = {"begun": 0, "succeeded": 0, "failed": 0}


class Answers:
    """The answers that still count, and the questions under way. Safe to share between threads, and across a fork:
    the child keeps what is known, unless the fork came in the middle of a change, waits for none of the parent's
    questions, and knows of no trouble yet. `clock` counts how long that holds questions back.
    """

    def __init__(
        self, size: int, *, positive: float, negative: float, grace: float, clock: Callable[[], float]
    ) -> None:
        self._size = max(1, size)
        self._positive = positive if size else 0.0
        self._negative = negative if size else 0.0
        self._grace = grace if size else 0.0
        self._clock = clock
        self._process = PerProcess(self._begin)

    def find(self, key: bytes, now: float, *, in_trouble: bool = False) -> Answer | None:
        """The answer that counts at `now`; `in_trouble` adds the grace that a dead endpoint gives to a yes."""
        kept = self._process.here()
        with kept.lock:
            return self._find(kept, key, now, self._grace if in_trouble else 0.0)

    def board(
        self, key: bytes, now: float, deadline: float, *, nobodys: bool = False, follows: bool = False
    ) -> tuple[Flight, bool]:
        """The flight that brings the answer, or has brought it meanwhile, and whether the caller is to fly it.

        One that has outlived its deadline is not waited for any more: the caller flies another. In known trouble nobody
        is made to wait for others: the flight has failed before it began, unless it is to find out how things are.
        `nobodys` and `follows` are as in `Question` and `Trouble.begin`.
        """
        kept = self._process.here()
        with kept.lock:
            moment = self._clock()
            kept.trouble.give_up_overdue(moment)
            flying = kept.flights.get(key)
            flies = flying is not None and not flying.future.done() and time.monotonic() < flying.deadline
            if flying is not None and flies and (follows or not kept.trouble.concerns(key)):
                return flying, False
            flight = Flight(key, deadline, nobodys=nobodys)
            flight.answer = self._find(kept, key, now, 0.0)
            if flight.answer is not None:
                return flight, False
            wait = (kept.trouble.wait_of_nobodys if nobodys else kept.trouble.wait)(key, moment)
            if wait > 0 and not follows:
                flight.failure = Failure(str(kept.trouble.error), wait)
                return flight, False
            kept.flights[key] = flight
            kept.trouble.begin(flight, follows=follows)
            kept.counts["begun"] += 1
            return flight, True

    def land(self, flight: Flight, *, remember: bool = True) -> bool:
        """End a flight, with what it brought; whether a question about nobody's token must follow (`Trouble.fail`)."""
        kept, key, unclear = self._process.here(), flight.key, False
        if flight.answer is None and flight.failure is None:
            self._abandon(kept, flight)
            return False
        with kept.lock:
            moment = self._clock()
            if flight.answer is not None:
                if remember:
                    yes = flight.answer.claims is not None
                    (kept.active if yes else kept.inactive)[key] = flight.answer
                    (kept.inactive if yes else kept.active).pop(key, None)
                kept.trouble.succeed(flight, moment)
                kept.counts["succeeded"] += 1
            if flight.failure is not None:
                unclear = kept.trouble.fail(flight, moment, flight.failure)
                flight.failure = kept.trouble.told(flight.failure, key, moment)
                kept.counts["failed"] += 1
            if kept.flights.get(key) is flight:
                del kept.flights[key]
        flight.future.set_result(None)
        return unclear

    def _abandon(self, kept: _Kept, flight: Flight) -> None:
        """End a flight that nobody flies any more. Without the lock, of which this very thread may be the holder: the
        garbage collector ends coroutines that nobody finished wherever it happens to come round.
        """
        kept.trouble.abandon(flight)
        if kept.flights.get(flight.key) is flight:
            kept.flights.pop(flight.key, None)
        flight.future.set_result(None)

    def known(self) -> Known:
        """What is known of the endpoint, and how many questions were asked, were answered, and were not."""
        kept = self._process.here()
        with kept.lock:
            now, trouble = self._clock(), kept.trouble
            trouble.give_up_overdue(now)
            age = None if trouble.answered_at is None else max(0.0, now - trouble.answered_at)
            return Known(trouble.state(), age, trouble.next_question(now), trouble.error, dict(kept.counts))

    def _find(self, kept: _Kept, key: bytes, now: float, grace: float) -> Answer | None:
        for cache, lasts in ((kept.active, self._positive + grace), (kept.inactive, self._negative)):
            answer = cache.get(key)
            if answer is None:
                continue
            if now - answer.at < -_SLACK:  # the clock stepped back: never to count again
                cache.pop(key)
            elif now - answer.at < lasts and answer.alive(now):
                return answer
        return None

    def _begin(self, parents: _Kept | None) -> _Kept:
        answered_at = None if parents is None else parents.trouble.answered_at
        if parents is None or parents.lock.locked():
            return _Kept(LRUCache(self._size), LRUCache(self._size), answered_at)
        return _Kept(parents.active, parents.inactive, answered_at)
