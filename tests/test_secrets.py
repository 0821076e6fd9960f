"""A shared secret is refused when it is empty, short, a key, an example or guessable, and never when it is random."""

from __future__ import annotations

import base64
import json
import random
import re
import string
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from bearer_guard._guessable import MARGIN, _as_keys, _as_prose, human_bits, machine_bits
from bearer_guard._secrets import secret_problem
from tests.quick import within
from tests.vectors import vectors

ALGORITHMS = {"HS256": 32, "HS384": 48, "HS512": 64}
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEYS = [ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1())]
ED_KEY = ed25519.Ed25519PrivateKey.generate()
SPKI, PKCS1, PKCS8 = PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1, PrivateFormat.PKCS8
CONTAINER = pkcs12.serialize_key_and_certificates(b"k", RSA_KEY, None, None, BestAvailableEncryption(b"pass"))


def certificate(key: Any = RSA_KEY) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "id.example.com")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


def request() -> x509.CertificateSigningRequest:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "id.example.com")])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(RSA_KEY, hashes.SHA256())


def key_material() -> dict[str, bytes]:
    forms: dict[str, bytes] = {}
    for name, key in [("RSA", RSA_KEY), ("Ed25519", ED_KEY), *((key.curve.name, key) for key in EC_KEYS)]:
        public = key.public_key()
        forms[f"{name} SPKI PEM"] = public.public_bytes(Encoding.PEM, SPKI)
        forms[f"{name} SPKI DER"] = public.public_bytes(Encoding.DER, SPKI)
        forms[f"{name} PKCS#8 PEM"] = key.private_bytes(Encoding.PEM, PKCS8, NoEncryption())
        forms[f"{name} PKCS#8 DER"] = key.private_bytes(Encoding.DER, PKCS8, NoEncryption())
        if name != "secp256k1":  # which OpenSSH does not know
            forms[f"{name} OpenSSH private"] = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
            forms[f"{name} OpenSSH line"] = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    for key in EC_KEYS:
        forms[f"{key.curve.name} point"] = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        forms[f"{key.curve.name} SEC1 DER"] = key.private_bytes(
            Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        )
    forms["RSA PKCS#1 PEM"] = RSA_KEY.public_key().public_bytes(Encoding.PEM, PKCS1)
    forms["RSA PKCS#1 DER"] = RSA_KEY.public_key().public_bytes(Encoding.DER, PKCS1)
    traditional = PrivateFormat.TraditionalOpenSSL
    forms["RSA private PKCS#1 PEM"] = RSA_KEY.private_bytes(Encoding.PEM, traditional, NoEncryption())
    forms["RSA private PKCS#1 DER"] = RSA_KEY.private_bytes(Encoding.DER, traditional, NoEncryption())
    forms["encrypted PKCS#8 DER"] = RSA_KEY.private_bytes(Encoding.DER, PKCS8, BestAvailableEncryption(b"pass"))
    forms["certificate PEM"] = certificate().public_bytes(Encoding.PEM)
    forms["certificate DER"] = certificate().public_bytes(Encoding.DER)
    forms["EC certificate DER"] = certificate(EC_KEYS[0]).public_bytes(Encoding.DER)
    forms["request DER"] = request().public_bytes(Encoding.DER)
    forms["PKCS#7 DER"] = pkcs7.serialize_certificates([certificate()], Encoding.DER)
    forms["PKCS#12"] = CONTAINER
    rsa_jwk = RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True)
    jwks = [
        rsa_jwk,
        ECAlgorithm.to_jwk(EC_KEYS[0].public_key(), as_dict=True),
        OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True),
        RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True),
        {"kty": "oct", "k": base64.urlsafe_b64encode(bytes(range(32))).decode()},
    ]
    for number, jwk in enumerate(jwks):
        forms[f"JWK {number}"] = json.dumps(jwk, separators=(",", ":")).encode()
        forms[f"JWK {number} spaced"] = json.dumps(jwk, indent=2, sort_keys=True).encode()
    forms["JWKS"] = json.dumps({"keys": jwks}).encode()
    forms["keys array"] = json.dumps(jwks).encode()
    forms["nested JWKS"] = json.dumps({"config": [{"idp": {"jwks": {"keys": jwks}}}]}).encode()
    forms["JWK in a JSON string"] = json.dumps({"key": json.dumps(rsa_jwk)}).encode()
    forms["JWK with escapes"] = json.dumps(rsa_jwk).replace("kty", "\\u006b\\u0074y").encode()
    forms["JWK of another language"] = repr(rsa_jwk).encode()
    return forms


