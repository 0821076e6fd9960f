"""Published attacks on other software, by their ids, each put to this package in the form that it took there.

Classes: A algorithm and key confusion, S signature not verified, K the attacker's key, C format, V claims, D denial of
service, P path and header, T handling of tokens. Attacks on decryption, on login and on what this package does not do
are met by absence and left out.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearer_guard import (
    AuthorityUnavailable,
    ConfigurationError,
    Guard,
    IncomingRequest,
    InvalidToken,
    JWTVerifier,
    MultiIssuer,
    RemoteJWKSet,
    SharedSecret,
    StaticJWKSet,
    UnknownKey,
)
from bearer_guard.asgi import BearerMiddleware
from tests.answers import BARE, DOWN, IR, IT, OK, ask, guard, refused, verifier
from tests.loopback import Loopback
from tests.tokens import (
    ABSENT,
    CLAIMS,
    HEADER,
    ISSUER,
    NOW,
    RESOURCE,
    SECRET,
    T,
    json_octets,
    jwk,
    jwks,
    mac,
    private_key,
    raw,
    signer,
    text,
    unsigned,
)
from tests.vectors import vectors

from .corpus import rejected

RSA_KEY = private_key("RSA").public_key()
PEM = RSA_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PKCS1 = RSA_KEY.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
DER = RSA_KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SSH = private_key("P-256").public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
STRANGER = signer(number=1)


@pytest.fixture
def provider() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


def rsa_guard(**options: Any) -> Guard:
    return guard(keys=StaticJWKSet(jwks(jwk("RSA"), jwk(kid="ec"))), **options)


# --- A: algorithm and key confusion --------------------------------------------------------------------------------

KEY_AS_SECRET = {
    "CVE-2015-9235": PEM,
    "CVE-2016-10555": PEM.rstrip(),
    "CVE-2016-5431": PEM.replace(b"\n", b"\r\n"),
    "CVE-2017-11424": PKCS1,
    "CVE-2022-29217": SSH,
    "CVE-2023-48223": PKCS1.strip(),
    "CVE-2024-33663": SSH + b" comment",
    "CVE-2024-37568": b"\n" + PEM,
    "CVE-2024-54150": DER,
    "CVE-2026-34950": b" \t" + PEM,
    "CVE-2026-33322": b"\xef\xbb\xbf" + PEM,
    "GHSA-xgmm-8j9v-c9wx": json.dumps(jwk("RSA")).encode(),
    "GHSA-r6x4-923q-g947": json.dumps({"keys": [jwk("RSA")]}).encode(),
    "GHSA-ffc3-869f-jxw9": base64.b64encode(DER),
    "GHSA-p4g4-x82p-q773": json.dumps([jwk("RSA")]).encode(),
    "GHSA-w2cx-738m-mc7w": base64.b64encode(PEM),
}


@pytest.mark.parametrize("published", KEY_AS_SECRET)
def test_A_a_public_key_is_no_secret(published: str) -> None:
    secret = KEY_AS_SECRET[published]
    forged = T({"alg": "HS256"}, by=mac(secret), sub="admin")
    for subject in (rsa_guard(), rsa_guard(algorithms=["RS256", "ES256"])):
        rejected(subject, forged)
        assert ask(subject, T({"alg": "RS256"})).kind == OK
    with pytest.raises(ConfigurationError):
        SharedSecret(secret)
    with pytest.raises(ConfigurationError):
        rsa_guard(algorithms=["RS256", "HS256"])


UNSECURED = {
    "CVE-2015-2951": T({"alg": "none"}, by=unsigned),
    "CVE-2015-2964": T({"alg": "None"}, by=unsigned),
    "CVE-2018-1000125": T({"alg": "nOnE"}, by=unsigned),
    "CVE-2020-26244": T({"alg": "none", "kid": ABSENT}, by=unsigned),
    "CVE-2022-23540": T({"alg": "none"}, by=signer()),
    "CVE-2026-28802": T({"alg": ""}, by=unsigned),
    "CVE-2026-28802-blank": T(by=unsigned),
    "CVE-2015-2951-no-alg": T({"alg": ABSENT}, by=unsigned),
}


@pytest.mark.parametrize("published", UNSECURED)
def test_A_an_unsecured_token_is_refused(published: str) -> None:
    for subject in (guard(), guard(keys=SharedSecret(SECRET)), rsa_guard(), guard(MultiIssuer(verifier()))):  # type: ignore[arg-type]
        rejected(subject, UNSECURED[published])


@pytest.mark.parametrize("published", ["CVE-2019-20933", "CVE-2026-44351", "CVE-2026-45363"])
def test_A_an_empty_secret_verifies_nothing(published: str) -> None:
    forged = T({"alg": "HS256"}, by=mac(b""))
    for empty in ("", b""):
        with pytest.raises(ConfigurationError):
            SharedSecret(empty)
        assert ask(guard(keys=SharedSecret(lambda empty=empty: empty)), forged, fetches=True).kind == DOWN
    with pytest.raises(ConfigurationError):
        StaticJWKSet(jwks({"kty": "oct", "kid": "k1", "k": ""}))
    rejected(guard(keys=SharedSecret(SECRET)), forged)
    assert published


@pytest.mark.parametrize("kid", ["k1", ABSENT], ids=["kid", "no-kid"])
def test_A_CVE_2026_44699_CVE_2026_22817_CVE_2023_48238_a_key_without_alg_does_not_learn_it_from_the_header(
    kid: Any,
) -> None:
    for secret in (b"", PEM, text(b"").encode(), json_octets(jwk("RSA"))):
        for alg in ("HS256", "HS384", "HS512"):
            rejected(rsa_guard(), T({"alg": alg, "kid": kid}, by=mac(secret, alg)))


def test_A_CVE_2026_48523_the_signature_is_of_the_algorithm_that_was_allowed() -> None:
    bound = guard(keys=StaticJWKSet(jwks(jwk("RSA", alg="PS256"))), algorithms=["RS256", "PS256"])
    rejected(bound, T({"alg": "RS256"}))
    rejected(bound, T({"alg": "RS256"}, by=signer("PS256")))
    only = guard(keys=StaticJWKSet(jwks(jwk("RSA", alg="PS256"), jwk(kid="ec"))), algorithms=["ES256"])
    rejected(only, T({"alg": "ES256"}, by=signer("PS256")))
    rejected(only, T({"alg": "PS256"}))


def test_A_CVE_2021_46743_CVE_2022_23539_CVE_2022_23541_a_kid_does_not_lead_to_a_key_of_another_type() -> None:
    rejected(rsa_guard(), T({"alg": "RS256", "kid": "ec"}))
    rejected(rsa_guard(), T({"alg": "ES256", "kid": "k1"}))
    rejected(rsa_guard(), T({"alg": "HS256", "kid": "ec"}, by=mac(SSH)))


def test_A_CVE_2021_41106_a_secret_is_never_read_from_a_path() -> None:
    rejected(guard(keys=SharedSecret(SECRET)), T({"alg": "HS256", "kid": "file:///dev/null"}, by=mac(b"")))
    with pytest.raises(ConfigurationError):
        SharedSecret("file:///etc/ssl/private/key.pem")


def test_A_CVE_2020_15084_without_a_list_of_algorithms_the_keys_decide() -> None:
    rejected(rsa_guard(), T({"alg": "HS256"}, by=mac(PEM)))
    rejected(rsa_guard(), T({"alg": "RS512"}))
    assert ask(rsa_guard(), T({"alg": "RS256"})).kind == OK


def test_A_CVE_2025_45765_CVE_2025_45768_short_keys_are_refused() -> None:
    for secret in ("secret", "x" * 31, SECRET[:16]):
        with pytest.raises(ConfigurationError):
            SharedSecret(secret)
    with pytest.raises(ConfigurationError):
        StaticJWKSet(jwks(jwk("RSA-1024")))


# --- S: the signature ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signature", [bytes(64), bytes(32) + b"\1" * 32, b"\1" * 32 + bytes(32)], ids=["zero", "r", "s"]
)
def test_S_CVE_2022_21449_a_signature_of_zeros_is_refused(signature: bytes) -> None:
    rejected(guard(), T(by=lambda _: signature))
    for alg, size in (("ES384", 96), ("ES512", 132), ("ES256K", 64)):
        kind = {"ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}[alg]
        rejected(guard(keys=StaticJWKSet(jwks(jwk(kind)))), T({"alg": alg}, by=lambda _, size=size: bytes(size)))


@pytest.mark.parametrize(
    "published",
    [
        "CVE-2018-1000531",
        "CVE-2020-15240",
        "CVE-2022-29165",
        "CVE-2024-8901",
        "CVE-2026-23518",
        "CVE-2026-24899",
        "CVE-2026-38651",
        "CVE-2025-65945",
    ],
)
def test_S_a_token_that_nobody_or_somebody_else_signed_is_refused(published: str) -> None:
    good = T().split(".")
    admin = text(json_octets({**CLAIMS, "sub": "admin"}))
    for subject in (
        guard(),
        Guard(verifier(), realm="r", optional=True),
        guard(MultiIssuer(verifier())),
        guard(cache_size=5),
    ):  # type: ignore[arg-type]
        assert ask(subject, ".".join(good)).kind == OK
        rejected(subject, f"{good[0]}.{admin}.{good[2]}")
        rejected(subject, T(by=STRANGER, sub="admin"))
        rejected(subject, T({"alg": "HS256"}, by=mac(b"admin")))
    assert published


def test_S_CVE_2016_9122_of_several_signatures_none_is_picked() -> None:
    good = T().split(".")
    forged = T(by=STRANGER, sub="admin").split(".")
    signatures = [{"protected": head, "signature": tag} for head, _, tag in (good, forged)]
    for payload in (good[1], forged[1]):
        form = json.dumps({"payload": payload, "signatures": signatures})
        rejected(guard(), form)
        rejected(guard(), text(form.encode()))


def test_S_GHSA_jc38_x7x8_2xc8_there_is_no_unprotected_header() -> None:
    head, payload, tag = T().split(".")
    form = json.dumps({"payload": payload, "protected": head, "header": {"alg": "none"}, "signature": tag})
    rejected(guard(), form)


# --- K: the attacker's key -----------------------------------------------------------------------------------------

OWN_KEY = {
    "CVE-2018-0114": {"jwk": jwk(number=1)},
    "CVE-2025-24976": {"x5c": [base64.b64encode(DER).decode()], "kid": ABSENT},
    "CVE-2026-27962": {"jwk": jwk(number=1), "kid": ABSENT},
    "CVE-2026-27962-unknown": {"jwk": jwk(number=1), "kid": "attacker"},
}


@pytest.mark.parametrize("published", OWN_KEY)
def test_K_a_key_that_comes_with_the_token_is_not_trusted(published: str) -> None:
    rejected(guard(), T(OWN_KEY[published], by=STRANGER))
    rejected(guard(MultiIssuer(verifier())), T(OWN_KEY[published], by=STRANGER))  # type: ignore[arg-type]


@pytest.mark.vectors
def test_K_CVE_2017_15361_a_modulus_with_the_fingerprint_of_roca_is_unusable() -> None:
    groups = json.loads(vectors("wycheproof/json_web_key_test.json").read_text())["testGroups"]
    (group,) = (group for group in groups if group["comment"] == "jws_rsa_roca_key")
    with pytest.raises(ConfigurationError, match="ROCA"):
        StaticJWKSet(group["public"])


@pytest.mark.parametrize("published", ["CVE-2026-32301", "CVE-2026-41413"])
def test_K_neither_a_claim_nor_metadata_makes_the_package_ask_an_internal_address(
    provider: Loopback, published: str
) -> None:
    for issuer in (provider.url, "http://169.254.169.254/latest/meta-data"):
        rejected(guard(MultiIssuer(verifier())), T({"jku": issuer}, iss=issuer, by=STRANGER))  # type: ignore[arg-type]
    where = "/.well-known/oauth-authorization-server"
    provider.page(where, {"issuer": provider.url, "jwks_uri": "http://169.254.169.254/jwks"})
    subject = guard(keys=RemoteJWKSet.discover(provider.url), issuer=provider.url)
    assert ask(subject, T(iss=provider.url), fetches=True).kind == DOWN
    assert set(provider.requests) <= {where, "/.well-known/openid-configuration"}
    assert published


@pytest.mark.parametrize("published", ["CVE-2026-49478", "GHSA-9v7f-9g4p-ffgj"])
def test_K_a_redirect_does_not_replace_the_keys(provider: Loopback, published: str) -> None:
    with Loopback() as attacker:
        target = attacker.page("/jwks", jwks(jwk(number=1)))
        provider.page("/jwks", b"", status=302, Location=target)
        assert ask(guard(keys=RemoteJWKSet(provider.url + "/jwks")), T(by=STRANGER), fetches=True).kind == DOWN
        assert attacker.requests == []
    assert published


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://as.example/jwks", "data:application/json,{}", "gopher://as.example/"],
    ids=range(4),
)
def test_K_GHSA_993g_76c3_p5m4_only_https_is_fetched(url: str) -> None:
    with pytest.raises(ConfigurationError):
        RemoteJWKSet(url)


# --- C: format -----------------------------------------------------------------------------------------------------


def loose(token: str) -> str:
    """The same octets spelled otherwise: an unused bit of the signature's last character set."""
    return token[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[token[-1]]


MISSHAPEN = {
    "CVE-2019-18848": ".".join(T().split(".")[:2]),
    "CVE-2019-18848-more": T() + "." + "A" * 10,
    "CVE-2025-59420": T({"crit": ["cnf"], "cnf": {}}),
    "CVE-2026-32597": T({"crit": ["x-custom"], "x-custom": True}),
    "CVE-2026-35042": T({"crit": []}),
    "python-jose-413": T({"crit": ["exp"], "exp": 1}),
    "GHSA-w7vc-732c-9m39": T({"b64": False}),
    "GHSA-hxm8-2xgr-2p9m": loose(T()),
}


@pytest.mark.parametrize("published", MISSHAPEN)
def test_C_what_is_not_exactly_a_compact_token_is_refused(published: str) -> None:
    rejected(guard(), MISSHAPEN[published])


# --- V: claims -----------------------------------------------------------------------------------------------------

CLAIM_TRICKS: dict[str, dict[str, Any]] = {
    "CVE-2020-26160": {"aud": []},
    "CVE-2020-26160-nested": {"aud": [["x"]]},
    "CVE-2023-22482": {"aud": "https://other.example"},
    "CVE-2024-5798": {"aud": ["https://other.example"]},
    "CVE-2025-62610": {"aud": ABSENT},
    "CVE-2026-30223": {"aud": "x"},
    "CVE-2026-55669": {"aud": ISSUER},
    "CVE-2025-69196": {"aud": "https://api.example/mcp"},
    "CVE-2026-45069-aud": {"aud": None},
    "CVE-2026-45069-iss": {"iss": ABSENT},
    "CVE-2026-45069-exp": {"exp": ABSENT},
    "CVE-2024-53861": {"iss": "https://as.exampl"},
    "CVE-2024-53861-in": {"iss": "s"},
    "CVE-2025-30144": {"iss": ["https://attacker.example", ISSUER]},
    "CVE-2026-22748": {"iss": "https://other.example"},
    "CVE-2024-5037": {"iss": "https://as.example.attacker.example"},
    "CVE-2026-25537-exp": {"exp": "1"},
    "CVE-2026-25537-nbf": {"nbf": "99999999999"},
    "CVE-2026-25537-null": {"nbf": None},
    "GHSA-wxg7-w2v3-w38g": {"exp": NOW - 1},
    "GHSA-wxg7-w2v3-w38g-iat": {"iat": NOW + 9999, "exp": NOW + 99999},
    "CVE-2020-26892": {"exp": 0},
}


@pytest.mark.parametrize("published", CLAIM_TRICKS)
def test_V_a_claim_that_is_wrong_is_not_taken_for_absent_or_equal(published: str) -> None:
    token = T(**CLAIM_TRICKS[published])
    shared = T({"alg": "HS256"}, by=mac(SECRET), **CLAIM_TRICKS[published])
    for subject in (
        guard(),
        guard(profile="rfc9068"),
        guard(audience={RESOURCE}),
        guard(cache_size=4),
        guard(MultiIssuer(verifier())),
    ):  # type: ignore[arg-type]
        rejected(subject, token)
    rejected(guard(keys=SharedSecret(SECRET)), shared)


@pytest.mark.parametrize("published", ["CVE-2021-21378", "CVE-2022-29165"])
def test_V_where_a_token_is_optional_a_wrong_one_is_still_wrong(published: str) -> None:
    subject = Guard(guard(MultiIssuer(verifier()))._verifier, realm="r", optional=True)  # type: ignore[arg-type]
    assert ask(subject).kind == OK
    assert ask(subject).token is None
    for wrong in (T(iss="https://unknown.example"), T(by=STRANGER), T({"alg": "none"}, by=unsigned), "x", T(exp=1)):
        rejected(subject, wrong)
    assert ask(subject, "a b").kind == IR
    assert published


def test_V_CVE_2026_28498_an_algorithm_that_is_unknown_fails_closed() -> None:
    for alg in ("XS256", "ES256 ", "RS999", "HS1", "Ed25519x"):
        rejected(guard(), T({"alg": alg}, by=signer()))


def test_V_CVE_2026_41164_a_token_of_another_kind_by_the_same_key_is_no_access_token() -> None:
    for header, claims in (
        ({"typ": "vp+jwt"}, {}),
        ({"typ": "token-introspection+jwt"}, {"token_introspection": {"active": True}}),
    ):
        rejected(guard(), T(header, **claims))


def test_V_CVE_2021_41803_CVE_2023_3518_a_policy_of_one_provider_is_not_met_by_another() -> None:
    other = JWTVerifier(
        issuer="https://b.example", audience="b", keys=StaticJWKSet(jwks(jwk(number=1))), leeway=0, clock=lambda: NOW
    )
    both = guard(MultiIssuer(verifier(), other))
    rejected(both, T(aud="b"))
    rejected(both, T(iss="https://b.example", by=STRANGER))
    rejected(both, T(iss="https://b.example", aud="b"))
    assert ask(both, T(iss="https://b.example", aud="b", by=STRANGER)).kind == OK


# --- D: denial of service ------------------------------------------------------------------------------------------

EXPENSIVE = {
    "CVE-2019-17195": raw(b"\xff\xfe\x00", b"\x00"),
    "CVE-2020-26521": raw(b"null", b"null"),
    "CVE-2024-21664": ".".join(["e30"] * 3),
    "CVE-2025-22868": "." * 16_000,
    "CVE-2025-30204": "a." * 8_000,
    "CVE-2025-27144": "." * 1_000_000,
    "CVE-2025-61920": T(x="A" * 1_000_000),
    "CVE-2025-53864": raw(HEADER, b'{"a":' * 2500),
    "GHSA-8wjv-2p76-3863": raw(b"[" * 5000, CLAIMS),
    "CVE-2023-25653": raw(HEADER, b'{"exp":' + b"9" * 8000 + b"}"),
    "CVE-2026-35041": T(aud="a" * 10_000 + "!"),
    "HAProxy-jwt-verify": T(by=lambda _: b"\x30" * 10_000),
    "CVE-2022-36083": raw(
        {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2**31 - 1, "p2s": "AA"}, b"x", unsigned
    )
    + "..",
    "CVE-2024-28102": raw({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}, b"x" * 8000, unsigned) + "..",
    "CVE-2026-34986": "e30....",
}


@pytest.mark.parametrize("published", EXPENSIVE)
def test_D_a_token_that_is_costly_elsewhere_is_refused_at_once(published: str) -> None:
    for subject in (guard(), guard(MultiIssuer(verifier())), rsa_guard()):  # type: ignore[arg-type]
        rejected(subject, EXPENSIVE[published])


def test_D_CVE_2026_42576_a_set_of_unexpected_keys_is_no_crash(provider: Loopback) -> None:
    odd = [
        jwk("Ed448"),
        {"kty": "OKP", "crv": "X25519", "x": text(bytes(32))},
        {"kty": "EC", "crv": "P-256"},
        jwk(kid="good"),
    ]
    subject = guard(keys=RemoteJWKSet(provider.page("/jwks", {"keys": odd})))
    assert ask(subject, T({"kid": "good"}), fetches=True).kind == OK
    refused(subject, T({"kid": "no"}), UnknownKey, fetches=True)


@pytest.mark.parametrize("published", ["CVE-2026-48524", "GHSA-2gx3-rcp4-g85q"])
def test_D_strangers_neither_flood_the_provider_nor_empty_the_cache(provider: Loopback, published: str) -> None:
    subject = guard(keys=RemoteJWKSet(provider.page("/jwks", jwks())))
    assert ask(subject, T(), fetches=True).kind == OK
    provider.page("/jwks", b"", status=500)
    for number in range(100):
        assert ask(subject, T({"kid": f"stranger-{number}"}, by=lambda _: bytes(64)), fetches=True).kind == DOWN
        assert ask(subject, T(), fetches=True).kind == OK
    assert len(provider.requests) <= 3
    assert published


def test_D_CVE_2026_35039_no_two_tokens_share_an_entry_of_the_cache() -> None:
    subject, token = guard(cache_size=10), T()
    assert ask(subject, token).kind == OK
    head, payload, tag = token.split(".")
    for other in (
        token.swapcase(),
        token.lower(),
        f"{head}.{payload}.{tag}=",
        f"{payload}.{head}.{tag}",
        token[:-1],
        f"{head}.{payload}.",
        token + "A",
    ):
        rejected(subject, other)
    assert ask(subject, token).kind == OK


# --- P: path and header --------------------------------------------------------------------------------------------


def test_P_CVE_2026_26308_a_field_that_comes_twice_is_not_judged_by_its_first_line() -> None:
    good, bad = f"Bearer {T()}", f"Bearer {T(by=STRANGER)}"
    for values in ((good, bad), (bad, good), (good, good), (good, "Basic x")):
        assert ask(guard(), fields=tuple(("Authorization", value) for value in values)).kind == IR
    assert ask(guard(), fields=(("Authorization", f"{good},{bad}"),)).kind == IR


def asgi_status(app: Any, path: str, headers: list[tuple[bytes, bytes]], **scope: Any) -> int:
    """What an ASGI application answers to a GET, driven without an event loop."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    full = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        **scope,
    }
    coroutine = app(full, receive, send)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    return int(sent[0]["status"])


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})


SPOOFED: dict[str, tuple[str, list[tuple[bytes, bytes]], dict[str, Any]]] = {
    "CVE-2025-29927": ("/admin", [(b"x-middleware-subrequest", b"middleware:middleware")], {}),
    "CVE-2026-48710-query": ("/admin", [(b"host", b"x/health?a=")], {}),
    "CVE-2026-48710-fragment": ("/admin", [(b"host", b"x/health#")], {}),
    "CVE-2026-40575": ("/admin", [(b"x-forwarded-uri", b"/health")], {}),
    "CVE-2026-40575-original": ("/admin", [(b"x-original-url", b"/health"), (b"x-rewrite-url", b"/health")], {}),
    "CVE-2025-54576": ("/admin", [], {"query_string": b"/health"}),
    "CVE-2022-22978": ("/health\n/admin", [], {"raw_path": b"/health%0a/admin"}),
    "CVE-2021-29492": ("/health/../admin", [], {"raw_path": b"/health%2f..%2fadmin"}),
    "CVE-2021-31920": ("//admin", [], {}),
    "CVE-2020-8595": ("/health/", [], {}),
    "CVE-2020-8595-query": ("/health?x", [], {"raw_path": b"/health%3Fx"}),
    "CVE-2026-22753": ("/api/health/admin", [], {"root_path": "/api/health"}),
    "CVE-2026-3902": ("/admin", [(b"x_forwarded_user", b"admin"), (b"authorization_", b"Bearer x")], {}),
    "CVE-2025-64484": ("/admin", [(b"x_forwarded_uri", b"/health")], {}),
    "CVE-2026-50149": ("/admin", [], {"scheme": "http", "server": None}),
    "CVE-2025-48865": ("/admin", [(b"connection", b"authorization")], {}),
}


@pytest.mark.parametrize("published", SPOOFED)
def test_P_nothing_but_the_path_itself_makes_a_request_public(published: str) -> None:
    app = BearerMiddleware(inner, guard(), public=["/health"])
    path, headers, scope = SPOOFED[published]
    assert asgi_status(app, path, headers, **scope) == 401
    assert asgi_status(app, "/health", []) == 200
    assert asgi_status(app, path, [*headers, (b"authorization", f"Bearer {T()}".encode())], **scope) == 200


# --- T: handling of tokens -----------------------------------------------------------------------------------------


def test_T_CVE_2026_44883_a_token_in_the_query_is_ignored() -> None:
    app = BearerMiddleware(inner, guard())
    query = f"access_token={T()}".encode()
    assert asgi_status(app, "/r", [], query_string=query) == 401
    assert (
        asgi_status(app, "/r", [(b"authorization", f"Bearer {T()}".encode())], query_string=b"access_token=junk") == 200
    )
    assert ask(guard()).kind == BARE


def test_T_CVE_2024_51744_one_answer_says_one_thing_and_the_signature_comes_first() -> None:
    answer = ask(guard(), T(by=STRANGER, exp=1))
    assert answer.kind == IT
    assert answer.params is not None
    assert "expired" not in answer.params["error_description"]


def test_T_CVE_2015_10004_CVE_2016_7036_a_mac_that_is_nearly_right_is_as_wrong_as_any() -> None:
    subject, good = guard(keys=SharedSecret(SECRET)), mac(SECRET)
    wires = {
        rejected(subject, T({"alg": "HS256"}, by=lambda octets, kept=kept: good(octets)[:kept] + bytes(32 - kept))).wire
        for kept in range(0, 32, 3)
    }
    assert len(wires) == 1


def test_T_a_provider_that_is_down_is_never_an_answer_about_the_token() -> None:
    subject = guard(keys=RemoteJWKSet("http://127.0.0.1:9/jwks", timeout=0.5))
    begun = time.monotonic()
    with pytest.raises(AuthorityUnavailable):
        subject.check(IncomingRequest("GET", "/r", {"authorization": f"Bearer {T()}"}))
    with pytest.raises(InvalidToken):  # what needs no key is judged all the same
        subject.check(IncomingRequest("GET", "/r", {"authorization": f"Bearer {T({'alg': 'none'}, by=unsigned)}"}))
    assert time.monotonic() - begun < 8
