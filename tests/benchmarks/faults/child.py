"""A forked child of a worker: what it found, or that it hangs, whatever locks it inherited."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable

from tests.benchmarks.faults.asking import Asked


def in_child(work: Callable[[], Asked], give_up: float) -> Asked:
    """What `work` returns in a child of this process, which is ended in any case."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(round(2 * give_up))  # its end, even if nobody is left to kill it
        try:
            found = work()
        except BaseException as failure:
            found = ("error", 0.0, f"{type(failure).__name__}: {failure}"[:300])
        os.write(writer, json.dumps(found).encode())
        os._exit(0)
    os.close(writer)
    try:
        if not select.select([reader], [], [], give_up)[0]:
            return "hangs", give_up, ""
        told = os.read(reader, 65536)
        return tuple(json.loads(told)) if told else ("error", 0.0, "the child died")
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
