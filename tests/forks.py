"""A forked child of the test's process, and what became of it."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable

PATIENCE = 20.0
"""Seconds after which a child that has not ended is wrong."""


def in_child(work: Callable[[], int]) -> int:
    """What `work` returns in a forked process, which is killed and reported when it hangs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on for a fork beside threads: it is meant here
        child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    end = time.monotonic() + PATIENCE
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, 9)
            os.waitpid(child, 0)
            raise AssertionError("the child hangs")
        time.sleep(0.005)
