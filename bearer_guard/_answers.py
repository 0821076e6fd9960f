"""What an introspection endpoint said about tokens, remembered for a short while (RFC 7662 §4).

An entry is found by the SHA-256 of the token and holds no token. Yes and no are kept apart, each bounded, so that
tokens which strangers invent never push out those that are in use. An answer is never kept past the token's end.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from threading import Lock
from typing import Final, NamedTuple

from cachetools import LRUCache

from ._claims import Claims
from ._process import PerProcess

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


class Flight:
    """A question that is under way; whoever has the same one waits for it, until `deadline` (real time) at most.

    It ends with an `answer`, with a `failure` that says why there is none and how many seconds to wait, or, abandoned
    by the request that asked, with neither.
    """

    __slots__ = ("answer", "deadline", "failure", "future")

    def __init__(self, deadline: float) -> None:
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()
        self.deadline = deadline
        self.answer: Answer | None = None
        self.failure: tuple[str, float] | None = None


class _Kept:
    """What one process knows. Hold `lock` to read or write: a fork meanwhile may find the caches half changed."""

    def __init__(self, active: LRUCache[bytes, Answer], inactive: LRUCache[bytes, Answer]) -> None:
        self.lock = Lock()
        self.active = active
        self.inactive = inactive
        self.flights: dict[bytes, Flight] = {}
        self.counts = {"begun": 0, "succeeded": 0, "failed": 0}


class Answers:
    """The answers that still count, and the questions under way. Safe to share between threads, and across a fork:
    the child keeps what is known, unless the fork came in the middle of a change, and waits for none of the parent's
    questions.
    """

    def __init__(self, size: int, *, positive: float, negative: float, grace: float) -> None:
        self._size = max(1, size)
        self._positive = positive if size else 0.0
        self._negative = negative if size else 0.0
        self._grace = grace if size else 0.0
        self._process = PerProcess(self._begin)

    def find(self, key: bytes, now: float, *, in_trouble: bool = False) -> Answer | None:
        """The answer that counts at `now`; `in_trouble` adds the grace that a dead endpoint gives to a yes."""
        kept = self._process.here()
        with kept.lock:
            return self._find(kept, key, now, self._grace if in_trouble else 0.0)

    def board(self, key: bytes, now: float, deadline: float) -> tuple[Flight, bool]:
        """The flight that brings the answer, or has brought it meanwhile, and whether the caller is to fly it.

        One that has outlived its deadline is not waited for any more: the caller flies another.
        """
        kept = self._process.here()
        with kept.lock:
            flight = kept.flights.get(key)
            if flight is not None and time.monotonic() < flight.deadline:
                return flight, False
            flight = Flight(deadline)
            flight.answer = self._find(kept, key, now, 0.0)
            if flight.answer is not None:
                return flight, False
            kept.flights[key] = flight
            kept.counts["begun"] += 1
            return flight, True

    def land(self, key: bytes, flight: Flight) -> None:
        """End a flight, with what it brought."""
        kept = self._process.here()
        with kept.lock:
            if flight.answer is not None:
                yes = flight.answer.claims is not None
                (kept.active if yes else kept.inactive)[key] = flight.answer
                (kept.inactive if yes else kept.active).pop(key, None)
                kept.counts["succeeded"] += 1
            elif flight.failure is not None:
                kept.counts["failed"] += 1
            if kept.flights.get(key) is flight:
                del kept.flights[key]
        flight.future.set_result(None)

    def counts(self) -> dict[str, int]:
        """How many questions were asked, were answered, and were not."""
        kept = self._process.here()
        with kept.lock:
            return dict(kept.counts)

    def _find(self, kept: _Kept, key: bytes, now: float, grace: float) -> Answer | None:
        active, inactive = kept.active.get(key), kept.inactive.get(key)
        if active is not None and active.alive(now) and -_SLACK <= now - active.at < self._positive + grace:
            return active
        if inactive is not None and -_SLACK <= now - inactive.at < self._negative:
            return inactive
        return None

    def _begin(self, parents: _Kept | None) -> _Kept:
        if parents is None or parents.lock.locked():
            return _Kept(LRUCache(self._size), LRUCache(self._size))
        return _Kept(parents.active, parents.inactive)