MATERIAL = key_material()
DRESSES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda octets: octets,
    "with a line feed": lambda octets: octets + b"\n",
    "with white space in front": lambda octets: b" \t\n" + octets,
    "in base64": base64.b64encode,
    "in wrapped base64": base64.encodebytes,
    "in base64url without padding": lambda octets: base64.urlsafe_b64encode(octets).rstrip(b"="),
    "in base64 twice": lambda octets: base64.b64encode(base64.b64encode(octets)),
    "in hexadecimal": lambda octets: octets.hex().encode(),
    "in hexadecimal with colons": lambda octets: octets.hex(":").upper().encode(),
}
TEXT_DRESSES: dict[str, Callable[[bytes], bytes]] = {
    "with CRLF": lambda octets: octets.replace(b"\n", b"\r\n"),
    "without the last line feed": bytes.strip,
    "after a byte order mark": lambda octets: b"\xef\xbb\xbf" + octets,
    "in UTF-16": lambda octets: octets.decode().encode("utf-16"),
    "with escaped line feeds": lambda octets: octets.replace(b"\n", b"\\n"),
}


def assert_refused(secret: bytes, because: str, algorithm: str = "HS256") -> str:
    problem = secret_problem(secret, algorithm)
    assert problem is not None, "accepted"
    assert because in problem
    assert "secrets.token_urlsafe(" in problem
    return problem


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_empty_secret_is_refused(algorithm: str) -> None:
    assert_refused(b"", "empty", algorithm)


@pytest.mark.parametrize(("algorithm", "octets"), ALGORITHMS.items())
def test_a_secret_shorter_than_the_hash_is_refused_and_one_of_its_length_is_not(algorithm: str, octets: int) -> None:
    randomness = random.Random(1)
    assert_refused(randomness.randbytes(octets - 1), f"needs at least {octets}", algorithm)
    assert secret_problem(randomness.randbytes(octets), algorithm) is None


def test_a_secret_as_long_as_a_file_is_refused() -> None:
    randomness = random.Random(2)
    assert secret_problem(randomness.randbytes(16384), "HS256") is None
    assert_refused(randomness.randbytes(16385), "not a secret")


def test_another_algorithm_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        secret_problem(bytes(64), "RS256")


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("form", MATERIAL)
def test_a_key_is_refused_in_any_encoding(form: str, dress: str) -> None:
    assert_refused(DRESSES[dress](MATERIAL[form]), "not a secret: whoever has read it")


@pytest.mark.parametrize("dress", TEXT_DRESSES)
@pytest.mark.parametrize("form", [name for name, octets in MATERIAL.items() if octets.isascii()])
def test_a_key_in_text_is_refused_in_any_dress(form: str, dress: str) -> None:
    assert_refused(TEXT_DRESSES[dress](MATERIAL[form]), "not a secret: whoever has read it")


def test_a_point_without_its_leading_octet_is_refused() -> None:
    for key in EC_KEYS:
        assert_refused(MATERIAL[f"{key.curve.name} point"][1:], "point on an elliptic curve")


def test_random_octets_of_a_points_length_are_not_taken_for_one() -> None:
    randomness = random.Random(3)
    for size in (64, 96, 132):
        for _ in range(20):
            assert secret_problem(b"\x04" + randomness.randbytes(size), "HS256") is None
            assert secret_problem(randomness.randbytes(size), "HS256") is None


def test_random_octets_behind_a_mark_of_UTF_16_need_not_be_text() -> None:
    half_a_surrogate_pair = b"\x00\xd8"
    for mark, half in ((b"\xff\xfe", half_a_surrogate_pair), (b"\xfe\xff", half_a_surrogate_pair[::-1])):
        assert secret_problem(mark + half + random.Random(4).randbytes(36), "HS256") is None


def test_a_bare_modulus_cannot_be_told_from_random_octets() -> None:
    modulus = RSA_KEY.public_key().public_numbers().n.to_bytes(256, "big")
    assert secret_problem(modulus, "HS256") is None


def test_a_token_is_refused() -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"at+jwt"}').rstrip(b"=")
    assert_refused(head + b".e30.c2lnbmF0dXJl", "JSON Web Token")


def test_the_beginning_of_a_key_in_base64_is_refused() -> None:
    first_line = MATERIAL["RSA SPKI PEM"].split(b"\n")[1]
    assert_refused(first_line, "DER")


@pytest.mark.vectors
@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("rfc7520-cookbook/jws/4_4.hmac-sha2_integrity_protection.json", ("input", "key", "k")),
        ("rfc7520-cookbook/jws/4_5.signature_with_detached_content.json", ("input", "key", "k")),
    ],
)
def test_the_secret_of_a_specifications_example_is_refused(file: str, path: tuple[str, ...]) -> None:
    value: Any = json.loads(vectors(file).read_text())
    for name in path:
        value = value[name]
    assert_refused(value.encode(), "example")
    assert_refused(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)), "example")


