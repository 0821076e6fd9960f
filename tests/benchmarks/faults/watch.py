"""What one callback of an event loop costs it: the thread's CPU, and the time by the wall in which no other ran."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast


class Watch:
    """Measures every callback of this loop from its making to `end`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._cpu = self._wall = 0.0
        self._run = run = asyncio.Handle._run

        def measured(handle: Any) -> None:
            if handle._loop is not loop:
                return run(handle)
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return run(handle)
            finally:
                self._cpu = max(self._cpu, time.thread_time() - cpu)
                self._wall = max(self._wall, time.perf_counter() - wall)

        cast("Any", asyncio.Handle)._run = measured

    def end(self) -> tuple[float, float]:
        """The most that one took, in milliseconds: of CPU, and by the wall."""
        cast("Any", asyncio.Handle)._run = self._run
        return self._cpu * 1000, self._wall * 1000
