"""Threads that make blocking exchanges for whoever waits, in either colour, until a deadline that is real.

A caller that has given up takes no thread with it and leaves none hanging on it: the exchange ends by its own time-outs
meanwhile. At most `MOST` run at a time, the others wait their turn; a thread with nothing left to do ends.
"""

from __future__ import annotations

import _thread
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from threading import Lock
from typing import Any, Final, TypeVar

from ._flow import ExchangeFailed, Flow, Join, Request, Response, Transport, arun, run
from ._io import IO

T = TypeVar("T")

MOST: Final = 64
"""Exchanges under way at a time, of one transport in one process."""


class _Job:
    __slots__ = ("act", "done", "failure", "result")

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act
        self.done: Future[None] = Future()
        self.done.set_running_or_notify_cancel()
        self.result: Any = None
        self.failure = ExchangeFailed("no complete answer in time")


class _Crew:
    """The threads and the queue of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = Lock()
        self.waiting: deque[_Job] = deque()
        self.threads = 0

    def forget(self, job: _Job) -> None:
        """Without the lock, of which this very thread may be the holder: the garbage collector ends coroutines that
        nobody finished wherever it happens to come round.
        """
        if not job.done.done():
            with suppress(ValueError):
                self.waiting.remove(job)


class Workers:
    """Does in threads what may block. Safe to share between threads, event loops and across a fork."""

    def __init__(self) -> None:
        self._crew = _Crew()

    def outcome(self, act: Callable[[], T], deadline: float) -> Flow[T]:
        """What `act` returns before `deadline` (real time). Raises ExchangeFailed, whatever `act` raises."""
        context = copy_context()  # what instruments a client finds its way by
        job = _Job(lambda: context.run(act))
        self._begin(job)
        try:
            yield Join(job.done, deadline)
        finally:
            self._crew.forget(job)  # one that nobody waits for any more and nobody has begun
        if job.result is None:
            raise job.failure
        result: T = job.result
        return result

    def _begin(self, job: _Job) -> None:
        crew = self._crew
        if crew.pid != os.getpid():  # a fork: the parent's threads stayed behind
            crew = self._crew = _Crew()
        with crew.lock:
            crew.waiting.append(job)
            if crew.threads == MOST:
                return
            crew.threads += 1
        try:
            _thread.start_new_thread(_work, (crew,))
        except RuntimeError:
            with crew.lock:
                crew.threads -= 1
                alone = crew.threads == 0
                if alone:
                    crew.waiting.remove(job)
            if alone:
                raise ExchangeFailed("no thread can be started") from None


class Threaded:
    """A blocking transport whose exchanges are made by workers, so that in both colours each ends in its time.

    That goes for what has no time-out of its own, too, such as looking a name up.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._workers = Workers()

    def send(self, request: Request) -> Response:
        """The answer to `request`, whatever its status. Raises ExchangeFailed when there is none in time."""
        return run(self._outcome(request), IO)

    async def asend(self, request: Request) -> Response:
        """`send` from a coroutine."""
        return await arun(self._outcome(request), IO)

    def _outcome(self, request: Request) -> Flow[Response]:
        deadline = time.monotonic() + request.timeout
        exchange = lambda: self._transport.send(replace(request, timeout=left(deadline)))  # noqa: E731
        return self._workers.outcome(exchange, deadline)


def _work(crew: _Crew) -> None:
    while True:
        with crew.lock:
            try:
                job = crew.waiting.popleft()
            except IndexError:
                crew.threads -= 1
                return
        try:
            job.result = job.act()
        except ExchangeFailed as failure:
            job.failure = failure
        except Exception as failure:
            job.failure = ExchangeFailed(f"unexpected {type(failure).__name__}")
        job.done.set_result(None)


def left(deadline: float) -> float:
    """Seconds until `deadline`. Raises ExchangeFailed when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise ExchangeFailed("no complete answer in time")
    return seconds
