"""Rows E of the conformance list: key sets, discovery and caching, against a real server that counts what it is asked."""

from __future__ import annotations

import json
import ssl
import threading
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bearer_guard import (
    AuthorityUnavailable,
    BadSignature,
    ConfigurationError,
    Guard,
    JWTVerifier,
    MalformedToken,
    MultiIssuer,
    RemoteJWKSet,
    StaticJWKSet,
    UnknownKey,
    UntrustedIssuer,
)
from bearer_guard._flow import Request, Response
from bearer_guard._jwks import MAX_TRIED
from tests.answers import DOWN, IT, OK, admitted, ask, guard, refused
from tests.loopback import Loopback
from tests.tokens import (
    ABSENT,
    CLAIMS,
    HEADER,
    ISSUER,
    RESOURCE,
    SECRET,
    T,
    json_octets,
    jwk,
    jwks,
    private_key,
    signer,
    text,
)


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def provider() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


def remote(url: str, clock: Clock | None = None, **options: Any) -> tuple[Guard, RemoteJWKSet]:
    source = RemoteJWKSet(url, clock=clock or Clock(), timeout=options.pop("timeout", 2.0), **options)
    return guard(keys=source), source


def settled(source: RemoteJWKSet) -> dict[str, Any]:
    """The source's status once no attempt is under way, for refreshes that nobody waits for."""
    for _ in range(500):
        status = source.status()
        if status["fetches"]["begun"] == status["fetches"]["succeeded"] + status["fetches"]["failed"]:
            return dict(status)
        threading.Event().wait(0.005)
    raise AssertionError("an attempt did not end")


def test_E01_keys_belong_to_their_issuer_though_names_are_alike(provider: Loopback) -> None:
    other = "https://other.example"
    both = guard(
        MultiIssuer(
            guard(keys=RemoteJWKSet(provider.page("/a", jwks(jwk())), clock=Clock()))._verifier,  # type: ignore[arg-type]
            JWTVerifier(
                issuer=other,
                audience=RESOURCE,
                keys=RemoteJWKSet(provider.page("/b", jwks(jwk(number=1))), clock=Clock()),
                clock=lambda: CLAIMS["iat"],
            ),
        )
    )
    assert ask(both, T(), fetches=True).kind == OK
    assert ask(both, T(iss=other, by=signer(number=1)), fetches=True).kind == OK
    refused(both, T(iss=other), BadSignature, fetches=True)
    refused(both, T(by=signer(number=1)), BadSignature, fetches=True)
    assert provider.requests[:2] == ["/a", "/b"]
    assert len(provider.requests) == 4  # each bad signature under a known kid was worth one look for a new key


@pytest.mark.parametrize("kid", [1, 1.5, True, None, {}, [], ["k1"]], ids=repr)
def test_E02_a_kid_that_is_no_string_is_refused_and_nothing_is_asked(provider: Loopback, kid: Any) -> None:
    subject, _ = remote(provider.page("/jwks", jwks()))
    refused(subject, T({"kid": kid}), MalformedToken, fetches=True)
    assert provider.requests == []


@pytest.mark.parametrize(
    "kid",
    [
        "K1",
        "k1 ",
        " k1",
        "k1\0",
        "",
        "../../dev/null",
        "/etc/passwd",
        "' OR 1=1 --",
        "|id",
        "__proto__",
        "http://127.0.0.1/",
        "k" * 9000,
    ],
    ids=lambda kid: repr(kid[:16]),
)
def test_E02_a_kid_is_compared_exactly_and_is_good_for_nothing_else(provider: Loopback, kid: str) -> None:
    clock = Clock()
    subject, _ = remote(provider.page("/jwks", jwks()), clock)
    assert ask(subject, T(), fetches=True).kind == OK
    refused(subject, T({"kid": kid}), UnknownKey, fetches=True)
    assert set(provider.requests) == {"/jwks"}
    assert len(provider.requests) == 2


ODD: list[Any] = [
    {"kty": "XYZ"},
    7,
    None,
    "x",
    [],
    {},
    {"kty": "RSA", "kid": "k1"},
    {"kty": "RSA", "kid": "k1", "n": "!!", "e": "AQAB"},
    {"kty": "RSA", "kid": "k1", "n": 5, "e": "AQAB"},
    {"kty": "RSA", "kid": "k1", "n": "AA", "e": "AQAB"},
    {"kty": "EC", "kid": "k1", "crv": "P-256", "x": "AA", "y": "AA"},
    {"kty": "EC", "kid": "k1", "crv": "P-257", "x": "AA", "y": "AA"},
    {"kty": "OKP", "kid": "k1", "crv": "X25519", "x": text(bytes(32))},
    {"kty": "oct", "kid": "k1", "k": text(SECRET)},
    {"kty": ["EC"]},
]


