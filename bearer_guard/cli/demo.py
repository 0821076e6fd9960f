"""`bearer-guard demo`: an issuer and two APIs behind one guard on this machine, and a scenario played against them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, TextIO

from .._guard import Guard
from .._remote import RemoteJWKSet
from .._verifiers import JWTVerifier
from ..testing import LocalIssuer, LocalServer
from ._scenario import SCOPE, Scenario
from ._transcript import Transcript

if TYPE_CHECKING:
    from types import ModuleType

API: Final = "https://api.example.com"
INSTALL: Final = "the demo needs Starlette, Flask, uvicorn and waitress: pip install 'bearer-guard[demo]'"


def guard_for(issuer: str) -> Guard:
    """The guard of the demo, as an API would build it, but for the cool-down: 0.2 s instead of 30, to save time."""
    keys = RemoteJWKSet.discover(issuer, cooldown=0.2)
    return Guard(JWTVerifier(issuer=issuer, audience=API, keys=keys), realm="users")


def run_demo(
    *,
    make_guard: Callable[[str], Guard] = guard_for,
    colour: bool = False,
    as_json: bool = False,
    serve: bool = False,
    out: TextIO | None = None,
    wait: Callable[[], object] | None = None,
) -> int:
    """Play the demo and return its exit status: 0 if every answer was the expected one, 1 if not, 2 if it cannot run.

    `make_guard` builds the guard of both APIs from the issuer's URL. With `serve`, everything stays up until `wait`
    returns, by default until Ctrl-C.
    """
    apps = _apps()
    if apps is None:
        print(INSTALL, file=sys.stderr)
        return 2
    began = time.monotonic()
    transcript = Transcript(sys.stdout if out is None else out, colour=colour, quiet=as_json)
    with ExitStack() as running:
        issuer = LocalIssuer(API)
        server = running.enter_context(issuer.serve(scopes=SCOPE))
        guard = make_guard(server.url)
        apis = {
            "Starlette": running.enter_context(apps.under_uvicorn(apps.starlette_api(guard))) + apps.PATH,
            "Flask": running.enter_context(apps.under_waitress(apps.flask_api(guard))) + apps.PATH,
        }
        transcript.say(f"issuer: {server.url}", *(f"{name}: {url}" for name, url in apis.items()))
        Scenario(issuer, server, guard, apis, transcript).play()
        seconds = time.monotonic() - began
        (transcript.document if as_json else transcript.table)(seconds)
        if serve:
            transcript.say("", "Everything stays up until Ctrl-C. Try:", "", *curl_lines(server, apis))
            (wait or _until_interrupted)()
    return 0 if transcript.agrees else 1


def _until_interrupted() -> None:
    while True:  # an interrupt that comes just before an endless wait need not end it
        time.sleep(0.5)


def curl_lines(server: LocalServer, apis: Mapping[str, str]) -> list[str]:
    """Lines for a shell: get a token, then ask the APIs with it and without."""
    credentials = (
        f'{{"client_id":"{server.client_id}","client_secret":"{server.client_secret}",'
        '"grant_type":"client_credentials"}'
    )
    lines = [
        f"TOKEN=$(curl -s {server.json_token_endpoint} -H 'Content-Type: application/json' -d '{credentials}'"
        ' | sed -E \'s/.*"access_token":"([^"]+)".*/\\1/\')'
    ]
    lines += [f'curl -i -X POST {url} -H "Authorization: Bearer $TOKEN"' for url in apis.values()]
    lines += [f"curl -i -X POST {url}" for url in apis.values()]
    return lines


def _apps() -> ModuleType | None:
    try:
        from . import _apps
    except ImportError:
        return None
    return _apps
