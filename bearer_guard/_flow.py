"""One core, two colours: a decision that may have to wait is a generator, driven from blocking code or a coroutine.

A *flow* holds every decision and no I/O. It yields what it must wait for: a `Send` (an exchange of its own), a
`Join` (an attempt that it shares with others) or a `Call` (code that somebody else wrote), and is sent the answer. A
driver throws failures into the flow, so that the flow owns the fallback. `run` drives one from blocking code, `arun`
from a coroutine; what they wait with is an argument, and most flows never yield.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP exchange to make: sent once, to exactly this URL, redirects not followed.

    `timeout` is the total deadline in seconds of real time, headers and body included; an answer whose body is larger
    than `limit` bytes is a failure. `headers` and `body` may hold credentials and stay out of `repr`.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout: float = 5.0
    limit: int = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The answer to a `Request`: header names in lower case, the body complete."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = field(default=b"", repr=False)


class ExchangeFailed(Exception):
    """An exchange that brought no answer: no connection, a broken one, a deadline passed, a bound exceeded.

    The message is safe to log: it names what failed and never what was sent or received.
    """


class Transport(Protocol):
    """What makes exchanges. Beside `send` it may have a coroutine `asend`; else `send` runs in a worker thread."""

    def send(self, request: Request, /) -> Response:
        """The answer, whatever its status. Raises `ExchangeFailed` when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Send:
    """An exchange of the flow's own: it is sent the `Response`, or `ExchangeFailed` is thrown into it."""

    request: Request
    transport: Transport


@dataclass(frozen=True, slots=True)
class Join:
    """An attempt shared with others: the driver returns when `future` is done or `deadline` has passed.

    `deadline` is real time, as `time.monotonic` counts it. What the attempt brought is read where the attempt put it.
    """

    future: Future[None]
    deadline: float


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody else's code, in the colours that it was written in; at least one of the two is given."""

    blocking: Callable[[], Any] | None
    coroutine: Callable[[], Awaitable[Any]] | None


Step: TypeAlias = Send | Join | Call
Flow: TypeAlias = Generator[Step, Any, T]
Begun: TypeAlias = T | Flow[T]
"""A decision that was taken at once, or, where something may have to be waited for, the flow that takes it."""


class BlockingIO(Protocol):
    """What `run` waits with."""

    def answer(self, step: Step, /) -> Any: ...


class AsyncIO(Protocol):
    """What `arun` waits with."""

    async def aanswer(self, step: Step, /) -> Any: ...


def run(flow: Flow[T], io: BlockingIO) -> T:
    """Drive `flow` to its end from blocking code and return its result; what it raises is raised."""
    try:
        step = next(flow)
    except StopIteration as end:  # most flows never yield
        at_once: T = end.value
        return at_once
    try:
        while True:
            try:
                answer = io.answer(step)
            except Exception as failure:  # the flow owns the fallback
                step = flow.throw(failure)
            else:
                step = flow.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        flow.close()


async def arun(flow: Flow[T], io: AsyncIO) -> T:
    """Drive `flow` to its end from a coroutine and return its result; suspends only where the flow yields."""
    try:
        step = next(flow)
    except StopIteration as end:
        at_once: T = end.value
        return at_once
    try:
        while True:
            try:
                answer = await io.aanswer(step)
            except Exception as failure:  # the flow owns the fallback
                step = flow.throw(failure)
            else:
                step = flow.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        flow.close()
