"""Signing keys, their rotation, and the tokens that they sign."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from joserfc import jwk as joserfc_jwk

from bearer_guard import ConfigurationError
from bearer_guard._jose import ALGORITHMS, SYMMETRIC, load_jwk, secret_key
from bearer_guard._strict import b64url_decode
from bearer_guard.issuer import KeyRing, SigningKey
from bearer_guard.issuer._signing_key import thumbprint
from bearer_guard.issuer._tokens import access_token_claims, header_for, signed

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k", "priv"}


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_generated_key_signs_what_its_public_half_verifies(algorithm: str) -> None:
    key = SigningKey.generate(algorithm)
    public = key.public_jwk
    verification = secret_key(key.secret, algorithm) if public is None else load_jwk(dict(public))
    assert verification.verifies(algorithm, b"signing input", key.sign(b"signing input"))
    assert not verification.verifies(algorithm, b"another input", key.sign(b"signing input"))


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - SYMMETRIC))
def test_a_published_key_has_no_private_member_and_names_its_use_algorithm_and_kid(algorithm: str) -> None:
    key = SigningKey.generate(algorithm)
    assert key.public_jwk is not None
    assert not PRIVATE_MEMBERS & key.public_jwk.keys()
    assert key.public_jwk["use"] == "sig"
    assert key.public_jwk["alg"] == algorithm
    assert key.public_jwk["kid"] == key.kid


def test_the_thumbprint_is_that_of_rfc_7638_section_3_1() -> None:
    jwk = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n"
        "3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd"
        "AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur"
        "-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("algorithm", ["ES256", "ES256K", "RS256", "Ed25519"])
def test_a_kid_is_the_thumbprint_that_another_library_computes(algorithm: str) -> None:
    key = SigningKey.generate(algorithm)
    assert key.public_jwk is not None
    assert key.kid == joserfc_jwk.import_key(dict(key.public_jwk)).thumbprint()


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_neither_repr_nor_the_key_set_shows_private_material(algorithm: str) -> None:
    ring = KeyRing(algorithm)
    key = ring.current
    shown = repr(key) + repr(ring) + json.dumps(ring.jwks())
    assert repr(key._material) not in shown
    assert key.kid in shown
    assert "keys" in ring.jwks()
    assert not any(PRIVATE_MEMBERS & jwk.keys() for jwk in ring.jwks()["keys"])


def test_a_secret_is_not_published_and_its_kid_is_not_made_from_it() -> None:
    ring = KeyRing("HS384")
    assert ring.jwks() == {"keys": []}
    assert len(ring.current.secret) == 48
    assert SigningKey(ring.current.secret, algorithm="HS384").kid != ring.current.kid


def test_a_private_key_is_never_handed_out_as_a_secret() -> None:
    with pytest.raises(TypeError, match="not shared"):
        _ = SigningKey.generate("ES256").secret


@pytest.mark.parametrize("algorithm", ["none", "RS1", "es256", ""])
def test_an_unknown_algorithm_is_a_configuration_error_that_names_the_known_ones(algorithm: str) -> None:
    with pytest.raises(ConfigurationError, match=r"algorithm must be one of .*ES256"):
        SigningKey.generate(algorithm)


def test_a_rotation_signs_with_the_new_key_and_publishes_both_until_the_old_is_withdrawn() -> None:
    ring = KeyRing()
    old = ring.current
    new = ring.rotate()
    assert ring.current is new
    assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == [new.kid, old.kid]
    ring.withdraw_old()
    assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == [new.kid]


def test_a_rotation_without_overlap_withdraws_every_other_key_at_once() -> None:
    ring = KeyRing()
    ring.rotate()
    new = ring.rotate(keep_old=False)
    assert ring.keys == (new,)


def test_rotations_from_many_threads_lose_no_key() -> None:
    ring = KeyRing()
    with ThreadPoolExecutor(8) as threads:
        new = list(threads.map(lambda _: ring.rotate(), range(40)))
    assert {key.kid for key in new} < {key.kid for key in ring.keys}
    assert len(ring.keys) == 41


def test_m14_an_access_token_carries_every_claim_of_rfc_9068() -> None:
    key = SigningKey.generate()
    claims = access_token_claims(
        issuer="https://id.example.com",
        audience="https://api.example.com",
        client_id="c1",
        scope="a b",
        issued_at=1000,
        lifetime=300,
    )
    header, payload, _ = signed(header_for(key), claims, key).split(".")
    assert _json(header) == {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    decoded = _json(payload)
    assert len(b64url_decode(decoded.pop("jti").encode())) >= 16
    assert decoded == {
        "iss": "https://id.example.com",
        "aud": "https://api.example.com",
        "sub": "c1",
        "client_id": "c1",
        "iat": 1000,
        "exp": 1300,
        "scope": "a b",
    }


def test_several_audiences_are_an_array_and_a_subject_may_be_somebody_else_than_the_client() -> None:
    claims = access_token_claims(issuer="i", audience=["a", "b"], client_id="c1", subject="u1", issued_at=0, lifetime=1)
    assert claims["aud"] == ["a", "b"]
    assert claims["sub"] == "u1"
    assert "scope" not in claims


def _json(segment: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(b64url_decode(segment.encode()))
    return decoded
