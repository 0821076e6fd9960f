"""The provider misbehaves: with keys that are too old, past their bound or never fetched, and when it introspects."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.benchmarks.faults.process import Hung
from tests.benchmarks.faults.scenarios.common import (
    HEAVY_FAULTS,
    NO_AGE,
    NO_COROUTINES,
    NO_INTROSPECTION,
    Found,
    Scenario,
)
from tests.benchmarks.faults.stage import GIVE_UP, Answer, Stage, key


def old_and(how: str) -> Scenario:
    """Five requests at once after the keys have become too old: what they get, and how long the last one waits.

    A single one where the answer is large, so that its memory can be told. Beside it, what the event loop spends.
    """

    def keys_are_old(stage: Stage) -> Found:
        stage.warm(short=True)
        _misbehave(stage, how)
        stage.grow_old()
        stage.watch()
        told = _told(stage, how)
        time.sleep(0.5)  # for what happens behind the answers
        spent = stage.watched()
        loop = NO_COROUTINES if spent is None else f"{spent[0]:.1f} ({spent[1]:.1f})"
        return {f"old_{how}": told, f"loop_{how}": loop}

    keys_are_old.__name__ = f"old_{how}"
    return keys_are_old


def cold_and(how: str) -> Scenario:
    """The same before any keys have been fetched."""

    def no_keys(stage: Stage) -> Found:
        _misbehave(stage, how)
        try:
            stage.prepare()
        except Hung as hung:
            hung.found = {f"cold_{how}": "hangs at its start"}
            raise
        return {f"cold_{how}": _told(stage, how)}

    no_keys.__name__ = f"cold_{how}"
    return no_keys


def past_the_bound(stage: Stage) -> Found:
    """The outage lasts for longer than keys are kept."""
    if not stage.runs.contender.ages:
        return {"past_bound": NO_AGE}
    stage.warm(short=True)
    stage.provider.how = "503"
    stage.grow_stale()
    return {"past_bound": stage.ask_one(stage.good()).outcome}


def introspecting(how: str) -> Scenario:
    """Five requests at once with one token that nobody asked about before."""

    def introspected(stage: Stage) -> Found:
        if not stage.runs.contender.introspection:
            return {f"introspection_{how}": NO_INTROSPECTION}
        stage.introspect()
        if how == "inactive":
            stage.provider.introspected = {"active": False}
        elif how != "active":
            stage.provider.how = how
        return {f"introspection_{how}": _in_words(stage.ask([stage.opaque()] * 5))}

    introspected.__name__ = f"introspection_{how}"
    return introspected


def _misbehave(stage: Stage, how: str) -> None:
    stage.provider.how = how
    if how == "302":
        stranger = stage.beside()
        stranger.provider.keys = [key(2)]
        stage.provider.elsewhere = stranger.provider.jwks_uri


def _told(stage: Stage, how: str) -> str:
    heavy = how in HEAVY_FAULTS
    before = stage.forget_peak()
    said = _in_words(stage.ask([stage.good()] * (1 if heavy else 5)))
    if not heavy:
        return said
    time.sleep(1.0)  # for what happens behind the answer
    return f"{said}, +{stage.peak() - before:.0f} MB"


def _in_words(answers: Sequence[Answer] | None) -> str:
    assert answers is not None
    longest: dict[str, float] = {}
    for answer in sorted(answers, key=lambda answer: answer.seconds):
        longest[answer.outcome] = answer.seconds
    parts = [
        f"hangs > {GIVE_UP:.0f} s" if outcome == "hangs" else f"{outcome} {seconds:.1f} s"
        for outcome, seconds in longest.items()
    ]
    return " / ".join(parts)
