"""Where the keys come from that a token is checked with, and the source whose keys never change.

A source answers at once from what it holds; what it lacks it brings in a flow, so that the waiting is the driver's.
Which key a header may use is decided in `_jwks`; when to ask again, in `_refresh`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ._errors import AuthorityUnavailable, ConfigurationError, UnknownKey
from ._flow import Flow
from ._jose import ASYMMETRIC, UnusableKey, load_jwk, public_jwk
from ._jwks import KeySet, load_jwks
from ._strict import json_object
from ._verifier import SourceStatus

_logger: Final = logging.getLogger("bearer_guard")


class KeySource:
    """A source of keys for one issuer. `algorithms` are those that its keys could ever be used with."""

    algorithms: frozenset[str]
    name: str

    def current(self) -> KeySet | None:
        """The keys that may be used now without waiting."""
        raise NotImplementedError

    def arrival(self) -> int:
        """A mark to take when a token arrives: an attempt counted above it began later than the token came."""
        return 0

    def obtain(self) -> Flow[KeySet]:
        """Keys, waited for where needed. Raises AuthorityUnavailable."""
        raise NotImplementedError

    def missing(self, arrival: int, found: Callable[[KeySet], bool]) -> Flow[KeySet]:
        """Keys that satisfy `found`, asked for again where the budget allows.

        Raises UnknownKey when the issuer's current keys do not, AuthorityUnavailable when it cannot be asked.
        """
        raise NotImplementedError

    def refusal(self, seen: KeySet) -> UnknownKey | AuthorityUnavailable | None:
        """What `missing` would raise for a token that comes now and that `seen` does not verify; None where only
        `missing` can tell. Every token of a stranger comes by here: it must cost little.
        """
        return None

    def status(self) -> SourceStatus:
        raise NotImplementedError

    def rouse(self) -> None:
        """Begin to bring keys where a request would, and wait for nothing."""
        self.current()

    def warming(self) -> Flow[None]:
        yield from self.obtain()


class FixedKeys(KeySource):
    """Keys that were given: nothing is ever asked for."""

    def __init__(self, keys: KeySet, *, name: str, algorithms: frozenset[str]) -> None:
        self._keys = keys
        self._none_fits = f"none of {name} fits"
        self.name = name
        self.algorithms = algorithms

    def current(self) -> KeySet:
        return self._keys

    def obtain(self) -> Flow[KeySet]:
        return self._keys
        yield  # a flow, though it never waits

    def missing(self, arrival: int, found: Callable[[KeySet], bool]) -> Flow[KeySet]:
        raise UnknownKey(self._none_fits)
        yield  # a flow, though it never waits

    def refusal(self, seen: KeySet) -> UnknownKey:
        return UnknownKey(self._none_fits)

    def status(self) -> SourceStatus:
        return {
            "source": self.name,
            "state": "fresh",
            "age": None,
            "next_refresh": None,
            "last_error": None,
            "skipped": [str(key) for key in self._keys.skipped],
            "fetches": {},
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._keys!r})"


class StaticJWKSet(FixedKeys):
    """Public keys that were handed over: a JWK Set (RFC 7517 §5) as a dict or its JSON text.

    Unusable members are skipped and reported in `guard.status()`; without one usable key, ConfigurationError. Private
    members are not read. The keys stay until the process ends: prefer `RemoteJWKSet` where the issuer publishes a URL.
    """

    def __init__(self, document: dict[str, Any] | str | bytes) -> None:
        keys = _load_document(document)
        warn_of_private_members(keys, "the static JWK set")
        super().__init__(keys, name="static JWK set", algorithms=ASYMMETRIC)

    @classmethod
    def from_pem(cls, pem: str | bytes, *, algorithm: str | None = None, kid: str | None = None) -> StaticJWKSet:
        """The public key, or the key of the certificate, in a PEM text (RFC 7468). The certificate is not validated.

        `algorithm` binds the key to one algorithm; without `kid` the key is tried for every token of that issuer.
        """
        return cls({"keys": [_jwk_from_pem(pem, algorithm, kid)]})

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> StaticJWKSet:
        """The keys in a file that holds a JWK Set or one PEM text, read once, now."""
        try:
            content = Path(path).read_bytes()
        except (OSError, TypeError, ValueError) as failure:
            raise ConfigurationError(f"StaticJWKSet: the file cannot be read: {failure}") from failure
        return cls.from_pem(content) if b"-----BEGIN" in content else cls(content)


def warn_of_private_members(keys: KeySet, where: str) -> None:
    """Private members are never used, but that somebody sent them is worth a line in the log (RFC 7517 §9.2)."""
    for position in _with_private_members(keys):
        _logger.warning("key %d of %s carries private members: its issuer should be told", position, where)


def _with_private_members(keys: KeySet) -> Iterator[int]:
    return (position for position, key in enumerate(keys.keys) if key.private_members)


def _load_document(document: object) -> KeySet:
    if isinstance(document, str | bytes):
        try:
            document = json_object(document if isinstance(document, bytes) else document.encode())
        except ValueError:
            raise ConfigurationError(
                "StaticJWKSet: not unambiguous JSON (UTF-8, an object, no member twice): give a JWK Set, "
                "or use StaticJWKSet.from_pem for a PEM key"
            ) from None
    try:
        return load_jwks(document)
    except ValueError as error:
        raise ConfigurationError(
            f"StaticJWKSet: {error}: give a JWK Set with at least one public signature key"
        ) from None


def _jwk_from_pem(pem: object, algorithm: str | None, kid: str | None) -> dict[str, Any]:
    if not isinstance(pem, str | bytes):
        raise ConfigurationError("StaticJWKSet.from_pem: give the PEM text; StaticJWKSet.from_file reads a path")
    text = pem.encode() if isinstance(pem, str) else pem
    if text.count(b"-----BEGIN") > 1:
        raise ConfigurationError(
            "StaticJWKSet.from_pem: more than one PEM block: give the one with the issuer's key, or a JWK Set"
        )
    if b"PRIVATE KEY-----" in text:
        raise ConfigurationError("StaticJWKSet.from_pem: this is a private key: give the public key that belongs to it")
    try:
        jwk = public_jwk(_load_pem(text))
        if algorithm is not None:
            jwk["alg"] = algorithm
        if kid is not None:
            jwk["kid"] = kid
        load_jwk(jwk)
    except UnusableKey as error:
        raise ConfigurationError(f"StaticJWKSet.from_pem: {error}") from None
    except Exception:
        raise ConfigurationError("StaticJWKSet.from_pem: not a PEM public key or certificate") from None
    return jwk


def _load_pem(text: bytes) -> object:
    if b"-----BEGIN CERTIFICATE-----" in text:
        return x509.load_pem_x509_certificate(text).public_key()
    return load_pem_public_key(text)
