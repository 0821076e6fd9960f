"""A client's own token: when it is renewed, who waits for that, and what serves while it fails.

An attempt belongs to the client and never to a request: a thread of its own asks and installs the answer; callers wait
for it only while they have no token that is good, so that a cancelled one takes nobody with it and nothing is bound to
an event loop. Failures are followed by a back-off (`_backoff`), whoever asks.
"""

from __future__ import annotations

import _thread
import copy
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Final, NamedTuple, TypeAlias

from ._backoff import Backoff, left
from ._errors import AuthorityUnavailable
from ._flow import Flow, Join, run
from ._grant import Granted
from ._io import IO
from ._refused_grant import TokenRequestFailed

REFUSAL_BUDGET: Final = 2
"""How many renewals in one cool-down are made because an API refused a token."""
COOLDOWN: Final = 30.0

_logger: Final = logging.getLogger("bearer_guard")

Failure: TypeAlias = AuthorityUnavailable | TokenRequestFailed


class Held(NamedTuple):
    """The token at hand, replaced as a whole, so that readers need no lock. `refused` says that an API did."""

    token: str
    begun_at: float
    renew_at: float
    expires_at: float
    refused: bool = False

    def __repr__(self) -> str:
        return f"Held(renew_at={self.renew_at}, expires_at={self.expires_at}, refused={self.refused})"


class _Attempt:
    """One request for a token; `deadline` is real time, as `time.monotonic` counts it."""

    __slots__ = ("begun_at", "deadline", "future", "spends")

    def __init__(self, begun_at: float, deadline: float, *, spends: bool) -> None:
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()  # so that a cancelled caller cannot cancel it for the others
        self.begun_at = begun_at
        self.deadline = deadline
        self.spends = spends


