"""ryjwt's JWKSClient: decode in threads, adecode in coroutines."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import Base, Clock, Target


class RyJWT(Base):
    title = "ryjwt"
    distribution = "ryjwt"
    settings = "JWKSClient(url, algorithms, audience, issuer); a refusal is InvalidTokenError, JWKSFetchError an error"
    age = "its cache_lifetime is at least its cooldown of 30 s, so time.monotonic of its module, set 901 s ahead"
    bound = "the same clock, 87,301 s: a day past the age"
    pause = "the same clock, 31 s"
    coroutines = threads = True

    _client: Any
    _clock: Clock

    def prepare(self, target: Target, *, short: bool) -> None:
        from ryjwt import JWKSClient, _jwks_client

        del short
        self._clock = Clock("monotonic")
        self._clock.put_into(_jwks_client)
        self._client = JWKSClient(target.jwks_uri, algorithms=["RS256"], audience=target.audience, issuer=target.issuer)

    def verify(self, token: str) -> object:
        return self._client.decode(token)

    async def averify(self, token: str) -> object:
        return await self._client.adecode(token)

    def refused(self, failure: Exception) -> bool:
        from ryjwt import InvalidTokenError

        return isinstance(failure, InvalidTokenError)

    def grow_old(self) -> None:
        self._clock.ahead += 901

    def grow_stale(self) -> None:
        self._clock.ahead += 87301

    def cool_down(self) -> None:
        self._clock.ahead += 31


CONTENDER = RyJWT
