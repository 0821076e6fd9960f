"""An endpoint in trouble: whose questions are held back, for how long, and which one finds out whether it is over.

Trouble that is told at once, whatever it is, holds nobody back: the next question costs nobody time, and may well be
answered. A question that kept its caller waiting holds back those after it, by the back-off of keys, and so does an
endpoint that asks to be left alone (RFC 9110 §10.2.3). When that is over one question is let through, and whatever
comes back quickly ends it. No stranger's token may make others wait: a question about nobody's token follows the one
that took too long, and if that is quick, so is the endpoint; for a while slow questions then hold back their own token
alone.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from ._backoff import LONGEST_BACKOFF, Backoff


class Failure(NamedTuple):
    """Why a question has no answer, in words that are safe to log.

    `retry_after` is for how many seconds the endpoint asks to be left alone, `slow` says that the question kept its
    caller waiting.
    """

    problem: str
    retry_after: float = 0.0
    slow: bool = False


class Question:
    """A question about one token, known by its `key`; `deadline` is real time, as `time.monotonic` counts it.

    `nobodys` says that no request has brought the token, `probes` that the question finds out whether trouble is over.
    """

    __slots__ = ("deadline", "key", "nobodys", "probes", "turn")

    def __init__(self, key: bytes, deadline: float, *, nobodys: bool = False) -> None:
        self.key = key
        self.deadline = deadline
        self.nobodys = nobodys
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
        self._nobodys = Backoff()  # of questions that no request makes: whoever asks for readiness makes few of them
        self._holds = False
        self._key: bytes | None = None  # whose questions are held back; None for everybody's
        self._told = False
        self._probe: Question | None = None
        self._turn = 0  # of what began or ended holding questions back
        self._vouched_at: float | None = None

    def concerns(self, key: bytes) -> bool:
        """Whether there is trouble that holds questions about this token back."""
        return self._holds and self._key in (None, key)

    def wait(self, key: bytes, now: float) -> float:
        """Seconds until a question about this token may be asked, 0 if it may now."""
        if not self.concerns(key):
            return 0.0
        probing = 0.0 if self._probe is None else self._probe.deadline - time.monotonic()
        return max(self._backoff.left(now), probing)

    def wait_of_nobodys(self, key: bytes, now: float) -> float:
        """The same for a question about nobody's token, `key`, which no request has to wait for."""
        return max(self.wait(key, now), self._nobodys.left(now))

    def told(self, failure: Failure, key: bytes, now: float) -> Failure:
        """`failure` with the seconds that whoever brought this token is told to wait."""
        return failure._replace(retry_after=max(self.wait(key, now), min(failure.retry_after, LONGEST_BACKOFF)))

    def begin(self, question: Question, *, follows: bool = False) -> None:
        """Take note of a question that nothing holds back, or that `follows` one that took too long."""
        question.turn = self._turn
        question.probes = self.concerns(question.key) and not follows
        if question.probes:
            self._probe = question

    def give_up_overdue(self, now: float) -> None:
        """Count a probe that outlived its deadline as failed: another one is let through in its time."""
        if self._probe is not None and time.monotonic() >= self._probe.deadline:
            self.fail(self._probe, now, Failure("no answer in time", slow=True))

    def succeed(self, question: Question, now: float) -> None:
        """Record an answer, whatever it says about the token. It ends the trouble.

        Unless it was asked for before the endpoint said that it wants to be left alone.
        """
        self.answered_at = now
        self._nobodys.end()
        self._speaks(question, now, None)

    def fail(self, question: Question, now: float, failure: Failure) -> bool:
        """Record that there was no answer. Questions that were under way together make one failure.

        Whether a question about nobody's token has to follow, now, to tell whose trouble it is.
        """
        self.abandon(question)
        if question.nobodys:
            self._nobodys.fail(now)
        if not (failure.slow or failure.retry_after):
            self._speaks(question, now, failure.problem)
            return False
        behind = question.turn != self._turn
        if behind and not self._holds:
            return False  # it was asked before trouble that is over now
        if question.nobodys:
            self._vouched_at = None
        asks = not (question.nobodys or failure.retry_after)
        everybodys = self._holds and self._key is None
        key = question.key if asks and not everybodys and self._vouched(now) else None
        if self._holds and self._key != key:  # another token's, or everybody's, that begins now
            self._backoff.end()
            behind = False
        elif self._holds and question.nobodys and not question.probes:
            behind = True  # it bears out the failure that it followed
        self.error, self._key, self._holds = failure.problem, key, True
        if behind:
            self._backoff.prolong(now, failure.retry_after)
            self._told = self._told or failure.retry_after > 0
        else:
            self._backoff.fail(now, failure.retry_after)
            self._told = failure.retry_after > 0
            self._turn += 1
        return asks and not behind

    def abandon(self, question: Question) -> None:
        """Record that nobody waits for the answer any more: the next question may find out."""
        if self._probe is question:
            self._probe = None

    def state(self) -> str:
        """One of the states of `Guard.status`."""
        if self.answered_at is None:
            return "unavailable"
        if self._holds and self._key is not None:
            return "cooling_down"
        if self.error is None:
            return "fresh"
        return "stale" if self._probe is None else "refreshing"

    def next_question(self, now: float) -> float | None:
        """Seconds until one who is held back may ask, as nobody has done yet; None where there is no reason to."""
        if self._holds:
            return self._backoff.left(now)
        return 0.0 if self.answered_at is None or self.error is not None else None

    def _speaks(self, question: Question, now: float, error: str | None) -> None:
        """The endpoint said something, and quickly: nobody need be held back."""
        if question.nobodys:
            self._vouched_at = now
        if question.turn != self._turn and (self._told or (not self._holds and error is not None)):
            return  # it was asked before it wanted to be left alone, or before trouble that is over now
        self.error = error
        if self._holds:
            self._holds, self._key, self._probe, self._told = False, None, None, False
            self._backoff.end()
            self._turn += 1

    def _vouched(self, now: float) -> bool:
        """Whether nobody's token was a quick question a moment ago, so that a slow one is rather the token's."""
        return self._vouched_at is not None and 0 <= now - self._vouched_at < LONGEST_BACKOFF
