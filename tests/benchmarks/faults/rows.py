"""The rows of the tables, and how bad what was found is in each: a wrong outcome, or more than there should be.

The limits are those that bearer_guard sets itself: one fetch from cold, one for each rotation, two in a cool-down for
tokens that name keys which do not exist, no good token lost, nobody waiting while there are keys.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from tests.benchmarks.faults.scenarios import FAULTS, RATE, SECONDS, STRANGERS

NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OUTCOME = re.compile("admitted|refused|error|hangs")


class Row(NamedTuple):
    """A row by its name: what it says, which outcome is right there, and what a number in it must not exceed."""

    name: str
    says: str
    wanted: str = ""
    most: float = inf


ONE = (
    Row("cold_30", "fetches for 30 requests at once, no keys yet", most=1),
    Row("strangers_40", "fetches for 40 tokens with random kids, after the cool-down", most=2),
    Row("rotated", "a key is added right after a fetch, and signs a token", "admitted"),
    Row("rotated_later", "the same after the cool-down", "admitted"),
    Row("post_quantum", "the keys also hold a post-quantum one (`AKP`)", "admitted"),
    Row("malformed", "the keys also hold a malformed RSA key", "admitted"),
    Row("no_kid", "the keys also hold one without `kid`", "admitted"),
    Row("no_alg", "the key has no `alg`", "admitted"),
    Row("no_exp", "a token without `exp`", "refused"),
    Row("nbf_ahead", "a token whose `nbf` is one hour ahead", "refused"),
    Row("unknown_crit", "a token with an unknown `crit`", "refused"),
    Row("padded", "a token with `==` appended", "refused"),
    Row("after_stranger", "a good token after one with an unknown kid, during an outage", "admitted"),
    Row("old_503", "the keys are too old, the provider answers 503", "admitted"),
    Row("old_slow", "the keys are too old, each answer takes 2 s: seconds that a request waits", most=0.5),
)
MANY = (
    Row("cold_200", "fetches for 200 requests at once, no keys yet", most=1),
    Row("cold_64", "fetches for 64 threads at once, no keys yet", most=1),
    Row("rotations_lost", "good tokens lost in ten rotations, 0.3 s apart, at 100 requests a second", most=0),
    Row("rotations_fetches", "fetches in these ten rotations", most=10),
    Row("storm_well_fetches", f"fetches for {STRANGERS:,} tokens with random kids, provider up", most=2),
    Row("storm_well_lost", "good tokens lost among and after them", most=0),
    Row("storm_reset_fetches", "the same, provider down: fetches", most=2),
    Row("storm_reset_lost", "the same, provider down: good tokens lost", most=0),
    Row("storm_429_fetches", "the same, provider answers 429: fetches", most=2),
    Row("storm_429_lost", "the same, provider answers 429: good tokens lost", most=0),
)
OLD = tuple(Row(f"old_{how}", f"keys too old, provider: {how}", "admitted", most=1) for how in FAULTS)
COLD = tuple(Row(f"cold_{how}", f"no keys yet, provider: {how}", "error") for how in FAULTS)
_UNITS = {"p50": "p50, ms", "p99": "p99, ms", "lost": f"lost of {RATE * SECONDS:.0f}"}
PACE = tuple(
    Row(f"{name}_{what}", f"{name}, {says}", most=0 if what == "lost" else inf)
    for name in ("calm", "rotation", "outage")
    for what, says in _UNITS.items()
)
ALL = (*ONE, *MANY, *OLD, *COLD, *PACE)


def is_bad(values: Sequence[str | float], row: Row) -> bool:
    """Whether any of these is not the outcome that is wanted, or more than there should be, or lost good tokens."""
    wanted = {row.wanted} if row.wanted else set()
    return any(
        set(_OUTCOME.findall(str(value))) != wanted or number_of(value) > row.most or str(value).endswith("lost")
        for value in values
    )


def number_of(value: str | float) -> float:
    found = NUMBER.search(str(value))
    return 0.0 if found is None else float(found[0])


def rank(value: str | float, row: Row) -> tuple[int, float]:
    """How bad this is: first whether it is wrong or not offered, then its number."""
    offered = isinstance(value, float | int) or bool(NUMBER.search(value) or row.wanted)
    return (2 if not offered else int(is_bad([value], row)), number_of(value))
