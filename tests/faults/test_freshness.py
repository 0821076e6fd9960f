"""How long keys are fresh, what a refresh asks and keeps, and how the budget of refetches is counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from bearer_guard._attempts import Attempts
from tests.faults.provider import PATIENCE, Answer, Provider, document, tagged
from tests.faults.scene import COLOURS, JWKS, METADATA, Scene, alike, keys, token

DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("fields", "age"),
    [
        ({}, 600),
        ({"Cache_Control": "max-age=1000"}, 1000),
        ({"Cache_Control": "public, MAX-AGE=1000, must-revalidate", "Age": "100"}, 900),
        ({"Cache_Control": "max-age=5"}, 60),
        ({"Cache_Control": "max-age=300", "Age": "900"}, 60),
        ({"Cache_Control": "no-store"}, 60),
        ({"Cache_Control": "max-age=86400"}, 3600),
        ({"Cache_Control": "max-age=soon"}, 600),
        ({"Expires": "Mon, 23 Nov 2026 12:20:00 GMT", "Date": DATE}, 1200),
        ({"Expires": "Mon, 23 Nov 2026 12:20:00 GMT", "Date": DATE, "Age": "200"}, 1000),
        ({"Expires": "Mon, 23 Nov 2026 12:20:00 GMT", "Date": DATE, "Cache_Control": "max-age=500"}, 500),
    ],
    ids=str,
)
def test_keys_are_fresh_for_what_the_answer_says_within_a_minute_and_an_hour(
    provider: Provider, fields: Any, age: float
) -> None:
    scene = Scene(provider)
    scene.publish(document(keys(1), **fields))
    scene.guard.warm()
    scene.clock.pass_by(0.72 * age - 0.01)
    assert scene.ask(token()) == 200
    assert scene.fetches == 1
    scene.clock.pass_by(0.08 * age + 0.02)
    with provider.held():  # at 80 % of the age at the latest it is refreshed, and nobody waits for that
        assert scene.ask(token()) == 200
        assert scene.source.status()["state"] == "refreshing"
    assert scene.settle()["state"] == "fresh"


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("date", ["", "yesterday"])
@pytest.mark.parametrize(("expires", "age"), [(1200, 1200), (86400, 3600), (-5, 60)])
def test_expires_without_a_date_counts_from_when_the_answer_came(
    provider: Provider, expires: int, age: float, date: str, colour: str
) -> None:
    scene = Scene(provider)
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=expires), usegmt=True)
    scene.publish(document(keys(1), Expires=moment, **({"Date": date} if date else {})))
    assert scene.ask_one_in(colour, token()) == 200
    assert 0.72 * (age - 30) <= float(scene.source.status()["next_refresh"] or 0) <= 0.8 * age  # a slow machine


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("age", [10.0, 86400.0])
def test_an_age_that_is_given_counts_as_it_is_whatever_the_answer_says(
    provider: Provider, age: float, colour: str
) -> None:
    scene = Scene(provider, max_age=age)
    assert scene.ask_one_in(colour, token()) == 200
    assert 0.72 * age <= float(scene.source.status()["next_refresh"] or 0) <= 0.8 * age


def test_the_refreshes_of_many_processes_are_spread_and_none_comes_late(provider: Provider) -> None:
    moments = []
    for _ in range(30):
        scene = Scene(provider)
        scene.guard.warm()
        moments.append(float(scene.source.status()["next_refresh"] or 0))
    assert all(432 <= moment <= 480 for moment in moments)
    assert max(moments) - min(moments) > 5
    assert len(set(moments)) == 30


@pytest.mark.parametrize("colour", COLOURS)
def test_a_refresh_shows_the_entity_tag_and_not_modified_keeps_the_very_keys(provider: Provider, colour: str) -> None:
    scene = Scene(provider)
    scene.publish(tagged(keys(1), '"one"', Cache_Control="max-age=600"))
    assert scene.ask_one_in(colour, token()) == 200
    before = scene.source.current()
    assert "if-none-match" not in provider.asked[-1].headers
    for number in range(1, 4):
        scene.clock.pass_by(500)
        assert scene.ask_one_in(colour, token()) == 200
        assert scene.settle()["fetches"]["succeeded"] == 1 + number
        assert provider.asked[-1].headers["if-none-match"] == '"one"'
    assert scene.source.current() is before
    scene.publish(tagged(keys(2), '"two"'))
    scene.clock.pass_by(500)
    assert scene.ask_one_in(colour, token()) == 200
    scene.settle()
    assert scene.ask_in(colour, [token(1), token(2)]) == [401, 200]


@pytest.mark.parametrize(
    ("said", "age"), [({}, 1000), ({"Cache-Control": "max-age=2000"}, 2000), ({"Cache-Control": "no-cache"}, 60)]
)
def test_not_modified_that_says_nothing_of_the_age_leaves_what_was_said(
    provider: Provider, said: dict[str, str], age: float
) -> None:
    scene = Scene(provider)
    scene.publish(document(keys(1), ETag='W/"x"', Cache_Control="max-age=1000"))
    scene.guard.warm()
    scene.publish(Answer(b"", 304, said))
    for _ in range(1 if said else 2):
        scene.clock.pass_by(810)
        assert scene.ask(token()) == 200
        assert 0.72 * age <= float(scene.settle()["next_refresh"] or 0) <= 0.8 * age


def test_a_provider_without_entity_tags_is_asked_for_the_whole_and_equal_keys_stay_the_very_keys(warm: Scene) -> None:
    before = warm.source.current()
    warm.clock.pass_by(500)
    assert warm.ask(token()) == 200
    warm.settle()
    assert "if-none-match" not in warm.provider.asked[-1].headers
    assert warm.source.current() is before


def test_not_modified_that_nobody_asked_for_is_a_failure_and_keeps_the_last_good_keys(warm: Scene) -> None:
    warm.publish(Answer(b"", 304, {"ETag": '"x"'}))
    warm.clock.pass_by(500)
    assert warm.ask(token()) == 200
    assert warm.settle()["last_error"] == "status 304"


@pytest.mark.parametrize("etag", ['"' + "x" * 300 + '"', "unquoted", '"a" "b"', '"\x7f"'])
def test_an_entity_tag_that_is_none_is_not_sent_back(provider: Provider, etag: str) -> None:
    scene = Scene(provider)
    scene.publish(document(keys(1), ETag=etag))
    scene.guard.warm()
    scene.clock.pass_by(500)
    scene.ask(token())
    scene.settle()
    assert "if-none-match" not in provider.asked[-1].headers


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("metadata", ["not asked for", "had", "not had"])
def test_after_a_failure_the_whole_is_asked_for_again(provider: Provider, metadata: str, colour: str) -> None:
    # Whoever answers 304 wrongly would otherwise keep removed keys alive.
    scene = Scene(provider, discovered=metadata != "not asked for")
    scene.publish(tagged(keys(1), '"one"', Cache_Control="max-age=600"))
    scene.guard.warm()
    scene.publish(document({}, 500))
    if metadata == "not had":
        provider.serve(METADATA, document({}, 500))
    scene.clock.pass_by(500)
    assert scene.ask_one_in(colour, token()) == 200
    scene.settle()
    scene.publish(tagged(keys(2), '"one"'))
    scene.clock.pass_by(2)
    assert scene.ask_one_in(colour, token()) == 200
    scene.settle()
    assert provider.count(METADATA) == (0 if metadata == "not asked for" else 2)
    assert scene.ask_one_in(colour, token(2)) == 200


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("status", [200, 500])
def test_the_budget_counts_from_the_end_of_an_attempt_whether_it_went_well_or_not(
    warm: Scene, status: int, colour: str
) -> None:
    expected = 401 if status == 200 else 503
    warm.publish(document(keys(1), status))
    with ThreadPoolExecutor(1) as pool:
        with warm.provider.held():
            stranger = pool.submit(warm.ask_one_in, colour, token(kid="strange"))
            warm.provider.wait_for(2, JWKS)
            warm.clock.pass_by(20)  # so long does the first one take
        assert stranger.result(PATIENCE) == expected
    warm.clock.pass_by(1)
    assert warm.ask_one_in(colour, token(kid="strange")) == expected
    assert warm.fetches == 3
    warm.publish(keys(1, 2))
    warm.clock.pass_by(28.5)  # 49.5 after its beginning, and 29.5 after its end
    assert warm.ask_one_in(colour, token(2)) == expected
    assert warm.fetches == 3
    warm.clock.pass_by(0.5)
    assert warm.ask_one_in(colour, token(2)) == 200
    assert warm.fetches == 4


@pytest.mark.parametrize("colour", COLOURS)
def test_the_status_while_the_budget_is_spent_says_so(warm: Scene, colour: str) -> None:
    for expected in ("fresh", "cooling_down"):
        assert warm.ask_one_in(colour, token(kid="strange")) == 401
        assert warm.source.status()["state"] == expected
    warm.clock.pass_by(29.5)
    assert warm.source.status()["state"] == "cooling_down"
    warm.clock.pass_by(0.5)
    assert warm.source.status()["state"] == "fresh"


@pytest.mark.parametrize("colour", COLOURS)
def test_retry_after_as_a_date_holds_the_next_attempt_back_up_to_the_ceiling(provider: Provider, colour: str) -> None:
    scene = Scene(provider)
    moment = datetime.now(UTC) + timedelta(hours=1)
    scene.publish(document({}, 429, Retry_After=format_datetime(moment, usegmt=True)))
    assert alike(scene.ask_in(colour, [token()] * 5), 503)
    scene.publish(keys(1))
    scene.clock.pass_by(29.5)
    assert alike(scene.ask_in(colour, [token()] * 5), 503)
    assert scene.fetches == 1
    scene.clock.pass_by(0.5)
    assert alike(scene.ask_in(colour, [token()] * 5), 200)


@pytest.mark.parametrize("colour", COLOURS)
def test_no_attempt_begins_before_the_back_off_is_over_whoever_asks(warm: Scene, colour: str) -> None:
    warm.publish(document({}, 503, Retry_After="10"))
    assert warm.ask_one_in(colour, token(kid="strange")) == 503
    warm.clock.pass_by(9.9)
    assert warm.ask_in(colour, [token(kid="other"), token(2, kid="k1"), token()]) == [503, 401, 200]
    assert warm.fetches == 2
    warm.publish(keys(1, 2))
    warm.clock.pass_by(0.1)
    assert warm.ask_one_in(colour, token(2)) == 200


def test_the_jitter_of_the_back_off_points_downwards_only() -> None:
    for failures in range(1, 8):
        waits = []
        for _ in range(50):
            attempts = Attempts(30.0)
            for _ in range(failures):
                attempts.fail(attempts.begin(5.0, spends=False), 0.0, "down")
            waits.append(attempts.blocked_for(0.0, spends=False))
        longest = min(30.0, 2.0 ** (failures - 1))
        assert 0.75 * longest <= min(waits) < max(waits) <= longest
