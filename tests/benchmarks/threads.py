"""What threads do to each path: two of them beside one, and one beside a thread that never waits for anything.

Whoever lets go of the interpreter lock, as signature checks do, has to get it back: from a thread that is busy with Python
code only after the switch interval, 5 ms by default.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from tests.benchmarks.contenders import ours
from tests.benchmarks.material import ALGORITHMS, Material
from tests.benchmarks.measure import table

Verify = Callable[[str], object]

_OPERATIONS = 2_000


def threads(rounds: int) -> Iterator[str]:
    """Both tables, of every algorithm cold and of a hit."""
    materials = {algorithm: Material(algorithm) for algorithm in ALGORITHMS}
    paths: dict[str, tuple[Verify, Sequence[str]]] = {}
    for algorithm, material in materials.items():
        jwk = None if algorithm == "HS256" else material.jwk()
        paths[f"{algorithm}, cold"] = ours(algorithm, material.public_key, jwk), material.tokens
    hs = materials["HS256"]
    paths["hit"] = ours("HS256", hs.public_key, None, cache_size=10_000), hs.tokens
    for verify, tokens in paths.values():
        for token in tokens:
            verify(token)
    yield _two_beside_one(paths, max(3, rounds // 8))
    yield _beside_a_busy_one(paths)


def _two_beside_one(paths: dict[str, tuple[Verify, Sequence[str]]], rounds: int) -> str:
    rows = []
    for name, (verify, tokens) in paths.items():
        ratios = []
        for _ in range(rounds):
            one, two = _throughput(verify, tokens, 1), _throughput(verify, tokens, 2)
            ratios.append(two / one)
        rows.append([name, f"{statistics.median(ratios):.2f}", f"{max(ratios):.2f}"])
    head = ["path", "throughput of two threads, one thread = 1 (median)", "best round"]
    return "### Two threads beside one\n\n" + table(head, rows)


def _throughput(verify: Verify, tokens: Sequence[str], count: int) -> float:
    def work() -> None:
        barrier.wait()
        for turn in range(_OPERATIONS):
            verify(tokens[turn % len(tokens)])

    barrier = threading.Barrier(count + 1)
    workers = [threading.Thread(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    barrier.wait()
    begun = time.perf_counter()
    for worker in workers:
        worker.join()
    return count * _OPERATIONS / (time.perf_counter() - begun)


def _beside_a_busy_one(paths: dict[str, tuple[Verify, Sequence[str]]]) -> str:
    rows = []
    for name, (verify, tokens) in paths.items():
        alone = _latencies(verify, tokens)
        stop = threading.Event()
        busy = threading.Thread(target=_spin, args=(stop,))
        busy.start()
        try:
            beside = _latencies(verify, tokens)
        finally:
            stop.set()
            busy.join()
        deciles = [beside[len(beside) * tenths // 10] for tenths in (1, 5, 9)]
        rows.append([name, f"{alone[len(alone) // 2]:.1f}", *(f"{decile:.1f}" for decile in deciles)])
    interval = f"switch interval {sys.getswitchinterval() * 1000:g} ms"
    head = ["path", "us alone (median)", "us beside: 1 in 10 below", "median", "9 in 10 below"]
    return f"### Beside a thread that is busy with Python code ({interval})\n\n" + table(head, rows)


def _latencies(verify: Verify, tokens: Sequence[str]) -> list[float]:
    """Of operations one after the other: what one has to wait for is its own doing, or that of the busy thread."""
    found = []
    deadline = time.perf_counter() + 1.5
    for turn in range(400):
        begun = time.perf_counter()
        verify(tokens[turn % len(tokens)])
        found.append((time.perf_counter() - begun) * 1e6)
        if time.perf_counter() > deadline:
            break
    return sorted(found)


def _spin(stop: threading.Event) -> None:
    while not stop.is_set():
        for _ in range(1_000):
            pass
