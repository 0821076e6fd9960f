"""Who else verifies a token in Python, each configured as its documentation says, with issuer and audience."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearer_guard import JWTVerifier, SharedSecret, StaticJWKSet
from tests.benchmarks.material import AUDIENCE, ISSUER, KID

Verify = Callable[[str], Any]
Key = Any

_OURS = "bearer_guard"


def ours(algorithm: str, key: Key, jwk: dict[str, Any] | None, **options: Any) -> Verify:
    source = SharedSecret(key) if jwk is None else StaticJWKSet({"keys": [jwk]})
    verifier = JWTVerifier(issuer=ISSUER, audience=AUDIENCE, keys=source, algorithms=[algorithm], **options)
    return verifier.verify


def pyjwt(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    import jwt

    options = {"require": ["exp", "iss", "aud"]}
    return lambda token: jwt.decode(
        token, key, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER, leeway=30, options=options
    )


def joserfc(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    from joserfc import jwk as jwks
    from joserfc import jwt

    imported: Any = jwks.OctKey.import_key(key) if jwk is None else jwks.import_key(jwk)
    registry = jwt.JWTClaimsRegistry(
        leeway=30,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )

    def verify(token: str) -> Any:
        decoded = jwt.decode(token, imported, algorithms=[algorithm])
        registry.validate(decoded.claims)
        return decoded.claims

    return verify


def python_jose(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    from jose import jwt

    given: Any = key if jwk is None else jwk
    return lambda token: jwt.decode(token, given, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER)


def jwcrypto(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    from jwcrypto import jwk as jwks
    from jwcrypto import jwt

    imported = jwks.JWK(kty="oct", k=_k(key)) if jwk is None else jwks.JWK(**jwk)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": None}
    return lambda token: json.loads(jwt.JWT(jwt=token, key=imported, algs=[algorithm], check_claims=claims).claims)


def authlib(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    from authlib.jose import JsonWebKey, JsonWebToken

    imported: Any = key if jwk is None else JsonWebKey.import_key(jwk)
    token_kind = JsonWebToken([algorithm])
    options = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": AUDIENCE}}

    def verify(token: str) -> Any:
        claims = token_kind.decode(token, imported, claims_options=options)
        claims.validate(leeway=30)
        return claims

    return verify


def oxyjwt(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    import oxyjwt as library

    given: Any = key if jwk is None else library.PyJWK.from_dict(jwk)
    return lambda token: library.decode(
        token, given, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER, leeway=30
    )


def webtoken(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    import webtoken as library

    given: Any = key if jwk is None else _pem(key)
    return lambda token: library.decode(
        token, given, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER, leeway=30
    )


CONTENDERS: dict[str, Callable[[str, Key, dict[str, Any] | None], Verify]] = {
    _OURS: ours,
    "PyJWT": pyjwt,
    "joserfc": joserfc,
    "python-jose": python_jose,
    "jwcrypto": jwcrypto,
    "Authlib": authlib,
    "oxyjwt (Rust)": oxyjwt,
    "webtoken (Rust)": webtoken,
}


def available(algorithm: str, key: Key, jwk: dict[str, Any] | None, token: str) -> Iterator[tuple[str, str, Verify]]:
    """Name, version and verify function of each contender that is installed and accepts a good token."""
    for name, make in CONTENDERS.items():
        distribution = name.partition(" ")[0]
        try:
            verify = make(algorithm, key, jwk)
            verify(token)
        except Exception as failure:
            print(f"  {name} left out for {algorithm}: {type(failure).__name__}: {failure}")
            continue
        yield name, version(distribution), verify


def _pem(key: Any) -> bytes:
    pem: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def _k(secret: bytes) -> str:
    from bearer_guard._strict import b64url_encode

    return b64url_encode(secret).decode()


__all__ = ["AUDIENCE", "CONTENDERS", "ISSUER", "KID", "available", "ours"]
