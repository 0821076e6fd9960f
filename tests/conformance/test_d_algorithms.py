"""Rows D of the conformance list: algorithms and keys."""

from __future__ import annotations

import ast
import inspect
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from bearer_guard import (
    BadSignature,
    ConfigurationError,
    InvalidToken,
    JWTVerifier,
    MalformedToken,
    RemoteJWKSet,
    SharedSecret,
    StaticJWKSet,
    UnknownKey,
)
from bearer_guard._checks import _hmac
from bearer_guard._jose import UnusableKey, load_jwk
from bearer_guard._strict import b64url_decode
from tests.answers import DOWN, OK, admitted, ask, guard, refused
from tests.loopback import Loopback
from tests.tokens import (
    ABSENT,
    CLAIMS,
    HEADER,
    ISSUER,
    RESOURCE,
    SECRET,
    T,
    jwk,
    jwks,
    mac,
    private_key,
    raw,
    signer,
    text,
    unsigned,
)

RSA_PUBLIC = private_key("RSA").public_key()
EC_PUBLIC = private_key("P-256").public_key()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""n of P-256 (SEC 2 §2.4.2)."""


def keys(*members: dict[str, Any]) -> StaticJWKSet:
    return StaticJWKSet(jwks(*members))


NONE_LIKE = [
    "none",
    "None",
    "NONE",
    "nOnE",
    "none ",
    " none",
    "none\0",
    "n\u043ene",
    "",
    "es256",
    "ES256 ",
    "ES521",
    "ES255",
    "HS256",
]
NOT_STRINGS: list[Any] = [None, False, 0, 1, [], {}, ["ES256"], {"alg": "ES256"}, ABSENT]


@pytest.mark.parametrize("kept", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("alg", NONE_LIKE, ids=repr)
def test_D01_an_algorithm_that_is_not_allowed_by_exactly_that_name_is_refused(alg: str, kept: bool) -> None:
    refused(guard(), T({"alg": alg}, by=signer() if kept else unsigned), InvalidToken, "algorithm_not_allowed")


@pytest.mark.parametrize("kept", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("alg", NOT_STRINGS, ids=repr)
def test_D01_an_algorithm_that_is_no_string_is_refused(alg: Any, kept: bool) -> None:
    refused(guard(), T({"alg": alg}, by=signer() if kept else unsigned), MalformedToken)


@pytest.mark.parametrize(("alg", "kind"), [("RS256", "RSA"), ("PS256", "RSA"), ("ES384", "P-384")])
def test_D01_a_good_signature_by_an_algorithm_that_is_not_listed_is_refused(alg: str, kind: str) -> None:
    source = keys(jwk(), jwk(kind))
    refused(guard(keys=source, algorithms=["ES256"]), T({"alg": alg}), InvalidToken, "algorithm_not_allowed")
    assert ask(guard(keys=source, algorithms=["ES256", alg]), T({"alg": alg})).kind == OK
    assert ask(guard(keys=source, algorithms=["ES256"]), T()).kind == OK


@pytest.mark.parametrize("name", ["none", "None", "NONE", "", "ES521", "es256", "RSA1_5", "dir", "A256KW"])
def test_D02_none_and_whatever_is_unknown_cannot_be_configured(name: str) -> None:
    for algorithms in ([name], ["ES256", name]):
        with pytest.raises(ConfigurationError, match="algorithm"):
            JWTVerifier(issuer=ISSUER, audience=RESOURCE, keys=keys(jwk()), algorithms=algorithms)


def test_D03_a_key_that_names_its_algorithm_verifies_no_other() -> None:
    for own, other in (("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS384"), ("RS512", "RS256")):
        source = keys(jwk("RSA", alg=own))
        assert ask(guard(keys=source), T({"alg": own})).kind == OK
        for algorithms in (None, [own, other]):
            refused(guard(keys=source, algorithms=algorithms), T({"alg": other}), BadSignature)
            crossed = T({"alg": own}, by=signer(other))  # the header says one thing, the signature is another
            refused(guard(keys=source, algorithms=algorithms), crossed, BadSignature)


def test_D03_a_key_without_algorithm_verifies_what_fits_its_type_by_default_or_by_list() -> None:
    source = keys(jwk("RSA"))
    for alg in ("RS256", "PS256"):
        assert ask(guard(keys=source), T({"alg": alg})).kind == OK
    refused(guard(keys=source), T({"alg": "RS512"}), BadSignature)
    assert ask(guard(keys=source, algorithms=["RS512"]), T({"alg": "RS512"})).kind == OK
    refused(guard(keys=source), T({"alg": "HS256"}, by=mac(b"")), InvalidToken, "algorithm_not_allowed")


def pem(key: Any = RSA_PUBLIC, kind: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    return key.public_bytes(Encoding.PEM, kind)


def der(key: Any = RSA_PUBLIC, kind: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    return key.public_bytes(Encoding.DER, kind)


def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "as.example")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(RSA_PUBLIC).serial_number(7)
    made = made.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    return made.sign(private_key("RSA"), hashes.SHA256()).public_bytes(Encoding.PEM)


RSA_JWK = jwk("RSA", alg="RS256")
MODULUS = b64url_decode(RSA_JWK["n"].encode())
SPELLED = {
    "spki-pem": pem(),
    "pkcs1-pem": pem(kind=PublicFormat.PKCS1),
    "no-final-line-feed": pem().rstrip(),
    "crlf": pem().replace(b"\n", b"\r\n"),
    "leading-space": b" \n\t" + pem(),
    "byte-order-mark": b"\xef\xbb\xbf" + pem(),
    "spki-der": der(),
    "pkcs1-der": der(kind=PublicFormat.PKCS1),
    "openssh": RSA_PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "certificate": certificate(),
    "jwk": json.dumps(RSA_JWK).encode(),
    "jwk-compact": json.dumps(RSA_JWK, separators=(",", ":")).encode(),
    "jwk-sorted": json.dumps(RSA_JWK, sort_keys=True).encode(),
    "jwks": json.dumps({"keys": [RSA_JWK]}).encode(),
    "keys": json.dumps([RSA_JWK]).encode(),
    "ec-pem": pem(EC_PUBLIC),
    "ec-der": der(EC_PUBLIC),
    "ec-jwk": json.dumps(jwk()).encode(),
    "ec-point": EC_PUBLIC.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    "ec-openssh": EC_PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "ed25519-pem": pem(private_key("Ed25519").public_key()),
    "private-pem": private_key("RSA").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "private-sec1": private_key("P-256").private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
}
LIKE_RANDOM = {"modulus": MODULUS, "modulus-base64url": RSA_JWK["n"].encode()}


@pytest.mark.parametrize("kid", ["k1", "k2", ABSENT], ids=repr)
@pytest.mark.parametrize(
    "secret", [*SPELLED.values(), *LIKE_RANDOM.values(), b""], ids=[*SPELLED, *LIKE_RANDOM, "empty"]
)
def test_D04_a_public_key_is_never_taken_for_a_secret(secret: bytes, kid: Any) -> None:
    source = keys(jwk("RSA"), jwk(kid="k2"))
    forged = T({"alg": "HS256", "kid": kid}, by=mac(secret), sub="admin")
    refused(guard(keys=source), forged, InvalidToken, "algorithm_not_allowed")
    with pytest.raises(ConfigurationError, match="SharedSecret"):
        guard(keys=source, algorithms=["ES256", "HS256"])


def test_D04_a_set_that_is_fetched_yields_public_keys_alone() -> None:
    secret = {"kty": "oct", "kid": "k1", "k": text(SECRET), "alg": "HS256"}
    with Loopback() as provider:
        subject = guard(keys=RemoteJWKSet(provider.page("/both", jwks(secret, jwk()))))
        assert ask(subject, T(), fetches=True).kind == OK
        refused(subject, T({"alg": "HS256"}, by=mac(SECRET)), InvalidToken, "algorithm_not_allowed", fetches=True)
        alone = guard(keys=RemoteJWKSet(provider.page("/oct", jwks(secret))))
        refused(alone, T({"alg": "HS256"}, by=mac(SECRET)), InvalidToken, "algorithm_not_allowed", fetches=True)
        assert ask(alone, T(), fetches=True).kind == DOWN  # a set without one usable key is a failed attempt
        assert provider.requests == ["/both", "/oct"]


@pytest.mark.parametrize("alg", ["RS256", "ES256", "none", "HS512", "hs256"])
def test_D04_a_shared_secret_verifies_its_one_hmac_and_nothing_else(alg: str) -> None:
    source = SharedSecret(SECRET, algorithm="HS256")
    assert ask(guard(keys=source), T({"alg": "HS256"}, by=mac(SECRET))).kind == OK
    by = mac(SECRET, alg) if alg.startswith("HS") else None
    refused(guard(keys=source), T({"alg": alg}, by=by), InvalidToken, "algorithm_not_allowed")
    with pytest.raises(ConfigurationError):
        guard(keys=source, algorithms=[alg])


@pytest.mark.parametrize("secret", SPELLED.values(), ids=SPELLED)
def test_D05_a_secret_that_is_an_encoded_key_is_a_configuration_error(secret: bytes) -> None:
    for given in (secret, b"\n" + secret + b"\n") if secret.isascii() else (secret,):
        with pytest.raises(ConfigurationError) as caught:
            SharedSecret(given)
        assert secret.decode("latin-1") not in str(caught.value)


@pytest.mark.parametrize(("algorithm", "octets"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_D06_a_secret_is_at_least_as_long_as_the_hash(algorithm: str, octets: int) -> None:
    for secret in (SECRET[: octets - 1], b"", "", SECRET[:1]):
        with pytest.raises(ConfigurationError):
            SharedSecret(secret, algorithm=algorithm)
    good = SECRET[:octets]
    token = T({"alg": algorithm}, by=mac(good, algorithm))
    assert ask(guard(keys=SharedSecret(good, algorithm=algorithm)), token).kind == OK


@pytest.mark.parametrize(
    "returned", ["", b"", None, SECRET[:31], 7, pem()], ids=["text", "bytes", "none", "31", "int", "pem"]
)
def test_D06_a_callable_that_returns_no_usable_secret_never_verifies(returned: Any) -> None:
    subject = guard(keys=SharedSecret(lambda: returned))
    for key in (b"", SECRET[:31], pem()):
        assert ask(subject, T({"alg": "HS256"}, by=mac(key)), fetches=True).kind == DOWN


COPIED = [
    "your-256-bit-secret-your-256-bit-secret",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "a-string-secret-at-least-256-bits-long",
    "secretsecretsecretsecretsecretsecret",
    "changeme-changeme-changeme-changeme",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "0123456789abcdef0123456789abcdef",
    "qwertyuiopasdfghjklzxcvbnm1234567890",
    "correct horse battery staple correct horse",
    bytes(32),
    bytes(range(64)),
]


@pytest.mark.parametrize("secret", COPIED, ids=range(len(COPIED)))
def test_D07_a_secret_that_everybody_copies_or_could_guess_is_refused(secret: str | bytes) -> None:
    with pytest.raises(ConfigurationError):
        SharedSecret(secret)


def test_D08_an_rsa_key_below_2048_bits_is_unusable() -> None:
    short = jwk("RSA-1024", kid="short")
    source = keys(jwk("RSA"), short)
    assert len(source.status()["skipped"]) == 1
    refused(guard(keys=source), T({"alg": "RS256", "kid": "short"}, by=signer("RS256", "RSA-1024")), UnknownKey)
    assert ask(guard(keys=source), T({"alg": "RS256"})).kind == OK
    with pytest.raises(ConfigurationError, match="2048"):
        keys(short)


@pytest.mark.parametrize("exponent", ["AQ", "Ag", "AQAA", "AA", text(b"\xff" * 5)], ids=["1", "2", "even", "0", "wide"])
def test_D08_an_rsa_exponent_that_is_even_or_one_is_unusable(exponent: str) -> None:
    with pytest.raises(UnusableKey):
        load_jwk(jwk("RSA", e=exponent))


CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}


@pytest.mark.parametrize("alg", CURVES)
def test_D09_an_algorithm_goes_with_its_own_curve_and_no_other(alg: str) -> None:
    for own, curve in CURVES.items():
        source = keys(jwk(curve))
        good = T({"alg": own})
        if own == alg:
            assert ask(guard(keys=source), good).kind == OK
            continue
        signed = ec.ECDSA(
            {"ES256": hashes.SHA256, "ES256K": hashes.SHA256, "ES384": hashes.SHA384, "ES512": hashes.SHA512}[alg]()
        )
        size = {"P-256": 32, "P-384": 48, "P-521": 66, "secp256k1": 32}[curve]

        def by(signing_input: bytes, curve: str = curve, size: int = size, signed: Any = signed) -> bytes:
            r, s = decode_dss_signature(private_key(curve).sign(signing_input, signed))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")

        for algorithms in (None, list(CURVES)):
            refused(guard(keys=source, algorithms=algorithms), T({"alg": alg}, by=by), BadSignature)
        with pytest.raises(UnusableKey):
            load_jwk(jwk(curve, alg=alg))


def as_pair(r: int, s: int, size: int = 32) -> bytes:
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


@pytest.mark.parametrize(
    "forge",
    [
        lambda raw: bytes(64),
        lambda raw: as_pair(ORDER, ORDER),
        lambda raw: as_pair(1, 1),
        lambda raw: as_pair(ORDER - 1, ORDER - 1),
        lambda raw: as_pair(0, 1),
        lambda raw: raw[:32] + bytes(32),
        lambda raw: as_pair(int.from_bytes(raw[:32], "big") + ORDER & (2**256 - 1), int.from_bytes(raw[32:], "big")),
        lambda raw: raw + b"\0",
        lambda raw: b"\0" + raw,
        lambda raw: raw[:-1],
        lambda raw: b"\0" + raw[:32] + b"\0" + raw[32:],
        lambda raw: raw[32:] + raw[:32],
        lambda raw: b"",
        lambda raw: b"\xff" * 8000,
        lambda raw: private_key("P-256").sign(b"x", ec.ECDSA(hashes.SHA256())),
    ],
    ids=[
        "zero",
        "n",
        "one",
        "n-1",
        "r=0",
        "s=0",
        "r+n",
        "65",
        "65-front",
        "63",
        "33-halves",
        "swapped",
        "empty",
        "long",
        "der",
    ],
)
def test_D10_an_ecdsa_signature_is_two_full_numbers_in_range(forge: Any) -> None:
    refused(guard(), T(by=lambda octets: forge(signer()(octets))), BadSignature)


def test_D10_the_der_form_of_a_good_signature_is_refused() -> None:
    refused(guard(), T(by=lambda octets: private_key("P-256").sign(octets, ec.ECDSA(hashes.SHA256()))), BadSignature)


def flip(segment: str) -> str:
    octets = bytearray(b64url_decode(segment.encode()))
    octets[-1] ^= 1
    return text(bytes(octets))


def test_D11_a_point_off_the_curve_or_with_short_coordinates_is_unusable() -> None:
    good = jwk()
    short = text(b64url_decode(good["x"].encode())[1:])
    for broken in (
        {"y": flip(good["y"])},
        {"x": short},
        {"x": text(bytes(32)), "y": text(bytes(32))},
        {"x": text(bytes(1) + b64url_decode(good["x"].encode()))},
        {"crv": "P-384"},
        {"y": good["y"] + "="},
    ):
        with pytest.raises(UnusableKey):
            load_jwk(jwk(**broken))
    source = keys(jwk(y=flip(good["y"])), jwk(kid="k2"))
    refused(guard(keys=source), T(), UnknownKey)
    assert ask(guard(keys=source), T({"kid": "k2"})).kind == OK


@pytest.mark.parametrize("salt", [0, 20, 31, 33, 222], ids=str)
def test_D12_a_pss_salt_of_another_length_than_the_hash_is_refused(salt: int) -> None:
    def by(length: int, digest: Any = hashes.SHA256, mask: Any = hashes.SHA256) -> Any:
        scheme = padding.PSS(padding.MGF1(mask()), length)
        return lambda octets: private_key("RSA").sign(octets, scheme, digest())

    subject = guard(keys=keys(jwk("RSA")))
    assert ask(subject, T({"alg": "PS256"}, by=by(32))).kind == OK
    refused(subject, T({"alg": "PS256"}, by=by(salt)), BadSignature)
    refused(subject, T({"alg": "PS256"}, by=by(32, mask=hashes.SHA1)), BadSignature)
    refused(subject, T({"alg": "PS256"}, by=by(32, digest=hashes.SHA512)), BadSignature)


def test_D13_the_curves_of_edwards_are_known_by_their_own_names() -> None:
    for name, other in (("Ed25519", "Ed448"), ("Ed448", "Ed25519")):
        source = keys(jwk(name))
        assert ask(guard(keys=source), T({"alg": name})).kind == OK
        refused(guard(keys=source), T({"alg": other}), BadSignature)
        refused(guard(keys=source), T({"alg": other}, by=signer(name)), BadSignature)
        with pytest.raises(UnusableKey):
            load_jwk(jwk(name, alg=other))


def test_D13_the_old_name_is_off_unless_key_or_list_says_so_and_bound_to_the_curve() -> None:
    token = T({"alg": "EdDSA"})
    refused(guard(keys=keys(jwk("Ed25519"))), token, BadSignature)
    assert ask(guard(keys=keys(jwk("Ed25519", alg="EdDSA"))), token).kind == OK
    assert ask(guard(keys=keys(jwk("Ed25519")), algorithms=["EdDSA"]), token).kind == OK
    refused(guard(keys=keys(jwk("Ed448", alg="EdDSA"))), token, BadSignature)
    refused(guard(keys=keys(jwk("Ed25519", alg="EdDSA"))), T({"alg": "Ed25519"}), BadSignature)
    refused(guard(keys=keys(jwk("Ed25519")), algorithms=["EdDSA"]), T({"alg": "Ed25519"}), InvalidToken)


@pytest.mark.parametrize("name", ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"])
def test_D14_ml_dsa_keys_must_name_their_algorithm(name: str) -> None:
    mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    private = getattr(mldsa, f"MLDSA{name[-2:]}PrivateKey").generate()
    pub = text(private.public_key().public_bytes_raw())
    key = {"kty": "AKP", "alg": name, "pub": pub, "kid": "k1"}
    token = T({"alg": name}, by=private.sign)
    assert ask(guard(keys=keys(key)), token).kind == OK
    refused(guard(keys=keys(key)), T({"alg": name}, by=lambda octets: private.sign(octets, b"context")), BadSignature)
    for broken in (
        {**key, "alg": "ML-DSA-44" if name != "ML-DSA-44" else "ML-DSA-65"},
        {"kty": "AKP", "pub": pub, "kid": "k1"},
        {**key, "alg": "ES256"},
        {**key, "pub": pub[:-4]},
    ):
        with pytest.raises(UnusableKey):
            load_jwk(broken)


def test_D15_no_header_parameter_supplies_or_locates_the_key() -> None:
    own, stranger = jwk(number=1), signer(number=1)
    with Loopback() as listener:
        located = listener.page("/keys", jwks(own))
        for carried in (
            {"jwk": own},
            {"jwk": own, "kid": "k2"},
            {"jwk": own, "kid": ABSENT},
            {"jwk": {"kty": "oct", "k": text(SECRET)}, "alg": "HS256"},
            {"jku": located},
            {"jku": located, "kid": "k2"},
            {"x5u": located},
            {"x5c": [text(certificate())]},
            {"x5t": "x", "x5t#S256": "x"},
        ):
            by = mac(SECRET) if carried.get("alg") == "HS256" else stranger
            refused(guard(), T(carried, by=by), (BadSignature, UnknownKey, InvalidToken))
        assert ask(guard(), T({"jwk": own, "jku": located, "x5u": located})).kind == OK
        assert listener.requests == []


def test_D16_every_single_flipped_bit_of_a_signature_is_refused() -> None:
    head, payload, signature = T().split(".")
    octets = b64url_decode(signature.encode())
    subject = guard()
    for bit in range(8 * len(octets)):
        flipped = bytearray(octets)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadSignature):
            subject._verifier.verify(f"{head}.{payload}.{text(bytes(flipped))}")
    assert ask(subject, f"{head}.{payload}.{signature}").kind == OK


def test_D16_the_right_head_of_a_mac_is_not_enough_and_it_is_compared_in_constant_time() -> None:
    subject = guard(keys=SharedSecret(SECRET))
    good = mac(SECRET)
    for cut in (0, 1, 16, 31):
        refused(
            subject, T({"alg": "HS256"}, by=lambda octets, cut=cut: good(octets)[:cut] + bytes(32 - cut)), BadSignature
        )
        refused(subject, T({"alg": "HS256"}, by=lambda octets, cut=cut: good(octets)[:cut]), BadSignature)


def test_D16_TIMING_1_a_mac_is_compared_by_the_library_and_by_no_operator() -> None:
    tree = ast.parse(inspect.getsource(_hmac))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert "verify" in names  # of cryptography's HMAC, which compares in constant time
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]


def test_D17_rs256_is_supported() -> None:
    for options in ({"algorithms": ["RS256"]}, {}, {"profile": "rfc9068"}):
        assert admitted(guard(keys=keys(jwk("RSA", alg="RS256")), **options), T({"alg": "RS256"})).subject == "u1"


def test_D18_private_members_are_neither_used_nor_logged(logged: list[str], caplog: pytest.LogCaptureFixture) -> None:
    numbers = private_key("RSA").private_numbers()
    secret = {
        name: text(value.to_bytes(256, "big").lstrip(b"\0"))
        for name, value in (("d", numbers.d), ("p", numbers.p), ("q", numbers.q))
    }
    ec_secret = text(private_key("P-256").private_numbers().private_value.to_bytes(32, "big"))
    with caplog.at_level(logging.WARNING, "bearer_guard"):
        source = keys(jwk("RSA", kid="r", **secret), jwk(d=ec_secret))
    warnings = [record for record in caplog.records if "private" in record.message]
    assert len(warnings) == 2
    assert ask(guard(keys=source), T({"alg": "RS256", "kid": "r"})).kind == OK
    assert ask(guard(keys=source), T()).kind == OK
    shown = "\n".join([*logged, caplog.text, repr(source), str(source.status()), repr(source.current().keys)])
    assert not [value for value in (*secret.values(), ec_secret) if value in shown]


def test_D18_private_members_of_a_fetched_set_are_neither_used_nor_logged(
    logged: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    secret = text(private_key("P-256").private_numbers().private_value.to_bytes(32, "big"))
    provider = Loopback()
    try:
        source = RemoteJWKSet(provider.page("/jwks", jwks(jwk(d=secret))))
        with caplog.at_level(logging.DEBUG, "bearer_guard"):
            assert ask(guard(keys=source), T(), fetches=True).kind == OK
    finally:
        provider.close()
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "carries private members" in warning.message
    assert secret not in "\n".join([*logged, caplog.text, repr(source), str(source.status())])


def test_D18_a_wrong_private_member_does_not_take_the_public_key_down() -> None:
    assert ask(guard(keys=keys(jwk(d="AA")))).status == 401
    assert ask(guard(keys=keys(jwk(d="AA"))), T()).kind == OK
    assert (
        ask(guard(keys=keys(jwk("RSA", d=5, p=[]))), raw({**HEADER, "alg": "RS256"}, CLAIMS, signer("RS256"))).kind
        == OK
    )
