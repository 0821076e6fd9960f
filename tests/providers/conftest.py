"""Each system runs once a session, under uvicorn and under waitress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bearer_guard.cli._apps import under_uvicorn, under_waitress

from .systems import SYSTEMS, Running, load


@pytest.fixture(scope="session")
def all_running() -> Iterator[dict[tuple[str, str], Running]]:
    with ExitStack() as stack:
        running = {}
        for system in SYSTEMS:
            module = load(system.name)
            asgi = stack.enter_context(under_uvicorn(module.asgi_app))
            wsgi = stack.enter_context(under_waitress(module.wsgi_app))
            running[system.name, "asgi"] = Running(system, module, asgi)
            running[system.name, "wsgi"] = Running(system, module, wsgi)
        yield running


@pytest.fixture(params=["asgi", "wsgi"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[system.name for system in SYSTEMS])
def running(request: pytest.FixtureRequest, colour: str, all_running: dict[tuple[str, str], Running]) -> Running:
    """Every system in both colours, one after the other."""
    return all_running[request.param, colour]


def _one(name: str) -> object:
    @pytest.fixture(name=name)
    def fixture(colour: str, all_running: dict[tuple[str, str], Running]) -> Running:
        return all_running[name, colour]

    return fixture


sqr_b2b = _one("sqr_b2b")
alternative_payments = _one("alternative_payments")
screening_eagle = _one("screening_eagle")
orocommerce = _one("orocommerce")
sqr_oauth_token = _one("sqr_oauth_token")