@pytest.mark.vectors
def test_the_secret_of_rfc_7515_is_refused() -> None:
    found = re.findall(r'"k": *"([A-Za-z0-9_-]+)"', vectors("rfc-examples/rfc7515_appendix.json").read_text())
    assert found
    for value in found:
        assert_refused(value.encode(), "example")


def test_a_key_that_django_marks_as_insecure_is_refused() -> None:
    assert_refused(b"django-insecure-" + random.Random(4).randbytes(25).hex().encode(), "example")


HUMAN = [
    "your-256-bit-secret-your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "This is the secret that nobody will ever guess!",
    "CHANGE_ME_IN_PRODUCTION_CHANGE_ME_NOW",
    "mySuperSecretKeyForTheDevelopmentServer",
    "th1s1sMyS3cr3tP@ssw0rdF0rTh3JwtT0k3n",
    "correct horse battery staple and more",
    "thequickbrownfoxjumpsoverthelazydogs",
    "el perro de mi vecina tiene una casa",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "qwertyuiopasdfghjklzxcvbnm1234567890",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "12345678901234567890123456789012",
    "0123456789abcdef0123456789abcdef",
    "00000000000000000000000000000000",
    "abababababababababababababababababab",
    "x7Kq!x7Kq!x7Kq!x7Kq!x7Kq!x7Kq!x7Kq!x7Kq!",
    "asdfasdfjklasdjfklasdjflkasjdfklasjdf",
    "passwordpasswordpasswordpassword",
    "\n" * 40,
]


@pytest.mark.parametrize("text", HUMAN)
def test_what_a_person_makes_up_is_refused(text: str) -> None:
    assert_refused(text.encode(), "made by a person")


@pytest.mark.parametrize("text", HUMAN)
def test_encoding_does_not_make_it_better(text: str) -> None:
    assert_refused(base64.b64encode(text.encode()), "made by a person")
    assert_refused(text.encode().hex().encode(), "made by a person")


def test_few_distinct_octets_are_refused_whoever_drew_them() -> None:
    randomness = random.Random(5)
    assert_refused(bytes(randomness.choices(b"ab", k=64)), "made by a person")
    assert_refused(bytes(64), "made by a person")


@pytest.mark.parametrize("text", HUMAN[:4])
def test_the_sentence_never_holds_a_part_of_the_secret(text: str) -> None:
    secret = "Zq" + text + "Zq"
    problem = secret_problem(secret.encode(), "HS256")
    assert problem is not None
    assert "Zq" not in problem
    for octets in MATERIAL.values():
        problem = secret_problem(octets, "HS256")
        assert problem is not None
        assert not any(octets[at : at + 16].decode("latin-1") in problem for at in range(0, len(octets) - 16, 8))


SEEDED = random.Random(20261123)
ALNUM = string.ascii_letters + string.digits
DJANGO = string.ascii_lowercase + string.digits + "!@#$%^&*(-_=+)"


def drawn(alphabet: str, length: int) -> bytes:
    return "".join(SEEDED.choices(alphabet, k=length)).encode()


def b64(octets: int) -> bytes:
    return base64.b64encode(SEEDED.randbytes(octets))


def uuid4() -> bytes:
    return str(uuid.UUID(bytes=SEEDED.randbytes(16), version=4)).encode()


MACHINE: dict[str, Callable[[], bytes]] = {
    "os.urandom(32)": lambda: SEEDED.randbytes(32),
    "token_hex(32)": lambda: SEEDED.randbytes(32).hex().encode(),
    "token_hex(16)": lambda: SEEDED.randbytes(16).hex().encode(),
    "token_urlsafe(32)": lambda: base64.urlsafe_b64encode(SEEDED.randbytes(32)).rstrip(b"="),
    "base64 of 32 octets": lambda: b64(32),
    "base64 of 48 octets": lambda: b64(48),
    "base64 of 64 octets": lambda: b64(64),
    "openssl rand -base64 32 > file": lambda: b64(32) + b"\n",
    "openssl rand -base64 64 > file": lambda: base64.encodebytes(SEEDED.randbytes(64)),
    "UUID": uuid4,
    "upper-case UUID": lambda: uuid4().upper(),
    "two UUIDs": lambda: uuid4() + uuid4(),
    "two UUIDs with a dash": lambda: uuid4() + b"-" + uuid4(),
    "32 letters and digits": lambda: drawn(ALNUM, 32),
    "40 letters and digits": lambda: drawn(ALNUM, 40),
    "32 lower-case letters": lambda: drawn(string.ascii_lowercase, 32),
    "32 printable characters": lambda: drawn(ALNUM + string.punctuation, 32),
    "40 decimal digits": lambda: drawn(string.digits, 40),
    "base32": lambda: base64.b32encode(SEEDED.randbytes(25)),
    "groups of five": lambda: b"-".join(drawn(string.ascii_uppercase + string.digits, 5) for _ in range(6)),
    "Django's 50 characters": lambda: drawn(DJANGO, 50),
    "with a label": lambda: b"prod_jwt_signing_key_" + base64.urlsafe_b64encode(SEEDED.randbytes(32)).rstrip(b"="),
    "with base64: in front": lambda: b"base64:" + b64(32),
    "base64 of hexadecimal": lambda: base64.b64encode(SEEDED.randbytes(32).hex().encode()),
    "hexadecimal of hexadecimal": lambda: SEEDED.randbytes(16).hex().encode().hex().encode(),
}


