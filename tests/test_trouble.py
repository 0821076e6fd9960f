"""Whose questions are held back while an endpoint is in trouble, and which one finds out whether it is over."""

from __future__ import annotations

import time

import pytest

from bearer_guard._trouble import Failure, Question, Trouble

A, B, C = b"a", b"b", b"c"
SLOW, QUICK, RESTING = Failure("no answer in time", slow=True), Failure("status 500"), Failure("status 429", 1)
SOON = 10.0


def begun(trouble: Trouble, key: bytes, *, timeout: float = SOON) -> Question:
    question = Question(key, time.monotonic() + timeout)
    trouble.begin(question)
    return question


def followed(trouble: Trouble) -> Question:
    """The question about nobody's token, after one that took too long."""
    question = Question(b"nobody's", time.monotonic() + SOON, nobodys=True)
    trouble.begin(question, follows=True)
    return question


def failed(trouble: Trouble, key: bytes, failure: Failure, now: float) -> bool:
    return trouble.fail(begun(trouble, key), now, failure)


def waits(trouble: Trouble, now: float) -> list[bool]:
    return [trouble.wait(key, now) > 0 for key in (A, B, C)]


def test_without_trouble_nothing_is_held_back_and_nothing_finds_out() -> None:
    trouble = Trouble()
    assert waits(trouble, 0) == [False] * 3
    assert not begun(trouble, A).probes
    assert waits(trouble, 0) == [False] * 3


def test_a_failure_holds_everybody_back_and_then_one_question_finds_out() -> None:
    trouble = Trouble()
    failed(trouble, A, SLOW, 0)
    assert waits(trouble, 0.7) == [True] * 3
    assert waits(trouble, 1) == [False] * 3
    probe = begun(trouble, B)
    assert probe.probes
    assert waits(trouble, 1) == [True] * 3
    assert SOON - 1 < trouble.wait(C, 1) <= SOON
    trouble.fail(probe, 1, SLOW)
    assert 1.5 <= trouble.wait(C, 1) <= 2
    probe = begun(trouble, C)
    trouble.succeed(probe, 3)
    assert waits(trouble, 3) == [False] * 3
    assert trouble.error is None
    failed(trouble, A, SLOW, 4)
    assert trouble.wait(A, 4) <= 1


@pytest.mark.parametrize("failure", [QUICK, Failure("down")])
def test_a_quick_failure_holds_nobody_back_and_is_known(failure: Failure) -> None:
    trouble = Trouble()
    assert not failed(trouble, A, failure, 0)
    assert waits(trouble, 0) == [False] * 3
    assert trouble.error == failure.problem
    trouble.succeed(begun(trouble, B), 0)
    assert trouble.error is None


def test_whatever_comes_back_quickly_ends_what_a_slow_question_began() -> None:
    trouble = Trouble()
    failed(trouble, A, SLOW, 0)
    failed(trouble, B, QUICK, 1)
    assert waits(trouble, 1) == [False] * 3
    assert trouble.error == "status 500"


def test_a_slow_question_is_followed_by_one_about_nobodys_token_and_no_other_failure_is() -> None:
    trouble = Trouble()
    together = [begun(trouble, key) for key in (A, B)]
    assert [trouble.fail(question, 0, SLOW) for question in together] == [True, False]
    assert not trouble.fail(followed(trouble), 0, SLOW)
    assert failed(trouble, C, SLOW, 1)
    assert not failed(Trouble(), A, RESTING, 0)


def test_a_slow_question_about_nobodys_token_bears_out_what_it_followed() -> None:
    trouble = Trouble()
    failed(trouble, A, SLOW, 0)
    follows = followed(trouble)
    assert not follows.probes
    assert waits(trouble, 0) == [True] * 3
    trouble.fail(follows, 0, SLOW)
    assert 0.75 <= trouble.wait(C, 0) <= 1


@pytest.mark.parametrize("error", [None, QUICK])
def test_a_quick_question_about_nobodys_token_ends_it_and_then_slow_ones_hold_back_their_own_token(
    error: Failure | None,
) -> None:
    trouble = Trouble()
    failed(trouble, A, SLOW, 0)
    if error is None:
        trouble.succeed(followed(trouble), 0)
    else:
        trouble.fail(followed(trouble), 0, error)
    assert waits(trouble, 0) == [False] * 3
    now = 0.0
    for longest in (1, 2, 4, 8):
        assert failed(trouble, A, SLOW, now)
        assert waits(trouble, now) == [True, False, False]
        assert 0.75 * longest <= trouble.wait(A, now) <= longest
        now += longest
    assert failed(trouble, B, SLOW, now)
    assert waits(trouble, now) == [False, True, False]
    trouble.fail(followed(trouble), now, SLOW)
    assert waits(trouble, now) == [True] * 3
    assert trouble.wait(C, now) <= 1
    assert not trouble.fail(begun(trouble, C), 60, SLOW) or waits(trouble, 60) == [True] * 3


