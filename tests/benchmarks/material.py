"""Keys and tokens that every contender is measured on: 17 claims, a payload of 660-770 bytes."""

from __future__ import annotations

import hmac
import json
import math
import os
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bearer_guard._jose import public_jwk, sign
from bearer_guard._jws import compact
from bearer_guard._strict import b64url_decode

ISSUER = "https://id.example.com/realms/production"
AUDIENCE = "https://api.example.com"
KID = "k-2026-11"

_MAKERS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "HS256": lambda: os.urandom(32),
}
ALGORITHMS = tuple(_MAKERS)
_SEED = bytes(range(32))
_FIXED: dict[str, Callable[[], Any]] = {
    "RS256": lambda: _rsa_key(3 * 2**1022 + 1037, 7 * 2**1021 + 309),
    "ES256": lambda: ec.derive_private_key(int.from_bytes(_SEED), ec.SECP256R1()),
    "EdDSA": lambda: ed25519.Ed25519PrivateKey.from_private_bytes(_SEED),
    "HS256": lambda: _SEED,
}


class Material:
    """A key of one algorithm and tokens that it signed, each another."""

    def __init__(
        self, algorithm: str, count: int = 200, filling: int = 0, *, now: int | None = None, fixed: bool = False
    ) -> None:
        self.algorithm = algorithm
        self.private_key = (_FIXED if fixed else _MAKERS)[algorithm]()
        self.now = int(time.time()) if now is None else now
        self.tokens = [self.token(number, filling) for number in range(count)]

    def claims(self, number: int, filling: int = 0) -> dict[str, Any]:
        return {
            "iss": ISSUER,
            "aud": [AUDIENCE, "account"],
            "exp": self.now + 3600,
            "nbf": self.now,
            "iat": self.now,
            "jti": f"7d5a4c1e-9a51-4c1d-8f2e-{number:012d}",
            "sub": "f3b0c442-98fc-4c14-9afb-4c8996fb9242",
            "client_id": "reporting-service",
            "azp": "reporting-service",
            "acr": "1",
            "scope": "openid profile email read:users write:users read:reports",
            "sid": "b1c1d9c3-0f9d-4d4f-8a3a-2b1b8d2d3f10",
            "email_verified": True,
            "preferred_username": "service-account-reporting-service",
            "allowed_origins": ["https://app.example.com", "https://admin.example.com"],
            "realm_access": {"roles": ["offline_access", "uma_authorization", "default-roles-production"]},
            "tenant": "eu-central" + "x" * filling,
        }

    def token(self, number: int, filling: int = 0) -> str:
        header = json.dumps({"alg": self.algorithm, "typ": "at+jwt", "kid": KID}, separators=(",", ":")).encode()
        payload = json.dumps(self.claims(number, filling), separators=(",", ":")).encode()
        return compact(header, payload, lambda octets: sign(self.algorithm, self.private_key, octets))

    @property
    def public_key(self) -> Any:
        return self.private_key if self.algorithm == "HS256" else self.private_key.public_key()

    def jwk(self) -> dict[str, Any]:
        return {**public_jwk(self.public_key), "kid": KID, "alg": self.algorithm, "use": "sig"}

    def raw(self) -> Callable[[], None]:
        """The yardstick: the bare signature check and `json.loads`, on parts taken out beforehand."""
        verify = _bare_check(self.algorithm, self.public_key)
        parts = []
        for token in self.tokens:
            signing_input, _, signature = token.encode().rpartition(b".")
            octets = b64url_decode(signature)
            if self.algorithm == "ES256":
                octets = encode_dss_signature(int.from_bytes(octets[:32]), int.from_bytes(octets[32:]))
            parts.append((signing_input, octets, b64url_decode(signing_input.partition(b".")[2])))

        def batch() -> None:
            for signing_input, octets, payload in parts:
                verify(octets, signing_input)
                json.loads(payload)

        return batch


def _bare_check(algorithm: str, key: Any) -> Callable[[bytes, bytes], object]:
    if algorithm == "RS256":
        scheme, digest = padding.PKCS1v15(), hashes.SHA256()
        return lambda signature, octets: key.verify(signature, octets, scheme, digest)
    if algorithm == "ES256":
        ecdsa = ec.ECDSA(hashes.SHA256())
        return lambda signature, octets: key.verify(signature, octets, ecdsa)
    if algorithm == "EdDSA":
        return lambda signature, octets: key.verify(signature, octets)
    return lambda signature, octets: hmac.compare_digest(hmac.new(key, octets, "sha256").digest(), signature)


def _rsa_key(p: int, q: int) -> rsa.RSAPrivateKey:
    exponent = 65537
    d = pow(exponent, -1, math.lcm(p - 1, q - 1))
    parts = d % (p - 1), d % (q - 1), pow(q, -1, p)
    return rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(exponent, p * q)).private_key()
