"""Algorithms and the keys that fit them: which key verifies what (RFC 7515 §5.2, RFC 7518, RFC 8037, RFC 9864).

The only module that imports PyJWT: its `Algorithm` objects load keys and sign, cryptography does the arithmetic.
A key is checked once, when it is loaded: its type, curve and size fix the algorithms that it may ever be used with, so
that a secret and a public key never meet and a header cannot choose (RFC 8725 §3.1). Private members are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol, cast

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import HMACAlgorithm, get_default_algorithms

from ._checks import prepare
from ._rsa import rsa_problem
from ._strict import b64url_decode

try:
    from . import _mldsa
except ImportError:  # pragma: no cover - an older cryptography has no ML-DSA
    _mldsa = None  # type: ignore[assignment]


class UnusableKey(ValueError):
    """A key that cannot or must not verify signatures; the message is safe to log and holds no key material."""


class _Implementation(Protocol):
    def sign(self, msg: bytes, key: Any, /) -> bytes: ...
    def from_jwk(self, jwk: dict[str, Any], /) -> Any: ...
    def to_jwk(self, key_obj: Any, /, as_dict: Any) -> Any: ...


class _Kind(NamedTuple):
    kty: str
    curve: str | None
    implementation: _Implementation


_PYJWT: Final[Mapping[str, Any]] = get_default_algorithms()
ALGORITHMS: Final[Mapping[str, _Kind]] = {
    **{name: _Kind("oct", None, _PYJWT[name]) for name in ("HS256", "HS384", "HS512")},
    **{name: _Kind("RSA", None, _PYJWT[name]) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")},
    "ES256": _Kind("EC", "P-256", _PYJWT["ES256"]),
    "ES384": _Kind("EC", "P-384", _PYJWT["ES384"]),
    "ES512": _Kind("EC", "P-521", _PYJWT["ES512"]),
    "ES256K": _Kind("EC", "secp256k1", _PYJWT["ES256K"]),  # RFC 8812
    "Ed25519": _Kind("OKP", "Ed25519", _PYJWT["EdDSA"]),  # RFC 9864 §2.2
    "Ed448": _Kind("OKP", "Ed448", _PYJWT["EdDSA"]),
    "EdDSA": _Kind("OKP", None, _PYJWT["EdDSA"]),  # deprecated by RFC 9864: only where named
    **{
        name: _Kind("AKP", None, algorithm) for name, algorithm in (_mldsa.ML_DSA if _mldsa else {}).items()
    },  # RFC 9964
}
"""Every algorithm that this installation verifies, by its registered name. `none` is not one of them."""

SYMMETRIC: Final = frozenset(name for name, kind in ALGORITHMS.items() if kind.kty == "oct")
ASYMMETRIC: Final = frozenset(ALGORITHMS) - SYMMETRIC
_UNLESS_TOLD: Final = {"RSA": frozenset({"RS256", "PS256"})}
"""What a key without `alg` is good for while no list of algorithms says more."""

_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",), "AKP": ("pub",)}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


class VerificationKey:
    """A key that is ready to verify signatures, and the algorithms that it may be used with."""

    __slots__ = ("algorithms", "checks", "kid", "possible", "private_members")

    def __init__(
        self, material: Any, *, kid: str | None, algorithms: frozenset[str], possible: frozenset[str], private: bool
    ) -> None:
        self.checks = {name: prepare(name, material) for name in possible}
        self.kid = kid
        self.algorithms = algorithms
        self.possible = possible
        self.private_members = private

    def fits(self, algorithm: str, *, listed: bool) -> bool:
        """Whether a header may name `algorithm` for this key; `listed` says that the operator allowed it by name."""
        return algorithm in (self.possible if listed else self.algorithms)

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Whether `signature` is one of this key over `signing_input`, by an algorithm that fits it."""
        check = self.checks.get(algorithm)
        return check is not None and check(signing_input, signature)

    def __repr__(self) -> str:
        return f"VerificationKey(kid={self.kid!r}, algorithms={sorted(self.algorithms)})"


