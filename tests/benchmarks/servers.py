"""Section `servers`: requests a second and latencies of real servers on loopback, asked by wrk.

All servers of a group stand at the same time and are asked in turn, so that a slow minute of the machine hits them
all. Each has one worker; with two cores or more the servers share one and wrk has another.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.benchmarks import apps
from tests.benchmarks.paired import Spread, rate_cells, spread_of_few, table
from tests.benchmarks.provider import Provider, RequestMaterial

CONNECTIONS = 16
TOKENS = 500
SCRIPT = Path(__file__).with_name("wrk.lua")
FACTORY = "tests.benchmarks.served:create"


@dataclass(frozen=True)
class Group:
    """A server, what it speaks, and the command that starts it on a port."""

    server: str
    distribution: str
    frameworks: tuple[str, ...]
    options: tuple[str, ...]

    def command(self, port: int) -> list[str]:
        return [sys.executable, "-m", self.distribution, *self.options, "--port", str(port), FACTORY]


_GRANIAN = ("--factory", "--host", "127.0.0.1", "--workers", "1", "--no-log", "--no-ws")
GROUPS = (
    Group("uvicorn", "uvicorn", apps.ASGI, ("--factory", "--no-access-log", "--log-level", "critical")),
    Group("granian, ASGI", "granian", apps.ASGI, (*_GRANIAN, "--interface", "asgi")),
    Group("granian, WSGI", "granian", ("wsgi", "flask"), (*_GRANIAN, "--interface", "wsgi", "--blocking-threads", "1")),
)


def measure(rounds: int, seconds: int) -> dict[str, Any]:
    """What wrk saw, by group and application."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return {"groups": {}, "left_out": {"everything": "wrk is not installed"}, "wrk": ""}
    material = RequestMaterial(TOKENS)
    groups: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    with Provider(material.private_key) as provider, tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder, "tokens")
        tokens.write_text("\n".join(material.tokens) + "\n", encoding="ascii")
        for group in GROUPS:
            try:
                release = version(group.distribution)
            except PackageNotFoundError:
                left_out[group.server] = "is not installed"
                continue
            with _serving(group, provider.site.url) as (ports, broken):
                figures = _asked_in_turn([wrk], ports, tokens, rounds, seconds)
            groups[group.server] = {"version": release, "figures": figures}
            left_out |= {f"{group.server}, {name}": why for name, why in broken.items()}
    return {
        "groups": groups,
        "left_out": left_out,
        "rounds": rounds,
        "seconds": seconds,
        "pinned": _cores() is not None,
    }


@contextlib.contextmanager
def _serving(group: Group, provider: str) -> Iterator[tuple[dict[str, int], dict[str, str]]]:
    """A server for each application of the group, up and answering: its port by the application's key."""
    keys = [*group.frameworks, *(c.key for c in apps.CONTENDERS if c.framework in group.frameworks)]
    ports: dict[str, int] = {}
    broken: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        processes = {}
        for key in keys:
            ports[key] = free_port()
            environment = {**os.environ, "BENCHMARK_APPLICATION": key, "BENCHMARK_PROVIDER": provider}
            command = [*_on_core(0), *group.command(ports[key])]
            processes[key] = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(stop, processes[key])
        for key, process in processes.items():
            if not answers(ports[key], process):
                broken[key] = "did not start (is it installed?)"
                del ports[key]
        yield ports, broken


def _asked_in_turn(
    wrk: Sequence[str], ports: dict[str, int], tokens: Path, rounds: int, seconds: int
) -> list[dict[str, Any]]:
    seen: dict[str, list[dict[str, float]]] = {key: [] for key in ports}
    order, shuffle = list(ports), random.Random(1).shuffle
    for number in range(rounds + 1):
        shuffle(order)
        for key in order:
            found = _ask(wrk, ports[key], tokens, seconds if number else 1)
            if number:  # the first time around warms up: connections, keys, caches
                seen[key].append(found)
    rates = {key: [one["requests"] / one["microseconds"] * 1e6 for one in found] for key, found in seen.items()}
    return [
        {"key": key, **_summary(found, rates[key], rates.get(key.partition(": ")[0], rates[key]))}
        for key, found in seen.items()
    ]


def _ask(wrk: Sequence[str], port: int, tokens: Path, seconds: int) -> dict[str, float]:
    command = [*_on_core(1), *wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(SCRIPT)]
    url = f"http://127.0.0.1:{port}/"
    done = subprocess.run([*command, url, "--", str(tokens)], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    if found["refused"] or found["broken"]:
        raise RuntimeError(f"wrk saw failures: {found}")
    return found


def _summary(found: Sequence[dict[str, float]], rates: list[float], unprotected: list[float]) -> dict[str, Any]:
    """Of one application: its rate, and as a share of what the unprotected one had in the same round."""
    return {
        "rate": spread_of_few(rates),
        "share": spread_of_few([rate / most for rate, most in zip(rates, unprotected, strict=True)]),
        "p50": statistics.median(one["p50"] for one in found) / 1000,
        "p99": statistics.median(one["p99"] for one in found) / 1000,
    }


def answers(port: int, process: subprocess.Popen[bytes], certificate: Path | None = None) -> bool:
    """Whether the server of `process` answers on `port`, within half a minute. Over TLS with that certificate, if given."""
    context = None if certificate is None else ssl.create_default_context(cafile=str(certificate))
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        if context is not None:
            connection = HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        with contextlib.suppress(OSError, HTTPException), contextlib.closing(connection):
            connection.request("GET", "/")
            connection.getresponse()
            return True
        time.sleep(0.1)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def _cores() -> list[int] | None:
    """The cores to bind to, or None where there is only one, or no way to bind."""
    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        return None
    cores = sorted(os.sched_getaffinity(0))
    return cores if len(cores) > 1 else None


def _on_core(place: int) -> list[str]:
    cores = _cores()
    return [] if cores is None else ["taskset", "-c", str(cores[place])]


def render(record: dict[str, Any]) -> str:
    """The tables of this section in Markdown."""
    parts = []
    for server, group in record["groups"].items():
        rows = []
        for entry in sorted(group["figures"], key=lambda entry: -entry["rate"]["median"]):
            framework, _, name = entry["key"].partition(": ")
            times = [f"{entry['p50']:.2f}", f"{entry['p99']:.2f}"]
            who = [name or "*unprotected*", apps.BARE[framework]]
            rows.append([*who, *rate_cells(entry["rate"]), *_percent(entry["share"]), *times])
        head = ["who", "around", "requests/s", "quartiles", "of unprotected", "quartiles", "p50 ms", "p99 ms"]
        parts.append(f"### {server} {group['version']}\n\n{table(head, rows)}")
    if record["left_out"]:
        parts.append("Left out:\n\n" + "".join(f"- {name}: {why}.\n" for name, why in record["left_out"].items()))
    return "\n".join(parts)


def _percent(share: Spread) -> list[str]:
    return [f"{100 * share['median']:.0f} %", f"{100 * share['lower']:.0f}-{100 * share['upper']:.0f} %"]
