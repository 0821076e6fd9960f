"""The record of attempts to bring keys in one process, and the two limits that hold the next one back.

The back-off grows with failures in a row, from 1 s to 30 s, its jitter downwards only. The budget allows two attempts
that a token asked for in a cool-down, counted from the end of each, whether it brought anything or not. Stored times
are compared as distances: one that lies in the future, or further ahead than a back-off can be, is void.
"""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import Future
from threading import Lock
from typing import Final, NamedTuple

from ._jwks import KeySet

REFETCH_BUDGET: Final = 2
LONGEST_BACKOFF: Final = 30.0


class Fetched(NamedTuple):
    """What an attempt brought: the keys, or None for "not modified", and for how many seconds they are fresh."""

    keys: KeySet | None
    age: float


class FetchFailed(Exception):
    """An attempt that brought nothing. The message is safe to log; `retry_after` is what the provider asked for."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Attempt:
    """One try to bring keys, known by its number; `deadline` is real time, as `time.monotonic` counts it."""

    __slots__ = ("deadline", "future", "number", "spends", "succeeded")

    def __init__(self, number: int, deadline: float, *, spends: bool) -> None:
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()  # so that a cancelled caller cannot cancel it for the others
        self.number = number
        self.deadline = deadline
        self.spends = spends
        self.succeeded = False


class Attempts:
    """What is known about attempts. Hold `lock` around every method: plans are made under it, nothing else is done."""

    def __init__(self, cooldown: float, begun: int = 0) -> None:
        self.pid = os.getpid()
        self.lock = Lock()
        self.begun = begun
        self.under_way: Attempt | None = None
        self.last: Attempt | None = None
        self.ended_at: float | None = None
        self.last_error: str | None = None
        self.succeeded = self.failed = 0
        self._cooldown = cooldown
        self._failures = 0
        self._retry_at: float | None = None
        self._spent: list[float] = []

    def blocked_for(self, now: float, *, spends: bool) -> float:
        """Seconds until an attempt may begin, 0 if it may now; `spends` says that a token asks for it."""
        blocked = 0.0
        if self._retry_at is not None and self._retry_at - now <= LONGEST_BACKOFF:
            blocked = self._retry_at - now
        self._spent = [ended for ended in self._spent if 0 <= now - ended < self._cooldown]
        if spends and len(self._spent) >= REFETCH_BUDGET:
            blocked = max(blocked, self._cooldown - (now - self._spent[-REFETCH_BUDGET]))
        return max(0.0, blocked)

    def begin(self, timeout: float, *, spends: bool) -> Attempt:
        """A new attempt, under way from now on for at most `timeout` seconds of real time."""
        self.begun += 1
        self.under_way = Attempt(self.begun, time.monotonic() + timeout, spends=spends)
        return self.under_way

    def give_up_overdue(self, now: float) -> None:
        """Count an attempt that outlived its deadline as failed; what it may still bring is dropped."""
        if self.under_way is not None and time.monotonic() >= self.under_way.deadline:
            self.end(self.under_way, now, error="no complete answer in time")

    def end(self, attempt: Attempt, now: float, *, error: str | None = None, retry_after: float = 0.0) -> bool:
        """Record how an attempt ended; False when it is not the one under way any more: it came too late."""
        if self.under_way is not attempt:
            return False
        self.under_way, self.last, self.ended_at = None, attempt, now
        if attempt.spends:
            self._spent.append(now)
        if error is None:
            attempt.succeeded = True
            self.succeeded += 1
            self._failures, self._retry_at = 0, None
        else:
            self.last_error = error
            self.failed += 1
            self._failures += 1
            self._retry_at = now + max(self._backoff(), min(retry_after, LONGEST_BACKOFF))
        return True

    def _backoff(self) -> float:
        longest = min(LONGEST_BACKOFF, 2.0 ** min(self._failures - 1, 10))
        return longest * (1 - random.random() / 4)  # noqa: S311 - spreads load, guards nothing
