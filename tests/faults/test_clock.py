"""A clock that steps: nobody is locked out, nothing is asked without end, and no keys last for ever."""

from __future__ import annotations

import pytest

from bearer_guard import UnknownKey
from bearer_guard._flow import run
from bearer_guard._io import IO
from tests.faults.provider import Provider, document
from tests.faults.scene import COLOURS, Scene, alike, keys, token

YEARS = 10 * 365 * 86400.0
each_colour = pytest.mark.parametrize("colour", COLOURS)


@each_colour
@pytest.mark.parametrize("step", [1.0, 40.0, 3600.0, YEARS])
def test_a_step_back_makes_a_refresh_due_that_nobody_waits_for(warm: Scene, step: float, colour: str) -> None:
    warm.publish(keys(2))
    warm.clock.pass_by(-step)
    with warm.provider.held():
        assert warm.ask_one_in(colour, token(1)) == 200
        assert warm.source.status()["age"] == 0
    warm.settle()
    assert warm.ask_one_in(colour, token(2)) == 200
    assert warm.ask_one_in(colour, token(1)) == 401


@each_colour
@pytest.mark.parametrize("step", [1.0, 40.0, 3600.0, YEARS])
def test_the_status_after_a_step_back_says_that_a_refresh_is_due(warm: Scene, step: float, colour: str) -> None:
    def told() -> tuple[object, ...]:
        status = warm.source.status()
        return status["state"], status["age"], status["next_refresh"]

    warm.clock.pass_by(-step)
    assert told() == ("stale", 0, 0)
    warm.publish(document({}, 500))
    with warm.provider.held():
        assert warm.ask_one_in(colour, token()) == 200
        assert told()[:2] == ("refreshing", 0)
    warm.settle()
    state, age, next_refresh = told()
    assert (state, age) == ("stale", 0)
    assert 0.75 <= float(str(next_refresh)) <= 1  # the back-off
    warm.clock.pass_by(1)
    assert told() == ("stale", 1, 0)
    warm.publish(keys(1))
    assert warm.ask_one_in(colour, token()) == 200
    assert warm.settle()["state"] == "fresh"
    assert 432 <= float(str(told()[2])) <= 480


@each_colour
@pytest.mark.parametrize("step", [1.0, 40.0, YEARS])
def test_a_step_back_in_an_outage_makes_no_storm_and_no_endless_keys(
    provider: Provider, step: float, colour: str
) -> None:
    scene = Scene(provider, stale_if_error=1000.0)
    scene.guard.warm()
    scene.publish(document({}, 500))
    scene.clock.pass_by(-step)
    assert alike(scene.ask_each_in(colour, [token()] * 200, scene.settle), 200)
    assert scene.fetches == 2
    for _ in range(15):
        scene.clock.pass_by(100)
        assert scene.ask_one_in(colour, token()) == 200
        scene.settle()
    scene.clock.pass_by(101)
    assert scene.ask_one_in(colour, token()) == 503


@each_colour
@pytest.mark.parametrize("step", [1.0, 40.0, YEARS])
def test_a_step_back_while_the_budget_is_spent_locks_no_new_key_out(warm: Scene, step: float, colour: str) -> None:
    for _ in range(3):
        assert warm.ask_one_in(colour, token(kid="strange")) == 401
    warm.clock.pass_by(-step)
    warm.publish(keys(1, 2))
    assert warm.ask_one_in(colour, token(2)) == 200


@each_colour
@pytest.mark.parametrize("step", [20.0, 4000.0])
def test_what_a_step_back_has_made_void_does_not_count_again_later(
    provider: Provider, step: float, colour: str
) -> None:
    scene = Scene(provider, max_age=YEARS)
    for _ in range(3):
        assert scene.ask_one_in(colour, token(kid="strange")) == 401
    scene.clock.pass_by(-step)
    assert scene.ask_one_in(colour, token(kid="strange")) == 401
    scene.clock.pass_by(step + 5)  # where the clock has been once: 5 s after the budget was spent, step + 5 after that
    scene.publish(keys(1, 2))
    assert scene.ask_one_in(colour, token(2)) == 200


@each_colour
@pytest.mark.parametrize("step", [1.0, 40.0, YEARS])
def test_a_step_back_after_a_failed_cold_start_locks_nobody_out(provider: Provider, step: float, colour: str) -> None:
    scene = Scene(provider)
    scene.publish(document({}, 429, Retry_After="30"))
    assert scene.ask_one_in(colour, token()) == 503
    scene.publish(keys(1))
    scene.clock.pass_by(-step)
    assert scene.ask_one_in(colour, token()) == 200


@each_colour
def test_a_clock_that_steps_back_again_and_again_allows_two_more_refetches_each_time(warm: Scene, colour: str) -> None:
    for _ in range(5):
        assert alike(warm.ask_each_in(colour, [token(kid="strange")] * 20, warm.settle), 401)
        warm.clock.pass_by(-100)
    assert warm.fetches <= 1 + 5 * 3


@each_colour
def test_a_step_forward_past_every_bound_waits_for_fresh_keys(warm: Scene, colour: str) -> None:
    warm.clock.pass_by(YEARS)
    assert warm.ask_one_in(colour, token()) == 200
    assert warm.fetches == 2


@each_colour
def test_a_wait_of_thirty_seconds_survives_rounding(provider: Provider, colour: str) -> None:
    # 0.1 + 30 - 0.1 is more than 30 in binary: compared as a moment ahead, the wait would be void.
    scene = Scene(provider)
    scene.publish(document({}, 429, Retry_After="30"))
    scene.clock.now = 0.1
    assert alike(scene.ask_each_in(colour, [token()] * 20, scene.settle), 503)
    assert scene.fetches == 1


@each_colour
@pytest.mark.parametrize("ages", [0.001, 1e-9, 1e12])
def test_extreme_ages_make_neither_a_storm_nor_a_failure(provider: Provider, ages: float, colour: str) -> None:
    scene = Scene(provider, max_age=ages)
    assert alike(scene.ask_each_in(colour, [token()] * 50, scene.settle), 200)
    assert scene.fetches <= 2


@each_colour
def test_a_frozen_clock_makes_no_deadline_endless(provider: Provider, colour: str) -> None:
    scene = Scene(provider, timeout=0.2)
    scene.publish(provider.hang)
    assert scene.ask_one_in(colour, token()) == 503
    assert scene.ask_one_in(colour, token()) == 503
    assert scene.fetches == 1


def test_a_moment_that_decides_about_an_attempt_is_read_under_the_lock(warm: Scene) -> None:
    # Read before the lock, it may be older than an end that somebody recorded meanwhile: then that end lies in the
    # future, counts as void, and the budget is won back.
    lock, under_lock = warm.source._attempts().lock, []

    def clock() -> float:
        under_lock.append(lock.locked())
        return 2000.0

    warm.source._clock = clock
    for _ in range(3):
        with pytest.raises(UnknownKey):
            run(warm.source.missing(warm.source.arrival(), lambda keys: False), IO)
        warm.source.status()
    assert isinstance(warm.source.refusal(warm.source._held.keys), UnknownKey)  # type: ignore[union-attr]
    assert len(under_lock) >= 7
    assert all(under_lock)