def test_E03_members_that_are_unusable_are_left_out_and_the_others_work(provider: Loopback) -> None:
    subject, source = remote(provider.page("/jwks", jwks(*ODD, jwk())))
    assert ask(subject, T(), fetches=True).kind == OK
    assert len(source.status()["skipped"]) == len(ODD)
    assert provider.requests == ["/jwks"]


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"use": "x"},
        {"use": None},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"key_ops": None},
    ],
    ids=str,
)
def test_E04_a_key_for_another_use_is_not_used(provider: Loopback, members: dict[str, Any]) -> None:
    subject, _ = remote(provider.page("/jwks", jwks(jwk(**members), jwk(number=1, kid="k2"))))
    refused(subject, T(), UnknownKey, fetches=True)
    assert ask(subject, T({"kid": "k2"}, by=signer(number=1)), fetches=True).kind == OK


@pytest.mark.parametrize(
    "members",
    [{"use": "sig"}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}, {"use": "sig", "key_ops": ["verify"]}],
    ids=str,
)
def test_E04_a_key_for_signatures_is_used(members: dict[str, Any]) -> None:
    assert ask(guard(keys=StaticJWKSet(jwks(jwk(**members)))), T()).kind == OK


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_E05_every_key_of_a_name_that_fits_is_tried(first: bool) -> None:
    mixed = [jwk("RSA"), jwk(), jwk("P-384")]
    twins = [jwk(number=1), jwk()]
    for members in (mixed, twins):
        subject = guard(keys=StaticJWKSet(jwks(*(members if first else members[::-1]))))
        assert ask(subject, T()).kind == OK
        refused(subject, T(by=signer(number=2)), BadSignature)
    both = guard(keys=StaticJWKSet(jwks(*mixed)))
    for alg in ("RS256", "ES256", "ES384"):
        assert ask(both, T({"alg": alg})).kind == OK


def test_E06_a_token_without_kid_is_tried_with_a_bounded_number_of_keys() -> None:
    token = T({"kid": ABSENT})
    assert ask(guard(), token).kind == OK
    assert ask(guard(keys=StaticJWKSet(jwks(jwk("RSA", kid="r"), jwk(number=1, kid="x"), jwk()))), token).kind == OK
    many = StaticJWKSet(jwks(*(jwk(number=n % 5 + 1, kid=f"x{n}") for n in range(50))))
    tried: list[str | None] = []

    def counting(key: Any, check: Any) -> Any:
        return lambda *arguments: bool(tried.append(key.kid)) or check(*arguments)

    for key in many.current().keys:
        key.checks = {name: counting(key, check) for name, check in key.checks.items()}
    with pytest.raises(BadSignature):
        guard(keys=many)._verifier.verify(token)
    assert len(tried) == MAX_TRIED == 4


def unknown(number: int) -> str:
    head = text(json_octets({**HEADER, "kid": f"stranger-{number}"}))
    return f"{head}.{PAYLOAD}.{SIGNATURE}"


PAYLOAD, SIGNATURE = T().split(".")[1:]


@pytest.mark.parametrize("status", [200, 500, 429], ids=["up", "down", "429"])
def test_E07_a_thousand_unknown_kids_cost_two_fetches_a_cool_down(provider: Loopback, status: int) -> None:
    clock = Clock()
    url = provider.page("/jwks", jwks())
    subject, _ = remote(url, clock)
    assert ask(subject, T(), fetches=True).kind == OK
    provider.page("/jwks", jwks(), status=status)
    kinds = set()
    for number in range(1000):
        kinds.add(ask(subject, unknown(number), fetches=True).kind)
        if number % 100 == 0:
            assert ask(subject, T(), fetches=True).kind == OK
    assert kinds == ({IT} if status == 200 else {DOWN})
    assert len(provider.requests) <= 1 + 2
    spent = len(provider.requests)
    clock.now += 29
    for number in range(1000, 1100):
        ask(subject, unknown(number), fetches=True)
    assert len(provider.requests) <= 1 + 2
    provider.page("/jwks", jwks(jwk(), jwk(number=1, kid="k2")))
    clock.now += 2
    assert ask(subject, T({"kid": "k2"}, by=signer(number=1)), fetches=True).kind == OK  # the window is open again
    assert spent < len(provider.requests) <= 1 + 2 + 2


