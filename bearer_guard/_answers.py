"""What an introspection endpoint said about tokens, remembered for a short while (RFC 7662 §4).

An entry is found by the SHA-256 of the token and holds no token. Yes and no are kept apart, each bounded, so that
tokens which strangers invent never push out those that are in use. An answer is never kept past the token's end.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from threading import Lock
from typing import Final, NamedTuple

from cachetools import LRUCache

from ._claims import Claims

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


class Answers:
    """The answers that still count, and the questions under way. Safe to share between threads, and across a fork."""

    def __init__(self, size: int, *, positive: float, negative: float, grace: float) -> None:
        self._active: LRUCache[bytes, Answer] = LRUCache(max(1, size))
        self._inactive: LRUCache[bytes, Answer] = LRUCache(max(1, size))
        self._positive = positive if size else 0.0
        self._negative = negative if size else 0.0
        self._grace = grace if size else 0.0
        self._here = _InThisProcess()
        self._counts = {"begun": 0, "succeeded": 0, "failed": 0}

    def find(self, key: bytes, now: float, *, in_trouble: bool = False) -> Answer | None:
        """The answer that counts at `now`; `in_trouble` adds the grace that a dead endpoint gives to a yes."""
        with self._process().lock:
            return self._find(key, now, self._grace if in_trouble else 0.0)

    def board(self, key: bytes, now: float, deadline: float) -> tuple[Flight, bool]:
        """The flight that brings the answer, or has brought it meanwhile, and whether the caller is to fly it.

        One that has outlived its deadline is not waited for any more: the caller flies another.
        """
        here = self._process()
        with here.lock:
            flight = here.flights.get(key)
            if flight is not None and time.monotonic() < flight.deadline:
                return flight, False
            flight = Flight(deadline)
            flight.answer = self._find(key, now, 0.0)
            if flight.answer is not None:
                return flight, False
            here.flights[key] = flight
            self._counts["begun"] += 1
            return flight, True

    def land(self, key: bytes, flight: Flight) -> None:
        """End a flight, with what it brought."""
        here = self._process()
        with here.lock:
            if flight.answer is not None:
                self._keep(key, flight.answer)
                self._counts["succeeded"] += 1
            elif flight.failure is not None:
                self._counts["failed"] += 1
            if here.flights.get(key) is flight:
                del here.flights[key]
        flight.future.set_result(None)

    def counts(self) -> dict[str, int]:
        """How many questions were asked, were answered, and were not."""
        with self._process().lock:
            return dict(self._counts)

    def _keep(self, key: bytes, answer: Answer) -> None:
        kept, other = (self._inactive, self._active) if answer.claims is None else (self._active, self._inactive)
        kept[key] = answer
        other.pop(key, None)

    def _find(self, key: bytes, now: float, grace: float) -> Answer | None:
        active, inactive = self._active.get(key), self._inactive.get(key)
        if active is not None and active.alive(now) and -_SLACK <= now - active.at < self._positive + grace:
            return active
        if inactive is not None and -_SLACK <= now - inactive.at < self._negative:
            return inactive
        return None

    def _process(self) -> _InThisProcess:
        if self._here.pid != os.getpid():  # a fork: the parent's lock and the threads that asked stayed behind
            self._here = _InThisProcess()
        return self._here


class _InThisProcess:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = Lock()
        self.flights: dict[bytes, Flight] = {}
