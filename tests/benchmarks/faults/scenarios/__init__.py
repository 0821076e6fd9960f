"""What happens to each contender. A scenario returns what it found, by the names of the table's rows.

What is found is text or a number; numbers of several rounds become a range. What `ONCE` finds depends on no timing;
`REPEATED` runs in every round. Those of `PATIENT` last until somebody gives up, those of `HEAVY` take memory and have a
process each, and both run once. `PACED` ones measure latencies in every round, and nothing else runs beside them.
"""

from __future__ import annotations

from tests.benchmarks.faults.scenarios.common import HEAVY_FAULTS, QUICK_ANSWERS, QUICK_FAULTS, SLOW_FAULTS, Scenario
from tests.benchmarks.faults.scenarios.crowds import (
    cold_start,
    cold_start_tasks,
    cold_start_threads,
    forty_strangers,
    paced_calm,
    paced_outage,
    paced_rotation,
    storm,
    ten_rotations,
)
from tests.benchmarks.faults.scenarios.outages import cold_and, introspecting, old_and, past_the_bound
from tests.benchmarks.faults.scenarios.singles import (
    after_a_stranger,
    odd_keys,
    odd_tokens,
    old_and_503,
    old_and_slow,
    other_issuer,
    removed_key,
    rotated_at_once,
    rotated_later,
    same_kid,
    sent_elsewhere,
)
from tests.benchmarks.faults.scenarios.surroundings import (
    clock_back,
    clock_forward,
    first_cancelled,
    forked_in_a_fetch,
    forked_warm,
)

ONCE: tuple[Scenario, ...] = (
    rotated_at_once,
    rotated_later,
    odd_keys,
    odd_tokens,
    after_a_stranger,
    old_and_503,
    old_and_slow,
    removed_key,
    same_kid,
    sent_elsewhere,
    other_issuer,
    past_the_bound,
    first_cancelled,
    clock_back,
    clock_forward,
    *(old_and(how) for how in QUICK_FAULTS),
    *(cold_and(how) for how in QUICK_FAULTS),
    *(introspecting(how) for how in QUICK_ANSWERS),
    forked_warm,
    forked_in_a_fetch,
)
REPEATED: tuple[Scenario, ...] = (
    cold_start,
    cold_start_tasks,
    cold_start_threads,
    forty_strangers,
    ten_rotations,
    *(storm(how) for how in ("well", "reset", "429")),
)
PATIENT: tuple[Scenario, ...] = tuple(make(how) for how in SLOW_FAULTS for make in (old_and, cold_and, introspecting))
HEAVY: tuple[Scenario, ...] = tuple(make(how) for how in HEAVY_FAULTS for make in (old_and, cold_and))
PACED: tuple[Scenario, ...] = (paced_calm, paced_rotation, paced_outage)