def test_E07_unknown_kids_in_parallel_share_the_same_budget(provider: Loopback) -> None:
    subject, _ = remote(provider.page("/jwks", jwks()))
    assert ask(subject, T(), fetches=True).kind == OK
    tokens = [token for number in range(200) for token in (unknown(number), T())]
    with ThreadPoolExecutor(16) as pool:
        kinds = list(pool.map(lambda token: ask(subject, token, fetches=True).kind, tokens))
    assert kinds == [IT, OK] * 200
    assert len(provider.requests) <= 1 + 2


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Never answers: reads until the client has gone."""
    handler.rfile.read()


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A byte at a time until the client has gone."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    try:
        while True:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            threading.Event().wait(0.02)
    except OSError:
        return


def flood(handler: BaseHTTPRequestHandler) -> None:
    """100 MB, as far as the client takes it."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n")
    try:
        for _ in range(1000):
            handler.wfile.write(b" " * 100_000)
    except OSError:
        return
    handler.server.seen("all of it")  # type: ignore[attr-defined]


def compressed(handler: BaseHTTPRequestHandler) -> None:
    import gzip

    body = gzip.compress(bytes(50_000_000), 1)
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body))
    try:
        handler.wfile.write(body)
    except OSError:
        return


GOOD = json_octets(jwks())
RUBBISH: dict[str, Any] = {
    "500": (500, {}, GOOD),
    "404": (404, {}, GOOD),
    "201": (201, {}, GOOD),
    "304-unasked": (304, {}, b""),
    "html": (200, {"Content-Type": "text/html"}, b"<html>"),
    "html-with-keys": (200, {"Content-Type": "text/html; charset=utf-8"}, GOOD),
    "empty": (200, {}, b""),
    "object": (200, {}, b"{}"),
    "array": (200, {}, b"[]"),
    "no-keys": (200, {}, b'{"keys":[]}'),
    "keys-object": (200, {}, b'{"keys":{}}'),
    "keys-null": (200, {}, b'{"keys":null}'),
    "keys-twice": (200, {}, b'{"keys":[],' + GOOD[1:]),
    "trailing": (200, {}, GOOD + b"{}"),
    "utf-16": (200, {}, GOOD.decode().encode("utf-16")),
    "nan": (200, {}, GOOD[:-1] + b',"x":NaN}'),
    "deep": (200, {}, b'{"keys":[' + b"[" * 50_000 + b"]" * 50_000 + b"]}"),
    "only-secrets": (200, {}, json_octets(jwks({"kty": "oct", "k": text(SECRET), "kid": "k1"}))),
    "too-many": (200, {}, json_octets(jwks(*[{"kty": "X"}] * 10_000))),
    "101-keys": (200, {}, json_octets(jwks(*[jwk()] * 101))),
    "padding": (200, {}, GOOD + b" " * 300_000),
    "flood": flood,
    "drip": drip,
    "hang": hang,
    "gzip-bomb": compressed,
}


@pytest.mark.parametrize("page", RUBBISH.values(), ids=RUBBISH)
def test_E08_E12_rubbish_after_a_good_fetch_keeps_the_last_good_keys(provider: Loopback, page: Any) -> None:
    clock = Clock()
    subject, source = remote(provider.page("/jwks", jwks()), clock, max_age=600, stale_if_error=3600, timeout=10.0)
    assert ask(subject, T(), fetches=True).kind == OK
    source._timeout = 0.4
    provider.pages["/jwks"] = page
    clock.now += 601
    assert ask(subject, T(), fetches=True).kind == OK  # nobody waits while usable keys are at hand
    status = settled(source)
    assert (status["state"], status["fetches"]) == ("stale", {"begun": 2, "succeeded": 1, "failed": 1})
    assert ask(subject, T(), fetches=True).kind == OK
    clock.now += 3600
    provider.pages["/jwks"] = (500, {}, b"")
    assert ask(subject, T(), fetches=True).kind == DOWN  # past the stale bound
    settled(source)
    assert set(provider.requests) == {"/jwks"}


@pytest.mark.parametrize("page", RUBBISH.values(), ids=RUBBISH)
def test_E08_E12_rubbish_from_a_cold_start_is_a_503_in_bounded_time(provider: Loopback, page: Any) -> None:
    subject, source = remote(provider.url + "/jwks", timeout=0.4)
    provider.pages["/jwks"] = page
    begun = time.monotonic()
    answer = ask(subject, T(), fetches=True)
    assert time.monotonic() - begun < 8
    assert answer.kind == DOWN
    assert type(answer.error) is AuthorityUnavailable
    assert provider.requests == ["/jwks"]
    settled(source)


