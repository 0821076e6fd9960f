"""What scenarios find, what they have in common, and how many and how long they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.benchmarks.faults.stage import Answer, Stage

Found = dict[str, "str | float"]
Scenario = Callable[[Stage], Found]

STRANGERS = 1000
STORM = 10.0
"""Seconds after which no further token of a thousand is presented."""
RATE = 250.0
SECONDS = 1.0
PATIENCE = 1.5
"""Seconds that a paced request is waited for."""
QUICK_FAULTS = ("500", "HTML", "{}", "[]", "302", "reset")
HEAVY_FAULTS = ("gzip bomb", "100 MB")
SLOW_FAULTS = ("slow drip", "hang")
FAULTS = (*QUICK_FAULTS, *HEAVY_FAULTS, *SLOW_FAULTS)
QUICK_ANSWERS = ("active", "inactive", "500", "401", "429", "HTML", "{}", "reset")
"""Of an introspection endpoint: two good ones and the bad."""
ANSWERS = (*QUICK_ANSWERS, *SLOW_FAULTS)

NOT_APPLICABLE = "n/a: "
NO_COROUTINES = f"{NOT_APPLICABLE}no coroutines, so no event loop and nobody to cancel"
NO_THREADS = f"{NOT_APPLICABLE}no blocking call"
NO_AGE = f"{NOT_APPLICABLE}keys that never grow old"
NO_METADATA = f"{NOT_APPLICABLE}given the address of the keys, and reads no metadata"
NO_INTROSPECTION = f"{NOT_APPLICABLE}no introspection"


def fetches(number: int, answers: Sequence[Answer]) -> str | float:
    """So many fetches, and the good tokens lost meanwhile, if any."""
    lost = sum(answer.outcome != "admitted" for answer in answers)
    return f"{number}, {lost} of {len(answers)} lost" if lost else number


def lost_of(answers: Sequence[Answer]) -> str:
    return f"{sum(answer.outcome != 'admitted' for answer in answers)} of {len(answers)}"


def outcomes(answers: Sequence[Answer]) -> str:
    """Each outcome once, the most frequent first."""
    found = [answer.outcome for answer in answers]
    return " / ".join(sorted(set(found), key=found.count, reverse=True))


def until_a_fetch_is_due(stage: Stage) -> None:
    """Set the contender up so that the next request needs keys: there are none yet, or those of its start are old."""
    stage.prepare(short=True)
    if stage.provider.fetches:
        stage.grow_old()
