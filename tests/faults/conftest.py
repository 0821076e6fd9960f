"""A provider, and a scene around it, for every fault test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.provider import Provider
from tests.faults.scene import Scene


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def scene(provider: Provider) -> Scene:
    return Scene(provider)


@pytest.fixture
def warm(scene: Scene) -> Scene:
    """A scene whose keys are there, brought by one fetch."""
    scene.guard.warm()
    assert scene.fetches == 1
    return scene