def test_E09_a_key_that_was_removed_stops_to_verify_after_the_refresh(provider: Loopback) -> None:
    clock = Clock()
    subject, source = remote(provider.page("/jwks", jwks(jwk(), jwk(number=1, kid="k2"))), clock, max_age=60)
    assert ask(subject, T(), fetches=True).kind == OK
    provider.page("/jwks", jwks(jwk(number=1, kid="k2")))
    assert ask(subject, T(), fetches=True).kind == OK  # still within the age
    clock.now += 61
    ask(subject, T({"kid": "k2"}, by=signer(number=1)), fetches=True)
    settled(source)
    refused(subject, T(), UnknownKey, fetches=True)
    assert ask(subject, T({"kid": "k2"}, by=signer(number=1)), fetches=True).kind == OK


def test_E09_a_process_that_sat_idle_does_not_trust_its_old_keys(provider: Loopback) -> None:
    clock = Clock()
    subject, _ = remote(provider.page("/jwks", jwks()), clock, max_age=60)
    assert ask(subject, T(), fetches=True).kind == OK
    provider.page("/jwks", jwks(jwk(number=1, kid="k2")))
    clock.now += 121
    refused(subject, T(), UnknownKey, fetches=True)


BAD_URLS = [
    "http://as.example/jwks",
    "http://169.254.169.254/jwks",
    "http://localhost.example/jwks",
    "http://127.0.0.1.example/jwks",
    "file:///etc/passwd",
    "ftp://as.example/jwks",
    "data:application/json,{}",
    "https://user:password@as.example/jwks",
    "https://as.example@127.0.0.1/jwks",
    "https://as.example/jwks#x",
    "https://as.example/jw\r\nks",
    "https://as.example/ jwks",
    "https://as.example\\@evil.example/",
    "https:///jwks",
    "https://as.example:0/jwks",
    "https://as.example:99999/jwks",
    "//as.example/jwks",
    "jwks",
    "",
    None,
    7,
]


@pytest.mark.parametrize("url", BAD_URLS, ids=range(len(BAD_URLS)))
def test_E10_a_url_that_is_not_plain_https_is_a_configuration_error(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="url"):
        RemoteJWKSet(url)
    with pytest.raises(ConfigurationError, match="issuer"):
        RemoteJWKSet.discover(url)
    if isinstance(url, str):
        with pytest.raises(ConfigurationError, match="issuer"):
            JWTVerifier(issuer=url, audience=RESOURCE)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://as.example/jwks", "data:,{}", "https://u@as.example/"], ids=range(4)
)
def test_E10_unsafe_http_allows_http_and_nothing_else(url: str) -> None:
    RemoteJWKSet("http://as.example/jwks", unsafe_http=True)
    with pytest.raises(ConfigurationError):
        RemoteJWKSet(url, unsafe_http=True)


@pytest.mark.parametrize(
    "jwks_uri", [url for url in BAD_URLS if url != "https://as.example/jwks"], ids=range(len(BAD_URLS))
)
def test_E10_metadata_that_leads_elsewhere_is_not_followed(provider: Loopback, jwks_uri: Any) -> None:
    provider.page(OAUTH, {"issuer": provider.url, "jwks_uri": jwks_uri})
    subject = guard(keys=RemoteJWKSet.discover(provider.url, clock=Clock()), issuer=provider.url)
    assert ask(subject, T(iss=provider.url), fetches=True).kind == DOWN
    assert all(path.startswith("/.well-known/") for path in provider.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_E11_redirects_are_not_followed(provider: Loopback, status: int) -> None:
    with Loopback() as elsewhere:
        elsewhere.page("/jwks", jwks())
        provider.page("/jwks", GOOD, status=status, Location=elsewhere.url + "/jwks")
        provider.page(OAUTH, b"", status=status, Location=elsewhere.url + "/metadata")
        subject, _ = remote(provider.url + "/jwks")
        assert ask(subject, T(), fetches=True).kind == DOWN
        found = guard(keys=RemoteJWKSet.discover(provider.url, clock=Clock()), issuer=provider.url)
        assert ask(found, T(iss=provider.url), fetches=True).kind == DOWN
        assert provider.requests == ["/jwks", OAUTH, OPENID]
        assert elsewhere.requests == []


OAUTH, OPENID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "change",
    [
        lambda u: u + "/",
        lambda u: u.replace("http", "HTTP"),
        lambda u: u.upper(),
        lambda u: u + "#",
        lambda u: [u],
        lambda u: None,
        lambda u: u.replace("127.0.0.1", "localhost"),
        lambda u: "https://as.example",
    ],
    ids=range(8),
)
def test_E13_metadata_of_another_issuer_is_not_used(provider: Loopback, change: Any) -> None:
    keys_at = provider.page("/jwks", jwks())
    provider.page(OAUTH, {"issuer": change(provider.url), "jwks_uri": keys_at})
    subject = guard(keys=RemoteJWKSet.discover(provider.url, clock=Clock()), issuer=provider.url)
    assert ask(subject, T(iss=provider.url), fetches=True).kind == DOWN
    assert "/jwks" not in provider.requests


