"""What flows wait with: exchanges, shared attempts and foreign code, from threads, asyncio and trio."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from concurrent.futures import Future
from typing import Any

import anyio
import pytest
import trio

from bearer_guard._flow import Call, ExchangeFailed, Join, Request, Response, Send
from bearer_guard._io import IO, in_thread

pytestmark = pytest.mark.anyio

REQUEST = Request(method="GET", url="https://id.example.com/")
LONG = 60.0


def running_loop() -> str:
    return "trio" if trio.lowlevel.in_trio_run() else "asyncio"


class Blocking:
    """A transport with `send` alone, which knows in what thread it was called."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.thread: int | None = None
        self.failure = failure

    def send(self, request: Request) -> Response:
        self.thread = threading.get_ident()
        if self.failure is not None:
            raise self.failure
        return Response(status=200, body=request.url.encode())


class Both(Blocking):
    async def asend(self, request: Request) -> Response:
        self.loop = running_loop()
        return Response(status=201)


def pending() -> Future[None]:
    """As attempts make it: running, so that no waiter can cancel it."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()
    return future


def soon() -> float:
    return time.monotonic() + LONG


def test_blocking_code_sends_in_its_own_thread() -> None:
    transport = Blocking()
    assert IO.answer(Send(REQUEST, transport)).body == b"https://id.example.com/"
    assert transport.thread == threading.get_ident()


async def test_a_coroutine_sends_in_a_worker_thread() -> None:
    transport = Blocking()
    assert (await IO.aanswer(Send(REQUEST, transport))).status == 200
    assert transport.thread not in (None, threading.get_ident())


async def test_a_coroutine_sends_with_a_coroutine_where_the_transport_has_one(anyio_backend: str) -> None:
    transport = Both()
    assert (await IO.aanswer(Send(REQUEST, transport))).status == 201
    assert transport.thread is None
    assert transport.loop == anyio_backend


async def test_a_coroutine_waits_for_a_blocking_transport_as_long_as_the_request_says() -> None:
    # The threads of a loop are few: the exchange may not even have begun by then.
    release = threading.Event()

    class Stuck:
        def send(self, request: Request) -> Response:
            assert release.wait(LONG)
            return Response(status=200)

    request = Request(method="GET", url="https://id.example.com/", timeout=0.05)
    with pytest.raises(ExchangeFailed, match="no complete answer in time"):
        await IO.aanswer(Send(request, Stuck()))
    release.set()


async def test_what_a_transport_raises_is_raised_in_both_colours() -> None:
    with pytest.raises(ExchangeFailed):
        IO.answer(Send(REQUEST, Blocking(ExchangeFailed("down"))))
    with pytest.raises(ExchangeFailed):
        await IO.aanswer(Send(REQUEST, Blocking(ExchangeFailed("down"))))
    with pytest.raises(TimeoutError, match="its own"):
        await IO.aanswer(Send(REQUEST, Blocking(TimeoutError("its own"))))


async def test_foreign_code_runs_in_its_own_colour() -> None:
    async def coroutine() -> tuple[str, int]:
        return "coroutine", threading.get_ident()

    def blocking() -> tuple[str, int]:
        return "blocking", threading.get_ident()

    here = threading.get_ident()
    assert IO.answer(Call(blocking, coroutine)) == ("blocking", here)
    assert await IO.aanswer(Call(blocking, coroutine)) == ("coroutine", here)
    assert await IO.aanswer(Call(None, coroutine)) == ("coroutine", here)
    colour, thread = await IO.aanswer(Call(blocking, None))
    assert colour == "blocking"
    assert thread != here


def test_blocking_code_cannot_call_a_coroutine() -> None:
    async def coroutine() -> None: ...

    with pytest.raises(TypeError, match="averify alone cannot be called from blocking code"):
        IO.answer(Call(None, coroutine))


async def test_a_worker_thread_sees_context_variables() -> None:
    from contextvars import ContextVar

    variable: ContextVar[str] = ContextVar("variable")
    variable.set("of the request")
    assert await in_thread(variable.get) == "of the request"


def test_blocking_code_waits_until_an_attempt_is_done() -> None:
    future = pending()
    waiting = threading.Thread(target=IO.answer, args=[Join(future, soon())])
    waiting.start()
    future.set_result(None)
    waiting.join(LONG)
    assert not waiting.is_alive()


@pytest.mark.parametrize("deadline", [-1.0, 0.0, 0.02])
async def test_nobody_waits_past_the_deadline(deadline: float) -> None:
    for join in (Join(pending(), time.monotonic() + deadline), Join(pending(), 0.0)):
        IO.answer(join)
        with anyio.fail_after(LONG):
            await IO.aanswer(join)
        assert not join.future.done()


async def test_an_attempt_that_is_done_already_is_not_waited_for() -> None:
    future = pending()
    future.set_result(None)
    IO.answer(Join(future, soon()))
    with anyio.fail_after(LONG):
        await IO.aanswer(Join(future, soon()))


async def test_every_waiter_is_woken_from_the_attempts_thread() -> None:
    future, woken, here = pending(), [], threading.get_ident()

    async def wait(number: int) -> None:
        await IO.aanswer(Join(future, soon()))
        assert threading.get_ident() == here
        woken.append(number)

    with anyio.fail_after(LONG):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(wait, number)
            await anyio.wait_all_tasks_blocked()
            assert woken == []
            threading.Thread(target=future.set_result, args=[None]).start()
    assert sorted(woken) == list(range(20))


async def test_a_cancelled_waiter_takes_no_other_with_it_nor_the_attempt() -> None:
    future, woken = pending(), []

    async def wait(name: str) -> None:
        await IO.aanswer(Join(future, soon()))
        woken.append(name)

    with anyio.fail_after(LONG):
        async with anyio.create_task_group() as others:
            others.start_soon(wait, "other")
            async with anyio.create_task_group() as cancelled:
                cancelled.start_soon(wait, "cancelled")
                await anyio.wait_all_tasks_blocked()
                cancelled.cancel_scope.cancel()
            assert not future.done()
            future.set_result(None)
    assert woken == ["other"]


async def test_a_waiter_that_gave_up_is_not_woken_a_second_time() -> None:
    future = pending()
    await IO.aanswer(Join(future, time.monotonic() + 0.01))
    future.set_result(None)  # a callback of the waiter that has left runs now, and must raise nothing
    await anyio.wait_all_tasks_blocked()


async def test_an_attempt_may_end_twice_for_one_waiter() -> None:
    """A loop that is woken late finds its waiter done: by the time-out and by the attempt in one turn."""
    future = pending()
    with anyio.fail_after(LONG):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(IO.aanswer, Join(future, time.monotonic()))
            future.set_result(None)


def test_a_loop_that_has_closed_meanwhile_is_nobodys_trouble() -> None:
    for finished in (asyncio.run, lambda coroutine: trio.run(lambda: coroutine)):
        future = pending()
        finished(IO.aanswer(Join(future, time.monotonic() + 0.01)))
        future.set_result(None)  # concurrent.futures would log what a callback raised
        assert future.result() is None


def test_a_failure_to_wake_a_closed_loop_is_not_even_logged(caplog: pytest.LogCaptureFixture) -> None:
    test_a_loop_that_has_closed_meanwhile_is_nobodys_trouble()
    assert caplog.records == []


async def test_blocking_code_in_a_worker_thread_of_a_loop_waits_as_a_thread_does(anyio_backend: str) -> None:
    future = pending()
    threading.Thread(target=future.set_result, args=[None]).start()
    with anyio.fail_after(LONG):
        assert await in_thread(lambda: IO.answer(Join(future, soon()))) is None
    assert running_loop() == anyio_backend


def test_asyncio_works_where_trio_is_not_even_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "trio")
    future = pending()

    async def main() -> Any:
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await IO.aanswer(Join(future, soon()))
        return await IO.aanswer(Send(REQUEST, Blocking()))

    assert asyncio.run(main()).status == 200
