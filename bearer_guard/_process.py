"""What each process has one of its own: locks, and records of the threads that run here.

A fork copies memory and one thread alone. A lock that another thread held stays locked in the child for ever, and what
that thread was about to do is never done: the child starts with new ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """One `T` in each process, made on its first use there. Safe to share between threads, and across a fork.

    `make` is handed the parent's, a copy that nobody uses any more, or None in the first process.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[T | None], T]) -> None:
        self._make: Final = make
        self._made: Final = {os.getpid(): make(None)}

    def here(self) -> T:
        """The one of this process, the same for every thread of it."""
        pid = os.getpid()
        made = self._made.get(pid)
        if made is None:
            parents = [*self._made.values()]
            made = self._made.setdefault(pid, self._make(parents[0]))  # several threads may make one: the first counts
            for other in [*self._made]:
                if other != pid:
                    self._made.pop(other, None)  # a later child may get its number
        return made
