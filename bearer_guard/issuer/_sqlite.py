"""Connections to one SQLite file, for many threads and processes: opened when needed, never carried across a fork.

A process has one writer at a time, so that threads queue here; processes try again and
again, each at random, up to `patience` seconds. Every failure is a StoreFailed that holds nothing of what is kept.
"""

from __future__ import annotations

import math
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final

from .._errors import ConfigurationError
from ._store import StoreFailed

_APPLICATION: Final = 0x62477364  # "bGsd", in the header of the file
_IDLE: Final = 8
_NAP: Final = (0.0005, 0.002)


class Connections:
    """The connections of this process to the file at `path`. Safe to share between threads and across a fork."""

    def __init__(self, path: Path, *, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._idle: list[sqlite3.Connection] = []
        self._used = 0
        self._changed = threading.Condition(threading.Lock())
        self._writer = threading.Lock()
        self._last = weakref.finalize(self, _close_all, self._idle)
        _around_forks(self)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection outside a transaction. Raises StoreFailed."""
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", None) or type(error).__name__
            raise StoreFailed(f"SQLite: {name}") from None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction, which is on the disk when the block has ended. Raises StoreFailed."""
        writer = self._writer
        if not writer.acquire(timeout=self._patience):
            raise StoreFailed(f"no turn to write within {self._patience:g} s")
        try:
            with self.reading() as connection:
                self._begin(connection)
                try:
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        finally:
            writer.release()

    def _begin(self, connection: sqlite3.Connection) -> None:
        # SQLite's own waiting grows to 100 ms a nap, so that a process which writes a lot would starve the others.
        ends = time.monotonic() + self._patience
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= ends:
                        raise
                time.sleep(random.uniform(*_NAP))  # noqa: S311 - no secret
        finally:
            connection.execute(f"PRAGMA busy_timeout = {math.ceil(self._patience * 1000)}")

    def close(self) -> None:
        """Close what is not in use. A later use opens anew."""
        with self._changed:
            _close_all(self._idle)

    def _take(self) -> sqlite3.Connection:
        with self._changed:
            self._used += 1
            if self._idle:
                return self._idle.pop()
        try:
            return connect(self._path, patience=self._patience)
        except BaseException:
            self._ended()
            raise

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._changed:
            kept = len(self._idle) < _IDLE
            if kept:
                self._idle.append(connection)
        if not kept:
            connection.close()
        self._ended()

    def _ended(self) -> None:
        with self._changed:
            self._used -= 1
            self._changed.notify_all()

    # SQLite's own notes on what it has locked are wrong in a forked child, so no connection may be open then.

    def before_fork(self) -> None:
        self._changed.acquire()
        self._changed.wait_for(lambda: not self._used)
        _close_all(self._idle)

    def after_fork(self) -> None:
        self._changed.release()

    def in_child(self) -> None:
        self._writer = threading.Lock()  # who held it is not in this process
        self._changed.release()


def connect(path: Path, *, patience: float) -> sqlite3.Connection:
    """A connection whose commits are on the disk when they return (https://www.sqlite.org/pragma.html#pragma_synchronous)."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=patience, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(path: Path, schema: str, version: int) -> None:
    """See that the file at `path` has this schema, made in one step if there is none. Raises ConfigurationError."""
    if path.name in ("", ":memory:"):
        raise ConfigurationError("SQLiteStore: path must name a file: MemoryStore keeps things in memory")
    try:
        if not path.exists():
            _create(path, schema, version)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise ConfigurationError(f"SQLiteStore: others may read {path}, which holds keys: chmod 600 it")
        with closing(connect(path, patience=10.0)) as connection:
            names = ("application_id", "user_version", "journal_mode")
            found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"SQLiteStore: {path} cannot be opened: {error}") from error
    if found["application_id"] != _APPLICATION or found["journal_mode"] != "wal":
        raise ConfigurationError(f"SQLiteStore: {path} is not a store of this package: give another path")
    if found["user_version"] != version:
        raise ConfigurationError(f"SQLiteStore: {path} has version {found['user_version']}, not {version}: update")


def _create(path: Path, schema: str, version: int) -> None:
    # Under another name first, so that nobody meets a half-made file: not another process, nor this one after a crash.
    making = path.with_name(f"{path.name}.{token_hex(8)}.new")
    os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with closing(connect(making, patience=10.0)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                f"BEGIN; {schema}; PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {version}; COMMIT;"
            )
        try:
            os.link(making, path)
        except FileExistsError:  # another process was faster
            pass
    finally:
        making.unlink()


def _close_all(idle: list[sqlite3.Connection]) -> None:
    while idle:
        idle.pop().close()


def _around_forks(connections: Connections) -> None:
    reference = weakref.ref(connections)

    def hook(act: Callable[[Connections], None]) -> Callable[[], None]:
        def call() -> None:
            alive = reference()
            if alive is not None:
                act(alive)

        return call

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=hook(Connections.before_fork),
            after_in_parent=hook(Connections.after_fork),
            after_in_child=hook(Connections.in_child),
        )
