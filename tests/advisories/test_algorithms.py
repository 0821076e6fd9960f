"""Algorithm attacks: none in every spelling, key confusion, weak and empty secrets (classes ALG, CONF, CFG, HS)."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearer_guard import BadSignature, ConfigurationError, JWTVerifier, MultiIssuer, SharedSecret, StaticJWKSet
from bearer_guard._strict import b64url_decode
from tests.answers import DOWN, OK, ask, guard, refused
from tests.quick import within
from tests.tokens import ABSENT, NOW, RESOURCE, SECRET, T, jwk, jwks, mac, private_key, signer, text, unsigned
from tests.vectors import vectors

from .corpus import all_alike, rejected

ALGS: list[Any] = [
    "none",
    "None",
    "NONE",
    "nOnE",
    "none ",
    " none",
    "none\0",
    "n\u043ene",
    "",
    None,
    False,
    0,
    [],
    {},
    ["ES256"],
    {"alg": "ES256"},
]
RS = private_key("RSA")


def ps_header_over_pkcs1(octets: bytes) -> bytes:
    return RS.sign(octets, padding.PKCS1v15(), SHA256())


ATTACKS = {
    **{f"ALG-{number}": T({"alg": alg}, by=unsigned) for number, alg in enumerate(ALGS, 1)},
    **{f"ALG-{number}s": T({"alg": alg}, by=signer()) for number, alg in enumerate(ALGS, 1)},
    "ALG-30": T({"alg": "es256"}),
    "ALG-31": T({"alg": ABSENT}),
    "ALG-35": T({"alg": "ES521"}),
    "ALG-32": T({"alg": "HS256"}, by=mac(b"")),
    "ALG-33": T({"alg": "HS256", "kid": "no-such-key"}, by=mac(b"")),
    "ALG-34": T({"alg": "HS256", "kid": "rsa-without-alg"}, by=mac(b"")),
    "ALG-36": T({"alg": "RS512", "kid": "rsa-without-alg"}),
    "ALG-37": T({"alg": "ES384", "kid": "p384"}),
    "ALG-38": T({"alg": "PS256", "kid": "rsa-without-alg"}, by=ps_header_over_pkcs1),
    "ALG-39": T({"alg": "ES256", "kid": "p384"}, by=signer("ES384")),
}
ADMITTED = ["ES256", "RS256", "PS256"]


def subject() -> Any:
    source = StaticJWKSet(jwks(jwk(), jwk("RSA", kid="rsa-without-alg"), jwk("P-384", kid="p384")))
    return guard(keys=source, algorithms=ADMITTED)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_algorithm_that_nobody_allowed_is_refused(attack: str) -> None:
    rejected(subject(), ATTACKS[attack])


def test_answers_to_algorithm_attacks_are_alike() -> None:
    all_alike(subject(), ATTACKS)
    assert ask(subject(), T({"alg": "PS256", "kid": "rsa-without-alg"})).kind == OK


def spelled(key: dict[str, Any], public: Any, name: str) -> dict[str, bytes]:
    pem, der = (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )
    forms = {
        "pem": pem,
        "pem-no-lf": pem.rstrip(b"\n"),
        "pem-crlf": pem.replace(b"\n", b"\r\n"),
        "pem-space": b" " + pem,
        "pem-bom": b"\xef\xbb\xbf" + pem,
        "der": der,
        "der-base64": base64.b64encode(der),
        "openssh": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    }
    for form, value in {"jwk": key, "jwks": {"keys": [key]}, "keys": [key]}.items():
        forms[form] = json.dumps(value, separators=(",", ":")).encode()
        forms[f"{form}-spaced"] = json.dumps(value, indent=1).encode()
        forms[f"{form}-sorted"] = json.dumps(value, sort_keys=True).encode()
    return {f"{name}-{form}": value for form, value in forms.items()}


RSA_JWK, EC_JWK = jwk("RSA", kid="rsa-without-alg"), jwk()
FORMS = {
    **spelled(RSA_JWK, RS.public_key(), "rsa"),
    "rsa-pkcs1-pem": RS.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1),
    "rsa-pkcs1-der": RS.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1),
    **spelled(EC_JWK, private_key("P-256").public_key(), "ec"),
    "ec-point": private_key("P-256").public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
}
LIKE_RANDOM = {
    "rsa-n": b64url_decode(RSA_JWK["n"].encode()),
    "rsa-n-base64url": RSA_JWK["n"].encode(),
    "ec-x": EC_JWK["x"].encode(),
}


@pytest.mark.parametrize("form", [*FORMS, *LIKE_RANDOM])
def test_CONF_a_mac_keyed_with_the_public_key_is_refused(form: str) -> None:
    secret = {**FORMS, **LIKE_RANDOM}[form]
    for options in ({}, {"algorithms": ADMITTED}):
        source = StaticJWKSet(jwks(EC_JWK, RSA_JWK))
        for kid in ("k1", "rsa-without-alg", "x", ABSENT):
            forged = T({"alg": "HS256", "kid": kid}, by=mac(secret), sub="admin")
            rejected(guard(keys=source, **options), forged)


@pytest.mark.parametrize("form", FORMS)
def test_CFG_1_a_public_key_cannot_be_configured_as_a_secret(form: str) -> None:
    with pytest.raises(ConfigurationError):
        SharedSecret(FORMS[form])


@pytest.mark.parametrize("secret", ["", b"", b"x" * 31, "secret", SECRET[:31]], ids=range(5))
def test_CFG_2_an_empty_or_short_secret_cannot_be_configured(secret: Any) -> None:
    with pytest.raises(ConfigurationError):
        SharedSecret(secret)
    with pytest.raises(ConfigurationError):
        SharedSecret(SECRET, secret)  # not beside a good one either
    fetched = guard(keys=SharedSecret(lambda: secret))
    octets = secret.encode() if isinstance(secret, str) else secret
    assert ask(fetched, T({"alg": "HS256"}, by=mac(octets)), fetches=True).kind == DOWN


@pytest.mark.parametrize("returned", [None, 5, [SECRET]], ids=repr)
def test_CFG_2_a_callable_that_returns_something_else_verifies_nothing(returned: Any) -> None:
    fetched = guard(keys=SharedSecret(lambda: returned))
    for secret in (b"", b"None", SECRET):
        assert ask(fetched, T({"alg": "HS256"}, by=mac(secret)), fetches=True).kind == DOWN


HS = {
    "HS-1": T({"alg": "none"}, by=unsigned),
    "HS-2": T({"alg": "HS256"}, by=mac(b"")),
    "HS-3": T({"alg": "HS256"}, by=mac(b"secret")),
    "HS-4": T({"alg": "HS256"}, by=mac(SECRET.hex().encode())),
    "HS-5": T({"alg": "HS256"}, by=mac(base64.b64encode(SECRET))),
    "HS-6": T({"alg": "HS512"}, by=mac(SECRET, "HS512")),
    "HS-7": T({"alg": "HS256"}, by=lambda octets: mac(SECRET)(octets)[:16]),
    "HS-8": T({"alg": "ES256"}),
    "HS-9": T({"alg": "RS256"}),
}


@pytest.mark.parametrize("attack", HS)
def test_a_guard_of_a_shared_secret_takes_its_one_mac_only(attack: str) -> None:
    shared = guard(keys=SharedSecret(SECRET))
    rejected(shared, HS[attack])
    assert ask(shared, T({"alg": "HS256"}, by=mac(SECRET))).kind == OK


def test_ALG_40_an_algorithm_belongs_to_its_issuer() -> None:
    b = JWTVerifier(
        issuer="https://b.example", audience=RESOURCE, keys=SharedSecret(SECRET), leeway=0, clock=lambda: NOW
    )
    both = guard(MultiIssuer(guard(algorithms=["ES256"])._verifier, b))  # type: ignore[arg-type]
    rejected(both, T({"alg": "HS256"}, by=mac(SECRET)))
    rejected(both, T({"alg": "ES256"}, iss="https://b.example"))
    assert ask(both, T()).kind == OK
    assert ask(both, T({"alg": "HS256"}, by=mac(SECRET), iss="https://b.example")).kind == OK


@pytest.mark.parametrize(("own", "other"), [("RS256", "PS256"), ("PS256", "RS256")])
def test_ALG_41_the_header_and_the_key_and_the_signature_have_to_agree(own: str, other: str) -> None:
    bound = guard(keys=StaticJWKSet(jwks(jwk("RSA", alg=own))), algorithms=["RS256", "PS256"])
    refused(bound, T({"alg": own}, by=signer(other)), BadSignature)
    refused(bound, T({"alg": other}), BadSignature)
    assert ask(bound, T({"alg": own})).kind == OK


@pytest.mark.vectors
def test_ALG_42_a_secret_that_a_word_list_cracks_in_a_second_could_not_have_been_configured() -> None:
    lines = vectors("weak-secrets/wallarm-jwt.secrets.list").read_bytes().split(b"\r\n")
    weak = lines[len(lines) // 2]
    head, payload, tag = T({"alg": "HS256"}, by=mac(weak)).split(".")
    octets, signed = f"{head}.{payload}".encode(), b64url_decode(tag.encode())
    cracked = next(line for line in lines if hmac.digest(line, octets, "sha256") == signed)
    assert within(1, lambda: next(line for line in lines if hmac.digest(line, octets, "sha256") == signed))
    assert cracked == weak
    with pytest.raises(ConfigurationError):
        SharedSecret(cracked)
    assert text(signed) == tag
