"""The program that runs the peers through faults still runs: bearer_guard alone, two scenarios, and the page of it."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks.faults.contenders import NAMES, described
from tests.benchmarks.faults.report import document, shown
from tests.benchmarks.faults.run import Results, look_up, play
from tests.benchmarks.faults.scenarios import cold_start, old_and_503
from tests.benchmarks.faults.stage import Process, Runs, key


@pytest.fixture(scope="module")
def results() -> Results:
    key(1)
    results = Results()
    runs = look_up("bearer_guard", [])
    assert isinstance(runs, Runs), runs
    results.runs.append(runs)
    play(runs, (cold_start, old_and_503), results)
    return results


def test_two_scenarios_find_of_bearer_guard_what_its_fault_tests_say(results: Results) -> None:
    assert results.troubles == []
    assert results.found == {"bearer_guard": {"cold_30": [1], "old_503": ["admitted"]}}


def test_the_page_shows_what_was_found_and_what_was_not(results: Results) -> None:
    page = document(results, 1).splitlines()
    assert "| fetches for 30 requests at once, no keys yet | 1 |" in page
    assert "| the keys are too old, the provider answers 503 | admitted |" in page
    assert "| a token without `exp` | ? |" in page


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
