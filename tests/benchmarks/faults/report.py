"""The tables: what the rounds found, ranges where they differ, and every place where a peer does better."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tests.benchmarks.faults.rows import ALL, COLD, MANY, NUMBER, OLD, ONE, PACE, Row, is_bad, number_of, rank
from tests.benchmarks.faults.run import Results
from tests.benchmarks.faults.scenarios import FAULTS, PATIENCE, RATE, SECONDS, STORM
from tests.benchmarks.faults.stage import GIVE_UP

OURS = "bearer_guard"


def document(results: Results, rounds: int) -> str:
    """The page in Markdown."""
    present = {runs.name: runs.contender.title for runs in results.runs}
    parts = [
        "# Faults of a provider: bearer_guard and its peers",
        _introduction(rounds),
        "## One thing at a time",
        "Where each answer takes 2 s, a library that reads the metadata again as well waits for two of them.",
        _across(results, present, ONE),
        "## Many at once",
        "A thousand tokens with random kids come 50 at a time, each fiftieth token between them is a good one, and no "
        f"more are sent after {STORM:.0f} s; how many were is said where they were fewer. The keys were fetched before, "
        "longer ago than the cool-down: the time in which an unknown kid fetches nothing.",
        _across(results, present, MANY),
        "## Keys too old, and the provider misbehaves",
        "Five requests with a good token at once (a single one for the gzip bomb), the first that come after the keys "
        "became too old: what they got, and how many seconds the last one waited. A slow drip is an octet every fifth "
        "of a second. `+ MB` is by how much the memory of the process grew, where it did. Right is *admitted*, at once.",
        _down(results, present, OLD, FAULTS),
        "## No keys yet, and the provider misbehaves",
        "The same in a process that never had keys. Right is *error*, soon: nobody can judge the token.",
        _down(results, present, COLD, FAULTS),
        "## How long a request takes",
        f"Milliseconds from the moment that a request was due to its answer, at {RATE:.0f} requests a second for "
        f"{SECONDS:.0f} s, one contender after the other; {PATIENCE:g} s are waited for an answer. *calm*: keys at "
        "hand. *rotation*: the key changes after a third of the time and the provider takes 50 ms for an answer. "
        "*outage*: the keys are too old, and the provider accepts connections and says nothing. *lost* are good tokens "
        "that were not admitted; where there are any, the times are those of answers that nobody wanted. The "
        "percentiles are of one round each, and the 99th moves with whatever else the machine does.",
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
        "whose docstring says how to run it. The same program for everyone: each library in a process of its own, set "
        "up as its documentation says, with issuer and audience, against a provider on 127.0.0.1. Tokens are RS256. "
        f"What depends on timing was measured in {rounds} rounds, and a range is what differed between them.\n\n"
        "*admitted*: the token is let in. *refused*: the library says that the token is bad, by what it documents for "
        "that or by its own 4xx, so that the caller gets a 401. *error*: anything else, which an application can tell "
        f"from a bad token and answer with 503 or 500. *hangs*: no answer within {GIVE_UP:.0f} s. *lost*: a good token "
        "that was not admitted, for whatever reason. **Bold** is what nobody would want; of fetches, more than one "
        "from cold, two for unknown kids, and one for each rotation.\n\n"
        "Fetches are requests for the keys, or for the metadata where there were more of these. A library with "
        "coroutines was called in tasks of one event loop, one without in 40 threads, as many as an ASGI server has."
    )


def shown(values: Sequence[str | float]) -> str:
    """What several rounds found: the one thing, a range where only numbers differ, or everything."""
    texts = [value if isinstance(value, str) else f"{value:g}" for value in values]
    if len({NUMBER.sub("#", text) for text in texts}) > 1:
        return " / ".join(dict.fromkeys(texts))
    columns = zip(*(NUMBER.findall(text) for text in texts), strict=True)
    ranges = iter([_range(column) for column in columns])
    return NUMBER.sub(lambda _: next(ranges), texts[0])


def _range(numbers: Sequence[str]) -> str:
    low, high = min(numbers, key=float), max(numbers, key=float)
    return low if float(low) == float(high) else f"{low}-{high}"


def _cell(results: Results, name: str, row: Row) -> str:
    values = results.found.get(name, {}).get(row.name)
    if not values:
        return "?"
    text = shown(values)
    return f"**{text}**" if is_bad(values, row) else text


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
    for row in ALL:
        if row.name not in ours:
            continue
        best = min(rank(value, row) for value in ours[row.name])
        better = []
        for name, title in present.items():
            values = results.found.get(name, {}).get(row.name)
            if values and not _loses(results, name, row) and max(rank(value, row) for value in values) < best:
                better.append(f"{title} {shown(values)}")
        if better:
            yield f"- {row.says}: {shown(ours[row.name])}. Better: {'; '.join(better)}."


def _loses(results: Results, name: str, row: Row) -> bool:
    """Whether good tokens were lost where this row was found: then few fetches and quick answers are no merit."""
    lost = results.found[name].get(f"{row.name.rpartition('_')[0]}_lost", ())
    return any(number_of(value) > 0 for value in lost)


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
