"""A store for one process, which ends with it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Final

from .._process import PerProcess
from ._client import Client
from ._store import StoredKey, TokenRecord

_SWEEP_EVERY: Final = 1024


class MemoryStore:
    """Keeps everything in this process, and forgets what has expired. Safe to share between threads."""

    blocking: ClassVar[bool] = False

    def __init__(self) -> None:
        self._lock: Final = PerProcess(lambda _: threading.Lock())
        self._clients: dict[str, Client] = {}
        self._tokens: dict[bytes, TokenRecord] = {}
        self._used: dict[tuple[str, str], float] = {}
        self._keys: tuple[StoredKey, ...] = ()
        self._brought = False
        self._until_sweep = _SWEEP_EVERY

    def client(self, client_id: str) -> Client | None:
        return self._clients.get(client_id)

    def add_client(self, client: Client) -> bool:
        with self._lock.here():
            self._brought = self._brought or (client.secret is not None and client.secret.scheme == "scrypt")
            return self._clients.setdefault(client.client_id, client) is client

    def client_ids(self) -> Iterable[str]:
        with self._lock.here():
            return tuple(self._clients)

    def has_brought_secrets(self) -> bool:
        return self._brought

    def add_token(self, digest: bytes, record: TokenRecord, now: float) -> None:
        with self._lock.here():
            self._tokens[digest] = record
            self._sweep(now)

    def token(self, digest: bytes, now: float) -> TokenRecord | None:
        record = self._tokens.get(digest)
        return record if record is not None and now < record.expires_at else None

    def remove_token(self, digest: bytes) -> None:
        with self._lock.here():
            self._tokens.pop(digest, None)

    def use_once(self, kind: str, name: str, until: float, now: float) -> bool:
        with self._lock.here():
            if now < self._used.get((kind, name), now):
                return False
            self._used[kind, name] = until
            self._sweep(now)
            return True

    def used(self, kind: str, name: str, now: float) -> bool:
        return now < self._used.get((kind, name), now)

    def keys(self) -> tuple[StoredKey, ...]:
        return self._keys

    def add_key(self, key: StoredKey, after: str | None) -> bool:
        with self._lock.here():
            if after != (self._keys[0].kid if self._keys else None):
                return False
            self._keys = (key, *self._keys)
            return True

    def need_key(self, kid: str, until: float) -> bool:
        with self._lock.here():
            found = any(key.kid == kid for key in self._keys)
            self._keys = tuple(
                replace(key, needed_until=max(until, key.needed_until)) if key.kid == kid else key for key in self._keys
            )
            return found

    def drop_key(self, kid: str, needed_until: float) -> None:
        with self._lock.here():
            self._keys = tuple(key for key in self._keys if key.kid != kid or key.needed_until > needed_until)

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
