"""Key sources that never change: documents, files, PEM; what is skipped, what is refused, and what a source answers."""

from __future__ import annotations

import datetime
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bearer_guard import ConfigurationError, StaticJWKSet, UnknownKey
from bearer_guard._flow import Flow, run
from bearer_guard._io import IO
from bearer_guard._jose import ASYMMETRIC
from bearer_guard._keys import FixedKeys
from tests.tokens import jwk, jwks, private_key


def public_pem(kind: str = "P-256") -> bytes:
    return private_key(kind).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def certificate(kind: str = "P-256") -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "id.example.com")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(
        name, name, private_key(kind).public_key(), 1, start, start + datetime.timedelta(days=1)
    )
    return builder.sign(private_key(kind), hashes.SHA256()).public_bytes(Encoding.PEM)


def only_problem(build: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        build()
    (problem,) = caught.value.problems
    return problem


def outcome(flow: Flow[Any]) -> Any:
    return run(flow, IO)


@pytest.mark.parametrize(
    "document", [jwks(), json.dumps(jwks()), json.dumps(jwks()).encode()], ids=["dict", "str", "bytes"]
)
def test_a_set_is_a_document_or_its_text(document: Any) -> None:
    assert [key.kid for key in StaticJWKSet(document).current().keys] == ["k1"]


def test_a_set_is_read_from_a_file_once(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(jwks()))
    for given in (path, str(path)):
        source = StaticJWKSet.from_file(given)
        assert source.current().knows("k1")
    path.unlink()
    assert source.current().knows("k1")


@pytest.mark.parametrize("content", [public_pem(), certificate()], ids=["key", "certificate"])
def test_a_file_may_hold_one_pem_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"# the signing key\n" + content)
    (key,) = StaticJWKSet.from_file(path).current().keys
    assert key.algorithms == {"ES256"}
    assert key.kid is None


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.json", tmp_path):
        assert only_problem(lambda path=path: StaticJWKSet.from_file(path)).startswith(
            "StaticJWKSet: the file cannot be read"
        )


@pytest.mark.parametrize("path", [None, 5, "a\x00b"])
def test_what_is_no_path_is_a_mistake(path: Any) -> None:
    assert only_problem(lambda: StaticJWKSet.from_file(path)).startswith("StaticJWKSet: ")


@pytest.mark.parametrize(
    ("document", "fix"),
    [
        (public_pem().decode(), "StaticJWKSet.from_pem for a PEM key"),
        ("", "give a JWK Set"),
        ("{", "give a JWK Set"),
        (b"\xff\xff", "give a JWK Set"),
        ("[" * 100_000, "give a JWK Set"),
        ("[]", "give a JWK Set"),
        ('{"keys":[],"keys":[]}', "no member twice"),
        (None, "not a JSON object with an array called keys"),
        (jwk(), "not a JSON object with an array called keys"),
        ([jwk()], "not a JSON object with an array called keys"),
        ({"keys": []}, "no usable key: give a JWK Set with at least one public signature key"),
        (jwks(jwk(use="enc")), "no usable key (key 0: use is not sig)"),
        (jwks(jwk(alg=["ES256"])), "no usable key (key 0: alg is unknown or does not fit the key)"),
        (jwks({"kty": "oct", "k": "AAAA"}), "a symmetric key has no place in a set of public keys"),
        (jwks(jwk("RSA-1024")), "an RSA key needs 2048 to 8192 bits"),
        ({"keys": [jwk()] * 101}, "more than 100 keys"),
    ],
)
def test_what_is_no_set_of_public_keys_is_a_mistake_that_names_its_fix(document: Any, fix: str) -> None:
    problem = only_problem(lambda: StaticJWKSet(document))
    assert problem.startswith("StaticJWKSet: ")
    assert fix in problem


def test_unusable_members_are_skipped_and_reported() -> None:
    status = StaticJWKSet(jwks(jwk(use="enc"), jwk(), {"kty": "XYZ"})).status()
    assert status["skipped"] == ["key 0: use is not sig", "key 2: key type not supported"]
    assert (status["source"], status["state"], status["fetches"]) == ("static JWK set", "fresh", {})
    assert (status["age"], status["next_refresh"], status["last_error"]) == (None, None, None)
    json.dumps(status)


