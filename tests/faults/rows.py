"""Rows of the fault table as short histories: what a provider does, and what its callers get, whoever runs these."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple, TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bearer_guard import AuthorityUnavailable
from bearer_guard._flow import run
from bearer_guard._io import IO
from tests.faults.provider import Provider, document, full_queue
from tests.faults.scene import ACTIVE, JWKS, METADATA, OPENID, Callers, Introspected, Scene, keys, token
from tests.faults.test_bad_answers import BAD
from tests.faults.test_cold_start_and_rotation import REPLACED, named
from tests.faults.test_discovery_in_trouble import BAD as BAD_METADATA
from tests.faults.test_introspection_in_trouble import BAD as BAD_INTROSPECTION
from tests.faults.test_introspection_in_trouble import (
    GOOD,
    signed_scene,
    slow_about_the_strange,
    tokens,
)
from tests.faults.test_unknown_kids import NEVER_THE_SAME, PROVIDERS, refusing, strange
from tests.tokens import ISSUER, private_key

Ask: TypeAlias = "Callable[[Callers, list[str]], set[int]]"
"""What presents these tokens all at once, and tells which statuses there were."""


class Case(NamedTuple):
    """A history that shows `row`, the first column of the table or what else it is about."""

    row: str
    name: str
    play: Callable[[Provider, Ask], None]


CASES: list[Case] = []


def row(title: str, *variants: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A history of the row `title`; with variants, one for each, which is handed over as the last argument."""

    def note(play: Callable[..., None]) -> Callable[..., None]:
        name = play.__name__.replace("_", " ")
        if not variants:
            CASES.append(Case(title, name, play))
        CASES.extend(Case(title, f"{name}: {each}", partial(play, variant=each)) for each in variants)
        return play

    return note


@cache
def strangers() -> list[str]:
    """A thousand good signatures under kids that nobody has published, made once and before anything is timed."""
    return strange(1000)


def warm(provider: Provider, **options: Any) -> Scene:
    scene = Scene(provider, **options)
    scene.guard.warm()
    return scene


# Keys


@row("rotation under load")
def rotations(provider: Provider, ask: Ask) -> None:
    scene = warm(provider)
    for number in range(2, 6):
        scene.publish(keys(number - 1, number))
        assert ask(scene, [token(number - 1), token(number)] * 20) == {200}


@row("rotation inside the cool-down")
def a_rotation_after_a_stranger(provider: Provider, ask: Ask) -> None:
    scene = warm(provider)
    assert ask(scene, [token(kid="strange")]) == {401}
    scene.publish(keys(1, 2))
    assert ask(scene, [token(2)] * 30) == {200}
    assert ask(scene, [token(kid="strange"), token(kid="another")] * 10) == {401}
    scene.publish(keys(2, 3))
    scene.clock.pass_by(30)
    assert ask(scene, [token(3)] * 30) == {200}


@row("1,000 random kids, provider up", "up")
@row("1,000 random kids, provider down, answering 500 or 429", "down", "500", "429")
def a_thousand_unknown_kids(provider: Provider, ask: Ask, variant: str) -> None:
    scene = warm(provider)
    behaviour, expected = PROVIDERS[variant]
    scene.publish(behaviour or refusing(provider))
    assert ask(scene, [*strangers()[:500], *[token()] * 20, *strangers()[500:]]) == {200} | expected
    assert scene.fetches <= 1 + 2


@row(
    "random kids at a provider whose keys change with every answer: servers that do not agree, a member with the time",
    *NEVER_THE_SAME,
)
def random_kids_and_changing_keys(provider: Provider, ask: Ask, variant: str) -> None:
    scene = warm(provider)
    for _ in range(3):
        scene.publish(
            lambda connection, asked: connection.sendall(document(NEVER_THE_SAME[variant](scene.fetches)).octets())
        )
        assert ask(scene, [*strangers()[:50], token()]) == {401, 200}
        scene.clock.pass_by(30)


@row("provider down past stale bound", "500", "hangs", "100 MB")
def past_the_stale_bound(provider: Provider, ask: Ask, variant: str) -> None:
    scene = warm(provider, stale_if_error=100.0)
    scene.source._timeout = 0.2
    scene.publish(BAD[variant](provider))
    scene.clock.pass_by(800)
    assert ask(scene, [token(), token(kid="strange")] * 15) == {503}
    assert ask(scene, [token(), token(kid="strange")] * 15) == {503}
    scene.publish(keys(1))
    scene.source._timeout = 5.0
    scene.clock.pass_by(31)
    assert ask(scene, [token()] * 30) == {200}


