"""How long nobody is asked again after failures in a row."""

from __future__ import annotations

import pytest

from bearer_guard._backoff import Backoff, left


def test_it_grows_from_one_second_to_thirty_with_jitter_downwards_only_and_ends() -> None:
    backoff = Backoff()
    for failures, longest in enumerate((1, 2, 4, 8, 16, *[30] * 2000), start=1):
        backoff.fail(100.0)
        assert backoff.failures == failures
        assert 0.75 * longest <= backoff.left(100.0) <= longest
        assert backoff.left(100.0 + longest) == 0
    backoff.end()
    assert (backoff.failures, backoff.left(100.0)) == (0, 0)
    backoff.fail(100.0)
    assert backoff.left(100.0) <= 1


def test_the_jitter_differs() -> None:
    seen = set()
    for _ in range(50):
        backoff = Backoff()
        backoff.fail(0)
        seen.add(backoff.left(0))
    assert len(seen) > 40


@pytest.mark.parametrize(("asked_for", "least", "most"), [(0, 0.75, 1), (0.1, 0.75, 1), (7, 7, 7), (3600, 30, 30)])
def test_what_the_other_side_asks_for_counts_within_the_bound(asked_for: float, least: float, most: float) -> None:
    backoff = Backoff()
    backoff.fail(5.0, asked_for)
    assert least <= backoff.left(5.0) <= most


def test_it_is_prolonged_and_never_shortened() -> None:
    backoff = Backoff()
    backoff.fail(0.0, 20)
    backoff.prolong(5.0, 10)
    assert backoff.left(5.0) == 15
    backoff.prolong(15.0, 10)
    assert backoff.left(15.0) == 10
    backoff.prolong(15.0, 3600)
    assert backoff.left(15.0) == 30
    assert backoff.failures == 1


def test_a_moment_in_the_future_is_void() -> None:
    assert (left(30, 10, 9.9), left(30, 10, 10), left(30, 10, 39), left(30, 10, 41)) == (0, 30, 1, 0)
