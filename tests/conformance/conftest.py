"""Every row runs with the log read at DEBUG: nothing of a token may be in it (ATTACKS LEAK-1)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.answers import watching


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[str]]:
    """The lines logged so far."""
    with watching() as lines:
        yield lines
