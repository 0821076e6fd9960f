"""A key that an issuer signs with, and its name (RFC 7517 §4, RFC 7638).

A private key stays inside its `SigningKey`: not in `repr`, not in what is published. `octets` are for a store.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from .._errors import ConfigurationError
from .._jose import ALGORITHMS, SYMMETRIC, public_jwk, sign
from .._strict import b64url_encode

# The members that make a thumbprint: RFC 7638 §3.2, RFC 8037 §2, RFC 9964 §3.
_THUMBPRINT: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "AKP": ("alg", "kty", "pub"),
}
_RSA_BITS: Final = 2048
_OCTETS: Final[Mapping[str, int]] = {"HS256": 32, "HS384": 48, "HS512": 64}  # RFC 7518 §3.2
_CURVES: Final[Mapping[str, Callable[[], Any]]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
}


class SigningKey:
    """A private key (or a secret) and the one algorithm that it signs with.

    `kid` is the RFC 7638 thumbprint of the public key; that of a secret is random, because a hash of a secret is not
    for publication (RFC 7638 §7). `public_jwk` is None for a secret.
    """

    __slots__ = ("_material", "algorithm", "kid", "public_jwk")

    def __init__(self, material: Any, *, algorithm: str, kid: str | None = None) -> None:
        self._material = material
        self.algorithm: str = algorithm
        self.kid: str
        self.public_jwk: Mapping[str, Any] | None
        if algorithm in SYMMETRIC:
            self.kid, self.public_jwk = kid or secrets.token_urlsafe(16), None
        else:
            members = public_jwk(material.public_key())
            self.kid = thumbprint(members)
            self.public_jwk = {**members, "use": "sig", "alg": algorithm, "kid": self.kid}

    @classmethod
    def generate(cls, algorithm: str = "ES256") -> SigningKey:
        """A new key for `algorithm`. Raises ConfigurationError for one that this installation does not have."""
        if algorithm not in ALGORITHMS:
            raise ConfigurationError(f"SigningKey: algorithm must be one of {', '.join(ALGORITHMS)}")
        return cls(_generate(algorithm), algorithm=algorithm)

    @property
    def secret(self) -> bytes:
        """The shared secret of an HS* key, for whoever verifies with it. Raises TypeError for a private key."""
        if self.public_jwk is not None:
            raise TypeError("a private key is not shared")
        secret: bytes = self._material
        return secret

    @property
    def public_pem(self) -> str:
        """The public key in PEM (RFC 7468 §13), for verifiers that are given one. Raises TypeError for a secret."""
        if self.public_jwk is None:
            raise TypeError("a secret has no public key")
        pem: bytes = self._material.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode("ascii")

    @property
    def octets(self) -> bytes:
        """The private key in PKCS #8 and PEM, or the secret: for a store, and nobody else."""
        if self.public_jwk is None:
            return self.secret
        pem: bytes = self._material.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem

    @classmethod
    def restored(cls, octets: bytes, *, algorithm: str, kid: str) -> SigningKey:
        """The key whose `octets` were kept. Raises ValueError for what is none."""
        material = octets if algorithm in SYMMETRIC else load_pem_private_key(octets, password=None)
        return cls(material, algorithm=algorithm, kid=kid)

    def sign(self, signing_input: bytes) -> bytes:
        """The signature over `signing_input`, as JWS carries it."""
        return sign(self.algorithm, self._material, signing_input)

    def __repr__(self) -> str:
        return f"SigningKey(algorithm={self.algorithm!r}, kid={self.kid!r})"


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The RFC 7638 thumbprint, by SHA-256, of a public JWK."""
    members = {name: jwk[name] for name in _THUMBPRINT[jwk["kty"]]}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return b64url_encode(sha256(canonical.encode()).digest()).decode()


def _generate(algorithm: str) -> Any:
    kind = ALGORITHMS[algorithm]
    if kind.kty == "oct":
        return secrets.token_bytes(_OCTETS[algorithm])
    if kind.kty == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    if kind.kty == "AKP":
        return _generate_mldsa(algorithm)
    return _CURVES[kind.curve or "Ed25519"]()  # EdDSA leaves the curve open


def _generate_mldsa(algorithm: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import mldsa

    generate: Mapping[str, Callable[[], Any]] = {
        "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
        "ML-DSA-65": mldsa.MLDSA65PrivateKey.generate,
        "ML-DSA-87": mldsa.MLDSA87PrivateKey.generate,
    }
    return generate[algorithm]()
