"""jwks-client's JWKSClient and JWTVerifier, as in its README."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.faults.contenders import Base, Target


class JWKSClient(Base):
    title = "jwks-client"
    distribution = "jwks-client"
    settings = "JWTVerifier(JWKSClient(url), algorithms, audience, issuer); a refusal is InvalidTokenError"
    age = "the parameter clock, set 301 s ahead"
    bound = "the same clock, 3,901 s: an hour past the age"
    pause = "the same clock, 31 s"
    coroutines = True

    _verifier: Any
    _ahead: float

    def prepare(self, target: Target, *, short: bool) -> None:
        from jwks_client import JWKSClient, JWTVerifier

        del short
        self._ahead = 0.0
        client = JWKSClient(target.jwks_uri, clock=lambda: time.monotonic() + self._ahead)
        self._verifier = JWTVerifier(client, algorithms=["RS256"], audience=target.audience, issuer=target.issuer)

    async def averify(self, token: str) -> object:
        return await self._verifier.verify(token)

    def refused(self, failure: Exception) -> bool:
        from jwt import InvalidTokenError

        return isinstance(failure, InvalidTokenError)

    def grow_old(self) -> None:
        self._ahead += 301

    def grow_stale(self) -> None:
        self._ahead += 3901

    def cool_down(self) -> None:
        self._ahead += 31


CONTENDER = JWKSClient
