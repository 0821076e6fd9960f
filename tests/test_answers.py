"""What is remembered of an endpoint's answers, and who asks when several want to know."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bearer_guard._answers import Answer, Answers, Flight
from bearer_guard._trouble import Failure
from tests.forks import in_child

YES, NO = {"active": True, "sub": "u1"}, None
SOON = 10.0


def answers(size: int = 10, *, positive: float = 60, negative: float = 5, grace: float = 0) -> Answers:
    return Answers(size, positive=positive, negative=negative, grace=grace, clock=lambda: 0.0)


def learn(kept: Answers, key: bytes, claims: Any, at: float = 0) -> None:
    flight, flying = kept.board(key, at, time.monotonic() + SOON)
    assert flying
    flight.answer = Answer(claims, at)
    kept.land(flight)


def test_a_yes_and_a_no_count_each_for_its_own_time() -> None:
    kept = answers()
    learn(kept, b"yes", YES)
    learn(kept, b"no", NO)
    for now, yes, no in ((0, True, True), (4.9, True, True), (5, True, False), (59.9, True, False), (60, False, False)):
        assert (kept.find(b"yes", now) is not None, kept.find(b"no", now) is not None) == (yes, no)


def test_the_later_answer_replaces_the_earlier_whatever_it_was() -> None:
    kept = answers(negative=60)
    learn(kept, b"k", YES)
    learn(kept, b"k", NO, at=60)
    assert kept.find(b"k", 61) == Answer(NO, 60)
    learn(kept, b"k", YES, at=120)
    assert kept.find(b"k", 121) == Answer(YES, 120)
    learn(kept, b"k", NO, at=180)
    assert kept.find(b"k", 181, in_trouble=True) == Answer(NO, 180)


@pytest.mark.parametrize(("expires", "found"), [(30, False), (30.5, True), ("30", True), (None, True), (True, False)])
def test_a_yes_is_not_found_past_its_exp(expires: Any, found: bool) -> None:
    kept = answers()
    learn(kept, b"k", {**YES, "exp": expires})
    assert (kept.find(b"k", 30) is not None) is found


def test_in_trouble_a_yes_counts_for_the_grace_longer_and_a_no_does_not() -> None:
    kept = answers(grace=100)
    learn(kept, b"yes", YES)
    learn(kept, b"ends", {**YES, "exp": 80})
    learn(kept, b"no", NO)
    assert kept.find(b"yes", 159.9) is None
    assert kept.find(b"yes", 159.9, in_trouble=True) == Answer(YES, 0)
    assert kept.find(b"yes", 160, in_trouble=True) is None
    assert kept.find(b"ends", 80, in_trouble=True) is None
    assert kept.find(b"no", 5, in_trouble=True) is None


def test_an_answer_from_the_future_is_void_unless_two_threads_read_the_clock_at_once() -> None:
    kept = answers()
    learn(kept, b"k", YES, at=100)
    assert kept.find(b"k", 99.5) == Answer(YES, 100)
    assert kept.find(b"k", 98.9) is None
    learn(kept, b"n", NO, at=100)
    assert kept.find(b"n", 99.5) == Answer(NO, 100)
    assert kept.find(b"n", 98.9) is None


def test_a_size_of_zero_remembers_nothing_even_in_trouble() -> None:
    kept = answers(0, grace=100)
    learn(kept, b"k", YES)
    learn(kept, b"n", NO)
    assert kept.find(b"k", 0, in_trouble=True) is None
    assert kept.find(b"n", 0) is None


def test_each_side_is_bounded_and_drops_what_was_not_used_for_longest() -> None:
    kept = answers(2)
    for key in (b"a", b"b"):
        learn(kept, key, YES)
    assert kept.find(b"a", 1)
    learn(kept, b"c", YES)
    for number in range(9):
        learn(kept, b"%d" % number, NO)
    assert [kept.find(key, 1) is not None for key in (b"a", b"b", b"c", b"6", b"7", b"8")] == [
        True,
        False,
        True,
        False,
        True,
        True,
    ]


def test_the_second_who_asks_waits_for_the_first() -> None:
    kept = answers()
    first, flying = kept.board(b"k", 0, time.monotonic() + SOON)
    assert flying
    assert kept.board(b"k", 0, time.monotonic() + SOON) == (first, False)
    assert kept.board(b"other", 0, time.monotonic() + SOON)[1]
    assert not first.future.done()
    first.answer = Answer(YES, 0)
    kept.land(first)
    assert first.future.done()
    found, flying = kept.board(b"k", 1, time.monotonic() + SOON)
    assert (found.answer, flying) == (Answer(YES, 0), False)
    assert kept.known().counts == {"begun": 2, "succeeded": 1, "failed": 0}


def test_the_future_of_a_flight_cannot_be_cancelled_by_one_who_waits() -> None:
    assert not Flight(b"k", 0).future.cancel()


def test_an_abandoned_flight_leaves_nothing_and_the_next_one_asks() -> None:
    kept = answers()
    flight, flying = kept.board(b"k", 0, time.monotonic() + SOON)
    assert flying
    kept.land(flight)
    assert kept.find(b"k", 0, in_trouble=True) is None
    assert kept.known().counts == {"begun": 1, "succeeded": 0, "failed": 0}
    assert kept.board(b"k", 0, time.monotonic() + SOON)[1]


def test_a_failed_flight_leaves_nothing_and_the_next_one_has_failed_before_it_began() -> None:
    kept = answers()
    flight, flying = kept.board(b"k", 0, time.monotonic() + SOON)
    assert flying
    flight.failure = Failure("down", 7.0)
    kept.land(flight)
    assert kept.find(b"k", 0, in_trouble=True) is None
    assert kept.known().counts == {"begun": 1, "succeeded": 0, "failed": 1}
    for key in (b"k", b"other"):
        refused, flying = kept.board(key, 0, time.monotonic() + SOON)
        assert (refused.failure, flying) == (Failure("down", 7.0), False)


def test_a_flight_that_outlives_its_deadline_is_replaced_and_lands_without_harm() -> None:
    kept = answers()
    lost, _ = kept.board(b"k", 0, time.monotonic() - 1)
    fresh, flying = kept.board(b"k", 0, time.monotonic() + SOON)
    assert flying
    assert fresh is not lost
    kept.land(lost)
    assert kept.board(b"k", 0, time.monotonic() + SOON) == (fresh, False)


@pytest.mark.parametrize("really", [True, False], ids=["forked", "by its number"])
def test_a_child_waits_for_nobody_and_keeps_what_is_known(monkeypatch: pytest.MonkeyPatch, really: bool) -> None:
    kept = answers()
    learn(kept, b"known", YES)
    flight, _ = kept.board(b"k", 0, time.monotonic() + SOON)

    def child() -> int:
        other, flying = kept.board(b"k", 0, time.monotonic() + SOON)
        good = kept.find(b"known", 1) == Answer(YES, 0) and flying and other is not flight
        return 0 if good and kept.known().counts == {"begun": 1, "succeeded": 0, "failed": 0} else 1

    if really:
        assert in_child(child) == 0
    else:
        number = os.getpid() + 100_000
        monkeypatch.setattr(os, "getpid", lambda: number)
        assert child() == 0


def test_a_child_that_was_forked_in_the_middle_of_a_change_starts_with_nothing() -> None:
    # The caches are written in Python: what a thread of the parent was doing to them may be half done for ever.
    kept = answers()
    learn(kept, b"known", YES)
    kept._process.here().active._LRUCache__order.clear()  # type: ignore[attr-defined]

    def child() -> int:
        unknown = kept.find(b"known", 1) is None
        learn(kept, b"known", YES)
        return 0 if unknown and kept.find(b"known", 1) == Answer(YES, 0) else 1

    with kept._process.here().lock:
        assert in_child(child) == 0


def test_a_coroutine_that_the_garbage_collector_ends_waits_for_no_lock() -> None:
    moments: list[Callable[[], object]] = []

    def clock() -> float:  # it is read under the lock
        while moments:
            moments.pop()()
        return 0.0

    kept = Answers(10, positive=60, negative=5, grace=0, clock=clock)
    lost, flying = kept.board(b"lost", 0.0, time.monotonic() + 10)
    assert flying
    moments.append(lambda: kept.land(lost))
    with ThreadPoolExecutor(1) as other:
        flight, flying = other.submit(kept.board, b"another", 0.0, time.monotonic() + 10).result(10)
    assert flying
    assert flight is not lost
    assert lost.future.done()
    assert kept.board(b"lost", 0.0, time.monotonic() + 10)[1]


def test_an_answer_that_lies_in_the_future_never_counts_again() -> None:
    kept = answers()
    for key, claims in ((b"yes", YES), (b"no", NO)):
        learn(kept, key, claims)
        assert kept.find(key, 0) is not None
        assert kept.find(key, -50) is None
        assert kept.find(key, 1) is None
