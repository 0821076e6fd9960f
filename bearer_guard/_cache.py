"""Tokens that have been verified, remembered so that the arithmetic is not done twice.

An entry is found by the SHA-256 of the whole token and holds no token. It counts only while the very key set that
verified it is current and its time has not run out; where the rules depend on something alive, the caller checks the
claims again. Positives only: nothing that a stranger makes up takes room.

Room is made so that tokens which are seen once never push out those in use (S3-FIFO: Yang and others, SOSP 2023). A
newcomer waits in a small queue, and settles in the main one when it has been asked for meanwhile, or when it is back
soon after it had to leave. In the main queue the oldest leaves, unless it was used since its last turn. A hit changes
one flag and takes no lock.
"""

from __future__ import annotations

from array import array
from collections import deque
from hashlib import sha256
from os import getpid
from threading import Lock
from typing import Final

from ._jwks import KeySet
from ._token import Facts

_WAITING_SHARE: Final = 10
"""Newcomers have one place out of so many, once all places are taken."""

_TURNS: Final = 16
"""For so many used entries that get another turn nobody waits longer; then the oldest leaves, used or not."""

_MARKS: Final = 4
"""For each entry, of tokens that have left: a mark lasts until about so many times the cache's size have left too."""


class Entry:
    """A verified token: its facts, when it is in its time, and the keys that verified it."""

    __slots__ = ("begins", "ends", "facts", "keys", "used")

    def __init__(self, facts: Facts, window: tuple[float, float], keys: KeySet) -> None:
        self.facts = facts
        self.begins, self.ends = window
        self.keys = keys
        self.used = False


class TokenCache:
    """A bounded, thread-safe memory of `size` verified tokens at most.

    A process that was forked begins with an empty one when it first has a token to keep, whatever its parent's threads
    were doing at that moment.
    """

    def __init__(self, size: int) -> None:
        self._room = _Room(size)

    def find(self, token: str, keys: KeySet | None, now: float) -> Facts | None:
        """The facts of `token`, if `keys` are those that verified it and `now` is in its time."""
        try:
            entry = self._room.entries.get(sha256(token.encode("ascii")).digest())
        except UnicodeEncodeError:
            return None
        if entry is None or entry.keys is not keys or not entry.begins <= now < entry.ends:
            return None
        if not entry.used:
            entry.used = True
        return entry.facts

    def keep(self, token: str, entry: Entry) -> None:
        """Remember `entry`, in the place of one that the same token had."""
        room = self._room
        if room.process != getpid():
            room = self._room = _Room(room.size)
        with room.lock:
            room.take_in(sha256(token.encode("ascii")).digest(), entry)

    def __len__(self) -> int:
        return len(self._room.entries)


class _Room:
    """The places of one process. Whoever changes anything holds the lock; entries are looked up without it."""

    def __init__(self, size: int) -> None:
        self.size: Final = size
        self.process: Final = getpid()
        self.lock: Final = Lock()
        self.entries: Final[dict[bytes, Entry]] = {}
        self._waiting: Final[deque[bytes]] = deque()
        self._settled: Final[deque[bytes]] = deque()
        self._left: Final = _Left(size)

    def take_in(self, key: bytes, entry: Entry) -> None:
        if key in self.entries:
            self.entries[key] = entry
            return
        if len(self._waiting) > self.size // _WAITING_SHARE:
            self._settle_or_leave(self._waiting.popleft())
        if len(self.entries) >= self.size:
            self._let_one_leave()
        self.entries[key] = entry
        (self._settled if key in self._left else self._waiting).append(key)

    def _settle_or_leave(self, key: bytes) -> None:
        """What becomes of the oldest newcomer. While places are free it settles in any case."""
        entry = self.entries[key]
        if entry.used or len(self.entries) < self.size:
            entry.used = False
            self._settled.append(key)
        else:
            del self.entries[key]
            self._left.add(key)

    def _let_one_leave(self) -> None:
        """The oldest of the settled that was not used since its last turn, if it is found soon.

        Some are settled: all places are taken, and newcomers have few of them.
        """
        for _ in range(_TURNS):
            entry = self.entries[self._settled[0]]
            if not entry.used:
                break
            entry.used = False
            self._settled.rotate(-1)
        del self.entries[self._settled.popleft()]


class _Left:
    """Which tokens have left lately: their marks, each at a place of its own until another token's takes the place.

    A token passes for one that had left if 32 bits of its digest happen to be those in its place.
    """

    def __init__(self, size: int) -> None:
        self._places: Final = size * _MARKS
        self._marks = array("I")

    def add(self, key: bytes) -> None:
        if not self._marks:  # many caches never fill up
            self._marks = array("I", bytes(self._places * self._marks.itemsize))
        self._marks[int.from_bytes(key[4:12]) % self._places] = _mark(key)

    def __contains__(self, key: bytes) -> bool:
        marks = self._marks
        return bool(marks) and marks[int.from_bytes(key[4:12]) % self._places] == _mark(key)


def _mark(key: bytes) -> int:
    return int.from_bytes(key[:4]) | 1  # 0 is an empty place
