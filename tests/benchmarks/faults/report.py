"""The page: the tables with what they mean, every place where a peer does better, and what was not measured."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime

from tests.benchmarks.faults.rows import (
    ALL,
    CALLBACKS,
    COLD,
    INTROSPECTION,
    LOOP,
    MANY,
    MOST_CPU,
    OLD,
    ONE,
    PACE,
    Row,
    is_not_applicable,
    number_of,
    rank,
)
from tests.benchmarks.faults.run import Results
from tests.benchmarks.faults.scenarios.common import (
    ANSWERS,
    FAULTS,
    NOT_APPLICABLE,
    PATIENCE,
    RATE,
    SECONDS,
    STORM,
)
from tests.benchmarks.faults.stage import GIVE_UP
from tests.benchmarks.faults.tables import across, down, shown, table

OURS = "bearer_guard"


def document(results: Results, rounds: int) -> str:
    """The page in Markdown."""
    present = {runs.name: runs.contender.title for runs in results.runs}
    asynchronous = {runs.name: runs.contender.title for runs in results.runs if runs.contender.coroutines}
    introspecting = {runs.name: runs.contender.title for runs in results.runs if runs.contender.introspection}
    parts = [
        "# Faults of a provider: bearer_guard and its peers",
        _introduction(rounds),
        "## One thing at a time",
        "Age and cool-down pass by the clock that a library measures them with, or by waiting. The wall clock is "
        "stepped for the whole process. A forked child asks in an event loop of its own, or in its only thread. Nobody can judge a token where the keys' address leads to a stranger, where "
        "the metadata are another issuer's, or after an outage longer than keys are kept: right is *error* there. A "
        "library whose keys cannot be kept past their age is asked right after it. Where each answer takes 2 s, a "
        "library that reads the metadata again as well waits for two of them.",
        across(results, present, ONE),
        "## Many at once",
        "A thousand tokens with random kids come 50 at a time, each fiftieth token between them is a good one, and no "
        f"more are sent after {STORM:.0f} s; how many were is said where they were fewer. The keys were fetched before, "
        "longer ago than the cool-down: the time in which an unknown kid fetches nothing.",
        across(results, present, MANY),
        "## Keys too old, and the provider misbehaves",
        "Five requests with a good token at once (a single one for the bomb and the 100 MB), the first that come after "
        "the keys became too old: what they got, and how many seconds the last one waited. `302` leads to a stranger's "
        "keys. The gzip bomb is 100 MB of white space in 100 kB, the 100 MB are the same as they are, without a "
        "Content-Length. A slow drip is an octet every fifth of a second. `+ MB` is by how much the peak of the "
        "process's resident memory grew. Right is *admitted*, at once.",
        down(results, present, OLD, FAULTS),
        "## What these faults cost an event loop",
        "In the same scenarios, the most that one callback of the event loop took: milliseconds of the thread's CPU, "
        "and by the wall in brackets, which what else runs on the machine lengthens. From the first of the requests to half a second "
        f"after the answers, or 1.5 s. Bold from {MOST_CPU} ms of CPU. Only for libraries that were called in "
        "coroutines.",
        down(results, asynchronous, LOOP, FAULTS),
        "## No keys yet, and the provider misbehaves",
        "The same requests in a process that never had keys. Right is *error*, soon: nobody can judge the token.",
        down(results, present, COLD, FAULTS),
        "## The introspection endpoint misbehaves",
        "Five requests at once with one token that nobody asked about before. Right is *error*, soon, but for the two "
        "good answers and for `{}`: RFC 7662, section 2.2, lets nobody in without `active`. Only for libraries that have "
        "introspection.",
        down(results, introspecting, INTROSPECTION, ANSWERS),
        "## How long a request takes",
        f"Milliseconds from the moment that a request was due to its answer, at {RATE:.0f} requests a second for "
        f"{SECONDS:.0f} s, one contender after the other; {PATIENCE:g} s are waited for an answer. *calm*: keys at "
        "hand. *rotation*: the key changes after a third of the time and the provider takes 50 ms for an answer. "
        "*outage*: the keys are too old, and the provider accepts connections and says nothing. *lost* are good tokens "
        "that were not admitted; where there are any, the times are those of answers that nobody wanted. The "
        "percentiles are of one round each, and the 99th moves with whatever else the machine does.",
        down(results, present, PACE),
        "And the most that one callback of the event loop took meanwhile, for libraries that were called in "
        f"coroutines; bold from {MOST_CPU} ms of CPU. What Python spends on collecting garbage counts.",
        down(results, asynchronous, CALLBACKS),
        "## Where a peer does better",
        "Every row in which all that a peer showed is better than all that bearer_guard showed, unless the peer lost "
        "good tokens meanwhile. Fewer fetches for unknown kids have their price in the rows on rotations. Less "
        "than a millisecond of an event loop counts as one.",
        "\n".join(_behind(results, present)) or "None.",
        "## How each was set up",
        _set_up(results),
        "## What was not measured",
        "\n".join(_missing(results, present, rounds)),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(rounds: int) -> str:
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with {os.cpu_count()} cores by `python -m tests.benchmarks.faults`, "
        "whose docstring says how to run it. The same program for everyone: each library in a process of its own, set "
        "up as its documentation says, with issuer and audience, against a provider on 127.0.0.1. Tokens are RS256. "
        f"What depends on timing was measured in {rounds} round{'s' if rounds > 1 else ''}, and a range is what differed between them.\n\n"
        "*admitted*: the token is let in. *refused*: the library says that the token is bad, by what it documents for "
        "that or by its own 4xx, so that the caller gets a 401. *error*: anything else, which an application can tell "
        f"from a bad token and answer with 503 or 500. *hangs*: no answer within {GIVE_UP:.0f} s. *lost*: a good token "
        "that was not admitted, for whatever reason. *n/a*: does not apply, for the reason at the end of the page. "
        "**Bold** is what nobody would want; of fetches, more than one from cold, two for unknown kids, and one for "
        "each rotation.\n\n"
        "Fetches are requests for the keys, or for the metadata where there were more of these. A library with "
        "coroutines was called in tasks of one event loop, one without in 40 threads, as many as an ASGI server has."
    )


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
        settings = f"{who.settings}. Introspection: {who.introspection}" if who.introspection else who.settings
        versions = f"{versions}, CPython {runs.versions['python']}"
        lines.append([who.title, versions, called, settings, who.age, who.bound, who.pause])
    times = ["how its keys grow old", "past which they are kept no longer", "how its cool-down passes"]
    return table(["", "versions", "called in", "set up", *times], lines)


FOR_NOBODY = (
    "What an application makes of an outcome: its status, its Retry-After, its challenge.",
    "Other event loops than asyncio's, gevent, and servers that load an application before they fork.",
    "Wall clocks that are read otherwise than by `time.time` of the module `time`, or by fastapi-azure-auth's "
    "`datetime`: only these were stepped. A monotonic clock is not stepped with the wall clock.",
    "DNS, proxies, bad certificates, HTTP/2, connections that are kept open, and answers without an end: the provider "
    "is on the loopback interface, closes each connection, and its longest answer has 100 MB.",
    "Other settings than those above, such as a shorter time-out where a library has a parameter for it.",
    "Whether what was found once would be found again: the first table but for its first two rows, and every table of "
    "outcomes, are of one run. The fetches, the storms, the rotations and the latencies came in rounds.",
)


def _missing(results: Results, present: dict[str, str], rounds: int) -> Iterable[str]:
    """Who is absent, what failed, which rows found nothing or do not apply and why, and what is tried for nobody."""
    for name, reason in results.absent.items():
        yield f"- {name} did not install or does not work here: {reason}."
    reasons: dict[str, dict[str, list[str]]] = {}
    for name, title in present.items():
        found = results.found.get(name, {})
        for scenario in (row for row in found if row.startswith("!")):
            times = len(found[scenario])
            said = f"{shown(found[scenario])} in {times} of {rounds} rounds" if times > 1 else shown(found[scenario])
            yield f"- {title}, {scenario[1:].replace('_', ' ')}: {said}."
        empty = [_named(row) for row in ALL if row.name not in found]
        if empty:
            yield f"- {title}, marked `?` because nothing was found: {'; '.join(dict.fromkeys(empty))}."
        for row in ALL:
            value = str(found.get(row.name, ("",))[0])
            if is_not_applicable(value):
                of = reasons.setdefault(value.removeprefix(NOT_APPLICABLE), {})
                of.setdefault(_named(row), []).append(title)
    for reason, rows in reasons.items():
        titles = dict.fromkeys(title for who in rows.values() for title in who)
        yield f"- n/a, {reason}: {', '.join(titles)}. Rows: {'; '.join(rows)}."
    yield from (f"- Tried for nobody: {what}" for what in FOR_NOBODY)


def _named(row: Row) -> str:
    if row in INTROSPECTION:
        return "all of introspection"
    return "all of what an event loop spends" if row in LOOP or row in CALLBACKS else row.says
