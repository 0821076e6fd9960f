"""Attacks on the choice of the key: headers that carry or locate one, kids, poisoned sets (classes HDR, KID, JWKS, DISC)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from bearer_guard import (
    BadSignature,
    ConfigurationError,
    JWTVerifier,
    MultiIssuer,
    RemoteJWKSet,
    StaticJWKSet,
    UnknownKey,
)
from tests.answers import DOWN, IT, OK, ask, guard, refused
from tests.loopback import Loopback
from tests.quick import within
from tests.tokens import ABSENT, NOW, RESOURCE, SECRET, T, json_octets, jwk, jwks, mac, signer, text

from .corpus import all_alike, rejected


@pytest.fixture
def provider() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


STRANGER, OWN = signer(number=1), jwk(number=1)
OCT = {"kty": "oct", "k": text(SECRET), "kid": "k1", "alg": "HS256"}
HDR = {
    "HDR-1": T({"jwk": OWN}, by=STRANGER),
    "HDR-2": T({"jwk": OWN, "kid": "unknown"}, by=STRANGER),
    "HDR-3": T({"jwk": OWN, "kid": ABSENT}, by=STRANGER),
    "HDR-7": T({"jwk": OCT, "alg": "HS256"}, by=mac(SECRET)),
    "HDR-7-es": T({"jwk": OCT}, by=STRANGER),
}


@pytest.mark.parametrize("attack", HDR)
def test_a_key_in_the_header_is_not_used(attack: str) -> None:
    rejected(guard(), HDR[attack])


def test_answers_to_keys_in_headers_are_alike() -> None:
    all_alike(guard(), HDR)


LOCATIONS = [
    "{url}/keys",
    "https://as.example@127.0.0.1:{port}/keys",
    "https://as.example/redirect?to={url}/keys",
    "{url}/keys#https://as.example",
    "https://as.example\\@127.0.0.1:{port}/keys",
    "https://as.example/../{url}",
    "http://localhost:{port}/keys",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("location", LOCATIONS, ids=range(len(LOCATIONS)))
@pytest.mark.parametrize("parameter", ["jku", "x5u"])
def test_HDR_4_5_6_a_location_in_the_header_is_not_asked(provider: Loopback, location: str, parameter: str) -> None:
    provider.page("/keys", jwks(OWN))
    url = location.format(url=provider.url, port=provider.server_address[1])
    for kid in ("k1", "k2", ABSENT):
        rejected(guard(), T({parameter: url, "kid": kid}, by=STRANGER))
        rejected(guard(MultiIssuer(guard()._verifier)), T({parameter: url, "kid": kid}, by=STRANGER))  # type: ignore[arg-type]
    assert provider.requests == []


def test_HDR_8_a_truthful_key_or_location_beside_a_good_signature_is_ignored(provider: Loopback) -> None:
    for header in ({"jwk": jwk()}, {"jku": provider.page("/keys", jwks())}, {"x5c": ["AA=="]}, {"jwk": 5}):
        assert ask(guard(), T(header)).kind == OK
    assert provider.requests == []


KIDS: list[Any] = [
    "../../dev/null",
    "' OR '1'='1",
    "| id",
    "k1\0",
    "K1",
    "k1 ",
    "http://127.0.0.1/k1",
    "k" * 10_000,
    "",
    1,
    True,
    None,
    {},
    [],
    ["k1"],
    1.5,
    "__proto__",
    "constructor",
    "k1\n",
    "*",
]


@pytest.mark.parametrize("kid", KIDS, ids=lambda kid: ascii(kid)[:20])
def test_KID_a_kid_is_a_name_and_nothing_else(kid: Any) -> None:
    rejected(guard(), T({"kid": kid}))
    rejected(guard(), T({"kid": kid, "alg": "HS256"}, by=mac(b"")))
    rejected(guard(), T({"kid": kid}, by=STRANGER))


def test_KID_of_any_size_up_to_the_bound_of_a_token_and_beyond() -> None:
    rejected(guard(), T({"kid": "k" * 100_000}))


def test_KID_40_41_42_keys_that_are_not_for_signatures_or_too_short_have_no_name() -> None:
    subject = guard(
        keys=StaticJWKSet(
            jwks(jwk(), jwk(number=1, kid="enc", use="enc"), jwk("RSA-1024", kid="short"), jwk("RSA", kid="long"))
        )
    )
    refused(subject, T({"kid": "enc"}, by=STRANGER), UnknownKey)
    refused(subject, T({"kid": "short", "alg": "RS256"}, by=signer("RS256", "RSA-1024")), UnknownKey)
    assert ask(subject, T({"kid": ABSENT})).kind == OK  # documented: every key that fits is tried, four at most
    refused(subject, T({"kid": ABSENT}, by=STRANGER), BadSignature)


def test_JWKS_1_CVE_2026_49998_two_issuers_with_the_same_kid_do_not_vouch_for_each_other() -> None:
    b = JWTVerifier(
        issuer="https://b.example",
        audience=RESOURCE,
        keys=StaticJWKSet(jwks(OWN)),
        leeway=0,
        clock=lambda: NOW,
        cache_size=9,
    )
    both = guard(MultiIssuer(guard(cache_size=9)._verifier, b))  # type: ignore[arg-type]
    for _ in range(2):  # the second time from the caches
        assert ask(both, T()).kind == OK
        assert ask(both, T(iss="https://b.example", by=STRANGER)).kind == OK
        refused(both, T(iss="https://b.example"), BadSignature)
        refused(both, T(by=STRANGER), BadSignature)


def test_JWKS_2_a_secret_that_appears_in_a_set_is_not_a_key(provider: Loopback) -> None:
    clock = Clock()
    subject = guard(keys=RemoteJWKSet(provider.page("/jwks", jwks()), clock=clock, max_age=60))
    assert ask(subject, T(), fetches=True).kind == OK
    provider.page("/jwks", jwks(jwk(), OCT))
    clock.now += 1000
    assert ask(subject, T(), fetches=True).kind == OK
    rejected(subject, T({"alg": "HS256"}, by=mac(SECRET)), fetches=True)
    with pytest.raises(ConfigurationError):
        StaticJWKSet(jwks(OCT))


@pytest.mark.parametrize("order", [1, -1], ids=["attacker-first", "attacker-last"])
def test_JWKS_3_of_two_keys_with_one_name_each_is_good_for_its_own_signatures(order: int) -> None:
    for other, algorithm, by in ((OWN, "ES256", STRANGER), (jwk("RSA"), "RS256", signer("RS256"))):
        subject = guard(keys=StaticJWKSet(jwks(*[other, jwk()][::order])))
        assert ask(subject, T()).kind == OK
        assert ask(subject, T({"alg": algorithm}, by=by)).kind == OK
        refused(subject, T(by=signer(number=2)), BadSignature)


MODULUS_16384 = text(b"\xff" * 2048)
MEMBERS: list[Any] = [
    None,
    7,
    "x",
    {},
    {"kty": "XYZ", "kid": "k1"},
    {"kty": "RSA", "kid": "k1", "e": "AQAB"},
    jwk("RSA", n="not base64"),
    jwk("RSA", n="===="),
    jwk("RSA", n=""),
    jwk("RSA", n="AA"),
    jwk("RSA", e="AQ"),
    jwk("RSA", e="Ag"),
    jwk("RSA", n=MODULUS_16384),
    jwk(x="AA"),
    jwk(y=text(b"\x01" * 32)),
    jwk(crv="P-384"),
    jwk(kid=5),
    jwk(alg=5),
    jwk(alg="none"),
    jwk(alg=["ES256"]),
    jwk("Ed25519", x=text(bytes(31))),
    {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "k1"},
    jwk(x=None),
]


@pytest.mark.parametrize("member", MEMBERS, ids=range(len(MEMBERS)))
def test_JWKS_4_an_odd_member_is_ignored_and_the_good_key_works(member: Any) -> None:
    document = jwks(member, jwk(kid="good"))
    source = StaticJWKSet(document)
    assert ask(guard(keys=source), T({"kid": "good"})).kind == OK
    rejected(guard(keys=source), T())
    assert within(0.1, lambda: StaticJWKSet(document))
    assert len(source.status()["skipped"]) == 1


TOP = [
    b"[]",
    b"{}",
    b'{"keys":{}}',
    b'{"keys":null}',
    b"<html>",
    b"",
    b'{"keys":[],"keys":[]}',
    b"\x1f\x8b\x08" + bytes(50),
]


@pytest.mark.parametrize(
    "body", [*TOP, json_octets(jwks(*[jwk()] * 10_000)), b" " * 400_000 + json_octets(jwks())], ids=range(10)
)
def test_JWKS_5_a_document_that_is_no_set_counts_as_failed_and_the_last_good_one_stays(
    provider: Loopback, body: bytes
) -> None:
    clock = Clock()
    source = RemoteJWKSet(provider.page("/jwks", jwks()), clock=clock, max_age=60)
    subject = guard(keys=source)
    assert ask(subject, T(), fetches=True).kind == OK
    provider.page("/jwks", body)
    refusal = ask(subject, T({"kid": "new"}), fetches=True)
    assert refusal.kind == DOWN  # it could be a key that is new: nobody knows
    assert source.status()["fetches"]["failed"] == 1
    assert ask(subject, T(), fetches=True).kind == OK


def test_JWKS_6_a_set_behind_a_redirect_or_as_a_web_page_is_not_used(provider: Loopback) -> None:
    with Loopback() as elsewhere:
        target = elsewhere.page("/jwks", jwks())
        for path, page in {
            "/moved": (302, {"Location": target}, b""),
            "/moved-body": (301, {"Location": target}, json_octets(jwks())),
            "/page": (200, {"Content-Type": "text/html"}, json_octets(jwks())),
            "/partial": (206, {}, json_octets(jwks())),
        }.items():
            provider.pages[path] = page
            assert ask(guard(keys=RemoteJWKSet(provider.url + path)), T(), fetches=True).kind == DOWN
        assert elsewhere.requests == []


def test_JWKS_7_CVE_2025_22149_a_key_that_was_taken_out_verifies_nothing_more(provider: Loopback) -> None:
    clock = Clock()
    subject = guard(
        keys=RemoteJWKSet(provider.page("/jwks", jwks(jwk(), jwk(number=1, kid="k2"))), clock=clock, max_age=60),
        cache_size=10,
    )
    leaked, good = T(), T({"kid": "k2"}, by=STRANGER)
    assert ask(subject, leaked, fetches=True).kind == OK
    assert ask(subject, good, fetches=True).kind == OK
    provider.page("/jwks", jwks(jwk(number=1, kid="k2")))
    clock.now += 200
    assert ask(subject, good, fetches=True).kind == OK
    assert len(provider.requests) == 2
    refused(subject, leaked, UnknownKey, fetches=True)  # nor from the cache of verified tokens


@pytest.mark.parametrize("status", [200, 503, 429], ids=["up", "down", "429"])
def test_JWKS_8_CVE_2026_48524_a_flood_of_unknown_kids_costs_two_fetches(provider: Loopback, status: int) -> None:
    subject = guard(keys=RemoteJWKSet(provider.page("/jwks", jwks()), clock=Clock()))
    assert ask(subject, T(), fetches=True).kind == OK
    provider.page("/jwks", jwks(), status=status, Retry_After="1")
    tokens = [token for n in range(250) for token in (T({"kid": f"random-{n}"}, by=lambda _: bytes(64)), T())]
    with ThreadPoolExecutor(8) as pool:
        kinds = list(pool.map(lambda token: ask(subject, token, fetches=True).kind, tokens))
    assert kinds[1::2] == [OK] * 250
    assert set(kinds[::2]) == ({IT} if status == 200 else {DOWN})
    assert len(provider.requests) <= 3


def test_JWKS_9_a_set_that_drips_in_ends_at_the_deadline(provider: Loopback) -> None:
    gone = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            for octet in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000:
                handler.wfile.write(bytes([octet]))
                handler.wfile.flush()
                if gone.wait(0.02):
                    return
        except OSError:
            return

    provider.pages["/drip"] = drip
    begun = time.monotonic()
    assert ask(guard(keys=RemoteJWKSet(provider.url + "/drip", timeout=0.3)), T(), fetches=True).kind == DOWN
    assert 0.2 < time.monotonic() - begun < 8
    gone.set()


def test_JWKS_10_a_clock_that_jumps_back_makes_neither_an_endless_cache_nor_a_storm(provider: Loopback) -> None:
    clock = Clock()
    source = RemoteJWKSet(provider.page("/jwks", jwks()), clock=clock, max_age=60)
    subject = guard(keys=source)
    assert ask(subject, T(), fetches=True).kind == OK
    clock.now -= 900
    for _ in range(50):
        assert ask(subject, T(), fetches=True).kind == OK
    assert len(provider.requests) <= 2


@pytest.mark.parametrize("age", [0, -1, float("nan"), float("inf"), "600", None, True], ids=repr)
def test_JWKS_10_an_age_that_makes_no_sense_is_a_configuration_error(age: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_age"):
        RemoteJWKSet("https://as.example/jwks", max_age=age)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "data:,x",
        "ftp://as.example/",
        "http://169.254.169.254/",
        "https://a:b@as.example/",
        "https://as.example/\r\nX: y",
    ],
    ids=range(6),
)
def test_JWKS_11_a_location_that_is_not_https_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError):
        RemoteJWKSet(url)


def test_DISC_1_metadata_that_names_another_issuer_or_moved_is_not_used(provider: Loopback) -> None:
    keys_at = provider.page("/jwks", jwks())
    where = "/.well-known/oauth-authorization-server"
    port = provider.server_address[1]
    for named in (
        provider.url + "/",
        f"HTTP://127.0.0.1:{port}",
        "http://127.0.0.1",
        f"http://localhost:{port}",
        "https://other.example",
        None,
        [provider.url],
    ):
        provider.page(where, {"issuer": named, "jwks_uri": keys_at})
        subject = guard(keys=RemoteJWKSet.discover(provider.url), issuer=provider.url)
        assert ask(subject, T(iss=provider.url), fetches=True).kind == DOWN
    provider.page(where, {"issuer": provider.url, "jwks_uri": keys_at}, status=302, Location=keys_at)
    assert (
        ask(
            guard(keys=RemoteJWKSet.discover(provider.url), issuer=provider.url), T(iss=provider.url), fetches=True
        ).kind
        == DOWN
    )
    assert "/jwks" not in provider.requests


def test_DISC_2_CVE_2026_32301_no_claim_leads_discovery(provider: Loopback) -> None:
    port = provider.server_address[1]
    subject = guard(MultiIssuer(guard()._verifier))  # type: ignore[arg-type]
    for issuer in (
        provider.url,
        f"https://as.example@127.0.0.1:{port}",
        "https://as.example@evil.example",
        "http://169.254.169.254",
    ):
        rejected(subject, T(iss=issuer, by=STRANGER))
        rejected(guard(), T(iss=issuer, by=STRANGER))
    assert provider.requests == []
