"""Who else verifies a token in Python, each configured as its documentation says: issuer, audience and a required `exp`
wherever it can be told so, and its key prepared beforehand wherever it takes a prepared one."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearer_guard import JWTVerifier, SharedSecret, StaticJWKSet
from tests.benchmarks import speed
from tests.benchmarks.material import AUDIENCE, ISSUER, KID

Verify = Callable[[str], Any]
Key = Any
Make = Callable[[str, Key, dict[str, Any] | None], Verify]

OURS = "bearer_guard"
PLAIN = "bearer_guard without `speed`"
LEEWAY = 30
REQUIRED = ["exp", "iss", "aud"]


def ours(algorithm: str, key: Key, jwk: dict[str, Any] | None, **options: Any) -> Verify:
    source = SharedSecret(key) if jwk is None else StaticJWKSet({"keys": [jwk]})
    verifier = JWTVerifier(issuer=ISSUER, audience=AUDIENCE, keys=source, algorithms=[algorithm], **options)
    return verifier.verify


def ours_plain(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    """A second copy of the package, loaded as if the extra were not installed."""
    if not speed.is_there():
        raise LookupError("the extra is not there to be left out: the other row is without it")
    package = _without_speed()
    source = package.SharedSecret(key) if jwk is None else package.StaticJWKSet({"keys": [jwk]})
    verifier = package.JWTVerifier(issuer=ISSUER, audience=AUDIENCE, keys=source, algorithms=[algorithm])
    verify: Verify = verifier.verify
    return verify


def pyjwt(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    import jwt

    options: Any = {"require": REQUIRED}
    return lambda token: jwt.decode(
        token, key, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER, leeway=LEEWAY, options=options
    )


def joserfc(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    from joserfc import jwk as jwks
    from joserfc import jwt

    imported: Any = jwks.OctKey.import_key(key) if jwk is None else jwks.import_key(jwk)
    registry = jwt.JWTClaimsRegistry(
        leeway=LEEWAY,
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
    options = {"leeway": LEEWAY, "require_exp": True, "require_iss": True, "require_aud": True}
    return lambda token: jwt.decode(
        token, given, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER, options=options
    )


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
    options = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
        "exp": {"essential": True},
    }

    def verify(token: str) -> Any:
        claims = token_kind.decode(token, imported, claims_options=options)
        claims.validate(leeway=LEEWAY)
        return claims

    return verify


def oxyjwt(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    import oxyjwt as library

    given: Any = library.DecodingKey.from_secret(key) if jwk is None else library.DecodingKey.from_jwk(jwk)
    settings: dict[str, Any] = {"algorithms": [algorithm], "audience": AUDIENCE, "issuer": ISSUER, "leeway": LEEWAY}
    settings |= {"options": {"require": REQUIRED}, "typ": "at+jwt"}
    return lambda token: library.decode(token, given, **settings)


def webtoken(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    import webtoken as library

    given: Any = key if jwk is None else _pem(key)
    options = {"require": REQUIRED}
    return lambda token: library.decode(
        token, given, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER, leeway=LEEWAY, options=options
    )


def ryjwt(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    import ryjwt as library

    settings: dict[str, Any] = {"algorithms": [algorithm], "audience": AUDIENCE, "issuer": ISSUER}
    given: Any
    given = (
        library.SecretKey(key, **settings) if jwk is None else library.PublicKey.from_jwks({"keys": [jwk]}, **settings)
    )
    decode = given.decode
    return lambda token: decode(token, leeway=LEEWAY)


def jwtoxide(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    import jwtoxide as library

    made = library.DecodingKey
    given = made.from_secret(key) if jwk is None else made.from_jwk(library.Jwk.from_json(json.dumps(jwk)))
    options = library.ValidationOptions(
        {AUDIENCE}, {ISSUER}, algorithms=[algorithm], required_spec_claims=set(REQUIRED), leeway_seconds=LEEWAY
    )
    return lambda token: library.decode(token, given, options)


def clasp_jwt(algorithm: str, key: Key, jwk: dict[str, Any] | None) -> Verify:
    import clasp as library

    if jwk is None:
        given = library.SymmetricKey(key, algorithm)
    else:
        made = {"RSA": "from_rsa_pem", "EC": "from_ec_pem", "OKP": "from_ed_pem"}[jwk["kty"]]
        given = getattr(library.AsymmetricKey, made)(_pem(key), algorithm)
    return lambda token: json.loads(given.verify(token))


CONTENDERS: dict[str, Make] = {
    OURS: ours,
    PLAIN: ours_plain,
    "PyJWT": pyjwt,
    "joserfc": joserfc,
    "python-jose": python_jose,
    "jwcrypto": jwcrypto,
    "Authlib": authlib,
    "oxyjwt (Rust)": oxyjwt,
    "webtoken (Rust)": webtoken,
    "ryjwt (Rust)": ryjwt,
    "jwtoxide (Rust)": jwtoxide,
    "clasp-jwt (Rust)": clasp_jwt,
}


HINTS = {
    "clasp-jwt (Rust)": "it cannot be told an audience or an issuer, and refuses tokens that name an audience",
    "jwtoxide (Rust)": "there are wheels up to CPython 3.12 only",
    "ryjwt (Rust)": "there are wheels from CPython 3.12 on only",
    "webtoken (Rust)": "there are wheels from CPython 3.12 on only",
}
"""Why somebody may be left out, in the words of a person; the reason that was seen stands beside it."""


def is_rust(name: str) -> bool:
    return name.endswith("(Rust)")


def release(name: str) -> str:
    """The version of a contender's distribution."""
    return version(name.partition(" ")[0].replace("_", "-"))


def line_up(
    algorithm: str, key: Key, jwk: dict[str, Any] | None, token: str
) -> tuple[dict[str, Verify], dict[str, str]]:
    """The contenders that accept a good token, and why the others are left out."""
    ready: dict[str, Verify] = {}
    left_out: dict[str, str] = {}
    for name, make in CONTENDERS.items():
        try:
            verify = make(algorithm, key, jwk)
            verify(token)
        except (ImportError, PackageNotFoundError):
            left_out[name] = f"is not installed{_hint(name)}"
        except Exception as failure:
            problem = f"{type(failure).__name__}: {failure}".rstrip(".")
            left_out[name] = f"refuses the good token or its key ({problem}){_hint(name)}"
        else:
            ready[name] = verify
    return ready, left_out


def available(algorithm: str, key: Key, jwk: dict[str, Any] | None, token: str) -> Iterator[tuple[str, str, Verify]]:
    """Name, version and verify function of each contender that is installed and accepts a good token."""
    ready, left_out = line_up(algorithm, key, jwk, token)
    for name, reason in left_out.items():
        print(f"  {name} left out for {algorithm}: {reason}")
    for name, verify in ready.items():
        yield name, release(name), verify


def _hint(name: str) -> str:
    return f": {HINTS[name]}" if name in HINTS else ""


def _without_speed() -> ModuleType:
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _belongs_to_the_package(name)}
    try:
        with speed.left_out():
            return importlib.import_module("bearer_guard")
    finally:
        for name in [name for name in sys.modules if _belongs_to_the_package(name)]:
            del sys.modules[name]
        sys.modules |= kept


def _belongs_to_the_package(name: str) -> bool:
    return name.partition(".")[0] == "bearer_guard"


def _pem(key: Any) -> bytes:
    pem: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def _k(secret: bytes) -> str:
    from bearer_guard._strict import b64url_encode

    return b64url_encode(secret).decode()


__all__ = ["AUDIENCE", "CONTENDERS", "ISSUER", "KID", "available", "line_up", "ours"]
