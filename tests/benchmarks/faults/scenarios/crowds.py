"""Many requests at once, or at a steady rate: cold starts, rotations, storms of tokens with random kids, latencies."""

from __future__ import annotations

import time
from statistics import median, quantiles

from tests.benchmarks.faults.scenarios.common import (
    NO_COROUTINES,
    NO_THREADS,
    PATIENCE,
    RATE,
    SECONDS,
    STORM,
    STRANGERS,
    Found,
    Scenario,
    fetches,
    lost_of,
)
from tests.benchmarks.faults.stage import Stage, key


def cold_start(stage: Stage) -> Found:
    return {"cold_30": _cold(stage, 30)}


def cold_start_tasks(stage: Stage) -> Found:
    return {"cold_200": _cold(stage, 200)}


def cold_start_threads(stage: Stage) -> Found:
    return {"cold_64": _cold(stage, 64, how="threads")}


def _cold(stage: Stage, requests: int, how: str = "usual") -> str | float:
    """The fetches for so many requests at once, while the provider takes a tenth of a second."""
    stage.provider.delay = 0.1
    stage.prepare()
    answers = stage.ask([stage.good()] * requests, how=how)
    return NO_THREADS if answers is None else fetches(stage.provider.fetches, answers)


def forty_strangers(stage: Stage) -> Found:
    stage.warm()
    stage.cool_down()
    before = stage.provider.fetches
    stage.ask(stage.strangers(40), at_once=1)
    return {"strangers_40": stage.provider.fetches - before}


def ten_rotations(stage: Stage) -> Found:
    """100 requests a second; ten times a key is added, one removed, and from then on tokens are signed by the new."""
    stage.warm()
    before, stage.provider.delay = stage.provider.fetches, 0.02
    stage.begin(100.0, 3.3, PATIENCE)
    for number in range(2, 12):
        time.sleep(0.3)
        stage.provider.keys = [key(number - 1), key(number)]
        stage.present(stage.good(number))
    answers = stage.gather(3.3, PATIENCE)
    return {"rotations_lost": lost_of(answers), "rotations_fetches": stage.provider.fetches - before}


def storm(how: str) -> Scenario:
    def strangers(stage: Stage) -> Found:
        stage.warm()
        stage.cool_down()
        stage.provider.how = how
        before = stage.provider.fetches
        good = stage.good()
        tokens = [good if place % 50 == 49 else token for place, token in enumerate(stage.strangers(STRANGERS))]
        answers = stage.ask(tokens, at_once=50, limit=STORM)
        assert answers is not None
        asked = sum(answer.outcome != "not asked" for answer in answers)
        within = "" if asked == len(tokens) else f" for {asked} tokens"
        good_ones = [answer for place, answer in enumerate(answers) if place % 50 == 49 and place < asked]
        good_ones.append(stage.ask_one(good))
        fetched: str | float = stage.provider.fetches - before
        stage.provider.how, stage.provider.keys = "well", [key(1), key(2)]
        stage.cool_down()
        return {
            f"storm_{how}_fetches": f"{fetched}{within}" if within else fetched,
            f"storm_{how}_lost": lost_of(good_ones),
            f"storm_{how}_then": stage.ask_one(stage.good(2)).outcome,
        }

    strangers.__name__ = f"storm_{how}"
    return strangers


def paced_calm(stage: Stage) -> Found:
    stage.warm()
    stage.watch()
    stage.begin(RATE, SECONDS, PATIENCE)
    return _latencies("calm", stage)


def paced_rotation(stage: Stage) -> Found:
    """The key changes after a third of the time; the provider takes a twentieth of a second."""
    stage.warm()
    stage.provider.delay = 0.05
    stage.watch()
    stage.begin(RATE, SECONDS, PATIENCE)
    time.sleep(SECONDS / 3)
    stage.provider.keys = [key(1), key(2)]
    stage.present(stage.good(2))
    return _latencies("rotation", stage)


def paced_outage(stage: Stage) -> Found:
    """The keys have become too old, and the provider accepts connections and says nothing."""
    stage.warm(short=True)
    stage.provider.how = "hang"
    stage.grow_old()
    stage.watch()
    stage.begin(RATE, SECONDS, PATIENCE)
    return _latencies("outage", stage)


def _latencies(name: str, stage: Stage) -> Found:
    answers = stage.gather(SECONDS, PATIENCE)
    milliseconds = [answer.seconds * 1000 for answer in answers]
    spent = stage.watched()
    return {
        f"{name}_p50": _milliseconds(median(milliseconds)),
        f"{name}_p99": _milliseconds(quantiles(milliseconds, n=100)[98]),
        f"{name}_lost": sum(answer.outcome != "admitted" for answer in answers),
        f"{name}_cpu": NO_COROUTINES if spent is None else round(spent[0], 1),
        f"{name}_gap": NO_COROUTINES if spent is None else round(spent[1], 1),
    }


def _milliseconds(value: float) -> str | float:
    longest = PATIENCE * 1000
    return f"> {longest:.0f}" if value >= longest else round(value, 2 if value < 10 else 0)
