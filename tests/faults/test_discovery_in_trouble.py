"""Discovered keys under the policy for keys: metadata that is wrong, gone or late never refuses a good token."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.provider import PATIENCE, Answer, Behaviour, Provider, document, gzip_bomb, huge, reset
from tests.faults.scene import COLOURS, JWKS, METADATA, OPENID, Scene, alike, keys, token

BAD: dict[str, Callable[[Provider], Behaviour]] = {
    "500": lambda provider: document({}, 500),
    "429": lambda provider: document({}, 429, Retry_After="7"),
    "HTML": lambda provider: Answer(b"<!doctype html>", headers={"Content-Type": "text/html"}),
    "{}": lambda provider: document({}),
    "[]": lambda provider: document([]),
    "100 MB": lambda provider: huge,
    "gzip bomb": lambda provider: gzip_bomb,
    "slow drip": lambda provider: provider.drip(document({"issuer": provider.url}).octets() * 20),
    "reset": lambda provider: reset,
    "hangs": lambda provider: provider.hang,
    "redirect": lambda provider: Answer(b"", 302, {"Location": provider.serve("/elsewhere", _of(provider))}),
    "another issuer": lambda provider: document({"issuer": provider.url + "/", "jwks_uri": provider.url + JWKS}),
    "no jwks_uri": lambda provider: document({"issuer": provider.url}),
    "a jwks_uri of another scheme": lambda provider: document({"issuer": provider.url, "jwks_uri": "file:///etc/x"}),
}


def _of(provider: Provider, path: str = JWKS) -> Answer:
    return document({"issuer": provider.url, "jwks_uri": provider.url + path})


def spoil(scene: Scene, answer: str) -> None:
    """Let the metadata be so from now on, and let attempts take no longer than the test can wait."""
    for path in (METADATA, OPENID):
        scene.provider.serve(path, BAD[answer](scene.provider))
    scene.source._timeout = 0.5 if answer in ("slow drip", "hangs") else PATIENCE


@pytest.fixture
def found(provider: Provider) -> Scene:
    """A warm scene whose keys were found by discovery."""
    scene = Scene(provider, discovered=True)
    scene.guard.warm()
    assert [asked.target for asked in provider.asked] == [METADATA, JWKS]
    return scene


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("answer", BAD)
def test_cold_it_is_a_503_within_the_deadline_and_nothing_of_it_is_kept(
    provider: Provider, answer: str, colour: str
) -> None:
    scene = Scene(provider, discovered=True)
    spoil(scene, answer)
    began = time.monotonic()
    assert alike(scene.ask_in(colour, [token()] * 10, 10), 503)
    assert time.monotonic() - began < 8
    assert provider.count(METADATA) == 1
    assert provider.count(JWKS) == provider.count("/elsewhere") == 0
    provider.serve(METADATA, _of(provider))
    scene.source._timeout = PATIENCE
    scene.clock.pass_by(31)
    assert scene.ask(token()) == 200


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("answer", BAD)
def test_warm_nobody_waits_and_the_last_good_keys_serve(found: Scene, answer: str, colour: str) -> None:
    spoil(found, answer)
    found.publish(document({}, 500))
    for step in (700, 31, 31):  # the second and the third time after a failure, when the metadata is asked for as well
        found.clock.pass_by(step)
        with found.provider.held():
            assert alike(found.ask_in(colour, [token()] * 5, 5), 200)
        found.settle()
    assert found.source.status()["fetches"] == {"begun": 4, "succeeded": 1, "failed": 3}
    assert found.provider.count(METADATA) == 3
    found.provider.serve(METADATA, _of(found.provider))
    found.publish(keys(1, 2))
    found.source._timeout = PATIENCE
    found.clock.pass_by(31)
    assert alike(found.ask_in(colour, [token(2)] * 5, 5), 200)


@pytest.mark.parametrize("colour", COLOURS)
def test_keys_that_moved_are_found_by_the_first_token_of_the_new_key(found: Scene, colour: str) -> None:
    found.provider.serve("/moved", document(keys(1, 2)))
    found.provider.serve(METADATA, _of(found.provider, "/moved"))
    assert alike(found.ask_in(colour, [token(2)] * 20), 200)
    assert found.provider.count("/moved") == 1
    assert found.provider.count(METADATA) == 2
    found.provider.serve("/moved", document(keys(1, 2, 3)))
    assert found.ask(token(3)) == 200  # and asked for there from now on
    assert found.provider.count(METADATA) == 2


@pytest.mark.parametrize("colour", COLOURS)
def test_keys_that_moved_and_are_gone_where_they_were_are_found_after_one_failure(found: Scene, colour: str) -> None:
    found.provider.serve("/moved", document(keys(1, 2)))
    found.provider.serve(METADATA, _of(found.provider, "/moved"))
    found.publish(document({}, 404))
    for step in (500, 1):
        found.clock.pass_by(step)
        assert found.ask_one_in(colour, token(1)) == 200
        found.settle()
    assert found.settle()["state"] == "fresh"
    assert found.ask_one_in(colour, token(2)) == 200


@pytest.mark.parametrize("trouble", ["500", "reset", "hangs"])
def test_keys_that_moved_are_never_a_401_while_the_metadata_cannot_be_had(found: Scene, trouble: str) -> None:
    found.provider.serve("/moved", document(keys(1, 2)))
    spoil(found, trouble)
    for _ in range(3):
        assert found.ask(token(2)) == 503
        assert found.ask(token(1)) == 200
    found.provider.serve(METADATA, _of(found.provider, "/moved"))
    found.clock.pass_by(31)
    found.source._timeout = PATIENCE
    assert (found.ask(token(2)), found.ask(token(1))) == (200, 200)


@pytest.mark.parametrize("trouble", ["reset", "hangs", "500"])
def test_metadata_is_asked_for_at_the_next_place_where_the_first_brings_no_answer(
    provider: Provider, trouble: str
) -> None:
    scene = Scene(provider, discovered=True, timeout=2.0 if trouble == "hangs" else 5.0)
    provider.serve(METADATA, BAD[trouble](provider))
    provider.serve(OPENID, _of(provider))
    assert scene.ask(token(1)) == 200


def test_metadata_that_must_not_be_used_is_not_outdone_by_a_fault_at_the_next_place(provider: Provider) -> None:
    scene = Scene(provider, discovered=True)
    provider.serve(METADATA, BAD["another issuer"](provider))
    for trouble in ("reset", "500"):
        provider.serve(OPENID, BAD[trouble](provider))
        assert scene.ask(token(1)) == 503
        assert "another issuer" in str(scene.settle()["last_error"])
        scene.clock.pass_by(31)


@pytest.mark.parametrize("colour", COLOURS)
def test_keys_that_moved_while_no_token_asked_are_found_by_the_first_refresh_after_an_hour(
    found: Scene, colour: str
) -> None:
    found.provider.serve("/moved", document(keys(2)))
    found.provider.serve(METADATA, _of(found.provider, "/moved"))
    for number in range(1, 9):
        assert found.provider.count(METADATA) == 1
        found.clock.pass_by(500)  # when a refresh is due: seven of them within the hour
        assert found.ask_one_in(colour, token(1)) == 200
        assert found.settle()["fetches"]["succeeded"] == 1 + number
    assert found.provider.count(METADATA) == 2
    assert found.ask_in(colour, [token(1), token(2)]) == [401, 200]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("trouble", ["500", "reset", "slow drip", "hangs"])
def test_metadata_that_cannot_be_had_when_it_is_looked_at_again_costs_nothing(
    found: Scene, trouble: str, colour: str
) -> None:
    spoil(found, trouble)
    for _ in range(9):
        found.clock.pass_by(500)
        assert found.ask_one_in(colour, token(1)) == 200
        assert found.settle()["fetches"]["failed"] == 0
    assert found.provider.count(METADATA) > 1
    found.clock.pass_by(5000)  # past the stale bound, so that a request waits
    assert found.ask_one_in(colour, token(1)) == 200


def test_metadata_that_names_another_issuer_later_changes_nothing(found: Scene) -> None:
    found.provider.serve("/theirs", document(keys(2)))
    theirs = document({"issuer": found.provider.url + "/other", "jwks_uri": found.provider.url + "/theirs"})
    found.provider.serve(METADATA, theirs)
    assert found.ask(token(2)) == 401
    assert found.ask(token(1)) == 200
    assert found.provider.count("/theirs") == 0
