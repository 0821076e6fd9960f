"""pyjwt-key-fetcher's AsyncKeyFetcher and jwt.decode, as in its README."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import SHORT, Base, Target


class KeyFetcher(Base):
    title = "pyjwt-key-fetcher"
    distribution = "pyjwt-key-fetcher"
    settings = (
        "AsyncKeyFetcher(valid_issuers) and jwt.decode(..., audience, issuer); a refusal is InvalidTokenError, "
        "JWTKeyNotFoundError, JWTFormatError or JWTInvalidIssuerError"
    )
    age = f"cache_ttl={SHORT}, and waiting"
    pause = "no parameter: the entry that its aiocache keeps for 300 s is dropped"
    discovers = True
    coroutines = True

    _fetcher: Any
    _target: Target

    def prepare(self, target: Target, *, short: bool) -> None:
        from pyjwt_key_fetcher import AsyncKeyFetcher

        self._target = target
        self._fetcher = AsyncKeyFetcher(valid_issuers=[target.issuer], **({"cache_ttl": SHORT} if short else {}))

    async def averify(self, token: str) -> object:
        import jwt

        key = await self._fetcher.get_key(token)
        return jwt.decode(jwt=token, audience=self._target.audience, issuer=self._target.issuer, **key)

    def refused(self, failure: Exception) -> bool:
        from jwt import InvalidTokenError
        from pyjwt_key_fetcher.errors import JWTFormatError, JWTInvalidIssuerError, JWTKeyNotFoundError

        return isinstance(failure, InvalidTokenError | JWTKeyNotFoundError | JWTFormatError | JWTInvalidIssuerError)

    def cool_down(self) -> None:
        from pyjwt_key_fetcher.provider import Provider

        Provider._fetch_jwk_map.cache._cache.clear()


CONTENDER = KeyFetcher
