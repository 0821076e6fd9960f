"""A provider that answers rubbish: warm, nobody waits and nobody is refused; cold or too old, 503 within the deadline."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from tests.faults.provider import (
    PATIENCE,
    Answer,
    Behaviour,
    Provider,
    bad_chunks,
    broken_off,
    document,
    gzip_bomb,
    head,
    huge,
    long_fields,
    not_http,
    reset,
    silence,
    unannounced_gzip,
)
from tests.faults.scene import COLOURS, JWKS, Scene, alike, keys, token

GOOD = json.dumps(keys(1)).encode()


def redirecting(provider: Provider) -> Behaviour:
    provider.serve("/elsewhere", document(keys(2)))
    return Answer(b"", 302, {"Location": provider.url + "/elsewhere"})


BAD: dict[str, Callable[[Provider], Behaviour]] = {
    "500": lambda provider: document(keys(2), 500),
    "503": lambda provider: document(keys(2), 503, Retry_After="7"),
    "404": lambda provider: document(keys(2), 404),
    "204": lambda provider: Answer(b"", 204),
    "304 that nobody asked for": lambda provider: Answer(b"", 304),
    "429 with a date": lambda provider: document({}, 429, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT"),
    "HTML": lambda provider: Answer(b"<!doctype html><title>Sign in</title>", headers={"Content-Type": "text/html"}),
    "a good set said to be HTML": lambda provider: Answer(GOOD, headers={"Content-Type": "text/html; charset=utf-8"}),
    "{}": lambda provider: document({}),
    "[]": lambda provider: document([]),
    "no keys in it": lambda provider: document({"keys": []}),
    "keys is an object": lambda provider: document({"keys": {}}),
    "keys is null": lambda provider: document({"keys": None}),
    "no usable key": lambda provider: document({"keys": [7, None, {"kty": "oct", "k": "AAAA"}]}),
    "keys twice": lambda provider: Answer(b'{"keys": [], "keys": []}'),
    "10,000 keys": lambda provider: document({"keys": [{}] * 10_000}),
    "an empty body": lambda provider: Answer(b""),
    "deep nesting": lambda provider: Answer(b'{"keys": ' + b"[" * 100_000),
    "not UTF-8": lambda provider: Answer(GOOD.decode().encode("utf-16")),
    "half of a good set": lambda provider: Answer(GOOD[: len(GOOD) // 2]),
    "a length of 100 MB": lambda provider: Answer(b"{", headers={"Content-Length": "100000000"}),
    "100 MB": lambda provider: huge,
    "gzip bomb": lambda provider: gzip_bomb,
    "gzip said to be JSON": lambda provider: unannounced_gzip,
    "slow drip": lambda provider: provider.drip(Answer(GOOD).octets() * 50),
    "slow drip of the header": lambda provider: provider.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000),
    "reset": lambda provider: reset,
    "silence": lambda provider: silence,
    "broken off": lambda provider: broken_off,
    "bad chunks": lambda provider: bad_chunks,
    "not HTTP": lambda provider: not_http,
    "hangs": lambda provider: provider.hang,
    "hangs in the header": lambda provider: provider.half_a_header,
    "redirect": redirecting,
    "200 header fields": lambda provider: Answer(GOOD, headers={f"X-{number}": "x" for number in range(200)}),
    "6 MB of header fields": lambda provider: long_fields(GOOD),
    "continues without end": lambda provider: provider.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, 0.0),
    "trailers without end": lambda provider: provider.drip(
        head(200, {"Transfer-Encoding": "chunked"}) + b"0\r\n" + b"X: y\r\n" * 5000, 0.0
    ),
}
SLOW = {name for name in BAD if name.startswith(("slow", "hangs")) or name.endswith("without end")}
"""What nothing but the deadline ends: half a second of real time there, and as long as it takes elsewhere."""
QUICK = ("500", "HTML", "{}", "[]", "100 MB", "gzip bomb", "slow drip", "reset", "hangs", "redirect")

each_case = pytest.mark.parametrize(
    ("answer", "colour"),
    [(answer, colour) for answer in BAD for colour in (COLOURS if answer in QUICK else COLOURS[1:2])],
)
"""The rows of the fault table in every colour, what goes beyond them in one."""


def test_every_row_of_the_fault_table_is_among_the_bad_answers() -> None:
    assert set(QUICK) <= set(BAD)


def spoilt(scene: Scene, answer: str) -> None:
    """Let the provider answer so from now on, and let attempts take no longer than the test can wait."""
    scene.publish(BAD[answer](scene.provider))
    scene.source._timeout = 0.5 if answer in SLOW else PATIENCE


def repaired(scene: Scene) -> None:
    scene.publish(keys(1))
    scene.source._timeout = PATIENCE


@each_case
def test_warm_and_past_the_age_nobody_waits_and_nobody_is_refused(warm: Scene, answer: str, colour: str) -> None:
    spoilt(warm, answer)
    warm.clock.pass_by(700)
    with warm.provider.held():  # the provider says nothing until all of these have been answered
        assert alike(warm.ask_in(colour, [token()] * 20, 8), 200)
        assert warm.source.status()["state"] == "refreshing"
        warm.provider.wait_for(2, JWKS)
    assert warm.settle()["fetches"] == {"begun": 2, "succeeded": 1, "failed": 1}
    assert warm.source.status()["state"] == "stale"
    assert warm.source.status()["last_error"]
    assert alike(warm.ask_in(colour, [token()] * 20, 8), 200)
    assert warm.fetches == 2
    assert warm.provider.count("/elsewhere") == 0


@each_case
def test_cold_it_is_a_503_within_the_deadline_and_one_fetch(provider: Provider, answer: str, colour: str) -> None:
    scene = Scene(provider)
    spoilt(scene, answer)
    began = time.monotonic()
    assert alike(scene.ask_in(colour, [token()] * 20, 20), 503)
    assert time.monotonic() - began < 8
    assert alike(scene.ask_in(colour, [token(), token(kid="strange"), token(2)], 3), 503)
    assert scene.fetches == 1
    assert scene.source.status()["state"] == "unavailable"
    assert provider.count("/elsewhere") == 0
    repaired(scene)
    scene.clock.pass_by(31)
    assert scene.ask(token()) == 200


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("answer", QUICK)
def test_past_the_stale_bound_it_is_a_503_and_a_200_when_the_provider_is_back(
    provider: Provider, answer: str, colour: str
) -> None:
    short = Scene(provider, stale_if_error=100.0)
    short.guard.warm()
    spoilt(short, answer)
    short.clock.pass_by(699)
    assert alike(short.ask_in(colour, [token()] * 3, 3), 200)
    short.settle()
    short.clock.pass_by(30)
    began = time.monotonic()
    assert alike(short.ask_in(colour, [token(), token(kid="strange")] * 5, 8), 503)
    assert time.monotonic() - began < 8
    assert short.source.status()["state"] == "unavailable"
    repaired(short)
    short.clock.pass_by(31)
    assert alike(short.ask_in(colour, [token()] * 3, 3), 200)


@pytest.mark.parametrize(
    "answer",
    [
        "100 MB",
        "a length of 100 MB",
        "gzip bomb",
        "gzip said to be JSON",
        "10,000 keys",
        "6 MB of header fields",
    ],
)
def test_memory_stays_flat_whatever_is_sent(warm: Scene, answer: str) -> None:
    behaviour = BAD[answer](warm.provider)
    warm.publish(behaviour)
    warm.clock.pass_by(700)
    # What the provider itself allocates is not what is measured: what it sends is prepared before.
    prepared = behaviour.octets() if isinstance(behaviour, Answer) else _recorded(behaviour)
    warm.publish(lambda connection, asked: connection.sendall(prepared))
    tracemalloc.start()
    try:
        assert warm.ask(token()) == 200
        warm.settle()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert warm.source.status()["fetches"]["failed"] == 1
    assert peak < 3_000_000


def _recorded(behaviour: Callable[..., None]) -> bytes:
    """What a behaviour sends, at most 2 MB of it: more than anybody reads."""

    class Tape:
        octets = b""

        def sendall(self, octets: bytes) -> None:
            if len(self.octets) < 2_000_000:
                self.octets += octets

    tape = Tape()
    behaviour(tape, None)
    return tape.octets


def test_retry_after_of_a_429_is_honoured_up_to_the_ceiling_of_the_back_off(provider: Provider) -> None:
    scene = Scene(provider)
    for asked_for, waited in (("20", 20), ("100000", 30), ("9" * 400, 30)):
        scene.publish(document({}, 429, Retry_After=asked_for))
        assert scene.ask(token()) == 503
        fetches = scene.fetches
        scene.clock.pass_by(waited - 0.5)
        assert scene.ask(token()) == 503
        assert scene.fetches == fetches
        scene.clock.pass_by(0.5)
    scene.publish(keys(1))
    assert scene.ask(token()) == 200


def test_the_back_off_grows_from_one_second_to_thirty_and_never_above(provider: Provider) -> None:
    scene = Scene(provider)
    scene.publish(document({}, 503))
    waits = []
    for _ in range(9):
        assert scene.ask(token()) == 503
        fetches, began = scene.fetches, scene.clock.now
        while scene.fetches == fetches:
            scene.clock.pass_by(0.125)
            scene.ask(token())
        waits.append(scene.clock.now - began)
    for number, wait in enumerate(waits):
        longest = min(30, 2**number)
        assert 0.75 * longest <= wait <= longest + 0.125
    assert len(set(waits[5:])) > 1  # the jitter


def test_a_failed_refresh_that_nobody_waits_for_is_tried_again_after_the_back_off(warm: Scene) -> None:
    warm.publish(document({}, 500))
    warm.clock.pass_by(500)
    assert warm.ask(token()) == 200
    warm.settle()
    assert warm.source.status()["state"] == "cooling_down"
    warm.publish(keys(1, 2))
    assert warm.ask(token()) == 200
    assert warm.fetches == 2
    warm.clock.pass_by(1)
    assert warm.ask(token()) == 200
    warm.settle()
    assert warm.source.status()["state"] == "fresh"
    assert warm.fetches == 3
