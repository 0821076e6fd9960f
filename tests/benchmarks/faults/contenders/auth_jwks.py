"""auth-jwks's JWKS with discovery and a fixed issuer, as in its README."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import SHORT, Base, Target


class AuthJWKS(Base):
    title = "auth-jwks"
    distribution = "auth-jwks"
    settings = "JWKS(discovery_url, issuer, aud).verify_token; a refusal is PyJWT's InvalidTokenError"
    age = f"cache_ttl={SHORT}, and waiting"
    discovers = True
    coroutines = True

    _jwks: Any

    def prepare(self, target: Target, *, short: bool) -> None:
        from auth_jwks import JWKS

        self._jwks = JWKS(
            discovery_url=target.issuer + "/.well-known/openid-configuration",
            issuer=target.issuer,
            aud=target.audience,
            **({"cache_ttl": SHORT} if short else {}),
        )

    async def averify(self, token: str) -> object:
        return await self._jwks.verify_token(token)

    def refused(self, failure: Exception) -> bool:
        from jwt import InvalidTokenError

        return isinstance(failure, InvalidTokenError)


CONTENDER = AuthJWKS
