"""`python -m tests.benchmarks.faults.worker NAME`: a process that has one contender, told what to do by lines of JSON.

A contender with coroutines lives on one event loop in a thread of its own, as under an ASGI server; one without is
called in 40 threads, as many as such a server has for blocking code. Every request is timed here. Imports nothing but
the standard library and the contender, so that it runs in whichever environment has that.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import resource
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from importlib.metadata import version
from typing import Any

from tests.benchmarks.faults.contenders import Contender, Target, contender

THREADS = 40
GIVE_UP = 11.0
"""Seconds that are waited for what a library does when an application starts."""
Asked = tuple[str, float, str]
"""Of one request: `admitted`, `refused`, `error`, `hangs` or `not asked`; seconds; what was raised."""


class Worker:
    def __init__(self, name: str) -> None:
        self.contender: Contender = contender(name)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True, name="loop").start()
        self.pool = ThreadPoolExecutor(THREADS)
        self.load: Load | None = None

    def ready(self) -> None:
        """Import what there is to import, for which a loaded machine may take its time."""
        nowhere = "https://127.0.0.1/"
        self.prepare(issuer=nowhere, jwks_uri=nowhere, audience="nobody", short=False, start=False)

    def versions(self) -> dict[str, str]:
        of = {name: version(name) for name in (self.contender.distribution, *self.contender.also)}
        return {"python": platform.python_version(), **of}

    def prepare(self, *, issuer: str, jwks_uri: str, audience: str, short: bool, start: bool = True) -> str:
        """Set the contender up anew; what went wrong at its start, if anything."""

        async def on_the_loop() -> str:
            self.contender.prepare(Target(issuer, jwks_uri, audience), short=short)
            try:
                if start:
                    await asyncio.wait_for(self.contender.start(), GIVE_UP)
            except Exception as failure:
                return f"{type(failure).__name__}: {failure}"
            return ""

        self.contender.stop()
        trouble: str = self._on_loop(on_the_loop())
        return trouble

    def ask(self, *, tokens: list[str], how: str, at_once: int, give_up: float, limit: float) -> list[Asked] | None:
        """Ask about each token, `at_once` of them at a time, for `limit` seconds; None where `how` is not offered.

        `how` is `usual` (coroutines where there are any) or `threads`.
        """
        ends = time.monotonic() + limit
        if how == "usual" and self.contender.coroutines:
            answers: list[Asked] = self._on_loop(self._ask_in_tasks(tokens, at_once, give_up, ends))
            return answers
        if not self.contender.threads:
            return None
        with_these = ThreadPoolExecutor(min(at_once, THREADS if how == "usual" else at_once))
        return self._ask_in_threads(with_these, tokens, give_up, ends)

    def grow_old(self) -> None:
        self.contender.grow_old()

    def cool_down(self) -> None:
        self.contender.cool_down()

    def begin(self, *, token: str, rate: float, seconds: float, give_up: float) -> None:
        """Ask about `token`, or what `present` says later, `rate` times a second, whatever becomes of it."""
        self.load = Load(self, token, rate, seconds, give_up)

    def present(self, *, token: str) -> None:
        assert self.load is not None
        self.load.token = token

    def gather(self) -> list[Asked]:
        assert self.load is not None
        return self.load.gather()

    def peak(self) -> float:
        """The most memory that this process ever had, in MB."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    async def one(self, token: str, due: float, give_up: float) -> Asked:
        task = asyncio.ensure_future(self.contender.averify(token))
        done, _ = await asyncio.wait({task}, timeout=give_up)
        took = time.perf_counter() - due
        if not done:  # and is left to itself: cancelled, it might let others go on
            return "hangs", took, ""
        return self._judged(task.exception(), took)

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

    def _on_loop(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    async def _ask_in_tasks(self, tokens: list[str], at_once: int, give_up: float, ends: float) -> list[Asked]:
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

    def _ask_in_threads(self, pool: ThreadPoolExecutor, tokens: list[str], give_up: float, ends: float) -> list[Asked]:
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

    def __init__(self, worker: Worker, token: str, rate: float, seconds: float, give_up: float) -> None:
        self.token = token
        self._worker = worker
        self._give_up = give_up
        self._futures: list[Future[Asked]] = []
        self._pace = threading.Thread(target=self._run, args=(rate, round(rate * seconds)), daemon=True)
        self._pace.start()

    def _run(self, rate: float, number: int) -> None:
        worker, begun = self._worker, time.perf_counter()
        for place in range(number):
            due = begun + place / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            if worker.contender.coroutines:
                asked = worker.one(self.token, due, self._give_up)
                self._futures.append(asyncio.run_coroutine_threadsafe(asked, worker.loop))
            else:
                self._futures.append(worker.pool.submit(worker.one_blocking, self.token, due))

    def gather(self) -> list[Asked]:
        self._pace.join()
        latest = time.monotonic() + self._give_up
        return [waited_for(future, latest - time.monotonic(), self._give_up) for future in self._futures]


def waited_for(future: Future[Asked], left: float, give_up: float) -> Asked:
    try:
        return future.result(max(0.0, left))
    except NotYet:
        return "hangs", give_up, ""


def main() -> None:
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    worker = Worker(sys.argv[1])
    for line in iter(sys.stdin.readline, ""):
        arguments = json.loads(line)
        act: Callable[..., Any] = getattr(worker, arguments.pop("do"))
        try:
            answer = {"answer": act(**arguments)}
        except Exception as failure:
            answer = {"failed": f"{type(failure).__name__}: {failure}"}
        print(json.dumps(answer), file=channel, flush=True)
    os._exit(0)  # threads that hang are part of what is measured


if __name__ == "__main__":
    main()
