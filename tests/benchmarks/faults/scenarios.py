"""What happens to each contender. A scenario returns what it found, by the names of the table's rows.

What is found is text or a number; numbers of several rounds become a range. What `ONCE` finds depends on no timing;
`REPEATED` runs in every round. Those of `PATIENT` last until somebody gives up, those of `HEAVY` take memory and have a
process each, and both run once. `PACED` ones measure latencies in every round, and nothing else runs beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import Any

from tests.benchmarks.faults.provider import BOMB_MEGABYTES
from tests.benchmarks.faults.stage import ABSENT, GIVE_UP, Answer, Hung, Stage, key

Found = dict[str, "str | float"]
Scenario = Callable[[Stage], Found]

STRANGERS = 1000
STORM = 10.0
"""Seconds after which no further token of a thousand is presented."""
RATE = 250.0
SECONDS = 1.0
PATIENCE = 1.5
"""Seconds that a paced request is waited for."""
QUICK_FAULTS = ("500", "HTML", "{}", "reset")
SLOW_FAULTS = ("slow drip", "hang")
FAULTS = (*QUICK_FAULTS, "gzip bomb", *SLOW_FAULTS)

# A post-quantum key as RFC 9964 has it, and one whose modulus is no number.
POST_QUANTUM = {"kty": "AKP", "alg": "ML-DSA-44", "use": "sig", "kid": "pq", "pub": "A" * 1750}
MALFORMED = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "odd", "n": "!", "e": "AQAB"}


def cold_start(stage: Stage) -> Found:
    """30 requests at once, and the provider takes a tenth of a second."""
    stage.provider.delay = 0.1
    stage.prepare()
    answers = stage.ask([stage.good()] * 30)
    return {"cold_30": _fetches(stage.provider.fetches, answers)}


def cold_start_tasks(stage: Stage) -> Found:
    stage.provider.delay = 0.1
    stage.prepare()
    answers = stage.ask([stage.good()] * 200)
    return {"cold_200": _fetches(stage.provider.fetches, answers)}


def cold_start_threads(stage: Stage) -> Found:
    stage.provider.delay = 0.1
    stage.prepare()
    answers = stage.ask([stage.good()] * 64, how="threads")
    return {"cold_64": "no blocking call" if answers is None else _fetches(stage.provider.fetches, answers)}


def forty_strangers(stage: Stage) -> Found:
    stage.warm()
    stage.cool_down()
    before = stage.provider.fetches
    stage.ask(stage.strangers(40), at_once=1)
    return {"strangers_40": stage.provider.fetches - before}


def rotated_at_once(stage: Stage) -> Found:
    stage.warm()
    stage.provider.keys = [key(1), key(2)]
    return {"rotated": stage.ask_one(stage.good(2)).outcome}


def rotated_later(stage: Stage) -> Found:
    stage.warm()
    stage.cool_down()
    stage.provider.keys = [key(1), key(2)]
    return {"rotated_later": stage.ask_one(stage.good(2)).outcome}


def odd_keys(stage: Stage) -> Found:
    found: Found = {}
    sets: dict[str, list[dict[str, Any]]] = {
        "post_quantum": [POST_QUANTUM, key(1)],
        "malformed": [MALFORMED, key(1)],
        "no_kid": [key(2, kid=ABSENT), key(1)],
        "no_alg": [key(1, alg=ABSENT)],
    }
    for name, keys in sets.items():
        stage = stage.beside()
        stage.provider.keys = keys
        stage.prepare()
        found[name] = stage.ask_one(stage.good()).outcome
    return found


def odd_tokens(stage: Stage) -> Found:
    stage.warm()
    return {
        "no_exp": stage.ask_one(stage.good(exp=ABSENT)).outcome,
        "nbf_ahead": stage.ask_one(stage.good(nbf=int(time.time()) + 3600)).outcome,
        "unknown_crit": stage.ask_one(stage.good(header={"crit": ["house-rule"], "house-rule": 1})).outcome,
        "padded": stage.ask_one(stage.good() + "==").outcome,
    }


def after_a_stranger(stage: Stage) -> Found:
    stage.warm()
    stage.provider.how = "503"
    stage.ask_one(stage.stranger())
    return {"after_stranger": stage.ask_one(stage.good()).outcome}


def old_and_503(stage: Stage) -> Found:
    stage.warm(short=True)
    stage.provider.how = "503"
    stage.grow_old()
    return {"old_503": stage.ask_one(stage.good()).outcome}


def old_and_slow(stage: Stage) -> Found:
    stage.warm(short=True)
    stage.provider.delay = 2.0
    stage.grow_old()
    answer = stage.ask_one(stage.good())
    return {"old_slow": round(answer.seconds, 1) if answer.outcome == "admitted" else answer.outcome}


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
    return {"rotations_lost": _lost(answers), "rotations_fetches": stage.provider.fetches - before}


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
        return {
            f"storm_{how}_fetches": f"{fetched}{within}" if within else fetched,
            f"storm_{how}_lost": _lost(good_ones),
        }

    strangers.__name__ = f"storm_{how}"
    return strangers


def old_and(how: str) -> Scenario:
    """Five requests at once after the keys have become too old, to see what they get and how long the last one waits.

    A single one where the answer is a gzip bomb, so that its memory can be told.
    """

    def keys_are_old(stage: Stage) -> Found:
        stage.warm(short=True)
        stage.provider.how = how
        stage.grow_old()
        return {f"old_{how}": _told(stage, how)}

    keys_are_old.__name__ = f"old_{how}"
    return keys_are_old


def cold_and(how: str) -> Scenario:
    """The same before any keys have been fetched."""

    def no_keys(stage: Stage) -> Found:
        stage.provider.how = how
        try:
            stage.prepare()
        except Hung as hung:
            hung.found = {f"cold_{how}": "hangs at its start"}
            raise
        return {f"cold_{how}": _told(stage, how)}

    no_keys.__name__ = f"cold_{how}"
    return no_keys


def paced_calm(stage: Stage) -> Found:
    stage.warm()
    stage.begin(RATE, SECONDS, PATIENCE)
    return _latencies("calm", stage.gather(SECONDS, PATIENCE))


def paced_rotation(stage: Stage) -> Found:
    """The key changes after a third of the time; the provider takes a twentieth of a second."""
    stage.warm()
    stage.provider.delay = 0.05
    stage.begin(RATE, SECONDS, PATIENCE)
    time.sleep(SECONDS / 3)
    stage.provider.keys = [key(1), key(2)]
    stage.present(stage.good(2))
    return _latencies("rotation", stage.gather(SECONDS, PATIENCE))


def paced_outage(stage: Stage) -> Found:
    """The keys have become too old, and the provider accepts connections and says nothing."""
    stage.warm(short=True)
    stage.provider.how = "hang"
    stage.grow_old()
    stage.begin(RATE, SECONDS, PATIENCE)
    return _latencies("outage", stage.gather(SECONDS, PATIENCE))


def _fetches(fetches: int, answers: Sequence[Answer] | None) -> str | float:
    assert answers is not None
    lost = sum(answer.outcome != "admitted" for answer in answers)
    return f"{fetches}, {lost} of {len(answers)} lost" if lost else fetches


def _lost(answers: Sequence[Answer]) -> str:
    return f"{sum(answer.outcome != 'admitted' for answer in answers)} of {len(answers)}"


def _told(stage: Stage, how: str) -> str:
    before, number = stage.peak(), 1 if how == "gzip bomb" else 5
    answers = stage.ask([stage.good()] * number)
    assert answers is not None
    longest: dict[str, float] = {}
    for answer in sorted(answers, key=lambda answer: answer.seconds):
        longest[answer.outcome] = answer.seconds
    parts = [
        f"hangs > {GIVE_UP:.0f} s" if outcome == "hangs" else f"{outcome} {seconds:.1f} s"
        for outcome, seconds in longest.items()
    ]
    said = " / ".join(parts)
    if how != "gzip bomb":
        return said
    time.sleep(1.0)  # for what happens behind the answer
    grown = stage.peak() - before
    return f"{said}, +{grown:.0f} MB" if grown > BOMB_MEGABYTES / 4 else said


def _latencies(name: str, answers: Sequence[Answer]) -> Found:
    milliseconds = [answer.seconds * 1000 for answer in answers]
    return {
        f"{name}_p50": _milliseconds(median(milliseconds)),
        f"{name}_p99": _milliseconds(quantiles(milliseconds, n=100)[98]),
        f"{name}_lost": sum(answer.outcome != "admitted" for answer in answers),
    }


def _milliseconds(value: float) -> str | float:
    longest = PATIENCE * 1000
    return f"> {longest:.0f}" if value >= longest else round(value, 2 if value < 10 else 0)


ONCE: tuple[Scenario, ...] = (
    rotated_at_once,
    rotated_later,
    odd_keys,
    odd_tokens,
    after_a_stranger,
    old_and_503,
    old_and_slow,
    *(old_and(how) for how in QUICK_FAULTS),
    *(cold_and(how) for how in QUICK_FAULTS),
)
REPEATED: tuple[Scenario, ...] = (
    cold_start,
    cold_start_tasks,
    cold_start_threads,
    forty_strangers,
    ten_rotations,
    *(storm(how) for how in ("well", "reset", "429")),
)
PATIENT: tuple[Scenario, ...] = tuple(make(how) for how in SLOW_FAULTS for make in (old_and, cold_and))
HEAVY: tuple[Scenario, ...] = (old_and("gzip bomb"), cold_and("gzip bomb"))
PACED: tuple[Scenario, ...] = (paced_calm, paced_rotation, paced_outage)
