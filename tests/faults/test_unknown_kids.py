"""A thousand random kids: the provider hears of them at most twice in a cool-down, and good tokens never notice."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio

from bearer_guard import AccessDenied, AuthorityUnavailable, _refresh
from tests.faults.provider import PATIENCE, Answer, Asked, Behaviour, Provider, document
from tests.faults.scene import COLOURS, Scene, alike, asking, keys, together, token

_numbers = itertools.count()


def strange(count: int) -> list[str]:
    """Good signatures under kids that nobody has published."""
    return [token(kid=f"strange-{next(_numbers)}") for _ in range(count)]


def refusing(provider: Provider) -> Behaviour:
    """A provider that is down: the connection is closed without a word."""
    del provider
    return lambda connection, asked: None


PROVIDERS = {
    "up": (document(keys(1)), {401}),
    "down": (None, {503}),
    "500": (document({}, 500), {503}),
    "429": (document({}, 429, Retry_After="20"), {503}),
}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("provider_is", PROVIDERS)
def test_a_thousand_random_kids_in_sequence(warm: Scene, provider_is: str, colour: str) -> None:
    behaviour, expected = PROVIDERS[provider_is]
    warm.publish(behaviour or refusing(warm.provider))
    asked = strange(1000)
    for place in range(0, 1000, 50):
        asked[place] = token()
    statuses = warm.ask_each_in(colour, asked, lambda: warm.clock.pass_by(0.029))  # all of them in 29 s
    assert alike(statuses[::50], 200)
    assert {status for place, status in enumerate(statuses) if place % 50} == expected
    assert warm.fetches <= 1 + 2


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("provider_is", PROVIDERS)
def test_a_thousand_random_kids_at_once(warm: Scene, provider_is: str, colour: str) -> None:
    behaviour, expected = PROVIDERS[provider_is]
    warm.publish(behaviour or refusing(warm.provider))
    asked = [*strange(500), *[token()] * 20, *strange(500)]
    statuses = warm.ask_in(colour, asked)
    assert alike(statuses[500:520], 200)
    assert set(statuses[:500] + statuses[520:]) == expected
    assert warm.fetches <= 1 + 2


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("provider_is", PROVIDERS)
def test_random_kids_for_five_minutes_make_at_most_two_fetches_in_any_thirty_seconds(
    provider: Provider, provider_is: str, colour: str
) -> None:
    scene = Scene(provider, max_age=3600.0)
    scene.guard.warm()
    behaviour, expected = PROVIDERS[provider_is]
    scene.publish(behaviour or refusing(provider))
    moments, known = [], [scene.fetches]

    def half_a_second_later() -> None:
        if scene.fetches > known[-1]:
            known.append(scene.fetches)
            moments.append(scene.clock.now)
        scene.clock.pass_by(0.5)

    assert set(scene.ask_each_in(colour, strange(600), half_a_second_later)) == expected
    assert len(moments) >= 10  # and it never stops asking, either
    assert all(third - first >= 30 for first, third in zip(moments, moments[2:], strict=False))


def _odd(number: int) -> dict[str, object]:
    return {"kty": "RSA", "kid": f"odd-{number}", "n": "!", "e": "AQAB"}


NEVER_THE_SAME: dict[str, Callable[[int], dict[str, Any]]] = {
    "servers that do not agree": lambda number: keys(1, 2 + number % 2),
    "keys of yesterday": lambda number: keys(*([1, 2] if number % 2 else [1])),
    "a member with the time": lambda number: {"keys": [{**keys(1)["keys"][0], "iat": number, "n": [{}]}]},
    "unusable keys": lambda number: {"keys": [*keys(1)["keys"], _odd(number)]},
}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("published", NEVER_THE_SAME)
def test_random_kids_at_a_provider_whose_keys_change_with_every_answer_make_no_more_fetches(
    warm: Scene, published: str, colour: str
) -> None:
    def answer(connection: socket.socket, asked: Asked) -> None:
        content = NEVER_THE_SAME[published](warm.fetches)
        connection.sendall(document(content, Cache_Control="max-age=3600").octets())

    warm.publish(answer)
    known = warm.fetches
    for cool_down in range(3):
        asked = [*strange(10), token(), *strange(10)]
        assert warm.ask_each_in(colour, asked, lambda: None) == [401] * 10 + [200] + [401] * 10
        assert warm.fetches - known <= (4 if cool_down == 0 else 2)  # a key that was never there is not charged
        known = warm.fetches
        warm.clock.pass_by(30)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_real_new_key_is_found_after_the_cool_down_that_strangers_began(warm: Scene, colour: str) -> None:
    for presented in strange(10):
        assert warm.ask(presented) == 401
    warm.publish(keys(1, 2))
    assert warm.ask(token(2)) == 401  # the one exception: the budget is spent, for one cool-down at most
    warm.clock.pass_by(30)
    assert alike(warm.ask_in(colour, [token(2)] * 20), 200)
    assert warm.fetches == 1 + 2 + 1


@pytest.mark.parametrize("colour", COLOURS)
def test_a_new_key_of_a_provider_that_is_down_is_a_503_and_found_when_it_is_back(warm: Scene, colour: str) -> None:
    warm.publish(document({}, 503))
    assert alike(warm.ask_in(colour, [token(2)] * 10), 503)
    assert alike(warm.ask_in(colour, [token(1)] * 10), 200)
    warm.publish(keys(1, 2))
    warm.clock.pass_by(1)
    assert alike(warm.ask_in(colour, [token(2)] * 10), 200)


def test_an_unknown_kid_waits_two_seconds_for_a_hanging_provider_and_holds_nobody_else() -> None:
    def ask(colour: str) -> tuple[list[int], float, int]:
        with Provider() as provider:
            scene = Scene(provider)
            scene.guard.warm()
            scene.publish(provider.hang)
            presented = [*strange(30), *[token()] * 30]
            began = time.monotonic()
            statuses = scene.ask_in(colour, presented, 60)
            return statuses, time.monotonic() - began, scene.fetches

    for statuses, took, fetches in together(*[partial(ask, colour) for colour in COLOURS]):  # two seconds in all
        assert statuses == [503] * 30 + [200] * 30
        assert 1.9 <= took < 4.0
        assert fetches == 2


@pytest.mark.parametrize("colour", COLOURS)
def test_whoever_has_waited_long_enough_is_told_when_the_attempt_ends_at_the_latest(
    warm: Scene, colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_refresh, "REFETCH_PATIENCE", 0.1)
    warm.publish(warm.provider.hang)
    warm.source._timeout = PATIENCE
    request = asking(token(2))
    check: dict[str, Callable[[], object]] = {
        "threads": lambda: warm.guard.check(request),
        "asyncio": lambda: asyncio.run(warm.guard.acheck(request)),
        "trio": lambda: trio.run(warm.guard.acheck, request),
    }
    with pytest.raises(AuthorityUnavailable) as refused:
        check[colour]()
    assert PATIENCE / 2 < refused.value.retry_after <= PATIENCE - 0.1


@pytest.mark.parametrize("answer", [document(keys(1)), document({}, 500)], ids=["up", "500"])
@pytest.mark.parametrize("presented", [token(kid="strange"), token(2, kid="k1")], ids=["unknown kid", "bad signature"])
def test_a_refusal_inside_the_cool_down_leaves_nothing_to_the_garbage_collector(
    warm: Scene, presented: str, answer: Answer
) -> None:
    # An exception that is kept in a local variable where it is raised is a cycle with its own traceback.
    warm.publish(answer)
    for _ in range(3):
        warm.ask(presented)
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            with pytest.raises((AccessDenied, AuthorityUnavailable)):
                warm.guard.check(asking(presented))
        assert gc.collect() < 50
    finally:
        gc.enable()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_token_that_would_be_refused_anyway_spends_nothing(warm: Scene, colour: str) -> None:
    for claims in ({"iss": "https://other.example"}, {"exp": 1}):
        assert warm.ask_in(colour, [token(kid="strange", **claims), token(2, kid="k1", **claims)]) == [401, 401]
    assert warm.fetches == 1
