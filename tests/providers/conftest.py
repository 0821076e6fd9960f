"""Each system runs once a session, under uvicorn and under waitress, from the first test that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bearer_guard.cli._apps import under_uvicorn, under_waitress

from .systems import BY_NAME, Running, parts_of

Serve = Callable[[str, str], Running]


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Start a system in a colour, unless it runs."""
    urls: dict[tuple[str, str], str] = {}
    with ExitStack() as stack:

        def start(name: str, colour: str) -> Running:
            example = BY_NAME[name].example if name != "sqr_b2b_hs256" else name
            if (example, colour) not in urls:
                parts = parts_of(name)
                served = under_uvicorn(parts.asgi_app) if colour == "asgi" else under_waitress(parts.wsgi_app)
                urls[example, colour] = stack.enter_context(served)
            return Running(BY_NAME[name], urls[example, colour])

        yield start


@pytest.fixture
def running(request: pytest.FixtureRequest, serve: Serve) -> Running:
    """The system and the colour that the test is parametrised with."""
    name, colour = request.param
    return serve(name, colour)
