"""The record of attempts to bring keys in one process, and the limits that hold the next one back.

The back-off grows with failures in a row (`_backoff`). The budget allows two attempts that a token asked for in a
cool-down, counted from the end of each, whether it failed or not; only one that brought a key which was never there
before is not counted, because no stranger can cause that, and so rotations in quick succession lose no token. A key
that comes back is not new: servers which do not agree on their keys cause that at every question. Moments are compared
as distances: one that lies in the future is void, and forgotten.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future
from threading import Lock
from typing import Final, NamedTuple

from ._backoff import Backoff, left
from ._jwks import KeySet

REFETCH_BUDGET: Final = 2
REFETCH_CEILING: Final = 20
"""Attempts that tokens asked for in a cool-down, whatever they brought: for a provider that always has another key."""
REMEMBERED: Final = 20
"""Changes after which keys that went are remembered."""


class Fetched(NamedTuple):
    """What an attempt brought: the keys, or None for "not modified", and for how many seconds they are fresh.

    `origin` is whatever the source wants to see again in the next attempt, provided that these keys are taken.
    """

    keys: KeySet | None
    age: float
    origin: object = None


class FetchFailed(Exception):
    """An attempt that brought nothing. The message is safe to log; `retry_after` is what the provider asked for."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Attempt:
    """One try to bring keys, known by its number; `deadline` is real time, as `time.monotonic` counts it."""

    __slots__ = ("after_failure", "deadline", "future", "number", "spends", "succeeded")

    def __init__(self, number: int, deadline: float, *, spends: bool, after_failure: bool) -> None:
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()  # so that a cancelled caller cannot cancel it for the others
        self.number = number
        self.deadline = deadline
        self.spends = spends
        self.after_failure = after_failure
        self.succeeded = False


class Attempts:
    """What is known about attempts. Hold `lock` around every method, and read the clock while holding it: a moment that
    was read before somebody else's later one would lie in the past of what it is compared with.
    """

    def __init__(self, cooldown: float) -> None:
        self.lock = Lock()
        self.begun = self.succeeded = self.failed = 0
        self.under_way: Attempt | None = None
        self.last: Attempt | None = None
        self.last_good = 0
        self.ended_at: float | None = None
        self.last_error: str | None = None
        self._cooldown = cooldown
        self._backoff = Backoff()
        self._fruitless: deque[float] = deque(maxlen=REFETCH_BUDGET)
        self._asked_for: deque[float] = deque(maxlen=REFETCH_CEILING)
        self._dropped: deque[frozenset[int]] = deque(maxlen=REMEMBERED)

    def blocked_for(self, now: float, *, spends: bool) -> float:
        """Seconds until an attempt may begin, 0 if it may now; `spends` says that a token asks for it."""
        if self.ended_at is not None and now < self.ended_at:
            self._step_back(now)
        blocked = self._backoff.left(now) if self._backoff.failures else 0.0
        if spends and len(self._fruitless) == REFETCH_BUDGET:
            blocked = max(blocked, left(self._cooldown, self._fruitless[0], now))
        if spends and len(self._asked_for) == REFETCH_CEILING:
            blocked = max(blocked, left(self._cooldown, self._asked_for[0], now))
        return blocked

    def begin(self, timeout: float, *, spends: bool) -> Attempt:
        """A new attempt, under way from now on for at most `timeout` seconds of real time."""
        self.begun += 1
        after_failure = self._backoff.failures > 0
        self.under_way = Attempt(self.begun, time.monotonic() + timeout, spends=spends, after_failure=after_failure)
        return self.under_way

    def give_up_overdue(self, now: float) -> None:
        """Count an attempt that outlived its deadline as failed; what it may still bring is dropped."""
        if self.under_way is not None and time.monotonic() >= self.under_way.deadline:
            self.fail(self.under_way, now, "no complete answer in time")

    def succeed(
        self,
        attempt: Attempt,
        now: float,
        *,
        added: frozenset[int] = frozenset(),
        dropped: frozenset[int] = frozenset(),
    ) -> bool:
        """Record that an attempt ended well, and the hashes of the keys that came and went with it.

        False when it is not the one under way any more: it came too late.
        """
        if not self._end(attempt, now, spent=not added.difference(*self._dropped)):
            return False
        if dropped:
            self._dropped.append(dropped)
        attempt.succeeded = True
        self.last_good = attempt.number
        self.succeeded += 1
        self._backoff.end()
        self.last_error = None
        return True

    def fail(self, attempt: Attempt, now: float, error: str, *, retry_after: float = 0.0) -> bool:
        """Record that an attempt failed; False when it is not the one under way any more."""
        if not self._end(attempt, now, spent=True):
            return False
        self.last_error = error
        self.failed += 1
        self._backoff.fail(now, retry_after)
        return True

    def _step_back(self, now: float) -> None:
        """Forget what now lies in the future: it must not count again when the clock gets there once more."""
        self.ended_at = now
        for ends in (self._fruitless, self._asked_for):
            while ends and ends[-1] > now:
                ends.pop()

    def _end(self, attempt: Attempt, now: float, *, spent: bool) -> bool:
        if self.under_way is not attempt:
            return False
        self.under_way, self.last, self.ended_at = None, attempt, now
        if attempt.spends:
            self._asked_for.append(now)
            if spent:
                self._fruitless.append(now)
        return True
