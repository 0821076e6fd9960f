"""A store in one SQLite file, which survives a restart and is shared by worker processes.

What a method that returned has kept is on the disk (write-ahead log, every commit synchronised), so a process that is
killed, or a machine that loses its power, loses nothing that was acknowledged; what it was writing is there whole or
not at all. The file has mode 0600: it holds the private keys.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import ClassVar, Final

from ._client import Client, members_of, restored, spellable
from ._secrets import made
from ._sqlite import Connections, prepare
from ._store import StoredKey, TokenRecord

VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE clients (client_id TEXT PRIMARY KEY, scheme TEXT, members TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX brought ON clients (scheme) WHERE scheme = 'scrypt';
CREATE TABLE tokens (digest BLOB PRIMARY KEY, client_id TEXT NOT NULL, expires_at REAL NOT NULL, claims TEXT NOT NULL)
    WITHOUT ROWID;
CREATE INDEX tokens_by_end ON tokens (expires_at);
CREATE TABLE used (digest BLOB PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX used_by_end ON used (until);
CREATE TABLE keys (number INTEGER PRIMARY KEY AUTOINCREMENT, kid TEXT NOT NULL UNIQUE, algorithm TEXT NOT NULL,
    material BLOB NOT NULL, signs_from REAL NOT NULL, needed_until REAL NOT NULL)
"""
_SWEPT: Final = 2
"""Expired rows that each new one takes away: what has expired never piles up, and no write waits long."""


class SQLiteStore:
    """Keeps everything in the file at `path`, which is made if there is none; its folder must be there.

    Safe to share between threads, between processes on one machine and across a fork. `patience` is how many seconds a
    writer waits for the others before it raises StoreFailed. Raises ConfigurationError for a file that others may read,
    that is no such store, or that a newer version has made. Not for a network file system.
    """

    blocking: ClassVar[bool] = True

    def __init__(self, path: str | PathLike[str], *, patience: float = 10.0) -> None:
        self.path: Final = Path(path)
        # An unknown client is answered from this row, so that looking it up is the same work.
        decoy = Client(client_id="", audience=("https://api.example.com",), secret=made()[1])
        row = f"INSERT INTO clients VALUES ('', NULL, '{_members(decoy)}')"  # noqa: S608 - nothing from outside
        prepare(self.path, f"{_SCHEMA}; {row}", VERSION)
        self._connections: Final = Connections(self.path, patience=patience)

    def client(self, client_id: str) -> Client | None:
        wanted = client_id if spellable(client_id) else ""
        with self._connections.reading() as connection:
            query = "SELECT client_id, members FROM clients WHERE client_id IN (?, '') ORDER BY client_id DESC LIMIT 1"
            found, members = connection.execute(query, (wanted,)).fetchone()
        client = restored(found, json.loads(members))
        return client if found else None

    def add_client(self, client: Client) -> bool:
        scheme = None if client.secret is None else client.secret.scheme
        with self._connections.writing() as connection:
            row = client.client_id, scheme, _members(client)
            return connection.execute("INSERT OR IGNORE INTO clients VALUES (?, ?, ?)", row).rowcount == 1

    def client_ids(self) -> Iterable[str]:
        with self._connections.reading() as connection:
            rows = connection.execute("SELECT client_id FROM clients WHERE client_id > ''").fetchall()
        return tuple(client_id for (client_id,) in rows)

    def has_brought_secrets(self) -> bool:
        with self._connections.reading() as connection:
            query = "SELECT EXISTS (SELECT 1 FROM clients WHERE scheme = 'scrypt')"
            row: tuple[int] = connection.execute(query).fetchone()
        return row == (1,)

    def add_token(self, digest: bytes, record: TokenRecord, now: float) -> None:
        row = digest, record.client_id, record.expires_at, json.dumps(dict(record.claims))
        with self._connections.writing() as connection:
            connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", row)
            _sweep(connection, "tokens", "expires_at", now)

    def token(self, digest: bytes, now: float) -> TokenRecord | None:
        with self._connections.reading() as connection:
            query = "SELECT client_id, expires_at, claims FROM tokens WHERE digest = ? AND expires_at > ?"
            row = connection.execute(query, (digest, now)).fetchone()
        if row is None:
            return None
        return TokenRecord(client_id=row[0], expires_at=row[1], claims=json.loads(row[2]))

    def remove_token(self, digest: bytes) -> None:
        with self._connections.writing() as connection:
            connection.execute("DELETE FROM tokens WHERE digest = ?", (digest,))

    def use_once(self, kind: str, name: str, until: float, now: float) -> bool:
        with self._connections.writing() as connection:
            statement = (
                "INSERT INTO used VALUES (?, ?)"
                " ON CONFLICT (digest) DO UPDATE SET until = excluded.until WHERE used.until <= ?"
            )
            first = connection.execute(statement, (_digest(kind, name), until, now)).rowcount == 1
            _sweep(connection, "used", "until", now)
            return first

    def used(self, kind: str, name: str, now: float) -> bool:
        with self._connections.reading() as connection:
            query = "SELECT 1 FROM used WHERE digest = ? AND until > ?"
            return connection.execute(query, (_digest(kind, name), now)).fetchone() is not None

    def keys(self) -> tuple[StoredKey, ...]:
        with self._connections.reading() as connection:
            query = "SELECT kid, algorithm, material, signs_from, needed_until FROM keys ORDER BY number DESC"
            rows = connection.execute(query).fetchall()
        names = ("kid", "algorithm", "material", "signs_from", "needed_until")
        return tuple(StoredKey(**dict(zip(names, row, strict=True))) for row in rows)

    def add_key(self, key: StoredKey, after: str | None) -> bool:
        row = key.kid, key.algorithm, key.material, key.signs_from, key.needed_until
        with self._connections.writing() as connection:
            last = connection.execute("SELECT kid FROM keys ORDER BY number DESC LIMIT 1").fetchone()
            if after != (None if last is None else last[0]):
                return False
            connection.execute("INSERT INTO keys VALUES (NULL, ?, ?, ?, ?, ?)", row)
            return True

    def need_key(self, kid: str, until: float) -> bool:
        with self._connections.writing() as connection:
            statement = "UPDATE keys SET needed_until = max(needed_until, ?) WHERE kid = ?"
            return connection.execute(statement, (until, kid)).rowcount == 1

    def drop_key(self, kid: str, needed_until: float) -> None:
        with self._connections.writing() as connection:
            connection.execute("DELETE FROM keys WHERE kid = ? AND needed_until <= ?", (kid, needed_until))

    def close(self) -> None:
        """Close the connections that are not in use; a later use opens others."""
        self._connections.close()

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self.path)!r})"


def _members(client: Client) -> str:
    return json.dumps(members_of(client))


def _digest(kind: str, name: str) -> bytes:
    return sha256(f"{kind}\n{name}".encode("utf-8", "surrogatepass")).digest()


def _sweep(connection: sqlite3.Connection, table: str, end: str, now: float) -> None:
    connection.execute(
        f"DELETE FROM {table} WHERE digest IN"  # noqa: S608 - both names are this module's own
        f" (SELECT digest FROM {table} WHERE {end} <= ? ORDER BY {end} LIMIT {_SWEPT})",
        (now,),
    )