def test_a_slow_token_prolongs_everybodys_trouble_until_nobodys_is_quick() -> None:
    trouble = Trouble()
    trouble.succeed(followed(trouble), 0)
    failed(trouble, A, RESTING, 0)
    assert failed(trouble, B, SLOW, 1)
    assert waits(trouble, 1) == [True] * 3
    trouble.succeed(followed(trouble), 1)
    assert waits(trouble, 1) == [False] * 3


def test_questions_that_fail_together_make_one_failure() -> None:
    trouble = Trouble()
    questions = [begun(trouble, b"%d" % number) for number in range(200)]
    for question in questions:
        trouble.fail(question, 5, SLOW)
    assert 0.75 <= trouble.wait(A, 5) <= 1


def test_one_of_them_may_still_ask_to_be_left_alone() -> None:
    trouble = Trouble()
    first, second = begun(trouble, A), begun(trouble, B)
    trouble.fail(first, 0, SLOW)
    trouble.fail(second, 0, Failure("status 429", 20))
    assert trouble.wait(C, 0) == 20


def test_an_answer_to_an_earlier_question_ends_the_trouble_too() -> None:
    trouble = Trouble()
    earlier = begun(trouble, A)
    failed(trouble, B, SLOW, 0)
    trouble.succeed(earlier, 0)
    assert waits(trouble, 0) == [False] * 3


def test_but_not_when_the_endpoint_has_asked_to_be_left_alone() -> None:
    trouble = Trouble()
    earlier = begun(trouble, A)
    failed(trouble, B, Failure("status 429", 20), 0)
    trouble.succeed(earlier, 0)
    assert waits(trouble, 19) == [True] * 3
    trouble.succeed(begun(trouble, C), 20)
    assert waits(trouble, 20) == [False] * 3


def test_a_failure_from_before_the_end_of_the_trouble_makes_no_new_one() -> None:
    trouble = Trouble()
    slow = begun(trouble, A)
    failed(trouble, B, SLOW, 0)
    trouble.succeed(begun(trouble, C), 1)
    trouble.fail(slow, 5, SLOW)
    assert waits(trouble, 5) == [False] * 3
    assert trouble.error is None


def test_an_abandoned_question_leaves_finding_out_to_the_next_one() -> None:
    trouble = Trouble()
    failed(trouble, A, SLOW, 0)
    trouble.abandon(begun(trouble, B))
    assert waits(trouble, 1) == [False] * 3
    probe = begun(trouble, C)
    trouble.abandon(Question(A, 0))
    assert waits(trouble, 1) == [True] * 3
    assert probe.probes


def test_one_that_outlives_its_deadline_has_failed_and_its_late_answer_still_counts() -> None:
    trouble = Trouble()
    failed(trouble, A, SLOW, 0)
    lost = begun(trouble, B, timeout=-1)
    trouble.give_up_overdue(1)
    assert trouble.error == "no answer in time"
    assert 1.5 <= trouble.wait(C, 1) <= 2
    trouble.give_up_overdue(2)
    trouble.succeed(lost, 2)
    assert waits(trouble, 2) == [False] * 3


def test_what_is_told_is_what_is_left_and_what_was_asked_for_within_reason() -> None:
    trouble = Trouble()
    assert trouble.told(Failure("x", 3600), A, 0).retry_after == 30
    failed(trouble, A, Failure("x", 3600), 0)
    assert trouble.told(Failure("x"), A, 10).retry_after == 20


def test_a_clock_that_steps_back_locks_nobody_out() -> None:
    trouble = Trouble()
    failed(trouble, A, Failure("x", 30), 1000)
    assert waits(trouble, 0) == [False] * 3


def test_the_states() -> None:
    trouble = Trouble()
    assert (trouble.state(), trouble.next_question(0)) == ("unavailable", 0)
    failed(trouble, A, Failure("x", 20), 0)
    assert (trouble.state(), trouble.next_question(5)) == ("unavailable", 15)
    trouble.succeed(begun(trouble, A), 20)
    assert (trouble.state(), trouble.next_question(20)) == ("fresh", None)
    failed(trouble, A, QUICK, 20)
    assert (trouble.state(), trouble.next_question(20)) == ("stale", 0)
    trouble.succeed(followed(trouble), 20)
    failed(trouble, A, SLOW, 20)
    assert trouble.state() == "cooling_down"
    trouble.fail(followed(trouble), 21, SLOW)
    assert trouble.state() == "stale"
    probe = begun(trouble, B)
    assert trouble.state() == "refreshing"
    trouble.fail(probe, 22, SLOW)
    assert trouble.state() == "stale"
    assert Trouble(answered_at=5.0).state() == "fresh"
