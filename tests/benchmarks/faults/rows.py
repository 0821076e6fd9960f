"""The rows of the tables, and how bad what was found is in each: a wrong outcome, or more than there should be.

The limits are those that bearer_guard sets itself: one fetch from cold, one for each rotation, two in a cool-down for
tokens that name keys which do not exist, no good token lost, nobody waiting while there are keys.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from tests.benchmarks.faults.behaviours import BOMB_MEGABYTES
from tests.benchmarks.faults.scenarios.common import (
    ANSWERS,
    FAULTS,
    NOT_APPLICABLE,
    RATE,
    SECONDS,
    STRANGERS,
)

NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OUTCOME = re.compile("admitted|refused|error|hangs")
_GROWN = re.compile(r"\+(\d+) MB")
MOST_CPU = 5
"""Milliseconds of its thread's CPU that one callback of an event loop may take."""


class Row(NamedTuple):
    """A row by its name: what it says, which outcome is right there, and what a number in it must not exceed.

    Numbers below `least` are as good as that.
    """

    name: str
    says: str
    wanted: str = ""
    most: float = inf
    least: float = 0.0


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
    Row("removed", "a key is removed, the keys' age passes: a token of it", "refused"),
    Row("same_kid", "a new key gets the kid of the old one, the cool-down passes: a token by it", "admitted"),
    Row("same_kid_old", "the same, and the keys' age passes", "admitted"),
    Row("past_bound", "the provider answers 503 for longer than keys are kept", "error"),
    Row("redirected", "the keys' address redirects (302) to a stranger's: a token by the stranger's key", "error"),
    Row("redirected_fetches", "fetches from that stranger", most=0),
    Row("other_issuer", "the metadata name another issuer", "error"),
    Row("cancelled", "ten wait for keys, the first is cancelled: the others", "admitted"),
    Row("cancelled_fetches", "fetches for these ten", most=1),
    Row("fork_warm", "the keys are fetched, the process forks: the child", "admitted"),
    Row("fork_new", "the same, then age and cool-down pass: a token by a new key in the child", "admitted"),
    Row("fork_fetching", "the process forks while it fetches keys: the child", "admitted"),
    Row("clock_back", "the clock steps 2 h back; then age and cool-down pass: a token by a new key", "admitted"),
    Row("clock_forward", "fresh keys, the provider answers 503, the clock steps 2 days forward", "admitted"),
    Row("old_slow", "the keys are too old, each answer takes 2 s: seconds that a request waits", most=0.5),
)
MANY = (
    Row("cold_200", "fetches for 200 requests at once, no keys yet", most=1),
    Row("cold_64", "fetches for 64 threads at once, no keys yet", most=1),
    Row("rotations_lost", "good tokens lost in ten rotations, 0.3 s apart, at 100 requests a second", most=0),
    Row("rotations_fetches", "fetches in these ten rotations", most=10),
    Row("storm_well_fetches", f"fetches for {STRANGERS:,} tokens with random kids, provider up", most=2),
    Row("storm_well_lost", "good tokens lost among and after them", most=0),
    Row("storm_well_then", "then a new key, and the cool-down: a token by it", "admitted"),
    Row("storm_reset_fetches", "the same, provider down: fetches", most=2),
    Row("storm_reset_lost", "the same, provider down: good tokens lost", most=0),
    Row("storm_reset_then", "the same, provider down: then it is up with a new key, and the cool-down", "admitted"),
    Row("storm_429_fetches", "the same, provider answers 429: fetches", most=2),
    Row("storm_429_lost", "the same, provider answers 429: good tokens lost", most=0),
    Row(
        "storm_429_then", "the same, provider answers 429: then it is up with a new key, and the cool-down", "admitted"
    ),
)
OLD = tuple(Row(f"old_{how}", f"keys too old, provider: {how}", "admitted", most=1) for how in FAULTS)
LOOP = tuple(Row(f"loop_{how}", f"keys too old, provider: {how}: CPU of a callback", "", MOST_CPU, 1) for how in FAULTS)
COLD = tuple(Row(f"cold_{how}", f"no keys yet, provider: {how}", "error") for how in FAULTS)
_SAID = {"active": "admitted", "inactive": "refused", "{}": "refused"}
INTROSPECTION = tuple(Row(f"introspection_{how}", f"introspection: {how}", _SAID.get(how, "error")) for how in ANSWERS)
PHASES = ("calm", "rotation", "outage")
_LATENCIES = {"p50": ("p50, ms", inf), "p99": ("p99, ms", inf), "lost": (f"lost of {RATE * SECONDS:.0f}", 0.0)}
_CALLBACKS = {"cpu": ("ms of CPU", float(MOST_CPU)), "gap": ("ms by the wall", inf)}


def _in_each_phase(columns: dict[str, tuple[str, float]], least: float = 0.0) -> tuple[Row, ...]:
    return tuple(
        Row(f"{phase}_{what}", f"{phase}, {says}", "", most, least)
        for what, (says, most) in columns.items()
        for phase in PHASES
    )


PACE = _in_each_phase(_LATENCIES)
CALLBACKS = _in_each_phase(_CALLBACKS, 1.0)
ALL = (*ONE, *MANY, *OLD, *LOOP, *COLD, *INTROSPECTION, *PACE, *CALLBACKS)


def is_bad(values: Sequence[str | float], row: Row) -> bool:
    """Whether any is not the outcome that is wanted, or more than there should be, or lost good tokens, or is fat."""
    return any(_is_bad(value, row) for value in values if not is_not_applicable(value))


def _is_bad(value: str | float, row: Row) -> bool:
    text, wanted = str(value), {row.wanted} if row.wanted else set()
    grown = _GROWN.search(text)
    fat = grown is not None and float(grown[1]) > BOMB_MEGABYTES / 4
    return fat or set(_OUTCOME.findall(text)) != wanted or number_of(value) > row.most or text.endswith("lost")


def is_not_applicable(value: str | float) -> bool:
    return str(value).startswith(NOT_APPLICABLE)


def number_of(value: str | float) -> float:
    found = NUMBER.search(str(value))
    return 0.0 if found is None else float(found[0])


def rank(value: str | float, row: Row) -> tuple[int, float]:
    """How bad this is: first whether it is wrong or not offered, then its number."""
    return (2, 0.0) if is_not_applicable(value) else (int(is_bad([value], row)), max(number_of(value), row.least))
