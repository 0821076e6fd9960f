"""Key sources whose keys never change: a document, a file, a PEM text."""

from __future__ import annotations

import datetime
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bearer_guard import BadSignature, ConfigurationError, Guard, JWTVerifier, StaticJWKSet, UnknownKey
from bearer_guard._keys import KeySource
from bearer_guard.issuer import SigningKey
from bearer_guard.testing import LocalIssuer

API = "https://api.example.com"
issuer = LocalIssuer(API)
KEYS = {"EC": ec.generate_private_key(ec.SECP256R1()), "OKP": ed25519.Ed25519PrivateKey.generate()}
KEYS["RSA"] = rsa.generate_private_key(65537, 2048)  # type: ignore[assignment]


def pem(key: Any) -> bytes:
    octets: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return octets


def certificate(key: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "id.example.com")])
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def verifies(source: StaticJWKSet, key: Any, algorithm: str, **options: Any) -> bool:
    signing = SigningKey(key, algorithm=algorithm)
    token = issuer.token(headers={"alg": algorithm, "kid": "whatever"})
    segments = token.split(".")
    from bearer_guard._jws import compact
    from bearer_guard._strict import b64url_decode

    header, claims = (b64url_decode(segment.encode()) for segment in segments[:2])
    token = compact(header, claims, signing.sign)
    try:
        JWTVerifier(issuer=issuer.issuer, audience=API, keys=source, **options).verify(token)
    except (BadSignature, UnknownKey):
        return False
    return True


@pytest.mark.parametrize(("kind", "algorithm"), [("EC", "ES256"), ("OKP", "Ed25519"), ("RSA", "RS256")])
@pytest.mark.parametrize("text", [str, bytes], ids=["str", "bytes"])
def test_a_pem_key_verifies_tokens_of_any_kid(kind: str, algorithm: str, text: type) -> None:
    given = pem(KEYS[kind]) if text is bytes else pem(KEYS[kind]).decode()
    assert verifies(StaticJWKSet.from_pem(given), KEYS[kind], algorithm)
    assert not verifies(StaticJWKSet.from_pem(pem(ec.generate_private_key(ec.SECP256R1()))), KEYS[kind], algorithm)


def test_a_certificate_brings_its_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert verifies(StaticJWKSet.from_pem(certificate(key)), key, "ES256")


def test_an_algorithm_binds_a_pem_key() -> None:
    source = StaticJWKSet.from_pem(pem(KEYS["RSA"]), algorithm="PS256", kid="whatever")
    assert verifies(source, KEYS["RSA"], "PS256")
    assert not verifies(source, KEYS["RSA"], "RS256")
    assert "EdDSA" not in repr(StaticJWKSet.from_pem(pem(KEYS["OKP"])))


def test_the_deprecated_name_counts_only_where_it_is_listed() -> None:
    source = StaticJWKSet.from_pem(pem(KEYS["OKP"]))
    assert not verifies(source, KEYS["OKP"], "EdDSA")
    assert verifies(source, KEYS["OKP"], "EdDSA", algorithms=["EdDSA"])


def private(key: Any) -> bytes:
    octets: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return octets


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (private(KEYS["EC"]), "this is a private key: give the public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a PEM public key"),
        ("nothing of the kind", "not a PEM public key"),
        (Path("key.pem"), "from_file reads a path"),
        (pem(rsa.generate_private_key(65537, 1024)), "2048 to 8192 bits"),
        (pem(dsa.generate_private_key(2048)), "key type not supported"),
    ],
    ids=["private", "broken", "text", "path", "short", "DSA"],
)
def test_a_pem_text_that_is_no_usable_public_key_names_the_fix(given: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        StaticJWKSet.from_pem(given)


def test_a_pem_key_and_an_algorithm_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="does not fit"):
        StaticJWKSet.from_pem(pem(KEYS["EC"]), algorithm="RS256")


@pytest.mark.parametrize("given", [issuer.jwks(), json.dumps(issuer.jwks()), json.dumps(issuer.jwks()).encode()])
def test_a_document_is_a_dict_or_its_json(given: Any) -> None:
    verifier = JWTVerifier(issuer=issuer.issuer, audience=API, keys=StaticJWKSet(given))
    assert verifier.verify(issuer.token()).subject == "local-user"


@pytest.mark.parametrize("given", ["", "{", "[]", "[" * 100_000, "{}", {"keys": {}}, {"keys": [{"kty": "oct"}]}])
def test_a_document_that_is_no_key_set_names_the_fix(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"StaticJWKSet: .*(give a JWK Set|from_pem)"):
        StaticJWKSet(given)


def test_a_file_holds_a_key_set_or_a_pem_text(tmp_path: Path) -> None:
    jwks, text = tmp_path / "keys.json", tmp_path / "key.pem"
    jwks.write_text(json.dumps(issuer.jwks()))
    text.write_bytes(pem(KEYS["EC"]))
    assert JWTVerifier(issuer=issuer.issuer, audience=API, keys=StaticJWKSet.from_file(jwks)).verify(issuer.token())
    assert verifies(StaticJWKSet.from_file(str(text)), KEYS["EC"], "ES256")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        StaticJWKSet.from_file(tmp_path / "absent.json")


def test_one_odd_key_is_skipped_and_reported_and_the_others_work() -> None:
    source = StaticJWKSet({"keys": [{"kty": "XYZ"}, *issuer.jwks()["keys"], 7]})
    guard = Guard(JWTVerifier(issuer=issuer.issuer, audience=API, keys=source))
    assert guard._verifier.verify(issuer.token())
    (status,) = guard.status()["sources"]
    assert status["state"] == "fresh"
    assert status["skipped"] == ["key 0: key type not supported", "key 2: not a JSON object"]
    guard.warm()


def test_private_members_are_not_used_and_somebody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    jwk = {**issuer.jwks()["keys"][0], "d": "c2VjcmV0"}
    with caplog.at_level(logging.WARNING, "bearer_guard"):
        source = StaticJWKSet({"keys": [jwk]})
    assert "key 0 of the static JWK set carries private members" in caplog.text
    assert "c2VjcmV0" not in caplog.text + repr(source)
    assert JWTVerifier(issuer=issuer.issuer, audience=API, keys=source).verify(issuer.token())


def test_a_source_that_says_nothing_is_none() -> None:
    source = KeySource()
    assert source.arrival() == 0
    assert not source.can_refetch()
    for ask in (source.current, source.obtain, source.status, lambda: source.missing(0, bool)):
        with pytest.raises(NotImplementedError):
            ask()