@row("a provider that asks to be left alone (`Retry-After`, in seconds or as a date)", "429 with a date", "503")
def left_alone(provider: Provider, ask: Ask, variant: str) -> None:
    scene = Scene(provider)
    scene.publish(BAD[variant](provider))
    for _ in range(2):
        assert ask(scene, [token()] * 30) == {503}
    assert scene.fetches == 1


@row("a provider that hangs, and a stranger's kids")
def strangers_at_a_hanging_provider(provider: Provider, ask: Ask) -> None:
    scene = warm(provider)
    scene.source._timeout = 0.2
    scene.publish(provider.hang)
    assert ask(scene, [*strangers(), *[token()] * 30]) == {503, 200}  # a thousand who wait, and are woken together


@row("removed key")
def a_removed_key(provider: Provider, ask: Ask) -> None:
    scene = warm(provider)
    scene.publish(keys(2))
    scene.clock.pass_by(500)
    with provider.held():
        assert ask(scene, [token(1)] * 20) == {200}
    scene.settle()
    assert ask(scene, [token(1)] * 20) == {401}
    assert ask(scene, [token(2)] * 20) == {200}


@row("same kid with a new key")
def the_same_kid_with_a_new_key(provider: Provider, ask: Ask) -> None:
    scene = warm(provider)
    scene.publish({"keys": [{**keys(2)["keys"][0], "kid": "k1"}]})
    assert ask(scene, [token(2, kid="k1")] * 30) == {200}
    assert ask(scene, [token(1)] * 30) == {401}
    scene.publish(document({}, 500))
    scene.clock.pass_by(31)
    assert ask(scene, [token(1), token(2, kid="k1")] * 15) == {401, 200}


@row("keys or tokens without `kid`, and a new key while the provider is down", *REPLACED)
def a_key_without_a_name(provider: Provider, ask: Ask, variant: str) -> None:
    published, kid = REPLACED[variant]
    scene = Scene(provider)
    scene.publish(published(1))
    scene.guard.warm()
    scene.publish(document({}, 500))
    assert ask(scene, [named(1, kid), named(2, kid)] * 15) == {200, 401 if variant == "the same name" else 503}
    scene.publish(published(2))
    scene.clock.pass_by(31)
    assert ask(scene, [named(2, kid)] * 30) == {200}


@row("one unusable key among good ones")
def one_unusable_key(provider: Provider, ask: Ask) -> None:
    scene = Scene(provider)
    odd = [{"kty": "AKP", "alg": "unheard-of", "pub": "AA"}, {"kty": "RSA", "n": "!", "e": "AQAB"}, 7, None]
    scene.publish({"keys": [*odd, *keys(1)["keys"]]})
    assert ask(scene, [token()] * 30) == {200}
    assert len(scene.source.status()["skipped"]) == len(odd)


@row("a host that takes no connection")
def no_connection(provider: Provider, ask: Ask) -> None:
    scene = Scene(provider, timeout=0.2)
    with full_queue() as url:
        scene.source._url = url + JWKS
        assert ask(scene, [token()] * 30) == {503}


@row("a process that sat idle", "up", "500")
def idle(provider: Provider, ask: Ask, variant: str) -> None:
    scene = warm(provider)
    scene.publish(keys(1, 2) if variant == "up" else document({}, 500))
    scene.clock.pass_by(1201)
    assert ask(scene, [token()] * 30) == {200}
    assert scene.fetches == 2


# Discovery


def moved(provider: Provider) -> None:
    provider.serve("/moved", document(keys(2)))
    provider.serve(METADATA, document({"issuer": provider.url, "jwks_uri": provider.url + "/moved"}))


@row("keys that moved", "a token of the new key", "one failure", "an hour")
def keys_that_moved(provider: Provider, ask: Ask, variant: str) -> None:
    scene = warm(provider, discovered=True)
    moved(provider)
    if variant == "one failure":
        scene.publish(document({}, 404))
        scene.clock.pass_by(500)
        assert ask(scene, [token()] * 20) == {200}
        scene.settle()
        scene.clock.pass_by(1)
    elif variant == "an hour":
        scene.clock.pass_by(3600)
    if variant != "a token of the new key":
        ask(scene, [token()] * 20)
        scene.settle()
    assert ask(scene, [token(2)] * 30) == {200}


@row("the same, while the keys are where they were", "500", "hangs", "reset")
def metadata_that_cannot_be_looked_at_again(provider: Provider, ask: Ask, variant: str) -> None:
    scene = warm(provider, discovered=True)
    scene.source._timeout = 0.4
    for path in (METADATA, OPENID):
        provider.serve(path, BAD_METADATA[variant](provider))
    for step in (4000, 500):
        scene.clock.pass_by(step)
        assert ask(scene, [token()] * 20) == {200}
        assert scene.settle()["fetches"]["failed"] == 0


# Introspection


