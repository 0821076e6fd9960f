"""An introspection endpoint in trouble: 503 with Retry-After in bounded time, never 401, and nobody is let in by it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import trio

from bearer_guard import AuthorityUnavailable, RemoteJWKSet
from bearer_guard._flow import run
from bearer_guard._io import IO
from bearer_guard._questions import NOBODYS_TOKEN
from tests.faults.provider import (
    PATIENCE,
    Answer,
    Asked,
    Behaviour,
    Provider,
    bad_chunks,
    broken_off,
    document,
    gzip_bomb,
    huge,
    long_fields,
    not_http,
    reset,
    silence,
)
from tests.faults.scene import ACTIVE, COLOURS, INTROSPECTION, JWKS, Introspected, alike, keys
from tests.forks import in_child
from tests.tokens import ISSUER, NOW, RESOURCE, raw, signer

GOOD = document(ACTIVE)
BAD: dict[str, Callable[[Provider], Behaviour]] = {
    "500": lambda provider: document(ACTIVE, 500),
    "401": lambda provider: document({"error": "invalid_client"}, 401),
    "403": lambda provider: document(ACTIVE, 403),
    "429": lambda provider: document({}, 429, Retry_After="7"),
    "503 with a date": lambda provider: document({}, 503, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT"),
    "201": lambda provider: document(ACTIVE, 201),
    "redirect": lambda provider: Answer(b"", 307, {"Location": provider.serve("/elsewhere", GOOD)}),
    "HTML": lambda provider: Answer(b"<!doctype html>", headers={"Content-Type": "text/html"}),
    "[]": lambda provider: document([ACTIVE]),
    "an empty body": lambda provider: Answer(b""),
    "active twice": lambda provider: Answer(b'{"active": false, "active": true}'),
    "half of an answer": lambda provider: Answer(GOOD.body[:-1]),
    "100 MB": lambda provider: huge,
    "gzip bomb": lambda provider: gzip_bomb,
    "6 MB of header fields": lambda provider: long_fields(GOOD.body),
    "slow drip": lambda provider: provider.drip(GOOD.octets() * 50),
    "hangs": lambda provider: provider.hang,
    "hangs in the header": lambda provider: provider.half_a_header,
    "reset": lambda provider: reset,
    "silence": lambda provider: silence,
    "broken off": lambda provider: broken_off,
    "bad chunks": lambda provider: bad_chunks,
    "not HTTP": lambda provider: not_http,
}
SLOW = {"slow drip", "hangs", "hangs in the header"}
each_colour = pytest.mark.parametrize("colour", COLOURS)


@each_colour
@pytest.mark.parametrize("answer", BAD)
def test_an_endpoint_in_trouble_is_a_503_in_bounded_time_and_a_200_when_it_is_back(
    provider: Provider, answer: str, colour: str
) -> None:
    scene = Introspected(provider, timeout=0.5 if answer in SLOW else PATIENCE)
    scene.publish(BAD[answer](provider))
    began = time.monotonic()
    assert alike(scene.ask_in(colour, ["token"] * 10, 10), 503)
    assert time.monotonic() - began < 8
    status = scene.settle()
    assert status["last_error"]
    assert status["fetches"]["failed"] == scene.questions >= 1
    assert provider.count("/elsewhere") == 0
    scene.publish(GOOD)
    scene.have_patience()
    scene.clock.pass_by(30)
    assert scene.ask_in(colour, ["token"]) == [200]
    assert alike(scene.ask_in(colour, ["token", "another", "third"]), 200)
    assert scene.guard.status()["sources"][0]["last_error"] is None


@each_colour
def test_an_endpoint_that_is_down_is_a_503_and_what_is_remembered_serves(colour: str) -> None:
    with Provider() as provider:
        scene = Introspected(provider)
        assert scene.ask_in(colour, ["known"]) == [200]
    scene.clock.pass_by(59)
    assert scene.ask_in(colour, ["known", "other"]) == [200, 503]
    scene.clock.pass_by(1)
    assert scene.ask_in(colour, ["known", "other"]) == [503, 503]


@each_colour
def test_two_hundred_tokens_at_a_hanging_endpoint_get_their_answers_within_the_deadline(
    provider: Provider, colour: str
) -> None:
    # An event loop has a handful of threads for all that blocks: queueing for them must not add up.
    scene = Introspected(provider, timeout=0.5)
    scene.publish(provider.hang)
    began = time.monotonic()
    assert alike(scene.ask_in(colour, [f"token-{number}" for number in range(200)], 200), 503)
    assert time.monotonic() - began < 8


def test_a_hanging_endpoint_leaves_the_threads_of_the_event_loop_to_the_application(provider: Provider) -> None:
    scene = Introspected(provider, timeout=PATIENCE)
    scene.publish(provider.hang)

    async def main() -> None:
        asking = [asyncio.create_task(scene.aask(f"token-{number}")) for number in range(60)]
        await asyncio.to_thread(provider.wait_for, 60)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "mine"), PATIENCE) == "mine"
        provider.close()
        assert alike(await asyncio.gather(*asking), 503)

    asyncio.run(main())


@each_colour
@pytest.mark.parametrize(("asked_for", "told"), [(12, 12), (3600, 30), (-50, 1)])
def test_retry_after_is_handed_on_as_seconds_and_as_a_date_within_reason(
    provider: Provider, asked_for: int, told: int, colour: str
) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=asked_for), usegmt=True)
    for said in (moment, str(asked_for)):
        scene = Introspected(provider)
        scene.publish(document({}, 503, Retry_After=said))
        assert scene.ask_in(colour, ["token"]) == [503]
        with pytest.raises(AuthorityUnavailable) as caught:
            scene.verifier.verify("token")
        assert told - 2 <= caught.value.retry_after <= told


@each_colour
@pytest.mark.parametrize("answer", ["500", "401", "HTML", "hangs", "reset"])
def test_with_stale_if_error_a_yes_serves_through_an_outage_up_to_its_bound(
    provider: Provider, answer: str, colour: str
) -> None:
    scene = Introspected(provider, stale_if_error=100.0)
    scene.have_patience()
    assert scene.ask_in(colour, ["token"]) == [200]
    scene.publish(BAD[answer](provider))
    scene.have_patience(0.5 if answer in SLOW else PATIENCE)
    scene.clock.pass_by(159)
    assert scene.ask_in(colour, ["token", "another"]) == [200, 503]
    scene.clock.pass_by(1)
    assert scene.ask_in(colour, ["token"]) == [503]


@each_colour
def test_with_stale_if_error_a_yes_never_serves_past_its_exp_and_a_no_serves_nobody(
    provider: Provider, colour: str
) -> None:
    scene = Introspected(provider, stale_if_error=100.0, leeway=0)
    scene.publish(document({**ACTIVE, "exp": NOW + 90}))
    assert scene.ask_in(colour, ["ends"]) == [200]
    scene.publish(document({"active": False}))
    assert scene.ask_in(colour, ["revoked"]) == [401]
    scene.publish(document({}, 500))
    scene.clock.pass_by(89)
    assert scene.ask_in(colour, ["ends", "revoked"]) == [200, 503]
    scene.clock.pass_by(1)
    assert scene.ask_in(colour, ["ends"]) == [503]


# Known trouble: nobody waits for it, and one question finds out whether it is over

QUICK: dict[str, Behaviour] = {
    "401": document({"error": "invalid_client"}, 401),
    "404": document({}, 404),
    "429": document({}, 429),
    "502": document({}, 502),
    "503": document({}, 503),
    "reset": reset,
    "silence": silence,
    "400": document({"error": "invalid_request"}, 400),
    "500": document({}, 500),
    "HTML": Answer(b"<!doctype html>", headers={"Content-Type": "text/html"}),
    "active twice": Answer(b'{"active": false, "active": true}'),
}
"""Trouble that costs nobody any time."""
RESTING = document({}, 503, Retry_After="1")
"""An endpoint that asks to be left alone."""


def tokens(number: int = 50) -> list[str]:
    return [f"token-{each}" for each in range(number)]


@each_colour
@pytest.mark.parametrize("answer", QUICK)
def test_trouble_that_is_told_at_once_holds_nobody_back(provider: Provider, answer: str, colour: str) -> None:
    scene = Introspected(provider)
    scene.publish(QUICK[answer])
    assert alike(scene.ask_in(colour, tokens(5)), 503)
    assert scene.questions == 5
    scene.publish(GOOD)
    assert alike(scene.ask_in(colour, tokens(5)), 200)
    assert scene.questions == 10


@each_colour
@pytest.mark.parametrize("answer", [RESTING, document({}, 429, Retry_After="1"), None], ids=["503", "429", "hangs"])
def test_in_known_trouble_nobody_is_asked_and_everybody_is_told_at_once(
    provider: Provider, answer: Answer | None, colour: str
) -> None:
    scene = Introspected(provider, timeout=PATIENCE if answer else 0.3)
    scene.publish(answer or provider.hang)
    assert scene.ask_in(colour, ["first"]) == [503]
    scene.clock.pass_by(0.7)
    assert alike(scene.ask_in(colour, ["first", *tokens()]), 503)
    scene.settle()
    assert scene.questions == (1 if answer else 2)  # a slow one is followed by one about nobody's token
    scene.publish(GOOD)
    scene.have_patience()
    scene.clock.pass_by(0.3)
    assert scene.ask_in(colour, ["first"]) == [200]
    assert alike(scene.ask_in(colour, tokens()), 200)


def slow_about_the_strange(provider: Provider) -> Behaviour:
    def answer(connection: socket.socket, asked: Asked) -> None:
        if b"strange" in asked.body:
            provider.hang(connection, asked)
        else:
            connection.sendall(GOOD.octets())

    return answer


@each_colour
def test_a_strangers_slow_tokens_make_nobody_else_wait(provider: Provider, colour: str) -> None:
    scene = Introspected(provider)
    scene.publish(slow_about_the_strange(provider))

    def strange(number: int) -> None:
        scene.have_patience(0.4)
        assert scene.ask_in(colour, [f"strange-{number}"]) == [503]
        scene.have_patience()

    strange(0)
    assert scene.settle()["state"] == "fresh"  # by a question about nobody's token
    assert scene.ask_in(colour, ["good-0"]) == [200]
    for number in range(1, 4):
        strange(number)
        assert scene.ask_in(colour, [f"good-{number}"]) == [200]  # also while nobody knows yet


@each_colour
def test_nobodys_token_is_a_no_and_not_asked_about(provider: Provider, colour: str) -> None:
    scene = Introspected(provider)
    assert scene.ask_in(colour, [NOBODYS_TOKEN]) == [401]
    assert scene.questions == 0


@each_colour
def test_the_back_off_of_questions_grows_from_one_second_to_thirty_and_an_answer_ends_it(
    provider: Provider, colour: str
) -> None:
    scene = Introspected(provider)
    scene.publish(RESTING)
    assert scene.ask_in(colour, ["token"]) == [503]
    for asked, longest in enumerate((1, 2, 4, 8, 16, 30, 30), start=1):
        scene.clock.pass_by(longest * 0.74)
        assert scene.ask_in(colour, ["token", "another"]) == [503, 503]
        assert scene.questions == asked
        scene.clock.pass_by(longest * 0.26 + 0.001)
        assert scene.ask_in(colour, ["token"]) == [503]
        assert scene.questions == asked + 1
    scene.publish(GOOD)
    scene.clock.pass_by(30.001)
    assert scene.ask_in(colour, ["token"]) == [200]
    scene.publish(RESTING)
    assert scene.ask_in(colour, ["another"]) == [503]
    scene.publish(GOOD)
    scene.clock.pass_by(1)
    assert scene.ask_in(colour, ["another"]) == [200]


@each_colour
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("dated", [False, True], ids=["seconds", "a date"])
def test_an_endpoint_that_asks_to_be_left_alone_is_and_clients_are_told_for_how_long_yet(
    provider: Provider, status: int, dated: bool, colour: str
) -> None:
    scene = Introspected(provider)
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    scene.publish(document({}, status, Retry_After=moment if dated else "20"))
    assert scene.ask_in(colour, ["token"]) == [503]
    scene.publish(GOOD)
    scene.clock.pass_by(15)
    assert scene.ask_in(colour, ["token", "another"]) == [503, 503]
    with pytest.raises(AuthorityUnavailable, match=f"introspection at .*: status {status}") as caught:
        scene.verifier.verify("token")
    assert (3 if dated else 5) - 0.01 <= caught.value.retry_after <= 5
    assert scene.questions == 1
    scene.clock.pass_by(5)
    assert scene.ask_in(colour, ["token"]) == [200]


@each_colour
def test_when_the_back_off_is_over_one_question_finds_out_and_the_others_are_told_at_once(
    provider: Provider, colour: str
) -> None:
    scene = Introspected(provider, timeout=PATIENCE)
    scene.publish(RESTING)
    assert scene.ask("token") == 503
    scene.publish(GOOD)
    scene.clock.pass_by(1)
    with ThreadPoolExecutor(1) as pool:
        with provider.held():
            finding_out = pool.submit(scene.ask, "token")
            provider.wait_for(2, INTROSPECTION)
            assert alike(scene.ask_in(colour, ["token", *tokens()]), 503)
            assert scene.questions == 2
        assert finding_out.result(PATIENCE) == 200
    assert alike(scene.ask_in(colour, ["token", *tokens()]), 200)


@each_colour
def test_a_crowd_that_comes_when_the_back_off_is_over_makes_one_question(provider: Provider, colour: str) -> None:
    scene = Introspected(provider)
    scene.publish(RESTING)
    assert scene.ask_in(colour, ["token"]) == [503]
    scene.clock.pass_by(1)
    with provider.held(), ThreadPoolExecutor(1) as pool:
        crowd = pool.submit(scene.ask_in, colour, tokens(64))
        provider.wait_for(2, INTROSPECTION)
        provider.gate.set()
        assert alike(crowd.result(PATIENCE), 503)
    assert scene.questions == 2


@each_colour
def test_with_stale_if_error_nobody_waits_in_known_trouble_not_even_to_find_out(
    provider: Provider, colour: str
) -> None:
    scene = Introspected(provider, timeout=PATIENCE, stale_if_error=100.0)
    held = tokens(10)
    assert alike(scene.ask_in(colour, held), 200)
    scene.publish(RESTING)
    scene.clock.pass_by(60)
    assert scene.ask_in(colour, held[:1]) == [200]
    assert scene.questions == 11
    scene.publish(GOOD)
    with provider.held():  # nothing is answered in here
        assert alike(scene.ask_in(colour, held * 3), 200)
        assert scene.questions == 11
        scene.clock.pass_by(1)
        assert alike(scene.ask_in(colour, held * 3), 200)
        provider.wait_for(12, INTROSPECTION)
        assert scene.guard.status()["sources"][0]["state"] == "refreshing"
        assert scene.ask_in(colour, ["unheard-of"]) == [503]
    assert scene.settle()["state"] == "fresh"
    assert scene.questions == 12
    assert alike(scene.ask_in(colour, held), 200)
    assert scene.questions == 21


@each_colour
def test_with_stale_if_error_a_revocation_is_learnt_by_the_question_that_nobody_waits_for(
    provider: Provider, colour: str
) -> None:
    scene = Introspected(provider, stale_if_error=100.0)
    assert scene.ask_in(colour, ["token"]) == [200]
    scene.publish(RESTING)
    scene.clock.pass_by(60)
    assert scene.ask_in(colour, ["token"]) == [200]
    scene.publish(document({"active": False}))
    scene.clock.pass_by(1)
    assert scene.ask_in(colour, ["token"]) == [200]
    scene.settle()
    assert scene.ask_in(colour, ["token"]) == [401]


@each_colour
def test_a_no_is_no_trouble(provider: Provider, colour: str) -> None:
    scene = Introspected(provider)
    scene.publish(document({"active": False}))
    assert alike(scene.ask_in(colour, tokens()), 401)
    assert scene.questions == 50
    assert scene.settle()["last_error"] is None


def test_a_fork_in_known_trouble_finds_out_for_itself(provider: Provider) -> None:
    scene = Introspected(provider)
    scene.publish(document({}, 503, Retry_After="30"))
    assert scene.ask("token") == 503
    scene.publish(GOOD)
    assert in_child(lambda: 0 if scene.ask("token") == 200 else 1) == 0
    assert scene.ask("token") == 503


def test_a_fork_while_a_question_finds_out_holds_nobody_back(provider: Provider) -> None:
    scene = Introspected(provider)
    scene.publish(RESTING)
    assert scene.ask("token") == 503
    scene.publish(GOOD)
    scene.clock.pass_by(1)
    with ThreadPoolExecutor(2) as pool, provider.held():
        finding_out = pool.submit(scene.ask, "token")
        provider.wait_for(2, INTROSPECTION)

        releasing = pool.submit(lambda: (provider.wait_for(3, INTROSPECTION), provider.gate.set()))
        assert in_child(lambda: 0 if scene.ask("another") == 200 else 1) == 0
        releasing.result(PATIENCE)
        assert finding_out.result(PATIENCE) == 200


@each_colour
def test_a_step_back_of_the_clock_in_known_trouble_locks_nobody_out(provider: Provider, colour: str) -> None:
    scene = Introspected(provider)
    scene.publish(document({}, 503, Retry_After="30"))
    assert scene.ask_in(colour, ["token"]) == [503]
    scene.publish(GOOD)
    scene.clock.pass_by(-3600)
    assert scene.ask_in(colour, ["token"]) == [200]


# Signed answers


def signed_answer(**members: Any) -> Answer:
    claims = {"iss": ISSUER, "aud": RESOURCE, "iat": NOW, "token_introspection": ACTIVE, **members}
    made = raw({"alg": "ES256", "typ": "token-introspection+jwt", "kid": "k1"}, claims, signer(number=1))
    return Answer(made.encode(), headers={"Content-Type": "application/token-introspection+jwt"})


def signed_scene(provider: Provider, behaviour: Behaviour, **options: Any) -> Introspected:
    signed = RemoteJWKSet(provider.serve(JWKS, behaviour), timeout=PATIENCE)
    scene = Introspected(provider, signed=signed, issuer=ISSUER, **options)
    scene.publish(signed_answer())
    return scene


@each_colour
def test_keys_of_signed_answers_that_hang_are_waited_for_within_the_deadline_of_the_question(
    provider: Provider, colour: str
) -> None:
    scene = signed_scene(provider, provider.hang, timeout=0.5)
    began = time.monotonic()
    assert scene.ask_in(colour, ["token"]) == [503]
    assert time.monotonic() - began < 4  # the keys are given PATIENCE
    assert alike(scene.ask_in(colour, tokens()), 503)
    assert "no answer yet" in scene.settle()["last_error"]
    assert scene.questions == 2
    assert scene.settle()["next_refresh"] <= 1  # however long the keys may still take


@each_colour
def test_new_keys_of_signed_answers_that_hang_are_waited_for_no_longer_either(provider: Provider, colour: str) -> None:
    scene = signed_scene(provider, document(keys(2)), timeout=0.3)
    _, signed = scene.verifier._sources()
    run(signed.warming(), IO)
    provider.serve(JWKS, provider.hang)
    began = time.monotonic()
    assert scene.ask_in(colour, ["token"]) == [503]
    assert time.monotonic() - began < 1.9


@each_colour
def test_keys_of_signed_answers_that_are_there_in_time_let_tokens_in(provider: Provider, colour: str) -> None:
    scene = signed_scene(provider, document(keys(1)))
    assert alike(scene.ask_in(colour, tokens()), 200)
    assert provider.count(JWKS) == 1


# What is known of the endpoint


@each_colour
def test_the_state_of_an_endpoint_is_what_is_known_of_it(provider: Provider, colour: str) -> None:
    scene = Introspected(provider)

    def known() -> tuple[Any, ...]:
        (source,) = scene.guard.status()["sources"]
        return source["state"], source["age"], scene.guard.status()["ready"], bool(source["last_error"])

    assert known() == ("unavailable", None, False, False)
    scene.publish(document({}, 503, Retry_After="20"))
    assert scene.ask_in(colour, ["token"]) == [503]
    assert known() == ("unavailable", None, False, True)
    assert scene.settle()["next_refresh"] == 20
    scene.publish(document({"active": False}))
    scene.clock.pass_by(20)
    assert scene.ask_in(colour, ["token"]) == [401]
    assert known() == ("fresh", 0, True, False)
    assert scene.settle()["next_refresh"] is None
    scene.publish(document({}, 500))
    scene.clock.pass_by(5)
    assert scene.ask_in(colour, ["token"]) == [503]
    assert known() == ("stale", 5, True, True)
    assert scene.settle()["next_refresh"] == 0
    scene.publish(RESTING)
    assert scene.ask_in(colour, ["another"]) == [503]
    scene.clock.pass_by(1)
    assert known() == ("stale", 6, True, True)
    scene.publish(GOOD)
    assert scene.ask_in(colour, ["token"]) == [200]
    assert known() == ("fresh", 0, True, False)


@each_colour
def test_warming_asks_whether_the_endpoint_answers(provider: Provider, colour: str) -> None:
    scene = Introspected(provider)

    warm = {
        "threads": scene.guard.warm,
        "asyncio": lambda: asyncio.run(scene.guard.awarm()),
        "trio": lambda: trio.run(scene.guard.awarm),
    }[colour]
    scene.publish(document({"error": "invalid_client"}, 401))
    for _ in range(3):
        with pytest.raises(AuthorityUnavailable, match="status 401"):
            warm()
    assert scene.questions == 1
    scene.publish(document({"error": "invalid_request"}, 400))  # which some say of a token that they do not know
    scene.clock.pass_by(1)
    for _ in range(3):
        warm()
    assert scene.questions == 2
    assert scene.guard.status()["ready"]


def test_a_fork_of_a_warm_process_is_ready(provider: Provider) -> None:
    scene = Introspected(provider)
    scene.guard.warm()
    assert in_child(lambda: 0 if scene.guard.status()["ready"] else 1) == 0


def test_a_revocation_is_not_outlived_by_an_earlier_yes(provider: Provider) -> None:
    scene = Introspected(provider, stale_if_error=1000.0)
    assert scene.ask("token") == 200
    scene.publish(document({"active": False}))
    scene.clock.pass_by(61)
    assert scene.ask("token") == 401
    scene.publish(document({}, 500))
    scene.clock.pass_by(6)
    assert scene.ask("token") == 503


def test_a_clock_that_steps_back_makes_no_answer_last_longer(provider: Provider) -> None:
    scene = Introspected(provider, stale_if_error=100.0)
    assert scene.ask("token") == 200
    scene.publish(document({}, 500))
    scene.clock.pass_by(-3600)
    assert scene.ask("token") == 503


def test_the_trouble_of_one_token_is_waited_for_once_by_all_who_bring_it(provider: Provider) -> None:
    scene = Introspected(provider)
    scene.publish(document({}, 500))
    with ThreadPoolExecutor(16) as pool:
        with provider.held():
            asking = [pool.submit(scene.ask, "token") for _ in range(16)]
            provider.wait_for(1, INTROSPECTION)
        statuses: list[Any] = [one.result(PATIENCE) for one in asking]
    assert alike(statuses, 503)
