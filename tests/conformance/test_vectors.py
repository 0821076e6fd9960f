"""Public test vectors at the JWS layer: Wycheproof, RFC 7515, RFC 7520, RFC 7797, RFC 8037, RFC 9449, ML-DSA for JOSE.

Payloads are mostly no claims sets and the dates long past, so what is driven here is the parser, the key loader and the
signature check; what a whole guard must refuse is handed to a whole guard. Where the upstream label is wrong or cannot
be decided, the reason stands in OVERRIDES.json beside the vectors, or here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bearer_guard import ConfigurationError, InvalidToken, SharedSecret, StaticJWKSet
from bearer_guard._jose import SYMMETRIC, UnusableKey, VerificationKey, load_jwk, public_jwk, secret_key
from bearer_guard._jwks import KeySet, load_jwks
from bearer_guard._jws import parse
from bearer_guard._strict import b64url_decode
from bearer_guard.issuer._signing_key import thumbprint
from tests.answers import IR, IT, ask, guard
from tests.tokens import text
from tests.vectors import vectors

pytestmark = pytest.mark.vectors

WYCHEPROOF = "wycheproof"


@cache
def load(name: str) -> Any:
    return json.loads(vectors(name).read_text())


def cases(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for group in load(f"{WYCHEPROOF}/{name}")["testGroups"]:
        for test in group["tests"]:
            yield group, test


def overrides(name: str) -> dict[int, str]:
    return {entry["tcId"]: entry["use"] for entry in load(f"{WYCHEPROOF}/OVERRIDES.json")[name]}


def key_set(document: dict[str, Any]) -> KeySet:
    """The keys of a JWK or a JWK Set, as a set of public keys or, where all are symmetric, as shared secrets."""
    members = document.get("keys", [document])
    if any(member["kty"] != "oct" for member in members):
        return load_jwks({"keys": members})
    secrets = []
    for member in members:
        try:
            secrets.append(shared_secret(member))
        except ValueError:  # not canonical base64url, or unusable: left out, as in a set of public keys
            continue
    return KeySet(tuple(secrets))


def shared_secret(jwk: dict[str, Any]) -> VerificationKey:
    """What `SharedSecret` makes of the octets in a symmetric JWK, without its rules on how easily they are guessed."""
    octets = b64url_decode(jwk["k"].encode())
    algorithm = jwk.get("alg", "HS256")
    if algorithm not in SYMMETRIC:
        raise UnusableKey("not an HMAC algorithm")
    if (
        len(octets) < int(algorithm[2:]) // 8
        or jwk.get("use", "sig") != "sig"
        or "verify" not in jwk.get("key_ops", ["verify"])
    ):
        raise UnusableKey("too short, or for another use")
    return secret_key(octets, algorithm)


def verifies(token: str, document: dict[str, Any]) -> bool:
    """Whether the JWS layer takes this token with these keys."""
    try:
        jws = parse(token)
        jws.payload()
        signature = jws.signature()
        keys = key_set(document).fitting(jws.header.algorithm, jws.header.kid, listed=True)
    except (InvalidToken, ValueError):
        return False
    return any(key.verifies(jws.header.algorithm, jws.signing_input, signature) for key in keys)


SIGNATURE_LABELS = {"skip": None, "invalid": False, "invalid-if-key-alg-enforced": False, "duplicate": True}


def test_wycheproof_json_web_signature() -> None:
    name = "json_web_signature_test.json"
    special, deviations, seen = overrides(name), [], Counter[bool]()
    for group, test in cases(name):
        expected = test["result"] == "valid"
        if test["tcId"] in special:
            override = SIGNATURE_LABELS[special[test["tcId"]]]
            if override is None:
                continue
            expected = override
        found = verifies(test["jws"], group.get("public") or group["private"])
        seen[found] += 1
        if found != expected:
            deviations.append((test["tcId"], test["comment"], test["flags"], found))
    assert deviations == []
    assert seen == {True: 40, False: 359}


def test_wycheproof_json_web_signature_keys_whose_algorithm_contradicts_the_token_verify_without_it() -> None:
    for group, test in cases("json_web_signature_test.json"):
        if test["tcId"] in (346, 347, 350, 351):
            jwk = {name: value for name, value in group["public"].items() if name != "alg"}
            assert verifies(test["jws"], jwk)


KEY_POLICY = {
    # A symmetric key in a set of public keys is left out, so that the token which it made has no key.
    1: False,
    # Two secrets of one name: each that is usable is tried. (The second is spelled with unused bits set.)
    4: True,
    # The ROCA fingerprint.
    7: False,
}


def test_wycheproof_json_web_key() -> None:
    name = "json_web_key_test.json"
    special, deviations = overrides(name), []
    for group, test in cases(name):
        number = test["tcId"]
        expected = KEY_POLICY[number] if special.get(number) == "policy" else test["result"] == "valid"
        if verifies(test["jws"], group.get("public") or group["private"]) != expected:
            deviations.append((number, test["comment"]))
    assert deviations == []


def test_wycheproof_json_web_key_sets_are_refused_as_shared_secrets_or_static_sets_too() -> None:
    unusable = {6, 7, 8, 9, 19, 20, 21, 22, 23, 24}
    for group, test in cases("json_web_key_test.json"):
        if test["tcId"] in unusable:
            with pytest.raises(ConfigurationError):
                StaticJWKSet(group["public"])
        if test["tcId"] in (10, 11, 12, 16, 17, 18):
            (member,) = group["private"]["keys"]
            with pytest.raises(ConfigurationError):
                SharedSecret(b64url_decode(member["k"].encode()), algorithm=member["alg"])


def as_text(token: Any) -> str:
    return token if isinstance(token, str) else json.dumps(token)


def test_wycheproof_json_web_crypto() -> None:
    deviations, encrypted = [], 0
    for group, test in cases("json_web_crypto_test.json"):
        document = group.get("public") or group["private"]
        if "jwe" in test:
            encrypted += 1
            expected, found = False, verifies(as_text(test["jwe"]), document)
        else:
            expected = test["result"] == "valid"
            found = verifies(as_text(test["jws"]), document)
        if found != expected:
            deviations.append((test["tcId"], test["comment"], test["flags"], found))
    assert deviations == []
    assert encrypted == 34


def test_wycheproof_json_web_encryption_every_one_is_an_invalid_token() -> None:
    subject, seen = guard(), 0
    for _, test in cases("json_web_encryption_test.json"):
        answer = ask(subject, test["jwe"])
        seen += 1
        if answer.kind == IR:  # not even credentials: a character that no token68 holds
            with pytest.raises(InvalidToken):
                subject._verifier.verify(test["jwe"])
        else:
            assert answer.kind == IT
    assert seen == 139


RAW = {
    "ecdsa_secp256r1_sha256_p1363_test.json": ("ES256", "publicKeyJwk"),
    "ecdsa_secp384r1_sha384_p1363_test.json": ("ES384", "publicKeyJwk"),
    "ecdsa_secp521r1_sha512_p1363_test.json": ("ES512", "publicKeyJwk"),
    "ecdsa_secp256k1_sha256_p1363_test.json": ("ES256K", "publicKeyJwk"),
    "ed25519_test.json": ("Ed25519", "publicKeyJwk"),
    "ed448_test.json": ("Ed448", "publicKeyJwk"),
    "rsa_signature_2048_sha256_test.json": ("RS256", "keyJwk"),
    "rsa_pss_2048_sha256_mgf1_32_test.json": ("PS256", "publicKeyJwk"),
    "rsa_pss_2048_sha384_mgf1_48_test.json": ("PS384", "publicKeyJwk"),
    "rsa_pss_4096_sha512_mgf1_64_test.json": ("PS512", "publicKeyJwk"),
}


@pytest.mark.parametrize("name", RAW)
def test_wycheproof_raw_signatures(name: str) -> None:
    algorithm, member = RAW[name]
    deviations, valid = [], 0
    for group, test in cases(name):
        try:
            key = load_jwk(group.get(member) or public_jwk(load_pem_public_key(group["publicKeyPem"].encode())))
        except UnusableKey:
            found = False
        else:
            assert key.fits(algorithm, listed=True)
            found = key.verifies(algorithm, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
        valid += found
        if test["result"] != "acceptable" and found != (test["result"] == "valid"):
            deviations.append((test["tcId"], test["comment"], test["flags"], found))
    assert deviations == []
    assert valid > 5


@pytest.mark.parametrize("bits", [256, 384, 512])
def test_wycheproof_hmac(bits: int) -> None:
    algorithm, valid, refused = f"HS{bits}", 0, 0
    for group, test in cases(f"hmac_sha{bits}_test.json"):
        octets, tag = bytes.fromhex(test["key"]), bytes.fromhex(test["tag"])
        if group["keySize"] < bits:
            with pytest.raises(ConfigurationError):
                SharedSecret(octets, algorithm=algorithm)
            refused += 1
            continue
        found = secret_key(octets, algorithm).verifies(algorithm, bytes.fromhex(test["msg"]), tag)
        # A tag that was cut is no tag of HS256: RFC 7518 §3.2 knows whole ones only.
        assert found == (test["result"] == "valid" and group["tagSize"] == bits), test["tcId"]
        valid += found
    assert valid > 10
    assert refused > 0


@pytest.mark.parametrize("name", ["44", "65"])
def test_wycheproof_ml_dsa_with_the_empty_context(name: str) -> None:
    algorithm, seen = f"ML-DSA-{name}", Counter[str]()
    for group, test in cases(f"mldsa_{name}_verify_test.json"):
        if test.get("ctx") or "msg" not in test:
            seen["context"] += 1
            continue
        try:
            key = load_jwk({"kty": "AKP", "alg": algorithm, "pub": text(bytes.fromhex(group["publicKey"]))})
        except UnusableKey:
            found = False
        else:
            found = key.verifies(algorithm, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
        assert found == (test["result"] == "valid"), (test["tcId"], test["comment"])
        seen[str(found)] += 1
    assert seen["True"] > 5
    assert seen["False"] > 20


@pytest.mark.parametrize("name", ["44", "65", "87"])
def test_ml_dsa_for_jose(name: str) -> None:
    document = load(f"ml-dsa-jose/ML_DSA_{name}.jose.json")
    jwk, token = document["jwk"], document["jws"]
    key = load_jwk(jwk)
    assert key.private_members == ("priv" in jwk)
    assert jwk.get("priv", "-") not in repr(key)
    assert jwk["kid"] == thumbprint(jwk)
    assert len(token) > 3000
    assert verifies(token, jwk)
    head, payload, signature = token.split(".")
    assert not verifies(f"{head}.{payload[:-4]}AAAA.{signature}", jwk)
    with pytest.raises(UnusableKey):
        load_jwk({name: value for name, value in jwk.items() if name != "alg"})


@pytest.mark.parametrize(
    "name",
    ["4_1.rsa_v15_signature", "4_2.rsa-pss_signature", "4_3.ecdsa_signature", "4_4.hmac-sha2_integrity_protection"],
)
def test_rfc_7520_compact_signatures(name: str) -> None:
    document = load(f"rfc7520-cookbook/jws/{name}.json")
    token, jwk = document["output"]["compact"], document["input"]["key"]
    assert verifies(token, jwk)
    assert parse(token).payload().decode() == document["input"]["payload"]
    head, payload, signature = token.split(".")
    assert not verifies(f"{head}.{payload[4:]}.{signature}", jwk)


def forms(document: dict[str, Any]) -> Iterator[str]:
    for form in document["output"].values():
        yield form if isinstance(form, str) else json.dumps(form)


REFUSED = [
    *(
        f"jws/{name}"
        for name in (
            "4_5.signature_with_detached_content",
            "4_6.protecting_specific_header_fields",
            "4_7.protecting_content_only",
            "4_8.multiple_signatures",
        )
    ),
    "rfc7797/4.2.hmac-sha2_b64_false",
    "rfc7797/hmac-sha2_b64_false",
    "6.nesting_signatures_and_encryption",
]


@pytest.mark.parametrize("name", REFUSED)
def test_rfc_7520_and_7797_what_is_no_compact_token_is_refused(name: str) -> None:
    document = load(f"rfc7520-cookbook/{name}.json")
    found = (
        list(forms(document))
        if "output" in document
        else [form for part in document.values() if isinstance(part, dict) and "output" in part for form in forms(part)]
    )
    assert found
    subject = guard()
    for form in found:
        assert ask(subject, text(form.encode())).kind == IT
        assert ask(subject, form).kind in (IT, IR)
        with pytest.raises(InvalidToken):
            subject._verifier.verify(form)


def test_rfc_7520_encrypted_content_is_refused() -> None:
    seen = 0
    for path in sorted((vectors("rfc7520-cookbook") / "jwe").glob("*.json")):
        for form in forms(json.loads(path.read_text())):
            seen += 1
            with pytest.raises(InvalidToken):
                guard()._verifier.verify(form)
            assert ask(guard(), form).kind in (IT, IR)
    assert seen > 20


def test_rfc_8037_ed25519_under_its_old_name() -> None:
    document = load("rfc7520-cookbook/curve25519/jws.json")
    token, jwk = document["output"]["compact"], document["input"]["key"]
    assert verifies(token, jwk)  # the operator listed the name
    key = load_jwk(jwk)
    assert key.fits("EdDSA", listed=True)
    assert not key.fits("EdDSA", listed=False) or jwk.get("alg") == "EdDSA"


def test_rfc_7515_appendices() -> None:
    seen = Counter[str]()
    for vector in load("rfc-examples/rfc7515_appendix.json")["vectors"]:
        seen[vector["result"]] += 1
        if vector["result"] == "valid":
            assert verifies(vector["jws"], vector["jwk"]), vector["id"]
            assert parse(vector["jws"]).payload() == vector["payload_utf8"].encode(), vector["id"]
            continue
        with pytest.raises(InvalidToken):
            guard(algorithms=["ES256"])._verifier.verify(vector["jws"])
        assert ask(guard(), vector["jws"]).kind in (IT, IR)
    assert seen == {"valid": 4, "invalid": 3}


def test_rfc_7515_appendix_a_1_is_no_secret_any_more() -> None:
    vector = load("rfc-examples/rfc7515_appendix.json")["vectors"][0]
    for secret in (vector["jwk"]["k"], b64url_decode(vector["jwk"]["k"].encode())):
        with pytest.raises(ConfigurationError):
            SharedSecret(secret)


def test_thumbprints() -> None:
    for vector in load("rfc-examples/jwk_thumbprints.json")["vectors"]:
        assert thumbprint(vector["jwk"]) == vector["jkt"]


def test_rfc_9449_proofs_and_bound_tokens_are_no_bearer_tokens() -> None:
    seen = 0
    for figure in load("rfc-examples/rfc9449_dpop.json")["tokens"]:
        header, claims = figure["header"], figure["claims"]
        if "jwk" not in header:
            assert "cnf" in claims
            continue
        seen += 1
        assert verifies(
            figure["token"], header["jwk"]
        )  # the key in the header is good for the proof, and for nothing else
        strict = guard(
            keys=StaticJWKSet({"keys": [header["jwk"]]}),
            issuer=None,
            audience=None,
            clock=lambda now=claims["iat"]: now,
        )
        answer = ask(strict, figure["token"])
        assert answer.kind == IT
        assert answer.error is not None
        assert answer.error.reason == "type_not_allowed"
    assert seen == 4
