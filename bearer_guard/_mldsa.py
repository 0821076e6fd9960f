"""ML-DSA for JOSE, which PyJWT does not have: key type AKP, the empty context (RFC 9964)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa

from ._strict import b64url_decode, b64url_encode

PrivateKey: TypeAlias = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
PublicKey: TypeAlias = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey


class MLDSA:
    """One parameter set, with the methods of a PyJWT algorithm that are used here."""

    def __init__(self, name: str, public: type[PublicKey]) -> None:
        self.name = name
        self._public = public

    def sign(self, message: bytes, key: PrivateKey) -> bytes:
        return key.sign(message)

    def from_jwk(self, jwk: Mapping[str, Any]) -> PublicKey:
        return self._public.from_public_bytes(b64url_decode(jwk["pub"].encode()))

    def to_jwk(self, key: PublicKey, as_dict: bool = True) -> dict[str, Any]:
        if not isinstance(key, self._public):
            raise TypeError(f"not a public key of {self.name}")
        return {"kty": "AKP", "alg": self.name, "pub": b64url_encode(key.public_bytes_raw()).decode()}


def _supported() -> bool:
    try:
        mldsa.MLDSA44PublicKey.from_public_bytes(bytes(1312))
    except (UnsupportedAlgorithm, ValueError):  # pragma: no cover - a cryptography built without it
        return False
    return True


ML_DSA: Final[Mapping[str, MLDSA]] = (
    {
        "ML-DSA-44": MLDSA("ML-DSA-44", mldsa.MLDSA44PublicKey),
        "ML-DSA-65": MLDSA("ML-DSA-65", mldsa.MLDSA65PublicKey),
        "ML-DSA-87": MLDSA("ML-DSA-87", mldsa.MLDSA87PublicKey),
    }
    if _supported()
    else {}
)
