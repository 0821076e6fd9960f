"""What an issuer must not forget: clients, opaque tokens, revocations, used assertions, keys.

A store keeps them and decides nothing. `MemoryStore` is for one process and ends with it; `SQLiteStore` is a file that
several processes share. Tokens are kept by their SHA-256 alone, so that whoever reads the store cannot present one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar, Protocol

from ._client import Client


class StoreFailed(Exception):
    """The store cannot answer: a fault of the server, never of the client. The message holds nothing that is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """An opaque token as the store knows it: what it stands for, until when (a NumericDate)."""

    client_id: str
    expires_at: float
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A signing key as it is kept: `material` is PKCS #8 in PEM, or the octets of a secret.

    It signs from `signs_from` on, while no newer key does. Tokens that it signed are good until `needed_until` at most.
    Both are NumericDates.
    """

    kid: str
    algorithm: str
    material: bytes = field(repr=False)
    signs_from: float
    needed_until: float = 0.0


class Store(Protocol):
    """Keeps what an issuer must not forget. Every method may raise StoreFailed. Safe to share between threads.

    `blocking` says whether methods may wait for a disk; an event loop then calls them in a thread. What a method that
    returned has kept, stays kept; what one that raised has kept is not known.
    """

    blocking: ClassVar[bool]

    def client(self, client_id: str) -> Client | None:
        """The client of this identifier."""
        ...

    def add_client(self, client: Client) -> bool:
        """Keep a client; False, and nothing kept, where the identifier is taken."""
        ...

    def client_ids(self) -> Iterable[str]:
        """Every client's identifier."""
        ...

    def has_brought_secrets(self) -> bool:
        """Whether a client's secret is kept as scrypt."""
        ...

    def add_token(self, digest: bytes, record: TokenRecord, now: float) -> None:
        """Keep an opaque token by its digest until it expires."""
        ...

    def token(self, digest: bytes, now: float) -> TokenRecord | None:
        """The record of an opaque token that has not expired."""
        ...

    def remove_token(self, digest: bytes) -> None:
        """Forget an opaque token."""
        ...

    def use_once(self, kind: str, name: str, until: float, now: float) -> bool:
        """Mark a name as used until a NumericDate; False where it was marked already."""
        ...

    def used(self, kind: str, name: str, now: float) -> bool:
        """Whether a name is marked."""
        ...

    def keys(self) -> tuple[StoredKey, ...]:
        """Every signing key, the one that was added last first."""
        ...

    def add_key(self, key: StoredKey, after: str | None) -> bool:
        """Keep a key; False, and nothing kept, unless the one added last has the kid `after` (None: there is none)."""
        ...

    def need_key(self, kid: str, until: float) -> bool:
        """Raise the key's `needed_until` to `until` at least; False where there is no such key any more."""
        ...

    def drop_key(self, kid: str, needed_until: float) -> None:
        """Forget a key unless it is needed for longer than `needed_until`."""
        ...


def digest_of(token: str) -> bytes:
    """What a store knows of a token: nobody can present it (RFC 6749 §10.3)."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
