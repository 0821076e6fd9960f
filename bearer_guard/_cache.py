"""Tokens that have been verified, remembered so that the arithmetic is not done twice.

An entry is found by the SHA-256 of the whole token and holds no token. It counts only while the very key set that
verified it is current, and the claims are checked again on every hit. Positives only: nothing that a stranger sends
takes room.
"""

from __future__ import annotations

from hashlib import sha256
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from ._jwks import KeySet


class Entry(NamedTuple):
    """A verified token: the octets of its payload and the keys that verified it."""

    payload: bytes
    keys: KeySet


class TokenCache:
    """A bounded, thread-safe memory of verified tokens; the one used longest ago makes room."""

    def __init__(self, size: int) -> None:
        self._entries: LRUCache[bytes, Entry] = LRUCache(size)
        self._lock = Lock()  # reading an LRU cache moves the entry

    def find(self, token: str, keys: KeySet | None) -> Entry | None:
        """The entry of `token`, if `keys` are those that verified it."""
        key = _key(token)
        with self._lock:
            try:
                entry = self._entries[key]
            except KeyError:
                return None
        return entry if entry.keys is keys else None

    def keep(self, token: str, entry: Entry) -> None:
        key = _key(token)
        with self._lock:
            self._entries[key] = entry


def _key(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
