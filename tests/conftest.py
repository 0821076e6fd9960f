"""How the tests are shared among processes, and what every test may ask for: both event loops, with anyio's plugin."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from coverage import Coverage

_MOST_WORKERS = 8


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """A run of all tests uses every core; tests that are named, and tests under coverage, run in this process.

    `-n` says otherwise, as pytest-xdist describes it. Ctrl-C, which some tests press, has its effect in any case.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell leaves it to what runs in its background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    option = config.option
    whole = config.args_source is config.ArgsSource.TESTPATHS and not hasattr(config, "workerinput")
    if whole and getattr(option, "numprocesses", 0) is None and option.dist == "no" and Coverage.current() is None:
        option.numprocesses, option.dist = "auto", "worksteal"
        option.maxprocesses = option.maxprocesses or _MOST_WORKERS


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
