"""An introspection endpoint in trouble: 503 with Retry-After in bounded time, never 401, and nobody is let in by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from bearer_guard import AuthorityUnavailable
from tests.faults.provider import (
    PATIENCE,
    Answer,
    Behaviour,
    Provider,
    bad_chunks,
    broken_off,
    document,
    gzip_bomb,
    huge,
    not_http,
    reset,
    silence,
)
from tests.faults.scene import ACTIVE, COLOURS, INTROSPECTION, Introspected, alike
from tests.tokens import NOW

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
    status = scene.guard.status()
    assert status["sources"][0]["last_error"]
    assert status["sources"][0]["fetches"]["failed"] == scene.questions >= 1
    assert provider.count("/elsewhere") == 0
    scene.publish(GOOD)
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
    scene = Introspected(provider, timeout=0.5 if answer in SLOW else PATIENCE, stale_if_error=100.0)
    assert scene.ask_in(colour, ["token"]) == [200]
    scene.publish(BAD[answer](provider))
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