def load_jwk(jwk: object) -> VerificationKey:
    """The public key in a JWK (RFC 7517 §4). Raises UnusableKey for whatever must not verify a signature."""
    if not isinstance(jwk, dict):
        raise UnusableKey("not a JSON object")
    members = cast("dict[str, Any]", jwk)
    kty, kid, alg = members.get("kty"), members.get("kid"), members.get("alg")
    if kty == "oct":
        raise UnusableKey("a symmetric key has no place in a set of public keys")
    if not isinstance(kty, str) or kty not in _MEMBERS:
        raise UnusableKey("key type not supported")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKey("kid is not a string")
    if members.get("use", "sig") != "sig":
        raise UnusableKey("use is not sig")
    operations = members.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKey("key_ops lacks verify")
    for name in _MEMBERS[kty]:
        _check_octets(name, members.get(name))
    public = {name: value for name, value in members.items() if name not in _PRIVATE}
    possible = _possible(kty, public.get("crv"))
    if alg is not None:
        if not isinstance(alg, str) or alg not in possible:
            raise UnusableKey("alg is unknown or does not fit the key")
        possible = frozenset({alg})
    elif kty == "AKP":
        raise UnusableKey("alg is required for an AKP key")
    material = _load(public, next(iter(possible)))
    return VerificationKey(
        material,
        kid=kid,
        algorithms=possible if alg is not None else _unless_told(kty, possible),
        possible=possible,
        private=bool(_PRIVATE & members.keys()),
    )


def public_jwk(key: object) -> dict[str, Any]:
    """The JWK, without kid, of a public key of the cryptography package. Raises UnusableKey for other keys."""
    for kind in ALGORITHMS.values():
        try:
            jwk = cast("dict[str, Any]", kind.implementation.to_jwk(key, as_dict=True))
        except Exception:  # noqa: S112 - not a key of this algorithm's type
            continue
        return {name: value for name, value in jwk.items() if name != "key_ops"}
    raise UnusableKey("key type not supported")


def sign(algorithm: str, private_key: Any, signing_input: bytes) -> bytes:
    """The signature, in the form that JWS carries, of a private key (or secret) over `signing_input`."""
    return ALGORITHMS[algorithm].implementation.sign(signing_input, private_key)


def secret_key(secret: bytes, algorithm: str) -> VerificationKey:
    """The key that a shared secret is. Its strength is the caller's to judge; an encoded public key is refused."""
    kind = ALGORITHMS[algorithm]
    try:
        cast("HMACAlgorithm", kind.implementation).prepare_key(secret)
    except Exception:
        raise UnusableKey("the secret is empty, or a key or certificate for asymmetric signatures") from None
    only = frozenset({algorithm})
    return VerificationKey(secret, kid=None, algorithms=only, possible=only, private=False)


def _check_octets(name: str, value: object) -> None:
    try:
        if not (isinstance(value, str) and b64url_decode(value.encode("ascii"))):
            raise ValueError
    except ValueError:
        raise UnusableKey(f"{name} is not base64url") from None


def _possible(kty: str, curve: object) -> frozenset[str]:
    possible = frozenset(name for name, kind in ALGORITHMS.items() if kind.kty == kty and kind.curve in (None, curve))
    if kty in ("EC", "OKP") and not any(kind.curve == curve for kind in ALGORITHMS.values()):
        raise UnusableKey("curve not supported")
    if not possible:
        raise UnusableKey("key type not supported by the installed cryptography")
    return possible


def _unless_told(kty: str, possible: frozenset[str]) -> frozenset[str]:
    return _UNLESS_TOLD.get(kty, possible) - {"EdDSA"}


def _load(jwk: dict[str, Any], algorithm: str) -> Any:
    try:
        material = ALGORITHMS[algorithm].implementation.from_jwk(jwk)
    except Exception:  # of whatever kind: the set's other keys must live on
        raise UnusableKey("the key's parameters are not valid") from None
    if isinstance(material, rsa.RSAPublicKey):
        numbers = material.public_numbers()
        if problem := rsa_problem(numbers.n, numbers.e):
            raise UnusableKey(problem)
    return material
