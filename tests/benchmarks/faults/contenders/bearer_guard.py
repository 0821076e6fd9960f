"""bearer_guard, as its README sets it up: the issuer's keys are discovered."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.faults.contenders import Base, Target


class BearerGuard(Base):
    title = "bearer_guard"
    distribution = "bearer-guard"
    settings = "JWTVerifier(issuer, audience), the keys discovered; a refusal is AccessDenied, an error 503"
    age = "the parameter clock, set 601 s ahead"
    bound = "the same clock, 4,201 s: an hour past the age"
    pause = "the same clock, 31 s"
    introspection = "IntrospectionVerifier(endpoint, audience, issuer, client_id, client_secret); the same outcomes"
    discovers = True
    coroutines = threads = True

    _verifier: Any
    _ahead: float

    def prepare(self, target: Target, *, short: bool) -> None:
        from bearer_guard import JWTVerifier, RemoteJWKSet

        del short
        self._ahead = 0.0
        keys = RemoteJWKSet.discover(target.issuer, clock=lambda: time.monotonic() + self._ahead)
        self._verifier = JWTVerifier(issuer=target.issuer, audience=target.audience, keys=keys)

    def introspect(self, target: Target) -> None:
        from bearer_guard import IntrospectionVerifier

        self._verifier = IntrospectionVerifier(
            endpoint=target.introspection,
            audience=target.audience,
            issuer=target.issuer,
            client_id="api",
            client_secret="a secret of the api",
        )

    def verify(self, token: str) -> object:
        return self._verifier.verify(token)

    async def averify(self, token: str) -> object:
        return await self._verifier.averify(token)

    def refused(self, failure: Exception) -> bool:
        from bearer_guard import AccessDenied

        return isinstance(failure, AccessDenied)

    def grow_old(self) -> None:
        self._ahead += 601

    def grow_stale(self) -> None:
        self._ahead += 4201

    def cool_down(self) -> None:
        self._ahead += 31


CONTENDER = BearerGuard
