"""What every test may ask for: the event loops that coroutines are tested under, with anyio's plugin."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops that the package works under, for tests marked with `anyio`."""
    return str(request.param)
