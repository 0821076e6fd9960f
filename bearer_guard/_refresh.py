"""Keys that have to be brought: when they are asked for again, and who waits for them.

An attempt belongs to the source and never to a request: a thread of its own brings the keys and installs them, callers
only wait, then look again. The first caller that finds nothing usable starts one, everybody else joins it. What is held
stays usable through the provider's outages, up to a bound; how often the provider is asked is for `_attempts` to say.
"""

from __future__ import annotations

import _thread
import logging
import time
from collections.abc import Callable
from typing import Final

from ._attempts import Attempt, Attempts, Fetched, FetchFailed
from ._errors import AuthorityUnavailable, UnknownKey
from ._flow import Flow, Join
from ._held import Brought, Held, compare
from ._jwks import KeySet
from ._keys import KeySource, warn_of_private_members
from ._process import PerProcess
from ._verifier import SourceStatus

REFETCH_PATIENCE: Final = 2.0
"""Seconds of real time that a request waits for an attempt which its own token asked for."""

_logger: Final = logging.getLogger("bearer_guard")


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
        self._none_fits = f"no key of {name} fits the token's header"
        self._asked_already = f"{self._none_fits}, and it was asked a moment ago"
        self.algorithms = algorithms
        self._stale_if_error = stale_if_error
        self._timeout = timeout
        self._clock = clock
        self._held: Held | None = None
        self._process: Final = PerProcess(lambda _: Attempts(cooldown))

    def _fetch(self, held: Held | None, attempt: Attempt) -> Fetched:
        """Bring the keys, in the attempt's thread, before `attempt.deadline` (real time). Raises FetchFailed.

        `held` is what was held when the attempt began. An attempt that comes too late is dropped: keep nothing that it
        found anywhere but in `Fetched.origin`.
        """
        raise NotImplementedError

    def current(self) -> KeySet | None:
        held = self._held  # before the clock is read, so that what is installed meanwhile does not lie in the future
        if held is None:
            return None
        now = self._clock()
        return held.keys if held.fetched_at <= now < held.refresh_at else self._aging(held, now)

    def arrival(self) -> int:
        return self._attempts().begun

    def obtain(self) -> Flow[KeySet]:
        seen = self._held
        keys = self.current()
        if keys is not None:
            return keys
        attempt = self._begin_or_join(seen)
        if attempt is not None:
            yield Join(attempt.future, attempt.deadline)
        held = self._held
        if held is None or not held.usable(self._clock()):
            raise self._unavailable(spends=False)
        return held.keys

    def missing(self, arrival: int, found: Callable[[KeySet], bool]) -> Flow[KeySet]:
        patience = time.monotonic() + REFETCH_PATIENCE
        while isinstance(step := self._found_or_begun(arrival, found), Attempt):
            yield Join(step.future, min(step.deadline, patience))
            if not step.succeeded:
                raise self._unavailable(spends=True)
        return step

    def refusal(self, seen: KeySet) -> UnknownKey | AuthorityUnavailable | None:
        attempts = self._process.here()
        with attempts.lock:
            held = self._held
            return self._refusal(attempts, self._clock()) if held is not None and held.keys is seen else None

    def rouse(self) -> None:
        seen = self._held
        if self.current() is None:
            self._begin_or_join(seen)

    def status(self) -> SourceStatus:
        attempts = self._attempts()
        with attempts.lock:
            held, now = self._held, self._clock()
            attempts.give_up_overdue(now)
            under_way, last_error = attempts.under_way is not None, attempts.last_error
            cooling_down = attempts.blocked_for(now, spends=True) > 0
            next_refresh = attempts.blocked_for(now, spends=False)
            fetches = {"begun": attempts.begun, "succeeded": attempts.succeeded, "failed": attempts.failed}
        if held is None or not held.usable(now):
            state = "unavailable"
        elif under_way:
            state = "refreshing"
        elif held.stale(now):
            state = "stale"
        else:
            state = "cooling_down" if cooling_down else "fresh"
        return {
            "source": self.name,
            "state": state,
            "age": None if held is None else max(0.0, now - held.fetched_at),
            "next_refresh": next_refresh if held is None else max(next_refresh, held.fresh_until(now)),
            "last_error": last_error,
            "skipped": [] if held is None else [str(key) for key in held.keys.skipped],
            "fetches": fetches,
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _aging(self, held: Held, now: float) -> KeySet | None:
        if not held.usable(now) or held.forgotten(now, self._attempts().ended_at):
            return None  # forgotten keys are not trusted at once: this once, wait for fresh ones
        self._begin_or_join(held)
        return held.keys

    def _unavailable(self, *, spends: bool) -> AuthorityUnavailable:
        attempts = self._attempts()
        with attempts.lock:
            now = self._clock()
            attempts.give_up_overdue(now)
            blocked = attempts.blocked_for(now, spends=spends)
            if attempts.under_way is not None:
                blocked = max(blocked, attempts.under_way.deadline - time.monotonic())
            error = attempts.last_error or "no answer yet"
        return AuthorityUnavailable(f"keys of {self.name}: {error}", retry_after=blocked)

    def _begin_or_join(self, seen: Held | None) -> Attempt | None:
        """The attempt under way, or a new one; None while the back-off lasts, or when `seen` is outdated already."""
        attempts = self._attempts()
        with attempts.lock:
            if self._held is not seen:
                return None
            now = self._clock()
            if seen is not None and now < seen.fetched_at:
                self._held = seen.rebased(now)
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
        attempts = self._attempts()
        with attempts.lock:
            held, now = self._held, self._clock()
            if held is not None and held.usable(now) and found(held.keys):
                return held.keys
            if attempts.last_good > arrival:
                raise UnknownKey(self._none_fits)
            if refusal := self._refusal(attempts, now):
                try:
                    raise refusal
                finally:
                    del refusal  # else it, its traceback and this frame are a cycle
            if attempts.under_way is not None:
                return attempts.under_way
            attempt = attempts.begin(self._timeout, spends=True)
        self._start(attempts, attempt)
        return attempt

    def _refusal(self, attempts: Attempts, now: float) -> UnknownKey | AuthorityUnavailable | None:
        """What a token gets on whose account no attempt may be joined or begun; None where one may."""
        if attempts.under_way is not None:
            attempts.give_up_overdue(now)
            if attempts.under_way is not None:
                return None
        blocked = attempts.blocked_for(now, spends=True)
        if blocked <= 0:
            return None
        if attempts.last is not None and not attempts.last.succeeded:
            return AuthorityUnavailable(f"keys of {self.name}: {attempts.last_error}", retry_after=blocked)
        return UnknownKey(self._asked_already)

    def _attempts(self) -> Attempts:
        """The attempts of this process: after a fork, the threads and the locks of its parent stayed behind."""
        return self._process.here()

    def _start(self, attempts: Attempts, attempt: Attempt) -> None:
        # threading.Thread.start waits for the new thread to run, which beside busy threads takes tens of milliseconds.
        try:
            _thread.start_new_thread(self._work, (attempts, attempt))
        except RuntimeError:
            self._finish(attempts, attempt, FetchFailed("no thread can be started"))

    def _work(self, attempts: Attempts, attempt: Attempt) -> None:
        outcome: Brought | FetchFailed
        try:
            held = self._held
            outcome = compare(held, self._fetch(held, attempt))
        except FetchFailed as failure:
            outcome = failure
        except BaseException as failure:  # whatever it is, this thread ends here, and somebody may be waiting
            outcome = FetchFailed(f"unexpected {type(failure).__name__}")
        self._finish(attempts, attempt, outcome)

    def _finish(self, attempts: Attempts, attempt: Attempt, outcome: Brought | FetchFailed) -> None:
        try:
            with attempts.lock:
                now = self._clock()
                attempts.give_up_overdue(now)
                if isinstance(outcome, FetchFailed):
                    in_time = attempts.fail(attempt, now, str(outcome), retry_after=outcome.retry_after)
                elif in_time := attempts.succeed(attempt, now, added=outcome.added, dropped=outcome.dropped):
                    self._held = outcome.held(now, self._stale_if_error)
        finally:
            attempt.future.set_result(None)
        if isinstance(outcome, FetchFailed) or not in_time:
            _logger.warning("keys of %s were not brought: %s", self.name, outcome if in_time else "too late")
        elif outcome.new:
            warn_of_private_members(outcome.keys, self.name)
