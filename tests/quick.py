"""Bounds on CPU time that a busy machine does not break: what is quick is quick in one of a few runs."""

from __future__ import annotations

import time
from collections.abc import Callable

_RUNS = 5


def within(seconds: float, action: Callable[[], object]) -> bool:
    """Whether `action` takes less CPU time of this thread than `seconds`, in at least one of up to five runs.

    One run alone may have been the one in which the garbage collector came round.
    """
    for _ in range(_RUNS):
        begun = time.thread_time()
        action()
        if time.thread_time() - begun < seconds:
            return True
    return False
