"""Keys that have to be brought: when they are asked for again, and who waits for them.

An attempt belongs to the source and never to a request: a thread of its own brings the keys and installs them, callers
only wait, then look again. The first caller that finds nothing usable starts one, everybody else joins it. What is held
stays usable through the provider's outages, up to a bound; how often the provider is asked is for `_attempts` to say.
"""

from __future__ import annotations

import _thread
import logging
import os
import random
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from ._attempts import Attempt, Attempts, Fetched, FetchFailed
from ._errors import AuthorityUnavailable, UnknownKey
from ._flow import Flow, Join
from ._jwks import KeySet
from ._keys import KeySource, warn_of_private_members
from ._verifier import SourceStatus

REFETCH_PATIENCE: Final = 2.0
"""Seconds of real time that a request waits for an attempt which its own token asked for."""

_logger: Final = logging.getLogger("bearer_guard")


class _Held(NamedTuple):
    """The last good keys: replaced as a whole, so that readers need no lock."""

    keys: KeySet
    fetched_at: float
    age: float
    refresh_at: float


class RefreshedKeys(KeySource):
    """A source that brings its keys and keeps them fresh. Subclasses say how in `_fetch`.

    `clock` counts ages, the cool-down and the back-off; connections and waiting are measured in real time, so that a
    clock that stands still never makes a deadline endless.
    """

    def __init__(
        self,
        *,
        name: str,
        algorithms: frozenset[str],
        stale_if_error: float,
        cooldown: float,
        timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.algorithms = algorithms
        self._stale_if_error = stale_if_error
        self._cooldown = cooldown
        self._timeout = timeout
        self._clock = clock
        self._held: _Held | None = None
        self._attempts_here = Attempts(cooldown)

    def _fetch(self, held: KeySet | None, deadline: float) -> Fetched:
        """Bring the keys, in the attempt's thread, before `deadline` (real time). Raises FetchFailed."""
        raise NotImplementedError

    def current(self) -> KeySet | None:
        held = self._held
        if held is None:
            return None
        now = self._clock()
        return held.keys if held.fetched_at <= now < held.refresh_at else self._aging(held, now)

    def arrival(self) -> int:
        return self._attempts_here.begun

    def obtain(self) -> Flow[KeySet]:
        seen = self._held
        keys = self.current()
        if keys is not None:
            return keys
        attempt = self._begin_or_join(seen)
        if attempt is not None:
            yield Join(attempt.future, attempt.deadline)
        held = self._held
        if held is None or not self._usable(held, self._clock()):
            raise self._unavailable(spends=False)
        return held.keys

    def missing(self, arrival: int, found: Callable[[KeySet], bool]) -> Flow[KeySet]:
        patience = time.monotonic() + REFETCH_PATIENCE
        while isinstance(step := self._found_or_begun(arrival, found), Attempt):
            yield Join(step.future, min(step.deadline, patience))
            if not step.succeeded:
                raise self._unavailable(spends=True)
        return step

    def can_refetch(self) -> bool:
        attempts = self._attempts()
        with attempts.lock:
            return attempts.under_way is not None or attempts.blocked_for(self._clock(), spends=True) <= 0

    def status(self) -> SourceStatus:
        attempts, held, now = self._attempts(), self._held, self._clock()
        with attempts.lock:
            attempts.give_up_overdue(now)
            under_way, blocked = attempts.under_way is not None, attempts.blocked_for(now, spends=True) > 0
            last_error = attempts.last_error
            fetches = {"begun": attempts.begun, "succeeded": attempts.succeeded, "failed": attempts.failed}
        if held is None or not self._usable(held, now):
            state = "unavailable"
        elif under_way:
            state = "refreshing"
        elif now - held.fetched_at >= held.age:
            state = "stale"
        else:
            state = "cooling_down" if blocked else "fresh"
        return {
            "source": self.name,
            "state": state,
            "age": None if held is None else now - held.fetched_at,
            "next_refresh": None if held is None else max(0.0, held.refresh_at - now),
            "last_error": last_error,
            "skipped": [] if held is None else [str(key) for key in held.keys.skipped],
            "fetches": fetches,
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _aging(self, held: _Held, now: float) -> KeySet | None:
        if not self._usable(held, now):
            return None
        attempts = self._attempts()
        idle = now - held.fetched_at > 2 * held.age
        if idle and (attempts.ended_at is None or attempts.ended_at < held.fetched_at + held.age):
            return None  # nobody has asked since the keys went stale: this once, wait for fresh ones
        self._begin_or_join(held)
        return held.keys

    def _usable(self, held: _Held, now: float) -> bool:
        return now - held.fetched_at < held.age + self._stale_if_error

    def _unavailable(self, *, spends: bool) -> AuthorityUnavailable:
        attempts = self._attempts()
        with attempts.lock:
            blocked = attempts.blocked_for(self._clock(), spends=spends)
            error = attempts.last_error or "no answer yet"
        return AuthorityUnavailable(f"keys of {self.name}: {error}", retry_after=blocked)

    def _begin_or_join(self, seen: _Held | None) -> Attempt | None:
        """The attempt under way, or a new one; None while the back-off lasts, or when `seen` is outdated already."""
        attempts, now = self._attempts(), self._clock()
        with attempts.lock:
            if self._held is not seen:
                return None
            attempts.give_up_overdue(now)
            if attempts.under_way is not None:
                return attempts.under_way
            if attempts.blocked_for(now, spends=False) > 0:
                return None
            attempt = attempts.begin(self._timeout, spends=False)
        self._start(attempts, attempt)
        return attempt

    def _found_or_begun(self, arrival: int, found: Callable[[KeySet], bool]) -> KeySet | Attempt:
        """Keys that satisfy `found`, else the attempt under way or a new one, for a token that came at `arrival`.

        Raises UnknownKey when one that began later has ended well, and when none may begin and the last one ended well;
        AuthorityUnavailable when none may begin and the last one failed.
        """
        attempts, now = self._attempts(), self._clock()
        with attempts.lock:
            if self._held is not None and found(self._held.keys):
                return self._held.keys
            attempts.give_up_overdue(now)
            if attempts.under_way is not None:
                return attempts.under_way
            last, blocked = attempts.last, attempts.blocked_for(now, spends=True)
            failed = last is not None and not last.succeeded
            if blocked > 0 and failed:
                raise AuthorityUnavailable(f"keys of {self.name}: {attempts.last_error}", retry_after=blocked)
            if blocked > 0 or (last is not None and last.number > arrival and not failed):
                raise UnknownKey(f"no key of {self.name} has the token's kid")
            attempt = attempts.begin(self._timeout, spends=True)
        self._start(attempts, attempt)
        return attempt

    def _attempts(self) -> Attempts:
        if self._attempts_here.pid != os.getpid():  # a fork: its parent's threads and locks stayed behind
            self._attempts_here = Attempts(self._cooldown, self._attempts_here.begun)
        return self._attempts_here

    def _start(self, attempts: Attempts, attempt: Attempt) -> None:
        # threading.Thread.start waits for the new thread to run, which beside busy threads takes tens of milliseconds.
        try:
            _thread.start_new_thread(self._work, (attempts, attempt))
        except RuntimeError:
            self._finish(attempts, attempt, FetchFailed("no thread can be started"))

    def _work(self, attempts: Attempts, attempt: Attempt) -> None:
        held = self._held
        outcome: Fetched | FetchFailed
        try:
            outcome = self._fetch(None if held is None else held.keys, attempt.deadline)
        except FetchFailed as failure:
            outcome = failure
        except Exception as failure:
            outcome = FetchFailed(f"unexpected {type(failure).__name__}")
        self._finish(attempts, attempt, outcome)

    def _finish(self, attempts: Attempts, attempt: Attempt, outcome: Fetched | FetchFailed) -> None:
        with attempts.lock:
            now = self._clock()
            attempts.give_up_overdue(now)
            if isinstance(outcome, FetchFailed):
                in_time = attempts.end(attempt, now, error=str(outcome), retry_after=outcome.retry_after)
            elif in_time := attempts.end(attempt, now):
                self._install(outcome, now)
        attempt.future.set_result(None)
        if isinstance(outcome, FetchFailed) or not in_time:
            _logger.warning("keys of %s were not brought: %s", self.name, outcome if in_time else "too late")

    def _install(self, fetched: Fetched, now: float) -> None:
        held = self._held
        if fetched.keys is not None and (held is None or fetched.keys.document != held.keys.document):
            keys = fetched.keys
            warn_of_private_members(keys, self.name)
        elif held is not None:
            keys = held.keys  # equal content: what hangs on the key set lives on
        else:
            return
        refresh_in = 0.8 * fetched.age * (1 - random.random() / 10)  # noqa: S311 - spreads load, guards nothing
        self._held = _Held(keys, now, fetched.age, now + refresh_in)
