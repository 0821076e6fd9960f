"""What a contender is, and the list of them. No module here imports its library before `prepare`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, Protocol, cast

NAMES = (
    "bearer_guard",
    "pyjwt",
    "authlib",
    "fastmcp",
    "azure",
    "auth0",
    "okta",
    "guardpost",
    "jwks_client",
    "auth_jwks",
    "axioms_core",
    "axioms_fastapi",
    "key_fetcher",
    "ryjwt",
)
SHORT = 1
"""Seconds that keys are fresh, for libraries with a parameter for it, in the scenarios that need them to be old."""


@dataclass(frozen=True)
class Target:
    """Whose tokens are verified, and for whom; who is asked about each token where they are introspected."""

    issuer: str
    jwks_uri: str
    audience: str
    introspection: str = ""


class Contender(Protocol):
    """One library. It has `verify`, `averify` or both: each returns for a good token, and raises for any other.

    `title` heads its column, `distribution` is installed, `also` are further distributions whose versions matter. It
    talks https if `https`; `issuer_suffix` and `jwks_path` say where its provider has things. `settings` says how it
    is set up, `age` how its keys are made old, `bound` how the time passes for which it keeps them during an outage,
    `pause` how its cool-down passes. `discovers` says that it was set up to read the provider's metadata, `ages` that
    its keys grow old at all, `introspection` how it was set up to introspect tokens, empty where it cannot.
    """

    title: ClassVar[str]
    distribution: ClassVar[str]
    also: ClassVar[tuple[str, ...]]
    https: ClassVar[bool]
    issuer_suffix: ClassVar[str]
    jwks_path: ClassVar[str]
    settings: ClassVar[str]
    age: ClassVar[str]
    bound: ClassVar[str]
    pause: ClassVar[str]
    introspection: ClassVar[str]
    discovers: ClassVar[bool]
    ages: ClassVar[bool]
    coroutines: ClassVar[bool]
    threads: ClassVar[bool]

    def prepare(self, target: Target, *, short: bool) -> None:
        """Set everything up anew, inside the event loop where there is one; `short` says that keys are to grow old."""

    def introspect(self, target: Target) -> None:
        """Set it up anew to introspect tokens; `verify` and `averify` are then about these."""

    async def start(self) -> None:
        """What its documentation says to do when the application starts."""

    def stop(self) -> None:
        """Leave nothing running."""

    def verify(self, token: str) -> object: ...
    async def averify(self, token: str) -> object: ...

    def refused(self, failure: Exception) -> bool:
        """Whether its documentation answers this with a 4xx, or calls it an invalid token; else it is an error."""

    def grow_old(self) -> None:
        """Let the keys' age pass."""

    def grow_stale(self) -> None:
        """Let the time pass for which keys are kept during an outage."""

    def step(self, seconds: float) -> None:
        """Step the wall clock, where it asks something else for it than `time.time`, which is stepped already."""

    def cool_down(self) -> None:
        """Let the time pass in which an unknown kid fetches nothing, and not the keys' age."""


class Base:
    """What most contenders have in common."""

    also: ClassVar[tuple[str, ...]] = ()
    https: ClassVar[bool] = False
    issuer_suffix: ClassVar[str] = ""
    jwks_path: ClassVar[str] = "/jwks"
    pause: ClassVar[str] = "it has none"
    bound: ClassVar[str] = "no keys are kept past their age"
    introspection: ClassVar[str] = ""
    discovers: ClassVar[bool] = False
    ages: ClassVar[bool] = True
    coroutines: ClassVar[bool] = False
    threads: ClassVar[bool] = False

    def introspect(self, target: Target) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def verify(self, token: str) -> object:
        raise NotImplementedError

    async def averify(self, token: str) -> object:
        raise NotImplementedError

    def grow_old(self) -> None:
        time.sleep(SHORT + 0.25)

    def grow_stale(self) -> None:
        cast("Contender", self).grow_old()

    def step(self, seconds: float) -> None:
        """Nothing more."""

    def cool_down(self) -> None:
        """Nothing, for a library that has no such time."""


class Refused(Exception):
    """Raised for a library that says no by what it returns."""


class Clock:
    """Stands for the module `time` in a library that has no parameter for a clock; `ahead` seconds are added."""

    def __init__(self, *shifted: str) -> None:
        self.ahead = 0.0
        self._shifted = shifted

    def __getattr__(self, name: str) -> Any:
        real = getattr(time, name)
        return (lambda: real() + self.ahead) if name in self._shifted else real

    def put_into(self, module: ModuleType) -> None:
        cast("Any", module).time = self


def contender(name: str) -> Contender:
    made: Contender = import_module(f"{__name__}.{name}").CONTENDER()
    return made


def described() -> Mapping[str, Contender]:
    return {name: contender(name) for name in NAMES}
