"""The program that runs the peers through faults still runs: bearer_guard alone, some scenarios, and the page of it."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks.faults.contenders import NAMES, described
from tests.benchmarks.faults.process import Process
from tests.benchmarks.faults.report import document
from tests.benchmarks.faults.rows import COLD, ONE, is_bad, rank
from tests.benchmarks.faults.run import Results, look_up, play
from tests.benchmarks.faults.scenarios import (
    clock_back,
    clock_forward,
    cold_start,
    first_cancelled,
    forked_in_a_fetch,
    forked_warm,
    introspecting,
    old_and,
    old_and_503,
    other_issuer,
    past_the_bound,
    sent_elsewhere,
)
from tests.benchmarks.faults.scenarios.common import NO_COROUTINES
from tests.benchmarks.faults.stage import Runs, key
from tests.benchmarks.faults.tables import shown

SCENARIOS = (
    cold_start,
    old_and_503,
    past_the_bound,
    sent_elsewhere,
    other_issuer,
    first_cancelled,
    forked_warm,
    forked_in_a_fetch,
    clock_back,
    clock_forward,
    introspecting("active"),
    introspecting("500"),
    old_and("500"),
)


@pytest.fixture(scope="module")
def results() -> Results:
    key(1)
    results = Results()
    runs = look_up("bearer_guard", [])
    assert isinstance(runs, Runs), runs
    results.runs.append(runs)
    play(runs, SCENARIOS, results)
    return results


def test_some_scenarios_find_of_bearer_guard_what_its_fault_tests_say(results: Results) -> None:
    assert results.troubles == []
    found = results.found["bearer_guard"]
    assert float(str(found.pop("loop_500")[0]).split()[0]) > 0
    in_words = {row: found.pop(row)[0] for row in ("introspection_active", "introspection_500", "old_500")}
    assert {row: str(said).split()[0] for row, said in in_words.items()} == {
        "introspection_active": "admitted",
        "introspection_500": "error",
        "old_500": "admitted",
    }
    assert found == {
        "cold_30": [1],
        "old_503": ["admitted"],
        "past_bound": ["error"],
        "redirected": ["error"],
        "redirected_fetches": [0],
        "other_issuer": ["error"],
        "cancelled": ["admitted"],
        "cancelled_fetches": [1],
        "fork_warm": ["admitted"],
        "fork_new": ["admitted"],
        "fork_fetching": ["admitted"],
        "clock_back": ["admitted"],
        "clock_forward": ["admitted"],
    }


def test_the_page_shows_what_was_found_and_what_was_not(results: Results) -> None:
    page = document(results, 1).splitlines()
    assert "| fetches for 30 requests at once, no keys yet | 1 |" in page
    assert "| the keys are too old, the provider answers 503 | admitted |" in page
    assert "| a token without `exp` | ? |" in page
    assert any(line.startswith("- bearer_guard, marked `?` because nothing was found: ") for line in page)


def test_what_does_not_apply_is_named_with_its_reason_and_is_neither_bad_nor_better(results: Results) -> None:
    found = results.found["bearer_guard"]
    ours = found["cancelled"]
    try:
        found["cancelled"] = [NO_COROUTINES]
        page = document(results, 1).splitlines()
    finally:
        found["cancelled"] = ours
    row = next(row for row in ONE if row.name == "cancelled")
    assert f"| {row.says} | n/a |" in page
    assert f"- n/a, no coroutines, so no event loop and nobody to cancel: bearer_guard. Rows: {row.says}." in page
    assert not is_bad([NO_COROUTINES], row)
    assert rank(NO_COROUTINES, row) > rank("hangs", row)


def test_memory_is_bad_where_a_large_answer_is_held_whole() -> None:
    row = next(row for row in COLD if row.name == "cold_100 MB")
    assert not is_bad(["error 0.0 s, +1 MB"], row)
    assert is_bad(["error 0.0 s, +99 MB"], row)


def test_what_differs_between_rounds_is_shown_as_a_range_or_as_it_is() -> None:
    assert shown([2, 2, 2]) == "2"
    assert shown(["3 of 330, 1.5 s", "12 of 330, 0.5 s"]) == "3-12 of 330, 0.5-1.5 s"
    assert shown(["admitted", "refused", "admitted"]) == "admitted / refused"


def test_a_worker_without_its_library_says_so_and_a_bad_command_does_not_end_it() -> None:
    process = Process(sys.executable, "bearer_guard")
    try:
        with pytest.raises(RuntimeError, match="TypeError"):
            process.call("peak", patience=60, unheard_of=1)
        assert process.call("peak", patience=60) > 0
    finally:
        process.end()
    absent = Process(sys.executable, "unheard_of")
    try:
        with pytest.raises(RuntimeError, match="No module named"):
            absent.call("versions", patience=60)
    finally:
        absent.end()


def test_every_contender_is_described_without_its_library() -> None:
    assert {name: bool(one.settings and one.age and one.pause) for name, one in described().items()} == dict.fromkeys(
        NAMES, True
    )
    assert all(one.coroutines or one.threads for one in described().values())