@row("known trouble (the last question kept its caller waiting, or the endpoint asks to be left alone)", "hangs", "429")
def known_trouble(provider: Provider, ask: Ask, variant: str) -> None:
    scene = Introspected(provider, timeout=0.2)
    scene.publish(BAD_INTROSPECTION[variant](provider))
    assert ask(scene, ["first"]) == {503}
    assert ask(scene, tokens(200)) == {503}
    scene.settle()
    assert scene.questions == (2 if variant == "hangs" else 1)
    scene.have_patience()
    scene.publish(GOOD)
    scene.clock.pass_by(7)
    assert ask(scene, ["first"]) == {200}
    assert ask(scene, tokens(20)) == {200}


@row("an endpoint that asks to be left alone (429 or 503 with `Retry-After`, in seconds or as a date)", "429", "503")
def an_endpoint_left_alone(provider: Provider, ask: Ask, variant: str) -> None:
    scene = Introspected(provider)
    scene.publish(document({}, int(variant), Retry_After="20"))
    assert ask(scene, ["first"]) == {503}
    scene.clock.pass_by(15)
    assert ask(scene, tokens(50)) == {503}
    assert scene.questions == 1


@row("the end of the back-off")
def a_crowd_at_the_end_of_the_back_off(provider: Provider, ask: Ask) -> None:
    scene = Introspected(provider)
    scene.publish(document({}, 503, Retry_After="30"))
    for _ in range(3):
        assert ask(scene, tokens(50)) == {503}
        scene.clock.pass_by(31)
    scene.publish(GOOD)
    assert ask(scene, ["first"]) == {200}
    assert ask(scene, tokens(20)) == {200}


@row("a stranger's tokens that the endpoint is slow about")
def a_strangers_slow_tokens(provider: Provider, ask: Ask) -> None:
    scene = Introspected(provider, timeout=0.4)
    scene.publish(slow_about_the_strange(provider))
    assert ask(scene, [f"strange-{number}" for number in range(10)]) == {503}
    scene.settle()
    scene.have_patience()
    assert ask(scene, tokens(20)) == {200}


class Readied(Callers):
    """Whoever asks for readiness: the status, and whether the endpoint answers."""

    def __init__(self, scene: Introspected) -> None:
        self.guard = scene.guard

    async def aask(self, presented: str) -> int:
        assert self.guard.status()["sources"][0]["source"]
        try:
            await self.guard.awarm()
        except AuthorityUnavailable:
            return 503
        return 200


@row("an endpoint that never answered")
def warming(provider: Provider, ask: Ask) -> None:
    scene = Introspected(provider)
    scene.publish(document({}, 503))
    for _ in range(2):
        assert ask(Readied(scene), ["nobody's"] * 20) == {503}
    assert scene.questions == 1
    scene.publish(GOOD)
    scene.clock.pass_by(1)
    assert ask(Readied(scene), ["nobody's"]) == {200}


@row("any of these, with `stale_if_error`", "503", "hangs")
def a_yes_through_an_outage(provider: Provider, ask: Ask, variant: str) -> None:
    scene = Introspected(provider, stale_if_error=100.0)
    held = tokens(20)
    scene.have_patience()
    assert ask(scene, held) == {200}
    scene.have_patience(0.2)
    scene.publish(document({}, 503) if variant == "503" else provider.hang)
    scene.clock.pass_by(60)
    for _ in range(2):
        assert ask(scene, held) == {200}
        scene.settle()
        scene.clock.pass_by(1)


@row("keys of signed answers that hang", "cold", "new")
def keys_of_signed_answers_that_hang(provider: Provider, ask: Ask, variant: str) -> None:
    scene = signed_scene(provider, provider.hang if variant == "cold" else document(keys(2)), timeout=0.3)
    if variant == "new":
        _, signed = scene.verifier._sources()
        run(signed.warming(), IO)
        provider.serve(JWKS, provider.hang)
    assert ask(scene, tokens(20)) == {503}


@row("answers that are signed")
def signed_answers(provider: Provider, ask: Ask) -> None:
    scene = signed_scene(provider, document(keys(1)))
    assert ask(scene, tokens(30)) == {200}
    scene.publish(document(ACTIVE))  # not signed
    assert ask(scene, [f"another-{number}" for number in range(20)]) == {503}


@row("a client that signs with an RSA-2048 key", "up", "500")
def a_client_that_signs(provider: Provider, ask: Ask, variant: str) -> None:
    pem = private_key("RSA").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    proof = {"auth": "private_key_jwt", "private_key": pem, "client_secret": None, "issuer": ISSUER}
    scene = Introspected(provider, **proof)
    if variant == "500":
        scene.publish(document({}, 500))
    assert ask(scene, tokens(30)) == {200 if variant == "up" else 503}
    scene.settle()
