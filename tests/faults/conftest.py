"""A provider, and a scene around it, for every fault test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.provider import Provider
from tests.faults.scene import WALL_GAPS, Scene


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    gaps = config.stash.get(WALL_GAPS, [])
    if gaps:
        wall, _, case = max(gaps)
        cpu = max(cpu for _, cpu, _ in gaps)
        terminalreporter.write_line(
            f"event loops beside {len(gaps)} kinds of trouble: no step took more than {1000 * cpu:.1f} ms of CPU; "
            f"the slowest took {1000 * wall:.1f} ms by the wall, in {case}"
        )


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
