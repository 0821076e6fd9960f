"""pytest fixtures: a local issuer for each test, loaded with the plugin that the package registers.

Override the fixture `local_issuer_audience` where your guard expects another audience. The package itself is imported
by the first test that asks for an issuer, so that a coverage measurement sees its modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bearer_guard.testing import LocalIssuer


@pytest.fixture
def local_issuer_audience() -> str:
    """The audience of the tokens of `local_issuer`: `https://api.example.com` unless a test suite says otherwise."""
    return "https://api.example.com"


@pytest.fixture
def local_issuer(local_issuer_audience: str) -> Iterator[LocalIssuer]:
    """A new `LocalIssuer`; trouble that the test began ends with the test."""
    from bearer_guard.testing import LocalIssuer

    issuer = LocalIssuer(local_issuer_audience)
    yield issuer
    issuer.restore()
