"""Contenders timed in turn, round by round, and compared within the round: what a noisy machine leaves comparable."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Batch = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Of one contender: microseconds an operation (median) and the ratio to the yardstick (median and quartiles)."""

    microseconds: float
    ratio: float
    lower: float
    upper: float

    def cells(self) -> list[str]:
        return [f"{self.microseconds:.1f}", f"{self.ratio:.2f}", f"{self.lower:.2f}-{self.upper:.2f}"]


def interleaved(
    contenders: Mapping[str, Batch], *, yardstick: str, operations: int, rounds: int = 41, seed: int = 1
) -> dict[str, Figure]:
    """Run every contender's batch of `operations` once a round, in an order drawn anew, and compare within rounds."""
    order, shuffle = list(contenders), random.Random(seed).shuffle
    times: dict[str, list[float]] = {name: [] for name in order}
    for batch in contenders.values():
        batch()
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            gc.collect()
            gc.disable()
            begun = time.perf_counter()
            contenders[name]()
            times[name].append((time.perf_counter() - begun) / operations * 1e6)
            gc.enable()
    return {name: _figure(times[name], times[yardstick]) for name in contenders}


def _figure(times: Sequence[float], yardstick: Sequence[float]) -> Figure:
    ratios = [own / other for own, other in zip(times, yardstick, strict=True)]
    lower, median, upper = statistics.quantiles(ratios, n=4)
    return Figure(microseconds=statistics.median(times), ratio=median, lower=lower, upper=upper)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"