def test_private_members_are_worth_a_warning_that_does_not_repeat_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="bearer_guard"):
        source = StaticJWKSet(jwks(jwk(), jwk("RSA", d="s3cr3t")))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "key 1 of the static JWK set carries private members: its issuer should be told"
    assert "s3cr3t" not in repr(source)


@pytest.mark.parametrize("kind", ["RSA", "P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448"])
def test_a_pem_public_key_is_a_set_of_one(kind: str) -> None:
    for pem in (public_pem(kind), public_pem(kind).decode()):
        (key,) = StaticJWKSet.from_pem(pem).current().keys
        assert key.kid is None
        assert key.possible


def test_the_key_of_a_certificate_is_used_whatever_the_certificate_says() -> None:
    (key,) = StaticJWKSet.from_pem(certificate("RSA"), algorithm="RS512", kid="c1").current().keys
    assert (key.kid, key.algorithms) == ("c1", {"RS512"})


@pytest.mark.parametrize(
    ("pem", "parameters", "fix"),
    [
        (Path("key.pem"), {}, "StaticJWKSet.from_file reads a path"),
        (None, {}, "give the PEM text"),
        ("", {}, "not a PEM public key or certificate"),
        ("key.pem", {}, "not a PEM public key or certificate"),
        (public_pem() + public_pem("RSA"), {}, "more than one PEM block"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", {}, "not a PEM public key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", {}, "not a PEM public key or certificate"),
        (public_pem("RSA-1024"), {}, "an RSA key needs 2048 to 8192 bits"),
        (public_pem(), {"algorithm": "RS256"}, "alg is unknown or does not fit the key"),
        (public_pem(), {"algorithm": "HS256"}, "alg is unknown or does not fit the key"),
        (public_pem(), {"algorithm": "none"}, "alg is unknown or does not fit the key"),
        (public_pem(), {"kid": 5}, "kid is not a string"),
        (
            x25519.X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            {},
            "key type not supported",
        ),
    ],
)  # fmt: skip
def test_what_is_no_pem_public_key_is_a_mistake_that_names_its_fix(pem: Any, parameters: Any, fix: str) -> None:
    problem = only_problem(lambda: StaticJWKSet.from_pem(pem, **parameters))
    assert problem.startswith("StaticJWKSet.from_pem: ")
    assert fix in problem


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH])
def test_a_private_key_is_refused_and_not_repeated(form: PrivateFormat) -> None:
    pem = private_key("RSA").private_bytes(Encoding.PEM, form, NoEncryption())
    for given in (pem, pem.decode()):
        problem = only_problem(lambda given=given: StaticJWKSet.from_pem(given))
        assert "this is a private key: give the public key that belongs to it" in problem
        assert pem.decode()[40:80] not in problem


def test_a_source_that_never_changes_answers_at_once_and_has_nothing_newer() -> None:
    source = StaticJWKSet(jwks())
    keys = source.current()
    assert outcome(source.obtain()) is keys
    assert outcome(source.warming()) is None
    with pytest.raises(UnknownKey, match="none of static JWK set fits"):
        outcome(source.missing(source.arrival(), lambda keys: True))
    assert str(source.refusal(keys)) == "unknown_key: none of static JWK set fits"


def test_a_set_of_public_keys_is_for_asymmetric_algorithms_alone() -> None:
    assert StaticJWKSet(jwks()).algorithms == ASYMMETRIC
    assert not any(name.startswith("HS") for name in ASYMMETRIC)


def test_repr_says_how_many_keys_there_are_and_none_of_them() -> None:
    source = StaticJWKSet(jwks(jwk(), jwk(use="enc")))
    assert repr(source) == "StaticJWKSet(KeySet(1 keys, 1 skipped))"
    assert repr(FixedKeys(source.current(), name="x", algorithms=ASYMMETRIC)) == "FixedKeys(KeySet(1 keys, 1 skipped))"
