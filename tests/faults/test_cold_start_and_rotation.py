"""Cold starts and rotations: no good token is lost, and the provider is asked once for each change."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bearer_guard._attempts import REFETCH_CEILING
from tests.faults.provider import PATIENCE, Provider, document
from tests.faults.scene import COLOURS, JWKS, Scene, alike, eventually, keys, together, token
from tests.faults.test_bad_answers import BAD, SLOW
from tests.tokens import ABSENT, T, jwk, signer


@pytest.mark.parametrize(("colour", "callers"), [("threads", 64), ("asyncio", 200), ("trio", 200)])
def test_a_cold_start_under_load_makes_one_fetch(scene: Scene, colour: str, callers: int) -> None:
    assert alike(scene.ask_in(colour, [token()] * callers), 200)
    assert scene.fetches == 1


def test_a_cold_start_makes_one_fetch_across_threads_and_event_loops(scene: Scene) -> None:
    asked = [token()] * 50
    with scene.provider.held(), ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(scene.ask_in, colour, asked, 50) for colour in COLOURS]
        scene.provider.wait_for(1)
        scene.provider.gate.set()
        assert all(alike(answer.result(PATIENCE), 200) for answer in answers)
    assert scene.fetches == 1


@pytest.mark.parametrize("colour", COLOURS)
def test_unknown_kids_in_a_cold_start_refuse_nobody_else_and_stay_within_the_budget(scene: Scene, colour: str) -> None:
    asked = [token(), token(kid="strange")] * 30
    with scene.provider.held(), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(scene.ask_in, colour, asked)
        scene.provider.wait_for(1)
        scene.provider.gate.set()
        assert answer.result(PATIENCE) == [200, 401] * 30
    assert scene.fetches <= 1 + 2  # a token that came while an attempt was under way is worth one more


@pytest.mark.parametrize("colour", COLOURS)
def test_ten_rotations_under_load_refuse_no_good_token_and_make_one_fetch_each(warm: Scene, colour: str) -> None:
    for number in range(2, 12):
        warm.publish(keys(number - 1, number))
        asked = [token(number - 1), token(number)] * 20
        assert alike(warm.ask_in(colour, asked, 16), 200)
        assert warm.fetches == number
        warm.clock.pass_by(1)
    assert warm.settle()["fetches"]["failed"] == 0


def test_rotations_while_requests_never_pause_refuse_no_good_token(warm: Scene) -> None:
    newest, stop, refused = [1], threading.Event(), []

    def call_without_end() -> None:
        while not stop.is_set():
            number = newest[0]
            if (status := warm.ask(token(number))) != 200:
                refused.append((number, status))

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(call_without_end) for _ in range(4)]
        for number in range(2, 12):
            warm.publish(keys(*range(1, number + 1)))
            newest[0] = number
            warm.provider.wait_for(number)
            warm.settle()
        stop.set()
        assert [caller.result(PATIENCE) for caller in callers] == [None] * 4
    assert refused == []
    assert warm.fetches == 11


@pytest.mark.parametrize("colour", COLOURS)
def test_a_rotation_inside_the_cool_down_is_found_by_what_is_left_of_the_budget(warm: Scene, colour: str) -> None:
    assert warm.ask(token(kid="strange")) == 401
    warm.publish(keys(1, 2))
    assert alike(warm.ask_in(colour, [token(2)] * 30), 200)
    assert warm.fetches == 3


def test_more_rotations_than_the_ceiling_in_one_cool_down_wait_for_its_end(warm: Scene) -> None:
    last = REFETCH_CEILING + 2
    for number in range(2, last):
        warm.publish(keys(1, number))
        assert warm.ask(token(number)) == 200
    warm.publish(keys(1, last))
    assert warm.ask(token(last)) == 401
    assert warm.fetches == 1 + REFETCH_CEILING
    warm.clock.pass_by(30)
    assert warm.ask(token(last)) == 200


@pytest.mark.parametrize("colour", COLOURS)
def test_the_same_kid_with_a_new_key_is_found_by_its_bad_signature(warm: Scene, colour: str) -> None:
    renamed = {"keys": [{**keys(2)["keys"][0], "kid": "k1"}]}
    warm.publish(renamed)
    assert alike(warm.ask_in(colour, [token(2, kid="k1")] * 30), 200)
    assert warm.fetches == 2
    assert warm.ask(token(1)) == 401


@pytest.mark.parametrize("colour", COLOURS)
def test_a_bad_signature_verifies_nothing_again_when_the_refetch_brings_the_same_keys(warm: Scene, colour: str) -> None:
    before = warm.source.current()
    assert warm.ask_one_in(colour, token(2, kid="k1")) == 401
    assert warm.fetches == 2
    assert warm.source.current() is before


@pytest.mark.parametrize("colour", COLOURS)
def test_bad_signatures_and_unknown_kids_spend_one_budget(warm: Scene, colour: str) -> None:
    presented = [token(2, kid="k1"), token(kid="strange")] * 2
    assert warm.ask_each_in(colour, presented, lambda: None) == [401] * 4
    assert warm.fetches == 3


def nameless(*numbers: int) -> dict[str, Any]:
    return {"keys": [jwk(number=number, kid=ABSENT) for number in numbers]}


def named(number: int, kid: object) -> str:
    return T({"kid": kid}, signer(number=number))


REPLACED = {
    "a set and a token without names": (nameless, ABSENT),
    "a set without names": (nameless, "k1"),
    "a token without a name": (keys, ABSENT),
    "the same name": (lambda *numbers: {"keys": [jwk(number=number) for number in numbers]}, "k1"),
}
"""How keys can be published and named so that a new one shows by a signature alone."""
each_replaced = pytest.mark.parametrize("how", REPLACED)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("answer", ["500", "429 with a date", "silence", "hangs"])
@each_replaced
def test_a_key_that_is_replaced_while_the_provider_is_in_trouble_is_a_503_and_a_200_when_it_is_back(
    scene: Scene, how: str, answer: str, colour: str
) -> None:
    published, kid = REPLACED[how]
    old, new = named(1, kid), named(2, kid)
    scene.publish(published(1))
    scene.guard.warm()
    scene.publish(BAD[answer](scene.provider))
    scene.source._timeout = 0.2 if answer in SLOW else PATIENCE
    late = 401 if how == "the same name" else 503
    assert alike(scene.ask_in(colour, [new] * 5), late)
    assert alike(scene.ask_in(colour, [old, new] * 5)[1::2], late)  # the back-off or the budget
    assert alike(scene.ask_in(colour, [old] * 5), 200)
    scene.source._timeout = PATIENCE
    scene.publish(published(2))
    scene.clock.pass_by(31)
    assert alike(scene.ask_in(colour, [new] * 5), 200)
    assert scene.ask(old) == 401


@pytest.mark.parametrize("colour", COLOURS)
def test_a_bad_signature_under_a_known_kid_stays_a_401_while_the_provider_is_down(warm: Scene, colour: str) -> None:
    warm.publish(document({}, 503))
    for _ in range(2):
        assert warm.ask_one_in(colour, token(2, kid="k1")) == 401
    assert warm.ask_one_in(colour, token(1)) == 200


@pytest.mark.parametrize("colour", COLOURS)
@each_replaced
def test_a_bad_signature_is_a_401_once_a_refetch_has_ended_well(scene: Scene, how: str, colour: str) -> None:
    published, kid = REPLACED[how]
    scene.publish(published(1))
    scene.guard.warm()
    assert alike(scene.ask_each_in(colour, [named(2, kid)] * 9, scene.settle), 401)
    assert scene.fetches == 3
    scene.publish(document({}, 500))
    assert alike(scene.ask_each_in(colour, [named(2, kid)] * 9, scene.settle), 401)  # nobody is asked: no fault
    assert scene.fetches == 3


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("kid", ["k1", "strange", ABSENT])
def test_a_token_that_would_be_refused_anyway_stays_a_401_while_the_provider_is_down(
    warm: Scene, kid: object, colour: str
) -> None:
    warm.publish(document({}, 500))
    for attempts in (0, 1):  # while one could be made, and in the back-off after it
        for claims in ({"iss": "https://other.example"}, {"exp": 1}):
            presented = T({"kid": kid}, signer(number=2), **claims)
            assert alike(warm.ask_in(colour, [presented] * 3), 401)
        assert warm.fetches == 1 + attempts
        assert warm.ask_one_in(colour, named(2, kid)) == (401 if kid == "k1" else 503)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_removed_key_is_gone_after_the_refresh(warm: Scene, colour: str) -> None:
    warm.publish(keys(2))
    warm.clock.pass_by(500)
    with warm.provider.held():
        assert alike(warm.ask_in(colour, [token(1)] * 5), 200)  # nobody waits for the refresh that this one begins
    warm.settle()
    assert alike(warm.ask_in(colour, [token(1)] * 5), 401)
    assert alike(warm.ask_in(colour, [token(2)] * 5), 200)


@pytest.mark.parametrize("colour", COLOURS)
def test_one_unusable_key_takes_nothing_down_and_is_reported(scene: Scene, colour: str) -> None:
    odd = [{"kty": "AKP", "alg": "unheard-of", "pub": "AA"}, {"kty": "RSA", "n": "!", "e": "AQAB"}, 7, None]
    scene.publish({"keys": [*odd, *keys(1)["keys"]]})
    assert alike(scene.ask_in(colour, [token(1)] * 5), 200)
    assert len(scene.source.status()["skipped"]) == len(odd)


@pytest.mark.parametrize("colour", COLOURS)
def test_equal_keys_in_another_order_are_the_same_keys(scene: Scene, colour: str) -> None:
    scene.publish(keys(1, 2, 3))
    assert scene.ask_one_in(colour, token()) == 200
    before = scene.source.current()
    scene.publish(keys(3, 1, 2))
    scene.clock.pass_by(590)
    assert scene.ask_one_in(colour, token(2)) == 200
    assert scene.settle()["fetches"] == {"begun": 2, "succeeded": 2, "failed": 0}
    assert scene.source.current() is before


@pytest.mark.parametrize("colour", COLOURS)
def test_an_extra_member_that_differs_every_time_is_not_a_new_set(warm: Scene, colour: str) -> None:
    before = warm.source.current()
    for time in range(5):
        warm.publish({**keys(1), "generated_at": time})
        assert warm.ask_one_in(colour, token(kid=f"strange{time}")) == 401
    assert warm.fetches == 3
    assert warm.source.current() is before


@pytest.mark.parametrize("colour", COLOURS)
def test_a_token_that_came_while_an_attempt_was_under_way_is_worth_one_more(
    warm: Scene, colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The answer was made before the key was published: it says nothing about a token that came after.
    first, arrival = threading.Event(), warm.source.arrival
    answered: list[object] = []
    came: list[int] = []

    def arriving() -> int:
        number = arrival()
        came.append(number)
        return number

    def old_keys_first(connection: object, asked: object) -> None:
        behaviour = document(keys(1)) if not answered else document(keys(1, 2))
        answered.append(behaviour)
        first.wait(PATIENCE)
        connection.sendall(behaviour.octets())  # type: ignore[attr-defined]

    monkeypatch.setattr(warm.source, "arrival", arriving)
    warm.publish(old_keys_first)
    with ThreadPoolExecutor(2) as pool:
        stranger = pool.submit(warm.ask_one_in, colour, token(kid="strange"))
        warm.provider.wait_for(2, JWKS)
        good = pool.submit(warm.ask_one_in, colour, token(2))
        eventually(lambda: len(came) == 2)
        first.set()
        assert (stranger.result(PATIENCE), good.result(PATIENCE)) == (401, 200)
    assert came == [1, 2]
    assert warm.fetches == 3


def test_two_sources_of_one_provider_do_not_wait_for_each_other(provider: Provider) -> None:
    slow, quick = Scene(provider), Scene(provider)
    provider.serve("/slow", provider.hang)
    slow.source._url = provider.url + "/slow"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slow.guard.warm)
        provider.wait_for(1, "/slow")
        assert together(*[lambda: quick.ask(token())] * 8) == [200] * 8
        assert not waiting.done()
        provider.close()
        with pytest.raises(Exception, match="authority_unavailable"):
            waiting.result(PATIENCE)
