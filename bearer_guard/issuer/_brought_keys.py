"""Keys that were made elsewhere: what a file may hold so that an issuer signs with it (RFC 7518 §3.2, §3.3, RFC 8725).

Refused: a file that others may read, a key that stands in published documents, a weak one, one of a type that signs
nothing here. Not known: whether a strong key was copied before.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .._errors import ConfigurationError
from .._jose import ALGORITHMS, SYMMETRIC, UnusableKey, load_jwk, public_jwk
from .._rsa import rsa_problem
from .._secrets import secret_problem
from ._signing_key import SigningKey, thumbprint

_MOST: Final = 64 * 1024
# RFC 7638 thumbprints of keys whose private half everybody can read.
_PUBLISHED: Final = frozenset(
    {
        "IsUn6_e04MaShXFIISMp4kG62LWzMIPy_MvSA5pJgX8",  # RFC 7515, appendix A.2
        "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",  # RFC 7515, appendix A.3
        "u5YUSjQ2-2chBi51NSk3t3g7IM4o2KYcnPqPtCNGd3U",  # RFC 7515, appendix A.4
        "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI",  # RFC 7520, section 3.4
        "dHri3SADZkrush5HU_50AoRhcKFryN-PI6jPBtPL55M",  # RFC 7520, section 3.2
        "8izOqBCj1XBwWw0-iTcMv27pUKWwFvNmw-kutyfzf-g",  # RFC 7520, section 6
        "Rt-IyDEhXohvTl_ozKQ9YGflXGuDb3uu3QmqN2LoMwM",  # RFC 7520, section 6
        "h_jutvC-jg3Nwueq8LmdSybXykVsBwk4_5u5Y9JiS7E",  # RFC 7520, section 5.1
        "HsSFalww3yP-dO-lWGYgFcyV5H22oScIFc4V2Y6GOto",  # RFC 7520, section 5.5
        "YlKlB7M2wnS0cPn_V7OW-FuDLuWdJ9z4OvPHmhGDfeE",  # RFC 7520, section 5.4
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",  # RFC 8037, appendix A
        "oGDmHqCJ7yzMkWEkrlZVHkvrHIyQwtlDmeq5ForUHeY",  # jwt.io, RS256
        "19J8y7Zprt2-QKLjF2I5pVk0OELX6cY2AfaAv1LC_w8",  # jwt.io, ES256
    }
)


def key_from_file(path: Path, algorithm: str | None = None) -> SigningKey:
    """The key in the file at `path`: a private key in PEM, for HS* the secret. Raises ConfigurationError."""
    try:
        octets = private_octets(path)
    except OSError as error:
        raise ConfigurationError(f"signing key: {path} cannot be read: {error.strerror}") from None
    if algorithm in SYMMETRIC:
        secret = octets.rstrip(b"\r\n")
        if problem := secret_problem(secret, algorithm):
            raise ConfigurationError(f"signing key: {problem}")
        return SigningKey(secret, algorithm=algorithm)
    try:
        return _from_pem(octets, algorithm)
    except UnusableKey as error:
        raise ConfigurationError(f"signing key: {error}") from None


def private_octets(path: Path) -> bytes:
    """What the file at `path` holds, at most 64 KiB. Raises ConfigurationError where others may read it, OSError."""
    with path.open("rb") as file:
        if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
            raise ConfigurationError(f"others may read {path}: chmod 600 it, and use it no more if somebody has")
        octets = file.read(_MOST + 1)
    if len(octets) > _MOST:
        raise ConfigurationError(f"{path} holds more than {_MOST} octets")
    return octets


def _from_pem(pem: bytes, algorithm: str | None) -> SigningKey:
    try:
        private: Any = load_pem_private_key(pem, password=None)
    except Exception:
        raise UnusableKey("the file holds no unencrypted private key in PEM") from None
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        if problem := rsa_problem(numbers.n, numbers.e):
            raise UnusableKey(problem)
    jwk = public_jwk(public)
    if thumbprint(jwk) in _PUBLISHED:
        raise UnusableKey("the key stands in published documents, which attackers try first: make one of your own")
    fitting = load_jwk(jwk).possible
    if algorithm is None:
        algorithm = next((name for name in ("ES256", "RS256", "Ed25519") if name in fitting), min(fitting))
    if algorithm not in ALGORITHMS or algorithm not in fitting:
        raise UnusableKey(f"algorithm does not fit the key: choose from {', '.join(sorted(fitting))}")
    return SigningKey(private, algorithm=algorithm)
