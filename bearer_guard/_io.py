"""What flows wait with: a thread's own blocking, or the running event loop, asyncio's or trio's.

Nothing here is bound to an event loop: a waiter from a loop gets a future of that loop, woken from the attempt's
thread, and a loop that has closed meanwhile is nobody's trouble.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from ._flow import ExchangeFailed, Join, Response, Send, Step

_TOO_LATE: Final = "no complete answer in time"


class _IO:
    """The driver's side of a flow, in both colours."""

    def answer(self, step: Step) -> Any:
        if isinstance(step, Send):
            return step.transport.send(step.request)
        if isinstance(step, Join):
            return _wait(step)
        if step.blocking is None:
            raise TypeError("a verifier with averify alone cannot be called from blocking code")
        return step.blocking()

    async def aanswer(self, step: Step) -> Any:
        if isinstance(step, Send):
            return await _asend(step)
        if isinstance(step, Join):
            return await _await(step)
        if step.coroutine is not None:
            return await step.coroutine()
        return await in_thread(lambda: self.answer(step))


IO = _IO()


def _wait(join: Join) -> None:
    try:
        join.future.result(max(0.0, join.deadline - time.monotonic()))
    except TimeoutError:
        pass


async def _asend(step: Send) -> Response:
    asend: Callable[[Any], Awaitable[Response]] | None = getattr(step.transport, "asend", None)
    if asend is not None:
        return await asend(step.request)
    # The time counts from here: the threads of a loop are few, and a hanging endpoint may keep every one of them.
    send = _trio_send if _in_trio() else _asyncio_send
    return await send(step)


async def _asyncio_send(step: Send) -> Response:
    import asyncio

    scope = asyncio.timeout(step.request.timeout)
    try:
        async with scope:
            return await asyncio.to_thread(step.transport.send, step.request)
    except TimeoutError:
        if not scope.expired():
            raise
    raise ExchangeFailed(_TOO_LATE)


async def _trio_send(step: Send) -> Response:
    import trio

    with trio.move_on_after(step.request.timeout):
        return await trio.to_thread.run_sync(step.transport.send, step.request, abandon_on_cancel=True)
    raise ExchangeFailed(_TOO_LATE)


async def in_thread(blocking: Callable[[], Any]) -> Any:
    """Run `blocking` in a worker thread of the running loop."""
    if _in_trio():
        import trio

        return await trio.to_thread.run_sync(blocking)
    import asyncio

    return await asyncio.to_thread(blocking)


async def _await(join: Join) -> None:
    left = max(0.0, join.deadline - time.monotonic())
    await (_trio_wait if _in_trio() else _asyncio_wait)(join, left)


async def _asyncio_wait(join: Join, left: float) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake() -> None:
        waiter.set_result(None)

    join.future.add_done_callback(lambda _: _ignoring_closed(loop.call_soon_threadsafe, wake))
    await asyncio.wait({waiter}, timeout=left)


async def _trio_wait(join: Join, left: float) -> None:
    import trio

    token = trio.lowlevel.current_trio_token()
    woken = trio.Event()
    join.future.add_done_callback(lambda _: _ignoring_closed(token.run_sync_soon, woken.set))
    with trio.move_on_after(left):
        await woken.wait()


class _Schedule(Protocol):
    def __call__(self, callback: Callable[[], None], /) -> Any: ...


def _ignoring_closed(schedule: _Schedule, callback: Callable[[], None]) -> None:
    try:
        schedule(callback)
    except RuntimeError:  # the loop has closed: whoever waited there is gone (trio.RunFinishedError is one too)
        pass


def _in_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())