@pytest.mark.parametrize("scheme", ["http", "HTTP", "Http"])
def test_E10_metadata_of_an_https_issuer_never_leads_to_plain_http_on_loopback(scheme: str) -> None:
    class Told:
        def send(self, request: Request) -> Response:
            asked.append(request.url)
            members = {"issuer": issuer, "jwks_uri": f"{scheme}://127.0.0.1:6379/jwks"}
            return Response(status=200, body=json.dumps(members).encode())

    asked: list[str] = []
    issuer = "https://as.example"
    subject = guard(keys=RemoteJWKSet.discover(issuer, transport=Told(), clock=Clock()), issuer=issuer)
    assert ask(subject, T(iss=issuer), fetches=True).kind == DOWN
    assert not [url for url in asked if "6379" in url]


@pytest.mark.parametrize("other", ["https://AS.example", "https://as.example:443", "https://as.example/"])
def test_E13_no_spelling_of_the_issuer_but_its_own_is_used(other: str) -> None:
    class Told:
        def send(self, request: Request) -> Response:
            asked.append(request.url)
            return Response(status=200, body=json.dumps({"issuer": other, "jwks_uri": f"{other}/jwks"}).encode())

    asked: list[str] = []
    issuer = "https://as.example"
    subject = guard(keys=RemoteJWKSet.discover(issuer, transport=Told(), clock=Clock()), issuer=issuer)
    assert ask(subject, T(iss=issuer), fetches=True).kind == DOWN
    assert f"{other}/jwks" not in asked


@pytest.mark.parametrize("where", [f"{OAUTH}/t1", f"{OPENID}/t1", f"/t1{OPENID}"])
def test_E14_metadata_is_looked_for_between_host_and_path_first(provider: Loopback, where: str) -> None:
    issuer = provider.url + "/t1"
    order = [f"{OAUTH}/t1", f"{OPENID}/t1", f"/t1{OPENID}"]
    provider.page(where, {"issuer": issuer, "jwks_uri": provider.page("/jwks", jwks())})
    subject = guard(keys=RemoteJWKSet.discover(issuer, clock=Clock()), issuer=issuer)
    assert ask(subject, T(iss=issuer), fetches=True).kind == OK
    assert provider.requests == [*order[: order.index(where) + 1], "/jwks"]


def test_E14_an_issuer_without_path_is_looked_for_at_two_places(provider: Loopback) -> None:
    subject = guard(keys=RemoteJWKSet.discover(provider.url, clock=Clock()), issuer=provider.url)
    assert ask(subject, T(iss=provider.url), fetches=True).kind == DOWN
    assert provider.requests == [OAUTH, OPENID]


def test_E14_an_issuer_with_a_query_or_fragment_is_a_configuration_error() -> None:
    for issuer in ("https://as.example?x=1", "https://as.example/?", "https://as.example#x"):
        with pytest.raises(ConfigurationError):
            RemoteJWKSet.discover(issuer)


def test_E15_identifiers_are_compared_without_normalisation() -> None:
    composed, decomposed = (unicodedata.normalize(form, "https://as.example/é") for form in ("NFC", "NFD"))
    subject = guard(issuer=composed, audience=composed, keys=StaticJWKSet(jwks()))
    assert admitted(subject, T(iss=composed, aud=composed)).issuer == composed
    refused(subject, T(iss=decomposed, aud=composed), UntrustedIssuer)
    assert ask(subject, T(iss=composed, aud=decomposed)).kind == IT


