"""Tokens that have been verified, remembered so that the arithmetic is not done twice.

An entry is found by the SHA-256 of the whole token and holds no token. It counts only while the very key set that
verified it is current and its time has not run out; where the rules depend on something alive, the caller checks the
claims again. Positives only: nothing that a stranger makes up takes room.

Room is made so that tokens which are seen once never push out those in use: a newcomer waits in a small queue, and
moves to the main one when it has been asked for again. In the main queue the oldest leaves, unless it was used since
its last turn. A hit changes one flag and takes no lock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from typing import Any, Final

from ._jwks import KeySet
from ._process import PerProcess

_WAITING_SHARE: Final = 10
"""Newcomers wait in one place out of so many."""


class Entry:
    """A verified token: its payload, its scopes, when it is in its time, the keys that verified it, and its `cnf`."""

    __slots__ = ("begins", "confirmation", "ends", "keys", "payload", "scopes", "used")

    def __init__(
        self,
        payload: bytes,
        scopes: frozenset[str],
        window: tuple[float, float],
        keys: KeySet,
        confirmation: Mapping[str, Any] | None = None,
    ) -> None:
        self.payload = payload
        self.scopes = scopes
        self.begins, self.ends = window
        self.keys = keys
        self.confirmation = confirmation
        self.used = False


class TokenCache:
    """A bounded memory of verified tokens. Safe to share between threads, and across a fork."""

    def __init__(self, size: int) -> None:
        self._waiting: OrderedDict[bytes, Entry] = OrderedDict()
        self._settled: OrderedDict[bytes, Entry] = OrderedDict()
        self._for_waiting = max(1, size // _WAITING_SHARE)
        self._for_settled = size - self._for_waiting
        self._lock: Final = PerProcess(lambda _: Lock())

    def find(self, token: str, keys: KeySet | None, now: float) -> Entry | None:
        """The entry of `token`, if `keys` are those that verified it and `now` is in its time."""
        key = _key(token)
        entry = self._settled.get(key) or self._waiting.get(key)
        if entry is None or entry.keys is not keys or not entry.begins <= now < entry.ends:
            return None
        if not entry.used:
            entry.used = True
        return entry

    def keep(self, token: str, entry: Entry) -> None:
        """Remember `entry`, in the place of one that the same token had."""
        key = _key(token)
        with self._lock.here():
            if key in self._settled:
                self._settled[key] = entry
                return
            self._waiting[key] = entry
            if len(self._waiting) > self._for_waiting:
                self._make_room()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._settled)

    def _make_room(self) -> None:
        key, entry = self._waiting.popitem(last=False)
        if not entry.used or not self._for_settled:
            return
        entry.used = False
        self._settled[key] = entry
        while len(self._settled) > self._for_settled:
            key, entry = self._settled.popitem(last=False)
            if entry.used:  # another turn
                entry.used = False
                self._settled[key] = entry


def _key(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
