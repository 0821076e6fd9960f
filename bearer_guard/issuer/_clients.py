"""The clients of an issuer, and whether a secret is theirs (RFC 6749 §2.2, §2.3.1).

An unknown client costs the same work as a wrong secret and gets the same answer. Where secrets of both kinds are kept,
an unknown identifier stands for one kind, always the same, so that the time tells nothing either.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Container, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from .._errors import raise_problems
from .._flow import Flow, run
from .._io import IO
from .._jwks import load_jwks
from .._scopes import requirement
from ._brake import Brake
from ._secrets import SecretHash, brought, made, secret_problem
from ._store import Client, MemoryStore, Store

__all__ = ["Client", "Clients", "Braked"]


class Braked(Exception):
    """Too many wrong secrets were tried for this identifier; `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = wait


class Clients(Container[str]):
    """A register of clients, kept in `store` (by default in memory). Safe to share between threads.

    It answers `in` for identifiers, and so does `of(audience)`: both are live views that a guard may have as its
    audience. `clock` returns NumericDates and times the brake on guessing alone.
    """

    def __init__(self, store: Store | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._store: Final = MemoryStore() if store is None else store
        self._clock: Final = clock
        self._brake: Final = Brake()
        self._decoys: dict[str, SecretHash] = {"sha256": made()[1]}
        self._pepper: Final = secrets.token_bytes(32)
        self._proved: dict[str, bytes] = {}

    @property
    def store(self) -> Store:
        """Where the clients are kept."""
        return self._store

    def add(
        self,
        *,
        audience: str | Iterable[str],
        scopes: str | Iterable[str] = (),
        token_lifetime: int = 3600,
        client_id: str | None = None,
        secret: str | None = None,
        introspects: Iterable[str] = (),
    ) -> tuple[Client, str]:
        """A new client and its secret, which is shown this once and not kept. The identifier is made up if not given.

        A `secret` may be brought from elsewhere; one that is made is better, and cheaper to check. Raises
        ConfigurationError for a scope outside the grammar (RFC 6749 §3.3), no audience, a lifetime below one second, a
        secret that can be guessed or an identifier that is taken.
        """
        if secret is not None:
            raise_problems("Clients.add", [problem] if (problem := secret_problem(secret)) else [])
            kept = brought(secret)
            self._decoys.setdefault("scrypt", brought(secrets.token_urlsafe(32)))
        else:
            secret, kept = made()
        client = self._admit(client_id, audience, scopes, token_lifetime, introspects, secret=kept)
        return client, secret

    def add_with_keys(
        self,
        jwks: Mapping[str, Any],
        *,
        audience: str | Iterable[str],
        scopes: str | Iterable[str] = (),
        token_lifetime: int = 3600,
        client_id: str | None = None,
        introspects: Iterable[str] = (),
    ) -> Client:
        """A new client that proves itself by assertions signed with one of the keys in `jwks` (RFC 7523)."""
        try:
            load_jwks(dict(jwks))
        except ValueError as error:
            raise_problems("Clients.add_with_keys", [f"jwks: {error}"])
        return self._admit(client_id, audience, scopes, token_lifetime, introspects, jwks=jwks)

    def add_public(self, *, client_id: str | None = None) -> Client:
        """A new client without credentials: known, and granted nothing (RFC 6749 §4.4)."""
        return self._admit(client_id, ["nothing"], (), 1, ())

    def get(self, client_id: str) -> Client | None:
        """The client of this identifier, or None."""
        return self._store.client(client_id)

    def of(self, audience: str) -> Container[str]:
        """The identifiers of the clients that are for `audience`, as a live view."""
        return _Of(self._store, audience)

    def authenticate(self, client_id: str, secret: str) -> Client | None:
        """The client, if the secret is its own; None alike for an unknown client and for a wrong secret.

        Raises Braked when too many wrong ones were tried for a secret that could be guessed.
        """
        return run(self.authentication(client_id, secret), IO)

    def authentication(self, client_id: str, secret: str) -> Flow[Client | None]:
        """`authenticate` as a flow. Raises Braked, and Busy when too many secrets are being compared."""
        now = self._clock()
        client = self._store.client(client_id)
        presented = secret.encode("utf-8", "surrogatepass")
        expected = client.secret if client is not None and client.secret is not None else self._decoy(client_id)
        mark = hmac.digest(self._pepper, expected.salt + presented, "sha256")
        wait = self._brake.wait(client_id, now)
        if expected.scheme == "scrypt":
            # A client that has proved its secret here is neither slowed down by its hash nor locked out by strangers.
            if hmac.compare_digest(self._proved.get(client_id, b""), mark):
                return client
            if wait:
                raise Braked(wait)
        matches = yield from expected.comparison(presented)
        if not matches or client is None or client.secret is None:
            self._brake.failed(client_id, now)
            if wait:
                raise Braked(wait)
            return None
        if expected.scheme == "scrypt":
            self._proved[client_id] = mark
        return client

    def _decoy(self, client_id: str) -> SecretHash:
        if len(self._decoys) == 1:
            return self._decoys["sha256"]
        spelled = client_id.encode("utf-8", "surrogatepass")
        return self._decoys["scrypt" if sha256(self._pepper + spelled).digest()[0] % 2 else "sha256"]

    def _admit(
        self,
        client_id: str | None,
        audience: str | Iterable[str],
        scopes: str | Iterable[str],
        token_lifetime: int,
        introspects: Iterable[str],
        *,
        secret: SecretHash | None = None,
        jwks: Mapping[str, Any] | None = None,
    ) -> Client:
        audiences = (audience,) if isinstance(audience, str) else tuple(audience)
        names = tuple(scopes.split() if isinstance(scopes, str) else scopes)
        identifier = secrets.token_urlsafe(16) if client_id is None else client_id
        for name in names:
            requirement(name)
        problems = [] if audiences and all(audiences) else ["audience must name at least one API"]
        if token_lifetime < 1:
            problems.append("token_lifetime must be at least one second")
        if not identifier:
            problems.append("client_id must be unique and not empty")
        raise_problems("Clients.add", problems)
        client = Client(
            client_id=identifier,
            audience=audiences,
            scopes=names,
            token_lifetime=token_lifetime,
            secret=secret,
            jwks=jwks,
            introspects=(introspects,) if isinstance(introspects, str) else tuple(introspects),
        )
        if not self._store.add_client(client):
            raise_problems("Clients.add", ["client_id must be unique and not empty"])
        return client

    def __contains__(self, client_id: object) -> bool:
        return isinstance(client_id, str) and self._store.client(client_id) is not None

    def __len__(self) -> int:
        return len(tuple(self._store.client_ids()))

    def __repr__(self) -> str:
        return f"Clients({len(self)})"


class _Of(Container[str]):
    def __init__(self, store: Store, audience: str) -> None:
        self._store = store
        self._audience = audience

    def __contains__(self, client_id: object) -> bool:
        client = self._store.client(client_id) if isinstance(client_id, str) else None
        return client is not None and self._audience in client.audience

    def __repr__(self) -> str:
        return f"<the clients of {self._audience!r}>"