def test_E15_a_metadata_issuer_that_only_looks_equal_is_not_used(provider: Loopback) -> None:
    issuer = provider.url + "/%C3%A9"
    for other in (provider.url + "/%c3%a9", provider.url + "/é"):
        provider.page(f"{OAUTH}/%C3%A9", {"issuer": other, "jwks_uri": provider.page("/jwks", jwks())})
        subject = guard(keys=RemoteJWKSet.discover(issuer, clock=Clock()), issuer=issuer)
        assert ask(subject, T(iss=issuer), fetches=True).kind == DOWN
    assert "/jwks" not in provider.requests


@pytest.mark.parametrize("multi", [False, True], ids=["one", "several"])
def test_E16_no_claim_and_no_header_makes_a_url(provider: Loopback, multi: bool) -> None:
    with Loopback() as listener:
        port = listener.server_address[1]
        source = RemoteJWKSet(provider.page("/jwks", jwks()), clock=Clock())
        one = guard(keys=source)
        subject = guard(MultiIssuer(one._verifier)) if multi else one  # type: ignore[arg-type]
        for issuer in (
            listener.url,
            f"https://as.example@127.0.0.1:{port}/",
            "http://169.254.169.254",
            f"{ISSUER}/../x",
            "file:///etc/passwd",
        ):
            for header in (
                {},
                {"kid": listener.url + "/k"},
                {"jku": listener.url + "/jwks"},
                {"x5u": listener.url + "/x"},
            ):
                answer = refused(subject, T(header, iss=issuer, by=signer(number=1)), UntrustedIssuer, fetches=True)
                assert answer.kind == IT
        assert listener.requests == []
        assert provider.requests == []  # for a stranger's token not even our own issuer is asked


def test_E17_a_cold_start_of_a_hundred_is_one_fetch(provider: Loopback) -> None:
    gate, waiting = threading.Event(), threading.Semaphore(0)

    def slow(handler: BaseHTTPRequestHandler) -> None:
        waiting.release()
        gate.wait(5)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD)

    provider.pages["/jwks"] = slow
    subject, source = remote(provider.url + "/jwks", timeout=5.0)
    all_in = threading.Barrier(101)

    def first() -> str:
        all_in.wait(5)
        return ask(subject, T(), fetches=True).kind

    with ThreadPoolExecutor(100) as pool:
        answers = [pool.submit(first) for _ in range(100)]
        all_in.wait(5)
        assert waiting.acquire(timeout=5)
        gate.set()
        assert {answer.result(5) for answer in answers} == {OK}
    assert provider.requests == ["/jwks"]
    assert source.status()["fetches"] == {"begun": 1, "succeeded": 1, "failed": 0}


def test_E17_an_issuer_that_hangs_does_not_hold_another_up(provider: Loopback) -> None:
    provider.pages["/slow"] = hang
    other = "https://other.example"
    slow = JWTVerifier(
        issuer=other,
        audience=RESOURCE,
        keys=RemoteJWKSet(provider.url + "/slow", timeout=1.0),
        clock=lambda: CLAIMS["iat"],
    )
    quick = guard(keys=RemoteJWKSet(provider.page("/jwks", jwks())))._verifier
    both = guard(MultiIssuer(quick, slow))  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as pool:
        held_up = pool.submit(lambda: ask(both, T(iss=other), fetches=True).kind)
        while "/slow" not in provider.requests:
            threading.Event().wait(0.002)
        begun = time.monotonic()
        assert ask(both, T(), fetches=True).kind == OK
        assert time.monotonic() - begun < 5
        assert not held_up.done()
        assert held_up.result(5) == DOWN


def test_E18_a_certificate_that_nobody_vouches_for_is_a_503(tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "as.example")])
    key = private_key("P-256", 9)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(9)
    made = made.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2050, 1, 1, tzinfo=UTC))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    pem = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    chain = tmp_path / "server.pem"
    chain.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    with Loopback(context) as server:
        url = server.page("/jwks", jwks())
        subject, source = remote(url)
        answer = ask(subject, T(), fetches=True)
        assert answer.kind == DOWN
        assert "certificate" in str(answer.error)
        assert server.requests == []
        trusting = ssl.create_default_context(cadata=pem.decode())
        assert ask(remote(url, ssl_context=trusting)[0], T(), fetches=True).kind == OK
        assert server.requests == ["/jwks"]
        assert "certificate" in str(source.status()["last_error"])


def test_E18_certificates_are_verified_unless_a_context_of_ones_own_says_otherwise() -> None:
    context = RemoteJWKSet("https://as.example/jwks")._transport._context()  # type: ignore[attr-defined]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
