"""A brake on guessing: how many wrong secrets a client identifier may bring before it has to wait (RFC 6749 §10.10)."""

from __future__ import annotations

import threading
from typing import Final

from .._process import PerProcess

_REMEMBERED: Final = 10_000


class Brake:
    """Counts failures per name: `allowed` at once, and one more for every `seconds`. Safe to share between threads.

    At most 10,000 names are remembered, those that failed last.
    """

    def __init__(self, *, allowed: int = 20, seconds: float = 6.0) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._lock: Final = PerProcess(lambda _: threading.Lock())
        self._debts: dict[str, tuple[float, float]] = {}

    def wait(self, name: str, now: float) -> float:
        """Seconds until `name` may try again; 0 when it may now."""
        return max(0.0, self._debt(name, now) - (self._allowed - 1) * self._seconds)

    def failed(self, name: str, now: float) -> None:
        """Remember one more failure of `name`."""
        with self._lock.here():
            debt = min(self._debt(name, now) + self._seconds, self._allowed * self._seconds)
            self._debts.pop(name, None)
            self._debts[name] = (debt, now)
            if len(self._debts) > _REMEMBERED:
                del self._debts[next(iter(self._debts))]

    def _debt(self, name: str, now: float) -> float:
        debt, since = self._debts.get(name, (0.0, now))
        return max(0.0, debt - max(0.0, now - since))