@pytest.mark.parametrize("form", MACHINE)
def test_what_a_machine_draws_is_never_refused(form: str) -> None:
    make = MACHINE[form]
    assert [secret for secret in (make() for _ in range(250)) if secret_problem(secret, "HS256")] == []


def test_the_shares_of_all_octets_sum_to_at_most_one_so_that_the_bound_on_random_secrets_holds() -> None:
    for previous in range(-1, 256):
        assert sum(_as_prose(previous, octet) for octet in range(256)) <= 1 + 1e-9
        assert sum(_as_keys(previous, octet) for octet in range(256)) <= 1 + 1e-9


def test_a_random_secret_keeps_dozens_of_bits_away_from_the_bound_on_average() -> None:
    secrets = [MACHINE["token_urlsafe(32)"]() for _ in range(300)]
    distances = [human_bits(secret) - machine_bits(secret) + MARGIN for secret in secrets]
    assert sum(distances) / len(distances) > 36


@pytest.mark.parametrize(
    "secret",
    [
        b"a" * 16384,
        b"secretsecretab" * 40,
        b"p455w0rd!$3cr3t" * 40,
        b"qwertyuiop" * 40,
        b"[" * 16384,
        b"sk-ssh-" * 2000,
        b"---- BEGIN " * 1400,
        b"\x30\x82\x3f\xfc" + b"\x06\x03" * 8190,
        b"\x30\x82\x3f\xfc" + b"\x02\x01\x01" * 5460,
        b"ab" * 8192,
        b"ab-" * 5000,
        json.dumps(["a" * 40] * 350).encode(),
        base64.b64encode(base64.b64encode(base64.b64encode(b"my secret password " * 300))),
    ],
    ids=lambda secret: repr(secret[:12]),
)
def test_the_worst_input_takes_less_than_50_ms(secret: bytes) -> None:
    assert within(0.05, lambda: secret_problem(secret, "HS256"))


def spelled_out(line: bytes) -> list[bytes]:
    """A line of the list as it stands and, where it holds escape sequences, what they mean."""
    meant = re.sub(rb"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)).encode(), line)
    meant = re.sub(rb"\\([\\\"'])", rb"\1", meant.replace(rb"\n", b"\n"))
    return [line] if meant == line else [line, meant]


@pytest.mark.vectors
def test_the_public_list_of_weak_secrets_is_caught_as_far_as_it_does_not_look_random() -> None:
    lines = vectors("weak-secrets/wallarm-jwt.secrets.list").read_bytes().split(b"\r\n")
    long_enough = [line for line in lines if len(spelled_out(line)[-1]) >= 32]
    refused = [line for line in long_enough if any(secret_problem(text, "HS256") for text in spelled_out(line))]
    assert len(long_enough) == 1884
    assert len(refused) >= 481
    # Words between separators, which is what most people write: nearly all.
    words = [line for line in long_enough if len(re.findall(rb"(?:^|[ _-])[A-Za-z]{2,}(?=[ _-]|$)", line)) >= 4]
    assert len(words) >= 90
    assert len([line for line in words if line not in refused]) <= len(words) // 100


@pytest.mark.vectors
def test_every_short_line_of_the_public_list_is_refused() -> None:
    lines = vectors("weak-secrets/wallarm-jwt.secrets.list").read_bytes().split(b"\r\n")
    assert all(secret_problem(line, "HS256") for line in lines if len(line) < 32)


def test_missing_vectors_skip_a_test_but_fail_it_in_ci(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARER_GUARD_VECTORS", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no test vectors absent"):
        vectors("absent.json")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="no test vectors absent"):
        vectors("absent.json")
    (tmp_path / "there.json").touch()
    assert vectors("there.json") == tmp_path / "there.json"
