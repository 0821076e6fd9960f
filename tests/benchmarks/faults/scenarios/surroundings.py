"""What happens to the process around a library: a request is cancelled, the process forks, its clock is stepped."""

from __future__ import annotations

import time

from tests.benchmarks.faults.scenarios.common import NO_COROUTINES, Found, fetches, outcomes, until_a_fetch_is_due
from tests.benchmarks.faults.stage import GIVE_UP, Stage, key

HOUR = 3600.0


def first_cancelled(stage: Stage) -> Found:
    """Ten wait for the keys, and the first of them is cancelled before these come."""
    until_a_fetch_is_due(stage)
    before, stage.provider.delay = stage.provider.fetches, 0.4
    answers = stage.cancel_first([stage.good()] * 10, 0.2)
    if answers is None:
        return dict.fromkeys(("cancelled", "cancelled_fetches"), NO_COROUTINES)
    return {"cancelled": outcomes(answers), "cancelled_fetches": fetches(stage.provider.fetches - before, answers)}


def forked_warm(stage: Stage) -> Found:
    """A child of a process that has keys: what it holds, and whether it can fetch what it does not."""
    stage.warm(short=True)
    held = stage.fork(stage.good()).outcome
    stage.provider.keys = [key(2)]
    return {"fork_warm": held, "fork_new": stage.fork(stage.good(2), aged=True).outcome}


def forked_in_a_fetch(stage: Stage) -> Found:
    until_a_fetch_is_due(stage)
    stage.provider.delay = 1.0
    stage.begin(10, 0.1, GIVE_UP)
    time.sleep(0.3)
    answer = stage.fork(stage.good())
    stage.gather(0.1, GIVE_UP)
    return {"fork_fetching": answer.outcome}


def clock_back(stage: Stage) -> Found:
    """Two hours back, more than most keys' age; then this age passes, and a new key signs."""
    stage.warm(short=True)
    stage.step(-2 * HOUR)
    stage.provider.keys = [key(2)]
    stage.grow_old()
    stage.cool_down()
    return {"clock_back": stage.ask_one(stage.lasting(2)).outcome}


def clock_forward(stage: Stage) -> Found:
    """Two days forward, more than any keys' age, in an outage that began a moment after the keys were fetched."""
    stage.warm()
    stage.provider.how = "503"
    stage.step(48 * HOUR)
    return {"clock_forward": stage.ask_one(stage.lasting()).outcome}
