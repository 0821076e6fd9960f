"""What an issuer must not forget: clients, opaque tokens, revocations, used assertions, keys.

A store keeps them and decides nothing. `MemoryStore` is for one process and ends with it; `SQLiteStore` is a file that
several processes share. Tokens are kept by their SHA-256 alone, so that whoever reads the store cannot present one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar, Final, Protocol

from ._secrets import SecretHash

_SWEEP_EVERY: Final = 1024


class StoreFailed(Exception):
    """The store cannot answer: a fault of the server, never of the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client: what it may be granted, and how it proves itself.

    `token_lifetime` is in seconds; `scopes` keeps its order, which is that of the `scope` in an answer. `secret` is how
    its secret is kept, `jwks` its public keys for private_key_jwt; one with neither is public and is granted nothing
    (RFC 6749 §4.4). It may introspect tokens for the audiences in `introspects` beside its own (RFC 7662 §2.1).
    """

    client_id: str
    audience: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    token_lifetime: int = 3600
    secret: SecretHash | None = field(default=None, repr=False)
    jwks: Mapping[str, Any] | None = field(default=None, repr=False)
    introspects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """An opaque token as the store knows it: what it stands for, until when (a NumericDate)."""

    client_id: str
    expires_at: float
    claims: Mapping[str, Any]


class Store(Protocol):
    """Keeps what an issuer must not forget. Every method may raise StoreFailed. Safe to share between threads.

    `blocking` says whether methods may wait for a disk; an event loop then calls them in a thread.
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


class MemoryStore:
    """Keeps everything in this process, and forgets what has expired."""

    blocking: ClassVar[bool] = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}
        self._tokens: dict[bytes, TokenRecord] = {}
        self._used: dict[tuple[str, str], float] = {}
        self._until_sweep = _SWEEP_EVERY

    def client(self, client_id: str) -> Client | None:
        return self._clients.get(client_id)

    def add_client(self, client: Client) -> bool:
        with self._lock:
            return self._clients.setdefault(client.client_id, client) is client

    def client_ids(self) -> Iterable[str]:
        with self._lock:
            return tuple(self._clients)

    def add_token(self, digest: bytes, record: TokenRecord, now: float) -> None:
        with self._lock:
            self._tokens[digest] = record
            self._sweep(now)

    def token(self, digest: bytes, now: float) -> TokenRecord | None:
        record = self._tokens.get(digest)
        return record if record is not None and now < record.expires_at else None

    def remove_token(self, digest: bytes) -> None:
        with self._lock:
            self._tokens.pop(digest, None)

    def use_once(self, kind: str, name: str, until: float, now: float) -> bool:
        with self._lock:
            if now < self._used.get((kind, name), now):
                return False
            self._used[kind, name] = until
            self._sweep(now)
            return True

    def used(self, kind: str, name: str, now: float) -> bool:
        return now < self._used.get((kind, name), now)

    def _sweep(self, now: float) -> None:
        # As often as things were added since the last time: its cost is spread evenly over what is kept.
        self._until_sweep -= 1
        if self._until_sweep:
            return
        self._tokens = {digest: record for digest, record in self._tokens.items() if now < record.expires_at}
        self._used = {key: until for key, until in self._used.items() if now < until}
        self._until_sweep = max(_SWEEP_EVERY, len(self._tokens) + len(self._used))

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._clients)} clients)"


def digest_of(token: str) -> bytes:
    """What a store knows of a token: nobody can present it (RFC 6749 §10.3)."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
