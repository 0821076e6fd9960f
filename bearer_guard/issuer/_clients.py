"""The clients of an issuer, and whether a secret is theirs (RFC 6749 §2.2, §2.3.1).

An unknown client gets the same answer as a wrong secret, and costs the same work: one SHA-256, and, where any client's
secret was brought from outside, one scrypt, whatever kind of secret the client has. A right secret may be quicker. Not
hidden: what a memory access more or less takes, and whether a brought secret has been proved to this process before,
which only its owner can tell.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Container, Iterable, Mapping
from os import PathLike
from typing import Any, Final

from .._errors import AuthorityUnavailable, raise_problems
from .._flow import Flow, run
from .._io import IO
from ._brake import Brake
from ._client import Client, new_client
from ._client_file import ClientFile
from ._memory_store import MemoryStore
from ._secrets import SecretHash, SlowComparisons, brought, made, octets_of, secret_problem
from ._store import Store, StoreFailed

__all__ = ["Client", "Clients", "Braked"]


class Braked(Exception):
    """Too many wrong secrets were tried for this identifier; `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = wait


class Clients(Container[str]):
    """A register of clients, kept in `store` (by default in memory). Safe to share between threads.

    `file` is a TOML file as `bearer-guard issuer add-client` writes it: its clients count too, and come first; it is
    read again when it has changed. The register answers `in` for identifiers, and so does `of(audience)`: both are live
    views that a guard may have as its audience. `clock` returns NumericDates and times the brake on guessing alone.
    Raises ConfigurationError for a file that cannot be read.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        file: str | PathLike[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = MemoryStore() if store is None else store
        self._file: Final = None if file is None else ClientFile(file)
        self._clock: Final = clock
        self._brake: Final = Brake()
        self._slow: Final = SlowComparisons()
        self._made_decoy: Final = made()[1]
        self._brought_decoy: SecretHash | None = None
        self._pepper: Final = secrets.token_bytes(32)
        self._proved: Final[dict[str, bytes]] = {}

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
        introspects: str | Iterable[str] = (),
    ) -> tuple[Client, str]:
        """A new client and its secret, which is shown this once and not kept. The identifier is made up if not given.

        A `secret` may be brought from elsewhere; one that is made is better, and cheaper to check. Raises
        ConfigurationError for a scope outside the grammar (RFC 6749 §3.3), no audience, a lifetime below one second, a
        secret that can be guessed or an identifier that is taken.
        """
        if secret is not None:
            raise_problems("Clients.add", [problem] if (problem := secret_problem(secret)) else [])
            kept = brought(secret)
        else:
            secret, kept = made()
        client = new_client(
            "Clients.add",
            client_id=client_id,
            audience=audience,
            scopes=scopes,
            token_lifetime=token_lifetime,
            introspects=introspects,
            secret=kept,
        )
        return self._kept(client), secret

    def add_with_keys(
        self,
        jwks: Mapping[str, Any],
        *,
        audience: str | Iterable[str],
        scopes: str | Iterable[str] = (),
        token_lifetime: int = 3600,
        client_id: str | None = None,
        introspects: str | Iterable[str] = (),
    ) -> Client:
        """A new client that proves itself by assertions signed with one of the keys in `jwks` (RFC 7523)."""
        client = new_client(
            "Clients.add_with_keys",
            client_id=client_id,
            audience=audience,
            scopes=scopes,
            token_lifetime=token_lifetime,
            introspects=introspects,
            jwks=jwks,
        )
        return self._kept(client)

    def add_public(self, *, client_id: str | None = None) -> Client:
        """A new client without credentials: known, and granted nothing (RFC 6749 §4.4)."""
        return self._kept(new_client("Clients.add_public", client_id=client_id, audience="nothing", token_lifetime=1))

    def get(self, client_id: str) -> Client | None:
        """The client of this identifier, or None."""
        listed = None if self._file is None else self._file.clients().get(client_id)
        return self._store.client(client_id) if listed is None else listed

    def of(self, audience: str) -> Container[str]:
        """The identifiers of the clients that are for `audience`, as a live view."""
        return _Of(self, audience)

    def authenticate(self, client_id: str, secret: str) -> Client | None:
        """The client, if the secret is its own; None alike for an unknown client and for a wrong secret.

        Raises Braked when too many wrong ones were tried for a secret that could be guessed.
        """
        return run(self.authentication(client_id, secret), IO)

    def authentication(self, client_id: str, secret: str) -> Flow[Client | None]:
        """`authenticate` as a flow. Raises Braked, and Busy when too many secrets are being compared."""
        now, presented = self._clock(), octets_of(secret)
        client = self.get(client_id)
        expected = None if client is None else client.secret
        quick = expected if expected is not None and expected.scheme == "sha256" else self._made_decoy
        # The right one of 256 random bits is let in whatever strangers have tried: nobody can lock its client out.
        if quick.matches(presented) and quick is not self._made_decoy:
            return client
        slow = expected if expected is not None and expected.scheme == "scrypt" else None
        mark = hmac.digest(self._pepper, (slow or quick).salt + presented, "sha256")
        # A client that has proved its secret here is neither slowed down by its hash nor locked out by strangers.
        if hmac.compare_digest(self._proved.get(client_id, b""), mark) and slow is not None:
            return client
        if wait := self._brake.wait(client_id, now):
            self._brake.failed(client_id, now)
            raise Braked(wait)
        if slow is not None or self._has_brought():
            matches = yield from self._slow.matches(slow or self._decoy(), presented)
            if matches and slow is not None:
                self._proved[client_id] = mark
                return client
        self._brake.failed(client_id, now)
        return None

    def _has_brought(self) -> bool:
        listed = {} if self._file is None else self._file.clients()
        kept = (client.secret for client in listed.values())
        return any(one is not None and one.scheme == "scrypt" for one in kept) or self._store.has_brought_secrets()

    def _decoy(self) -> SecretHash:
        if self._brought_decoy is None:
            # Its digest is no hash of anything: what is compared with it is computed all the same.
            salt, digest = secrets.token_bytes(16), secrets.token_bytes(64)
            self._brought_decoy = SecretHash(scheme="scrypt", salt=salt, digest=digest)
        return self._brought_decoy

    def _kept(self, client: Client) -> Client:
        listed = self._file is not None and client.client_id in self._file.clients()
        if listed or not self._store.add_client(client):
            raise_problems("Clients.add", ["client_id must be unique and not empty"])
        return client

    def __contains__(self, client_id: object) -> bool:
        return isinstance(client_id, str) and self.get(client_id) is not None

    def __len__(self) -> int:
        listed = set() if self._file is None else set(self._file.clients())
        return len(listed.union(self._store.client_ids()))

    def __repr__(self) -> str:
        return f"Clients({len(self)})"


class _Of(Container[str]):
    def __init__(self, clients: Clients, audience: str) -> None:
        self._clients = clients
        self._audience = audience

    def __contains__(self, client_id: object) -> bool:
        try:
            client = self._clients.get(client_id) if isinstance(client_id, str) else None
        except StoreFailed as failure:  # asked by a guard, for which it is the provider's fault
            raise AuthorityUnavailable(f"the register of clients: {failure}") from failure
        return client is not None and self._audience in client.audience

    def __repr__(self) -> str:
        return f"<the clients of {self._audience!r}>"
