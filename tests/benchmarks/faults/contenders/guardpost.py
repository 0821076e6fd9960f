"""guardpost's JWTValidator, as in its README; BlackSheep's JWT authentication is built on it."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import SHORT, Base, Clock, Target


class Guardpost(Base):
    title = "guardpost"
    distribution = "guardpost"
    settings = (
        "JWTValidator(authority, valid_issuers, valid_audiences); a refusal is AuthException or PyJWT's "
        "InvalidTokenError, which it lets through"
    )
    age = f"cache_time={SHORT}, and waiting"
    pause = "time.time of guardpost.jwks.caching, 121 s: a shorter refresh_time would be over too soon"
    discovers = True
    coroutines = True

    _validator: Any
    _clock: Clock

    def prepare(self, target: Target, *, short: bool) -> None:
        from guardpost.jwks import caching
        from guardpost.jwts import JWTValidator

        self._clock = Clock("time")
        self._clock.put_into(caching)
        self._validator = JWTValidator(
            authority=target.issuer,
            valid_issuers=[target.issuer],
            valid_audiences=[target.audience],
            **({"cache_time": SHORT} if short else {}),
        )

    async def averify(self, token: str) -> object:
        return await self._validator.validate_jwt(token)

    def refused(self, failure: Exception) -> bool:
        from guardpost.errors import AuthException
        from jwt import InvalidTokenError

        return isinstance(failure, AuthException | InvalidTokenError)

    def cool_down(self) -> None:
        self._clock.ahead += 121


CONTENDER = Guardpost
