"""`python -m tests.benchmarks.faults.worker NAME`: a process that has one contender, told what to do by lines of JSON.

A contender with coroutines lives on one event loop in a thread of its own, as under an ASGI server; one without is
called in 40 threads, as many as such a server has for blocking code. Every request is timed here. Imports nothing but
the standard library and the contender, so that it runs in whichever environment has that.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

from tests.benchmarks.faults import memory
from tests.benchmarks.faults.asking import THREADS, Asked, Asker, Load
from tests.benchmarks.faults.child import in_child
from tests.benchmarks.faults.contenders import Contender, Target, contender
from tests.benchmarks.faults.watch import Watch

GIVE_UP = 11.0
"""Seconds that are waited for what a library does when an application starts."""
REAL_TIME = time.time


class Worker:
    """Its public methods are the commands."""

    def __init__(self, name: str) -> None:
        self.contender: Contender = contender(name)
        self.asker = Asker(self.contender)
        self.load: Load | None = None
        self.watching: Watch | None = None

    def ready(self) -> None:
        """Import what there is to import, for which a loaded machine may take its time, and leave it as no garbage."""
        nowhere = "https://127.0.0.1/"
        self.prepare(target={"issuer": nowhere, "jwks_uri": nowhere, "audience": "nobody"}, short=False, start=False)
        gc.collect()
        gc.freeze()

    def versions(self) -> dict[str, str]:
        of = {name: version(name) for name in (self.contender.distribution, *self.contender.also)}
        return {"python": platform.python_version(), **of}

    def prepare(self, *, target: dict[str, str], short: bool, start: bool = True) -> str:
        """Set the contender up anew; what went wrong at its start, if anything."""

        async def on_the_loop() -> str:
            self.contender.prepare(Target(**target), short=short)
            try:
                if start:
                    await asyncio.wait_for(self.contender.start(), GIVE_UP)
            except Exception as failure:
                return f"{type(failure).__name__}: {failure}"
            return ""

        self.step(seconds=0.0)
        self.contender.stop()
        trouble: str = self.asker.on_loop(on_the_loop())
        return trouble

    def introspect(self, *, target: dict[str, str]) -> None:
        """Set the contender up to ask an introspection endpoint."""

        async def on_the_loop() -> None:
            self.contender.introspect(Target(**target))

        self.contender.stop()
        self.asker.on_loop(on_the_loop())

    def ask(self, *, tokens: list[str], how: str, at_once: int, give_up: float, limit: float) -> list[Asked] | None:
        """Ask about each token, `at_once` of them at a time, for `limit` seconds; None where `how` is not offered.

        `how` is `usual` (coroutines where there are any) or `threads`.
        """
        ends = time.monotonic() + limit
        if how == "usual" and self.contender.coroutines:
            answers: list[Asked] = self.asker.on_loop(self.asker.in_tasks(tokens, at_once, give_up, ends))
            return answers
        if not self.contender.threads:
            return None
        with_these = ThreadPoolExecutor(min(at_once, THREADS if how == "usual" else at_once))
        return self.asker.in_threads(with_these, tokens, give_up, ends)

    def cancel_first(self, *, tokens: list[str], after: float, give_up: float) -> list[Asked] | None:
        """Ask about each, and cancel the first: what the others get, or None where there are no coroutines."""
        if not self.contender.coroutines:
            return None
        answers: list[Asked] = self.asker.on_loop(self.asker.first_cancelled(tokens, after, give_up))
        return answers

    def fork(self, *, token: str, aged: bool, give_up: float) -> Asked:
        """What a forked child of this process gets for this token, after the keys' age and cool-down if `aged`."""

        def work() -> Asked:
            if aged:
                self.contender.grow_old()
                self.contender.cool_down()
            return self.asker.alone(token, give_up)

        return in_child(work, give_up)

    def grow_old(self) -> None:
        self.contender.grow_old()

    def grow_stale(self) -> None:
        self.contender.grow_stale()

    def cool_down(self) -> None:
        self.contender.cool_down()

    def step(self, *, seconds: float) -> None:
        """Step the wall clock for everything here that asks `time.time` of its module; 0 puts it right again."""
        time.time = (lambda: REAL_TIME() + seconds) if seconds else REAL_TIME
        if seconds:
            self.contender.step(seconds)

    def watch(self) -> None:
        """Measure each callback of the loop from now on."""
        if self.contender.coroutines:
            self.watching = Watch(self.asker.loop)

    def watched(self) -> tuple[float, float] | None:
        """The most that one took since: milliseconds of the thread's CPU, and by the wall. None without a loop."""
        watching, self.watching = self.watching, None
        return None if watching is None else watching.end()

    def begin(self, *, token: str, rate: float, seconds: float, give_up: float) -> None:
        """Ask about `token`, or what `present` says later, `rate` times a second, whatever becomes of it."""
        self.load = Load(self.asker, token, rate, seconds, give_up)

    def present(self, *, token: str) -> None:
        assert self.load is not None
        self.load.token = token

    def gather(self) -> list[Asked]:
        assert self.load is not None
        return self.load.gather()

    def forget_peak(self) -> float:
        """The memory that this process has from now on at least, in MB."""
        gc.collect()
        memory.forget_peak()
        return memory.peak()

    def peak(self) -> float:
        """The most memory that it has had since, in MB."""
        return memory.peak()


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
