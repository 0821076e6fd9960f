"""Tokens for tests, good and deliberately broken: the fixture of the conformance list, and nothing that judges them.

`T()` is a good token; `T(x=y)` the same with one claim changed and signed again with the right key; `T({"x": y})` with
one header parameter changed. `ABSENT` removes. Keys are real and made once a session.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256, sha384, sha512
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from bearer_guard._jose import public_jwk, sign
from bearer_guard._jws import compact
from bearer_guard._strict import b64url_encode

ISSUER = "https://as.example"
RESOURCE = "https://api.example"
NOW = 1_800_000_000
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()

HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"}
CLAIMS = {
    "iss": ISSUER,
    "aud": RESOURCE,
    "sub": "u1",
    "client_id": "c1",
    "iat": NOW,
    "exp": NOW + 300,
    "jti": "7d0f6c2e",
    "scope": "read",
}
SECRET = bytes.fromhex(
    "7fe598029619befa5b739ebb934d84f55f94a38594fca7ce757575f3f2158ab2"
    "7aca8f2f6cc8184af69fbd28b29afa2cb0358e2a6aefcb92b1550672300660e3"
)
"""64 octets from a random number generator: long enough for every HS algorithm."""

Signer = Callable[[bytes], bytes]

_MAKERS: Mapping[str, Callable[[], Any]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-1024": lambda: rsa.generate_private_key(65537, 1024),
}
CURVE_OF = {
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "ES256K": "secp256k1",
    "Ed25519": "Ed25519",
    "Ed448": "Ed448",
    "EdDSA": "Ed25519",
    **{f"{family}S{bits}": "RSA" for family in "RP" for bits in (256, 384, 512)},
}


def private_key(kind: str, number: int = 0) -> Any:
    """The private key of this kind (a curve, `RSA`, `RSA-1024`) with this number."""
    return _made(kind, number)


@cache
def _made(kind: str, number: int) -> Any:
    del number
    return _MAKERS[kind]()


def jwk(kind: str = "P-256", number: int = 0, **members: Any) -> dict[str, Any]:
    """Its public JWK, with `kid` k1 unless `members` say otherwise."""
    return changed({**public_jwk(private_key(kind, number).public_key()), "kid": "k1"}, members)


def jwks(*keys: object) -> dict[str, Any]:
    """A JWK Set; by default of the one key that signs `T()`."""
    return {"keys": list(keys) or [jwk()]}


def signer(algorithm: str = "ES256", kind: str | None = None, number: int = 0) -> Signer:
    """What signs with a real private key of `kind`, by default the one that `algorithm` is for."""
    key = private_key(kind or CURVE_OF[algorithm], number)
    return lambda signing_input: sign(algorithm, key, signing_input)


def mac(secret: bytes, algorithm: str = "HS256") -> Signer:
    """What makes an HMAC over `secret`, whatever that is: by the standard library, which refuses nothing."""
    digest = {"HS256": sha256, "HS384": sha384, "HS512": sha512}[algorithm]
    return lambda signing_input: hmac.digest(secret, signing_input, digest)


def unsigned(_: bytes) -> bytes:
    return b""


def T(header: Mapping[str, Any] | None = None, /, by: Signer | None = None, **claims: Any) -> str:
    """The good token with these differences, signed by `by`, or by the right key for its `alg` if that is a name."""
    members = changed(HEADER, header or {})
    algorithm = members.get("alg")
    usual = signer(algorithm if isinstance(algorithm, str) and algorithm in CURVE_OF else "ES256")
    return raw(members, changed(CLAIMS, claims), by or usual)


def raw(header: Mapping[str, Any] | bytes | str, payload: object, by: Signer | None = None) -> str:
    """A token of exactly this header and payload: octets as they are, text in UTF-8, anything else as JSON."""
    return compact(_octets(header), _octets(payload), by or signer())


def changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


def spliced(octets: bytes | None = None, *, member: str) -> str:
    """A good token whose claims have `member`, JSON text such as `"x":NaN`, written in behind the others."""
    claims = octets or json_octets(CLAIMS)
    return raw(HEADER, claims[:-1] + b"," + member.encode("utf-8", "surrogatepass") + b"}")


def json_octets(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def text(octets: bytes) -> str:
    return b64url_encode(octets).decode()


def _octets(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json_octets(value)