class _Attempts:
    """What is known about attempts in one process. Hold `lock` to read or write."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = Lock()
        self.under_way: _Attempt | None = None
        self.failure: Failure | None = None
        self._backoff = Backoff()
        self._spent: deque[float] = deque(maxlen=REFUSAL_BUDGET)

    def blocked_for(self, now: float, *, spends: bool) -> float:
        """Seconds until an attempt may begin; `spends` says that the token was refused."""
        blocked = self._backoff.left(now)
        if spends and len(self._spent) == REFUSAL_BUDGET:
            blocked = max(blocked, left(COOLDOWN, self._spent[0], now))
        return blocked

    def end(self, attempt: _Attempt, now: float, failure: Failure | None) -> bool:
        """Record how an attempt ended; False when it is not the one under way any more: it came too late."""
        if self.under_way is not attempt:
            return False
        self.under_way, self.failure = None, failure
        if attempt.spends:
            self._spent.append(now)
        if failure is None:
            self._backoff.end()
        else:
            self._backoff.fail(now, failure.retry_after)
        return True

    def give_up_overdue(self, now: float) -> None:
        """Count an attempt that outlived its deadline as failed; what it may still bring is dropped."""
        if self.under_way is not None and time.monotonic() >= self.under_way.deadline:
            self.end(self.under_way, now, AuthorityUnavailable("no complete answer from the token endpoint in time"))


class Renewal:
    """Keeps one token good, by `ask`, which is given a deadline.

    The token is renewed `renew_before` seconds before it expires, at half its life at the latest; one whose lifetime
    the server does not tell counts as good for `assumed_lifetime` seconds. Safe to share between threads and loops.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[float], Flow[Granted]],
        *,
        renew_before: float,
        assumed_lifetime: float,
        timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._ask = ask
        self._renew_before = renew_before
        self._assumed_lifetime = assumed_lifetime
        self._timeout = timeout
        self._clock = clock
        self._held: Held | None = None
        self._attempts_here = _Attempts()

    def current(self) -> Flow[str]:
        """The token to send now. Raises TokenRequestFailed or AuthorityUnavailable when there is none."""
        held, now = self._held, self._clock()
        if held is not None and not held.refused and held.begun_at <= now < held.renew_at:
            return held.token
        attempt = self._begin_or_join(held)
        if attempt is not None and (held is None or held.refused or now >= held.expires_at):
            yield Join(attempt.future, attempt.deadline)
        held = self._held
        if held is None or self._clock() >= held.expires_at:
            raise self._unavailable()
        return held.token

    def refused(self, token: str) -> bool:
        """Take note that an API refused `token`; whether `current` is going to try for another one."""
        attempts = self._attempts()
        with attempts.lock:
            held = self._held
            if held is None or held.token != token or held.refused:
                return True  # it has been noticed already
            if attempts.blocked_for(self._clock(), spends=True) > 0:
                return False
            self._held = held._replace(refused=True)
        return True

    def _begin_or_join(self, seen: Held | None) -> _Attempt | None:
        """The attempt under way, or a new one; None while none may begin, or when `seen` is outdated already."""
        attempts = self._attempts()
        with attempts.lock:
            now = self._clock()
            if self._held is not seen:
                return None
            attempts.give_up_overdue(now)
            if attempts.under_way is not None:
                return attempts.under_way
            spends = seen is not None and seen.refused
            if attempts.blocked_for(now, spends=spends) > 0:
                return None
            attempt = attempts.under_way = _Attempt(now, time.monotonic() + self._timeout, spends=spends)
        # threading.Thread.start waits for the new thread to run, which beside busy threads takes tens of milliseconds.
        try:
            _thread.start_new_thread(self._work, (attempts, attempt))
        except RuntimeError:
            self._finish(attempts, attempt, AuthorityUnavailable("no thread can be started"))
        return attempt

    def _work(self, attempts: _Attempts, attempt: _Attempt) -> None:
        outcome: Granted | Failure
        try:
            outcome = run(self._ask(attempt.deadline), IO)
        except (AuthorityUnavailable, TokenRequestFailed) as failure:
            # It is kept, and the local variables of the frames that it came through hold the client's secret.
            outcome = failure.with_traceback(None)
            outcome.__cause__ = outcome.__context__ = None
        except Exception as failure:
            outcome = AuthorityUnavailable(f"token endpoint {self._name}: unexpected {type(failure).__name__}")
        self._finish(attempts, attempt, outcome)

    def _finish(self, attempts: _Attempts, attempt: _Attempt, outcome: Granted | Failure) -> None:
        granted = outcome if isinstance(outcome, Granted) else None
        with attempts.lock:
            now = self._clock()
            attempts.give_up_overdue(now)
            in_time = attempts.end(attempt, now, None if isinstance(outcome, Granted) else outcome)
            if granted is not None and in_time:
                self._held = self._holding(granted, attempt.begun_at)
        if granted is None or not in_time:
            _logger.warning("no token from %s: %s", self._name, outcome if in_time else "the answer came too late")
        attempt.future.set_result(None)

    def _holding(self, granted: Granted, begun_at: float) -> Held:
        lifetime = self._assumed_lifetime if granted.lifetime is None else granted.lifetime
        margin = min(self._renew_before, lifetime / 2)
        return Held(granted.token, begun_at, begun_at + lifetime - margin, begun_at + lifetime)

    def _unavailable(self) -> Failure:
        attempts = self._attempts()
        with attempts.lock:
            now = self._clock()
            attempts.give_up_overdue(now)
            failure: Failure = attempts.failure or AuthorityUnavailable("the token had expired when it came")
            failure = copy.copy(failure)  # each caller gets its own: an exception keeps the traceback of its raising
            failure.retry_after = attempts.blocked_for(now, spends=False)
        return failure

    def _attempts(self) -> _Attempts:
        if self._attempts_here.pid != os.getpid():  # a fork: the parent's lock and threads stayed behind
            self._attempts_here = _Attempts()
        return self._attempts_here
