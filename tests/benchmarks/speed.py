"""The extra `speed`: what it installs, and how to do without."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

LIBRARIES = ("msgspec", "pybase64")
_MODULES = (*LIBRARIES, "msgspec.json")  # a part that has been imported is found without the whole


def is_there() -> bool:
    """Whether a package that is imported now finds all of it."""
    return all(sys.modules.get(name, ...) is not None and find_spec(name) is not None for name in LIBRARIES)


def leave_out() -> None:
    """Import from now on as if it were not installed."""
    for name in _MODULES:
        sys.modules[name] = None  # type: ignore[assignment]


@contextmanager
def left_out() -> Iterator[None]:
    """`leave_out` for a while."""
    kept = {name: sys.modules.pop(name) for name in _MODULES if name in sys.modules}
    leave_out()
    try:
        yield
    finally:
        for name in _MODULES:
            del sys.modules[name]
        sys.modules |= kept
