"""Batches timed in turn, round by round, and compared within the round: what a noisy machine leaves comparable.

Times are the CPU time of this process, all its threads together: what other programs take in between does not count.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

Batch = Callable[[], object]
Times = dict[str, list[float]]


class Spread(TypedDict):
    """A median and the quartiles around it."""

    median: float
    lower: float
    upper: float


def times_of(batches: Mapping[str, Batch], *, operations: int, rounds: int, seed: int = 1) -> Times:
    """Microseconds an operation, by batch and round: every batch once a round, in an order drawn anew."""
    order, shuffle = list(batches), random.Random(seed).shuffle
    times: Times = {name: [] for name in order}
    for batch in batches.values():
        batch()
    gc.collect()
    gc.freeze()  # what is there already is not looked through again before each batch
    try:
        for _ in range(rounds):
            shuffle(order)
            for name in order:
                gc.collect()
                gc.disable()
                begun = time.process_time()
                batches[name]()
                times[name].append((time.process_time() - begun) / operations * 1e6)
                gc.enable()
    finally:
        gc.enable()
        gc.unfreeze()
    return times


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles of what the rounds showed."""
    lower, median, upper = statistics.quantiles(values, n=4)
    return {"median": median, "lower": lower, "upper": upper}


def spread_of_few(values: Sequence[float]) -> Spread:
    """`spread`, which one value has, too."""
    return spread(values) if len(values) > 1 else {"median": values[0], "lower": values[0], "upper": values[0]}


def figure(times: Sequence[float], yardstick: Sequence[float], below: Sequence[float] | None = None) -> dict[str, Any]:
    """Microseconds and the ratio to the yardstick, paired by round; of what is added to `below`, where that is given."""
    own = times if below is None else [mine - theirs for mine, theirs in zip(times, below, strict=True)]
    ratios = [mine / theirs for mine, theirs in zip(own, yardstick, strict=True)]
    return {"microseconds": statistics.median(own), "ratio": spread(ratios)}


def cells(figure: Mapping[str, Any]) -> list[str]:
    """A figure as table cells: microseconds, ratio, quartiles."""
    return [f"{figure['microseconds']:.1f}", *ratio_cells(figure["ratio"])]


def ratio_cells(ratio: Spread) -> list[str]:
    return [f"{ratio['median']:.2f}", f"{ratio['lower']:.2f}-{ratio['upper']:.2f}"]


def rate_cells(rate: Spread) -> list[str]:
    """Operations a second and their quartiles."""
    return [f"{rate['median']:,.0f}", f"{rate['lower']:,.0f}-{rate['upper']:,.0f}"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table. Columns after the first whose cells are all numbers stand to the right."""
    right = [
        any(row[place] for row in rows) and all(_is_number(row[place]) for row in rows) for place in range(len(head))
    ]
    rule = ["---:" if numbers and place else "---" for place, numbers in enumerate(right)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *rows]) + "\n"


def _is_number(cell: str) -> bool:
    return all(character in "0123456789.,-+ x%" for character in cell)
