"""Whose questions are held back while an endpoint is in trouble, and which one finds out whether it is over."""

from __future__ import annotations

import time

from bearer_guard._trouble import Failure, Question, Trouble

A, B, C = b"a", b"b", b"c"
DOWN, ODD = Failure("down"), Failure("status 500", of_token=True)
SOON = 10.0


def begun(trouble: Trouble, key: bytes, *, timeout: float = SOON) -> Question:
    question = Question(key, time.monotonic() + timeout)
    trouble.begin(question)
    return question


def failed(trouble: Trouble, key: bytes, failure: Failure, now: float) -> None:
    trouble.fail(begun(trouble, key), now, failure)


def waits(trouble: Trouble, now: float) -> list[bool]:
    return [trouble.wait(key, now) > 0 for key in (A, B, C)]


def test_without_trouble_nothing_is_held_back_and_nothing_finds_out() -> None:
    trouble = Trouble()
    assert waits(trouble, 0) == [False] * 3
    assert not begun(trouble, A).probes
    assert waits(trouble, 0) == [False] * 3


def test_a_failure_holds_everybody_back_and_then_one_question_finds_out() -> None:
    trouble = Trouble()
    failed(trouble, A, DOWN, 0)
    assert waits(trouble, 0.7) == [True] * 3
    assert waits(trouble, 1) == [False] * 3
    probe = begun(trouble, B)
    assert probe.probes
    assert waits(trouble, 1) == [True] * 3
    assert SOON - 1 < trouble.wait(C, 1) <= SOON
    trouble.fail(probe, 1, DOWN)
    assert 1.5 <= trouble.wait(C, 1) <= 2
    probe = begun(trouble, C)
    trouble.succeed(probe, 3)
    assert waits(trouble, 3) == [False] * 3
    assert trouble.error is None
    failed(trouble, A, DOWN, 4)
    assert trouble.wait(A, 4) <= 1


def test_what_may_be_owed_to_a_token_holds_it_back_alone_for_longer_and_longer() -> None:
    trouble = Trouble()
    now = 0.0
    for longest in (1, 2, 4, 8, 16, 30, 30):
        failed(trouble, A, ODD, now)
        assert waits(trouble, now) == [True, False, False]
        assert 0.75 * longest <= trouble.wait(A, now) <= longest
        now += longest
    assert begun(trouble, A).probes
    assert waits(trouble, now) == [True, False, False]
    assert not begun(trouble, B).probes


def test_the_plain_failure_of_another_token_makes_it_everybodys_trouble_that_begins_now() -> None:
    trouble = Trouble()
    for now in (0.0, 1.0, 3.0, 7.0):
        failed(trouble, A, ODD, now)
    assert not trouble.fail(begun(trouble, B), 8, DOWN)
    assert waits(trouble, 8) == [True] * 3
    assert waits(trouble, 9) == [False] * 3
    failed(trouble, B, DOWN, 9)
    assert 1.5 <= trouble.wait(C, 9) <= 2


def test_the_odd_answer_to_another_token_holds_that_one_back_and_leaves_it_to_nobodys_whose_trouble_it_is() -> None:
    trouble = Trouble()
    assert not trouble.fail(begun(trouble, A), 0, ODD)
    assert not trouble.fail(begun(trouble, A), 1, ODD)
    assert trouble.fail(begun(trouble, B), 1, ODD)
    assert waits(trouble, 1) == [False, True, False]
    assert trouble.wait(B, 1) <= 1


def test_an_odd_answer_neither_ends_nor_prolongs_everybodys_trouble() -> None:
    trouble = Trouble()
    failed(trouble, A, DOWN, 0)
    for _ in range(5):
        assert trouble.fail(begun(trouble, B), 1, ODD)
        assert waits(trouble, 1) == [False] * 3
        assert trouble.error == "down"
    failed(trouble, C, DOWN, 1)
    assert 1.5 <= trouble.wait(A, 1) <= 2


def test_the_same_tokens_plain_failure_makes_it_everybodys_too() -> None:
    trouble = Trouble()
    failed(trouble, A, ODD, 0)
    failed(trouble, A, DOWN, 1)
    assert waits(trouble, 1) == [True] * 3
    assert trouble.wait(C, 1) <= 1


def test_an_answer_about_another_token_between_two_odd_ones_keeps_the_endpoint_open() -> None:
    trouble = Trouble()
    failed(trouble, A, ODD, 0)
    trouble.succeed(begun(trouble, B), 0)
    failed(trouble, C, ODD, 0)
    assert waits(trouble, 0) == [False, False, True]


def test_questions_that_fail_together_make_one_failure() -> None:
    trouble = Trouble()
    questions = [begun(trouble, b"%d" % number) for number in range(200)]
    for question in questions:
        trouble.fail(question, 5, DOWN)
    assert 0.75 <= trouble.wait(A, 5) <= 1
    odd = Trouble()
    for question in [begun(odd, A) for _ in range(200)]:
        odd.fail(question, 5, ODD)
    assert 0.75 <= odd.wait(A, 5) <= 1


def test_one_of_them_may_still_ask_to_be_left_alone() -> None:
    trouble = Trouble()
    first, second = begun(trouble, A), begun(trouble, B)
    trouble.fail(first, 0, DOWN)
    trouble.fail(second, 0, Failure("status 429", 20))
    assert trouble.wait(C, 0) == 20


def test_an_answer_to_an_earlier_question_ends_the_trouble_too() -> None:
    trouble = Trouble()
    earlier = begun(trouble, A)
    failed(trouble, B, DOWN, 0)
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
    failed(trouble, B, DOWN, 0)
    trouble.succeed(begun(trouble, C), 1)
    trouble.fail(slow, 5, DOWN)
    assert waits(trouble, 5) == [False] * 3
    assert trouble.error is None


def test_an_abandoned_question_leaves_finding_out_to_the_next_one() -> None:
    trouble = Trouble()
    failed(trouble, A, DOWN, 0)
    trouble.abandon(begun(trouble, B))
    assert waits(trouble, 1) == [False] * 3
    probe = begun(trouble, C)
    trouble.abandon(Question(A, 0))
    assert waits(trouble, 1) == [True] * 3
    assert probe.probes


def test_one_that_outlives_its_deadline_has_failed_and_its_late_answer_still_counts() -> None:
    trouble = Trouble()
    failed(trouble, A, DOWN, 0)
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
    assert (trouble.state(0), trouble.next_question(0)) == ("unavailable", 0)
    failed(trouble, A, Failure("x", 20), 0)
    assert (trouble.state(5), trouble.next_question(5)) == ("unavailable", 15)
    trouble.succeed(begun(trouble, A), 20)
    assert (trouble.state(20), trouble.next_question(20)) == ("fresh", None)
    failed(trouble, A, ODD, 20)
    assert (trouble.state(20), trouble.state(21)) == ("cooling_down", "fresh")
    failed(trouble, B, DOWN, 21)
    assert (trouble.state(21), trouble.state(99)) == ("stale", "stale")
    probe = begun(trouble, B)
    assert trouble.state(22) == "refreshing"
    trouble.fail(probe, 22, DOWN)
    assert trouble.state(22) == "stale"
    assert Trouble(answered_at=5.0).state(9) == "fresh"
