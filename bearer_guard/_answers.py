"""What an introspection endpoint said about tokens, remembered for a short while (RFC 7662 §4).

An entry is found by the SHA-256 of the token and holds no token. Yes and no are kept apart, each bounded, so that
tokens which strangers invent never push out those that are in use. An answer is never kept past the token's end.
"""

from __future__ import annotations

from concurrent.futures import Future
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from ._claims import Claims


class Answer(NamedTuple):
    """An endpoint's answer: the claims of an active token, or None for one that is not; `at` is when it came."""

    claims: Claims | None
    at: float

    def alive(self, now: float) -> bool:
        """Whether `exp` has not come; what is no NumericDate there is for the claim rules to refuse."""
        expires = None if self.claims is None else self.claims.get("exp")
        return not isinstance(expires, int | float) or now < expires


class Flight:
    """A question that is under way; whoever has the same one waits for it. `failure` says why it brought nothing."""

    __slots__ = ("failure", "future")

    def __init__(self) -> None:
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()
        self.failure: tuple[str, float] | None = None


class Answers:
    """The answers that still count, and the questions under way. Safe to share between threads."""

    def __init__(self, size: int, *, positive: float, negative: float, grace: float) -> None:
        self._lock = Lock()
        self._active: LRUCache[bytes, Answer] = LRUCache(max(1, size))
        self._inactive: LRUCache[bytes, Answer] = LRUCache(max(1, size))
        self._flights: dict[bytes, Flight] = {}
        self._positive = positive if size else 0.0
        self._negative = negative if size else 0.0
        self._grace = grace

    def find(self, key: bytes, now: float, *, in_trouble: bool = False) -> Answer | None:
        """The answer that counts at `now`; `in_trouble` adds the grace that a dead endpoint gives to a yes."""
        with self._lock:
            return self._find(key, now, self._grace if in_trouble else 0.0)

    def board(self, key: bytes, now: float) -> tuple[Answer | None, Flight, bool]:
        """An answer that has come meanwhile, the flight that brings one, and whether the caller is to fly it."""
        with self._lock:
            answer = self._find(key, now, 0.0)
            flight = self._flights.get(key)
            if flight is not None or answer is not None:
                return answer, flight or Flight(), False
            flight = self._flights[key] = Flight()
            return None, flight, True

    def land(self, key: bytes, flight: Flight, answer: Answer | None) -> None:
        """End a flight, with the answer that it brought or, having failed or been abandoned, without."""
        with self._lock:
            if answer is not None:
                (self._inactive if answer.claims is None else self._active)[key] = answer
                (self._active if answer.claims is None else self._inactive).pop(key, None)
            self._flights.pop(key, None)
        flight.future.set_result(None)

    def _find(self, key: bytes, now: float, grace: float) -> Answer | None:
        active, inactive = self._active.get(key), self._inactive.get(key)
        if active is not None and active.alive(now) and 0 <= now - active.at < self._positive + grace:
            return active
        if inactive is not None and 0 <= now - inactive.at < self._negative:
            return inactive
        return None
