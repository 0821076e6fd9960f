"""An endpoint in trouble: whose questions are held back, for how long, and which one finds out whether it is over.

A question that brought no answer holds back those after it, by the back-off of keys or for as long as the endpoint asks
for (RFC 9110 §10.2.3). When that is over one question is let through, and an answer ends the trouble. What may be owed
to the very token that was asked about, as an odd status may, holds back that token alone and proves nothing about the
endpoint: where tokens differ, a question about nobody's token decides, so that no stranger's close an endpoint that
answers others, or keep it closed.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from ._backoff import LONGEST_BACKOFF, Backoff


class Failure(NamedTuple):
    """Why a question has no answer, in words that are safe to log, and how many seconds to wait before the next one.

    `of_token` says that it may be owed to the token that was asked about.
    """

    problem: str
    retry_after: float = 0.0
    of_token: bool = False


class Question:
    """A question about one token, known by its `key`; `deadline` is real time, as `time.monotonic` counts it.

    `probes` says that it finds out whether the trouble is over.
    """

    __slots__ = ("deadline", "key", "probes", "turn")

    def __init__(self, key: bytes, deadline: float) -> None:
        self.key = key
        self.deadline = deadline
        self.probes = False
        self.turn = 0


class Trouble:
    """What is known about the trouble of an endpoint in one process. Hold the owner's lock around every method, and
    read the clock while holding it: a moment that was read before somebody else's later one would lie in its past.
    """

    def __init__(self, answered_at: float | None = None) -> None:
        self.answered_at = answered_at
        self.error: str | None = None
        self._backoff = Backoff()
        self._key: bytes | None = None
        self._probe: Question | None = None
        self._told = False
        self._turn = 0

    def concerns(self, key: bytes) -> bool:
        """Whether there is trouble that holds questions about this token back."""
        return self.error is not None and self._key in (None, key)

    def wait(self, key: bytes, now: float) -> float:
        """Seconds until a question about this token may be asked, 0 if it may now."""
        if not self.concerns(key):
            return 0.0
        probing = 0.0 if self._probe is None else self._probe.deadline - time.monotonic()
        return max(self._backoff.left(now), probing)

    def told(self, failure: Failure, key: bytes, now: float) -> Failure:
        """`failure` with the seconds that whoever brought this token is told to wait."""
        return failure._replace(retry_after=max(self.wait(key, now), min(failure.retry_after, LONGEST_BACKOFF)))

    def begin(self, question: Question) -> None:
        """Take note of a question that nothing holds back."""
        question.turn = self._turn
        question.probes = self.concerns(question.key)
        if question.probes:
            self._probe = question

    def give_up_overdue(self, now: float) -> None:
        """Count a probe that outlived its deadline as failed: another one is let through in its time."""
        if self._probe is not None and time.monotonic() >= self._probe.deadline:
            self.fail(self._probe, now, Failure("no answer in time"))

    def succeed(self, question: Question, now: float) -> None:
        """Record an answer, whatever it says about the token. It ends the trouble.

        Unless it was asked for before the endpoint said that it wants to be left alone.
        """
        self.answered_at = now
        if self.error is None or (self._told and question.turn != self._turn):
            return
        self.error = self._key = self._probe = None
        self._backoff.end()
        self._turn += 1

    def fail(self, question: Question, now: float, failure: Failure) -> bool:
        """Record that there was no answer. Questions that were under way together make one failure.

        Whether it takes a question about nobody's token, now, to tell whose trouble it is.
        """
        self.abandon(question)
        behind = question.turn != self._turn
        if behind and self.error is None:
            return False  # it was asked before the trouble that is over now
        key = question.key if failure.of_token else None
        other = self.error is not None and key not in (None, self._key)
        if other and self._key is None:
            return True  # everybody's trouble, which an odd answer neither ends nor prolongs
        if self._key not in (None, key):  # trouble of another token, or of everybody, that begins now
            self._backoff.end()
            behind = False
        self.error, self._key = failure.problem, key
        if behind:
            self._backoff.prolong(now, failure.retry_after)
            self._told = self._told or failure.retry_after > 0
        else:
            self._backoff.fail(now, failure.retry_after)
            self._told = failure.retry_after > 0
            self._turn += 1
        return other

    def abandon(self, question: Question) -> None:
        """Record that nobody waits for the answer any more: the next question may find out."""
        if self._probe is question:
            self._probe = None

    def state(self, now: float) -> str:
        """One of the states of `Guard.status`."""
        if self.answered_at is None:
            return "unavailable"
        if self._key is not None:
            return "cooling_down" if self._backoff.left(now) > 0 else "fresh"
        if self.error is None:
            return "fresh"
        return "stale" if self._probe is None else "refreshing"

    def next_question(self, now: float) -> float | None:
        """Seconds until one who is held back may ask, as nobody has done yet; None where there is no reason to."""
        if self.error is None:
            return 0.0 if self.answered_at is None else None
        return self._backoff.left(now)
