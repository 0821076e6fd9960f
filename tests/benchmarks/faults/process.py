"""The process of one contender, told by lines of JSON what to do, and how it is ended whatever it does."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.benchmarks.faults.authority import authority

ROOT = Path(__file__).resolve().parents[3]


class Hung(Exception):
    """The process answers no more, although no request may take that long: its event loop is blocked.

    `found` is what a scenario says about that, if it expected it. The process must not be used again.
    """

    found: dict[str, str | float] | None = None


class Process:
    """A worker, told by lines of JSON what to do."""

    def __init__(self, python: str, name: str) -> None:
        trust = str(authority()[0])
        environment = {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "SSL_CERT_FILE": trust,
            "REQUESTS_CA_BUNDLE": trust,
            "PYTHONPATH": str(ROOT),
        }
        self._child = subprocess.Popen(
            [python, "-m", "tests.benchmarks.faults.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._complaint = ""
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._drain)]
        for reader in self._readers:
            reader.start()

    def ready(self) -> Process:
        """This, once its library is imported."""
        self.call("ready", patience=120)
        return self

    def call(self, do: str, *, patience: float, **arguments: Any) -> Any:
        """What the worker answers. Raises Hung when it does not, RuntimeError when it is broken."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._child.stdin.flush()
            line = self._lines.get(timeout=patience)
        except queue.Empty:
            raise Hung(do) from None
        except OSError:
            line = ""
        if not line:
            self._child.wait(5)
            self._readers[1].join(5)
            raise RuntimeError(self._complaint.strip().rpartition("\n")[2] or f"ended with {self._child.returncode}")
        answer = json.loads(line)
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        return answer["answer"]

    def end(self) -> None:
        self._child.kill()
        self._child.wait()
        for reader in self._readers:
            reader.join(5)
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _drain(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self._complaint = (self._complaint + line)[-4000:]
