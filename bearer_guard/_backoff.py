"""For how long nobody is asked again after failures in a row: from 1 s to 30 s, doubling (RFC 9110 §10.2.3).

The jitter points downwards only. What the other side asks for counts within the same bound. Moments are compared as
distances: one that lies in the future is void, so that a clock which steps never locks anyone out.
"""

from __future__ import annotations

import random
from typing import Final

LONGEST_BACKOFF: Final = 30.0


class Backoff:
    """The failures in a row and what follows from them. Not locked: it belongs to a record that is."""

    __slots__ = ("_seconds", "_since", "failures")

    def __init__(self) -> None:
        self.failures = 0
        self._seconds = self._since = 0.0

    def fail(self, now: float, retry_after: float = 0.0) -> None:
        """Count a failure that was noticed at `now` and came with this `retry_after`."""
        longest = min(LONGEST_BACKOFF, 2.0 ** min(self.failures, 10))
        jittered = longest * (1 - random.random() / 4)  # noqa: S311 - spreads load, guards nothing
        self.failures += 1
        self._seconds, self._since = max(jittered, min(retry_after, LONGEST_BACKOFF)), now

    def prolong(self, now: float, retry_after: float) -> None:
        """Let it last until `retry_after` seconds from `now` at least, without counting a failure."""
        if (seconds := min(retry_after, LONGEST_BACKOFF)) > self.left(now):
            self._seconds, self._since = seconds, now

    def end(self) -> None:
        """Forget the failures: there was none since."""
        self.failures = 0
        self._seconds = self._since = 0.0

    def left(self, now: float) -> float:
        """Seconds that are left of it at `now`; nothing from then on, when the clock has stepped back before it."""
        if self._seconds and now < self._since:
            self._seconds = 0.0
        return left(self._seconds, self._since, now) if self._seconds else 0.0


def left(seconds: float, since: float, now: float) -> float:
    """What is left at `now` of `seconds` that began at `since`; nothing when the clock has stepped back before it."""
    return max(0.0, seconds - (now - since)) if since <= now else 0.0
