"""Who asks an introspection endpoint, who waits for the answer, and what serves while there is none (RFC 7662 §4).

Requests that bring the same token make one question, which the first of them asks and the others wait for. In known
trouble nobody waits: each is served or refused at once, and one question finds out whether it is over, in a thread of
its own where whoever brought that token can be served meanwhile.
"""

from __future__ import annotations

import _thread
import logging
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from ._answers import Answer, Answers, Flight
from ._errors import AuthorityUnavailable
from ._flow import Flow, Join, run
from ._introspector import Introspector, Unanswered
from ._io import IO
from ._trouble import Failure
from ._verifier import SourceStatus

NOBODYS_TOKEN: Final = "bearer_guard-is-anybody-there"
"""What is asked about where no token of a request can tell how things are. No server has issued it, and the no is not
remembered."""

_SLOW: Final = 1.0
"""Seconds of real time after which a question has kept its caller waiting; half of a shorter deadline."""

_logger: Final = logging.getLogger("bearer_guard")


def key_of(token: str) -> bytes:
    """What the answer about `token` is found by."""
    return sha256(token.encode("ascii")).digest()


class Questions:
    """Asks by `introspector` and remembers in `answers`. `timeout` bounds each question, in real time."""

    def __init__(
        self, introspector: Introspector, answers: Answers, timeout: float, clock: Callable[[], float]
    ) -> None:
        self._introspector = introspector
        self._answers = answers
        self._timeout = timeout
        self._clock = clock

    def answer(self, token: str, key: bytes, now: float) -> Flow[Answer]:
        """What the endpoint says of a token that is not remembered. Raises AuthorityUnavailable."""
        deadline = time.monotonic() + self._timeout
        while True:
            flight, flying = self._answers.board(key, now, deadline, nobodys=token == NOBODYS_TOKEN)
            if flying:
                kept = self._answers.find(key, now, in_trouble=True) if flight.probes else None
                if kept is not None:
                    self._begin(token, flight, now)
                    return kept
                try:
                    yield from self._fly(token, flight, now)
                finally:
                    self._land(flight)
            elif flight.answer is None and flight.failure is None:
                yield Join(flight.future, deadline)
            if flight.answer is not None:
                return flight.answer
            if flight.failure is not None or not flight.future.done():
                return self._served_in_trouble(key, flight.failure or Failure("no answer in time"))
            # else it was abandoned with the request that flew it, and this one takes its turn

    def rouse(self) -> None:
        """Begin a question of nobody's where it is not known whether the endpoint answers; wait for nothing."""
        if self._answers.known().state in ("unavailable", "stale"):
            self._begin_nobodys()

    def warming(self) -> Flow[None]:
        """Find out whether the endpoint answers, where it never did. Raises AuthorityUnavailable."""
        if self._answers.known().state == "unavailable":
            yield from self.answer(NOBODYS_TOKEN, key_of(NOBODYS_TOKEN), self._clock())

    def status(self) -> SourceStatus:
        known = self._answers.known()
        return {
            "source": self._introspector.endpoint,
            "state": known.state,
            "age": known.age,
            "next_refresh": known.next_question,
            "last_error": known.error,
            "skipped": [],
            "fetches": known.counts,
        }

    def _fly(self, token: str, flight: Flight, now: float) -> Flow[None]:
        began = time.monotonic()
        try:
            members = yield from self._introspector.ask(token, now, flight.deadline)
            flight.answer = Answer(members if members.get("active") is True else None, now)
        except Unanswered as unanswered:
            if flight.nobodys and unanswered.minds_the_token:
                flight.answer = Answer(None, now)  # the endpoint was reached, and knows its client
                return
            slow = time.monotonic() - began >= min(_SLOW, self._timeout / 2)
            flight.failure = Failure(str(unanswered), unanswered.retry_after, slow)

    def _land(self, flight: Flight) -> None:
        if self._answers.land(flight, remember=not flight.nobodys):
            self._begin_nobodys(follows=True)

    def _served_in_trouble(self, key: bytes, failure: Failure) -> Answer:
        answer = self._answers.find(key, self._clock(), in_trouble=True)
        if answer is None:
            detail = f"introspection at {self._introspector.endpoint}: {failure.problem}"
            raise AuthorityUnavailable(detail, retry_after=failure.retry_after)
        return answer

    def _begin_nobodys(self, *, follows: bool = False) -> None:
        now, deadline = self._clock(), time.monotonic() + self._timeout
        flight, flying = self._answers.board(key_of(NOBODYS_TOKEN), now, deadline, nobodys=True, follows=follows)
        if flying:
            self._begin(NOBODYS_TOKEN, flight, now)

    def _begin(self, token: str, flight: Flight, now: float) -> None:
        # threading.Thread.start waits for the new thread to run, which beside busy threads takes tens of milliseconds.
        try:
            _thread.start_new_thread(self._work, (token, flight, now))
        except RuntimeError:
            flight.failure = Failure("no thread can be started", 1.0)
            self._land(flight)

    def _work(self, token: str, flight: Flight, now: float) -> None:
        try:
            run(self._fly(token, flight, now), IO)
        except BaseException as failure:  # whatever it is, this thread ends here, and the next one must not try at once
            flight.failure = Failure(f"unexpected {type(failure).__name__}", 1.0)
        if flight.failure is not None:  # no refusal tells of it
            _logger.warning("no answer from %s: %s", self._introspector.endpoint, flight.failure.problem)
        self._land(flight)
