"""The tables: what the rounds found, ranges where they differ, and every place where a peer does better."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import NamedTuple

from tests.benchmarks.faults.run import Results
from tests.benchmarks.faults.scenarios import FAULTS, GIVE_UP, PATIENCE, RATE, SECONDS, STORM, STRANGERS

OURS = "bearer_guard"
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OUTCOMES = ("admitted", "refused", "error", "hangs")
_OUTCOME = re.compile("|".join(_OUTCOMES))


class Row(NamedTuple):
    """A row by its name: what it says, which outcome is right there, and what the number must not exceed, if anything."""

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


def document(results: Results, rounds: int) -> str:
    """The page in Markdown."""
    present = {runs.name: runs.contender.title for runs in results.runs}
    parts = [
        "# Faults of a provider: bearer_guard and its peers",
        _introduction(rounds),
        "## One thing at a time",
        _across(results, present, ONE),
        "## Many at once",
        f"A thousand tokens with random kids come 50 at a time, each fiftieth token between them is a good one, and no "
        f"more are sent after {STORM:.0f} s; how many were is said where they were fewer. The keys were fetched before, "
        "longer ago than the cool-down: the time in which an unknown kid fetches nothing.",
        _across(results, present, MANY),
        "## Keys too old, and the provider misbehaves",
        "Five requests with a good token at once (a single one for the gzip bomb), the first that come after the keys "
        "became too old: what they got, and how many seconds the last one waited. A slow drip is an octet every fifth of a second. `+ MB` is by how much the memory of "
        "the process grew, where it did. Right is *admitted*, at once.",
        _down(results, present, OLD, FAULTS),
        "## No keys yet, and the provider misbehaves",
        "The same in a process that never had keys. Right is *error*, soon: nobody can judge the token.",
        _down(results, present, COLD, FAULTS),
        "## How long a request takes",
        f"Milliseconds from the moment that a request was due to its answer, at {RATE:.0f} requests a second for "
        f"{SECONDS:.0f} s, one contender after the other; {PATIENCE:.0f} s are waited for an answer. *calm*: keys at hand. "
        "*rotation*: the key changes after a third of the time and the provider takes 50 ms for an answer. *outage*: "
        "the keys are too old, and the provider accepts connections and says nothing. *lost* are good tokens that were "
        "not admitted; where there are any, the times are those of answers that nobody wanted.",
        _down(results, present, PACE, [row.says for row in PACE]),
        "## Where a peer does better",
        "Every row in which all that a peer showed is better than all that bearer_guard showed, unless the peer lost "
        "good tokens meanwhile. Fewer fetches for unknown kids have their price in the rows on rotations.",
        "\n".join(_behind(results, present)) or "None.",
        "## How each was set up",
        _set_up(results),
        "## What could not be measured",
        "\n".join(_missing(results, present)) or "Nothing.",
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(rounds: int) -> str:
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with {os.cpu_count()} cores by `python -m tests.benchmarks.faults`, "
        f"{rounds} rounds (one for what depends on no timing, and for the faults), the same program for everyone: each library in a process of its own, "
        "set up as its documentation says with issuer and audience, against a provider on 127.0.0.1. Tokens are RS256. "
        "A range is what differed between rounds.\n\n"
        "*admitted*: the token is let in. *refused*: the caller is told that the token is bad, or the library raises or "
        "returns what it documents for a bad token, so that an application answers 401. *error*: anything else, which an "
        "application can tell from a bad token and answer with 503 or 500. *hangs*: no answer within "
        f"{GIVE_UP:.0f} s. **Bold** is what nobody would want; of fetches, more than 1 from cold, 2 for "
        "unknown kids, and 1 for each rotation. *lost*: a good token that was not admitted, for whatever "
        "reason.\n\n"
        "Fetches are requests for the keys, or for the metadata where there were more of these. A library with "
        "coroutines was called in tasks of one event loop, one without in 40 threads, as an ASGI server has them."
    )


def shown(values: Sequence[str | float]) -> str:
    """What several rounds found: the one thing, a range where only numbers differ, or everything."""
    texts = [value if isinstance(value, str) else f"{value:g}" for value in values]
    if len({_NUMBER.sub("#", text) for text in texts}) > 1:
        return " / ".join(dict.fromkeys(texts))
    columns = zip(*(_NUMBER.findall(text) for text in texts), strict=True)
    ranges = iter([_range(column) for column in columns])
    return _NUMBER.sub(lambda _: next(ranges), texts[0])


def _range(numbers: Sequence[str]) -> str:
    low, high = min(numbers, key=float), max(numbers, key=float)
    return low if float(low) == float(high) else f"{low}-{high}"


def _cell(results: Results, name: str, row: Row) -> str:
    values = results.found.get(name, {}).get(row.name)
    if not values:
        return "?"
    text = shown(values)
    return f"**{text}**" if _is_bad(values, row) else text


def _is_bad(values: Sequence[str | float], row: Row) -> bool:
    """Whether any of these is not the outcome that is wanted, or more than there should be, or lost good tokens."""
    wanted = {row.wanted} if row.wanted else set()
    return any(
        set(_OUTCOME.findall(str(value))) != wanted or _number(value) > row.most or str(value).endswith("lost")
        for value in values
    )


def _number(value: str | float) -> float:
    found = _NUMBER.search(str(value))
    return 0.0 if found is None else float(found[0])


def _across(results: Results, present: dict[str, str], rows: Sequence[Row]) -> str:
    head = ["", *present.values()]
    return _table(head, ([row.says, *(_cell(results, name, row) for name in present)] for row in rows))


def _down(results: Results, present: dict[str, str], rows: Sequence[Row], titles: Sequence[str]) -> str:
    lines = ([title, *(_cell(results, name, row) for row in rows)] for name, title in present.items())
    return _table(["", *titles], lines)


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines))


def _behind(results: Results, present: dict[str, str]) -> Iterable[str]:
    ours = results.found.get(OURS, {})
    for row in (*ONE, *MANY, *OLD, *COLD, *PACE):
        if row.name not in ours:
            continue
        best = min(_rank(value, row) for value in ours[row.name])
        better = []
        for name, title in present.items():
            values = results.found.get(name, {}).get(row.name)
            if values and not _loses(results, name, row) and max(_rank(value, row) for value in values) < best:
                better.append(f"{title} {shown(values)}")
        if better:
            yield f"- {row.says}: {shown(ours[row.name])}. Better: {'; '.join(better)}."


def _loses(results: Results, name: str, row: Row) -> bool:
    """Whether good tokens were lost where this row was found: then few fetches and quick answers are no merit."""
    lost = results.found[name].get(f"{row.name.rpartition('_')[0]}_lost", ())
    return any(_number(value) > 0 for value in lost)


def _rank(value: str | float, row: Row) -> tuple[int, float]:
    """How bad this is: first whether it is wrong or not offered, then its number."""
    offered = isinstance(value, float | int) or bool(_NUMBER.search(value) or row.wanted)
    return (2 if not offered else int(_is_bad([value], row)), _number(value))


def _set_up(results: Results) -> str:
    lines = []
    for runs in results.runs:
        versions = ", ".join(f"{name} {version}" for name, version in runs.versions.items() if name != "python")
        who = runs.contender
        called = "coroutines and threads" if who.coroutines and who.threads else "coroutines"
        called = called if who.coroutines else "threads"
        lines.append(
            [who.title, f"{versions}, CPython {runs.versions['python']}", called, who.settings, who.age, who.pause]
        )
    return _table(["", "versions", "called in", "set up", "how its keys grow old", "how its cool-down passes"], lines)


def _missing(results: Results, present: dict[str, str]) -> Iterable[str]:
    for name, reason in results.absent.items():
        yield f"- {name} did not install or does not work here: {reason}."
    for name, title in present.items():
        for row in results.found.get(name, {}):
            if row.startswith("!"):
                values = results.found[name][row]
                yield f"- {title}, {row[1:].replace('_', ' ')}: {shown(values)} ({len(values)} of the rounds)."
