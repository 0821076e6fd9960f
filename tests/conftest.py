"""What every test may ask for: the event loops that coroutines are tested under, with anyio's plugin."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _traced_threads() -> Iterator[None]:
    """Under coverage, trace threads that are started below `threading`, too, which coverage does not see by itself."""
    start, trace = _thread.start_new_thread, threading.gettrace()
    if trace is None:
        yield
        return

    def start_traced(function: Callable[..., object], arguments: tuple[Any, ...]) -> int:
        def work() -> None:
            sys.settrace(trace)
            function(*arguments)

        return start(work, ())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", start_traced)
        yield


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops that the package works under, for tests marked with `anyio`."""
    return str(request.param)
