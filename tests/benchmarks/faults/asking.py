"""How a contender is asked about tokens: in tasks of its event loop, in threads, or at a steady rate; all is timed.

Imports nothing but the standard library and the contender, as the worker.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any

from tests.benchmarks.faults.contenders import Contender

THREADS = 40
Asked = tuple[str, float, str]
"""Of one request: `admitted`, `refused`, `error`, `hangs` or `not asked`; seconds; what was raised."""


class Asker:
    """A contender, and the loop that it is called in."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True, name="loop").start()

    def on_loop(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def alone(self, token: str, give_up: float) -> Asked:
        """In a loop of its own, for a process in which nothing else runs, or in this thread."""
        if not self.contender.coroutines:
            return self.one_blocking(token, time.perf_counter())
        return asyncio.new_event_loop().run_until_complete(self.one(token, time.perf_counter(), give_up))

    async def one(self, token: str, due: float, give_up: float) -> Asked:
        task = asyncio.ensure_future(self.contender.averify(token))
        done, _ = await asyncio.wait({task}, timeout=give_up)
        took = time.perf_counter() - due
        if not done:  # and is left to itself: cancelled, it might let others go on
            return "hangs", took, ""
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        return self._judged(failure, took)

    def one_blocking(self, token: str, due: float) -> Asked:
        try:
            self.contender.verify(token)
        except Exception as failure:
            return self._judged(failure, time.perf_counter() - due)
        return "admitted", time.perf_counter() - due, ""

    def _judged(self, failure: BaseException | None, took: float) -> Asked:
        if failure is None:
            return "admitted", took, ""
        refused = isinstance(failure, Exception) and self.contender.refused(failure)
        return "refused" if refused else "error", took, f"{type(failure).__name__}: {failure}"[:300]

    async def in_tasks(self, tokens: list[str], at_once: int, give_up: float, ends: float) -> list[Asked]:
        answers: dict[int, Asked] = {}
        places = iter(range(len(tokens)))

        async def caller() -> None:
            for place in places:
                if time.monotonic() >= ends:
                    answers[place] = ("not asked", 0.0, "")
                else:
                    answers[place] = await self.one(tokens[place], time.perf_counter(), give_up)

        await asyncio.gather(*(caller() for _ in range(min(at_once, len(tokens)))))
        return [answers[place] for place in range(len(tokens))]

    async def first_cancelled(self, tokens: list[str], after: float, give_up: float) -> list[Asked]:
        """What all but the first of these get, which is asked about alone until the others join, and cancelled then."""
        first = asyncio.ensure_future(self.contender.averify(tokens[0]))
        await asyncio.sleep(after / 2)
        others = [asyncio.ensure_future(self.one(token, time.perf_counter(), give_up)) for token in tokens[1:]]
        await asyncio.sleep(after / 2)
        first.cancel()
        await asyncio.wait({first}, timeout=give_up)
        return list(await asyncio.gather(*others))

    def in_threads(self, pool: ThreadPoolExecutor, tokens: list[str], give_up: float, ends: float) -> list[Asked]:
        def call(token: str) -> Asked:
            if time.monotonic() >= ends:
                return "not asked", 0.0, ""
            return self.one_blocking(token, time.perf_counter())

        futures = [pool.submit(call, token) for token in tokens]
        latest = ends + give_up
        if len(tokens) <= THREADS:
            latest = time.monotonic() + give_up
        answers = [waited_for(future, latest - time.monotonic(), give_up) for future in futures]
        pool.shutdown(wait=False)
        return answers


class Load:
    """Requests at a steady rate, timed from the moment that each was due: what blocks an event loop counts."""

    def __init__(self, asker: Asker, token: str, rate: float, seconds: float, give_up: float) -> None:
        self.token = token
        self._asker = asker
        self._give_up = give_up
        self._futures: list[Future[Asked]] = []
        self._pool = ThreadPoolExecutor(THREADS)
        self._pace = threading.Thread(target=self._run, args=(rate, round(rate * seconds)), daemon=True)
        self._pace.start()

    def _run(self, rate: float, number: int) -> None:
        asker, begun = self._asker, time.perf_counter()
        for place in range(number):
            due = begun + place / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            if asker.contender.coroutines:
                asked = asker.one(self.token, due, self._give_up)
                self._futures.append(asyncio.run_coroutine_threadsafe(asked, asker.loop))
            else:
                self._futures.append(self._pool.submit(asker.one_blocking, self.token, due))

    def gather(self) -> list[Asked]:
        self._pace.join()
        latest = time.monotonic() + self._give_up
        answers = [waited_for(future, latest - time.monotonic(), self._give_up) for future in self._futures]
        self._pool.shutdown(wait=False, cancel_futures=True)  # else they would be asked of what is set up next
        return answers


def waited_for(future: Future[Asked], left: float, give_up: float) -> Asked:
    try:
        return future.result(max(0.0, left))
    except NotYet:
        return "hangs", give_up, ""
