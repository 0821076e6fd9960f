"""The clients of an issuer, and whether a secret is theirs (RFC 6749 §2.2, §2.3.1).

Secrets are made here and nowhere else: 256 random bits, of which a salted SHA-256 is kept. A hash that is slow on
purpose protects guessable secrets; these are not. An unknown client costs the same work as a wrong secret.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from .._errors import raise_problems
from .._process import PerProcess
from .._scopes import requirement

_SALT_OCTETS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A confidential client: what it may be granted, and the salted hash of its secret.

    `token_lifetime` is in seconds; `scopes` keeps its order, which is that of the `scope` in an answer.
    """

    client_id: str
    audience: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    token_lifetime: int = 3600
    salt: bytes = field(repr=False)
    secret_hash: bytes = field(repr=False)


class Clients:
    """A register of clients in memory. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock: Final = PerProcess(lambda _: threading.Lock())
        self._clients: dict[str, Client] = {}
        self._nobody = _salted(secrets.token_bytes(32))

    def add(
        self,
        *,
        audience: str | Iterable[str],
        scopes: str | Iterable[str] = (),
        token_lifetime: int = 3600,
        client_id: str | None = None,
    ) -> tuple[Client, str]:
        """A new client and its secret, which is shown this once and not kept. The identifier is made up if not given.

        Raises ConfigurationError for a scope outside the grammar (RFC 6749 §3.3), no audience, a lifetime below one
        second or an identifier that is taken.
        """
        audiences = (audience,) if isinstance(audience, str) else tuple(audience)
        names = tuple(scopes.split() if isinstance(scopes, str) else scopes)
        identifier = secrets.token_urlsafe(16) if client_id is None else client_id
        for name in names:
            requirement(name)
        secret = secrets.token_urlsafe(32)
        salt, secret_hash = _salted(secret.encode())
        client = Client(
            client_id=identifier,
            audience=audiences,
            scopes=names,
            token_lifetime=token_lifetime,
            salt=salt,
            secret_hash=secret_hash,
        )
        with self._lock.here():
            problems = [] if audiences and all(audiences) else ["audience must name at least one API"]
            if token_lifetime < 1:
                problems.append("token_lifetime must be at least one second")
            if not identifier or identifier in self._clients:
                problems.append("client_id must be unique and not empty")
            raise_problems("Clients.add", problems)
            self._clients[identifier] = client
        return client, secret

    def authenticate(self, client_id: str, secret: str) -> Client | None:
        """The client, if the secret is its own; None alike for an unknown client and for a wrong secret."""
        client = self._clients.get(client_id)
        salt, expected = self._nobody if client is None else (client.salt, client.secret_hash)
        # "surrogatepass": whatever text arrived has octets, and none of them is an exception.
        presented = _hash(salt, secret.encode("utf-8", "surrogatepass"))
        return client if hmac.compare_digest(presented, expected) and client is not None else None

    def __len__(self) -> int:
        return len(self._clients)

    def __repr__(self) -> str:
        return f"Clients({len(self)})"


def _salted(secret: bytes) -> tuple[bytes, bytes]:
    salt = secrets.token_bytes(_SALT_OCTETS)
    return salt, _hash(salt, secret)


def _hash(salt: bytes, secret: bytes) -> bytes:
    return sha256(salt + secret).digest()
