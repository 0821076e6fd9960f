"""PyJWT's PyJWKClient and jwt.decode, as in its "Retrieve RSA signing keys from a JWKS endpoint"."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import SHORT, Base, Clock, Target


class PyJWT(Base):
    title = "PyJWT"
    distribution = "pyjwt"
    settings = (
        "PyJWKClient(url) and jwt.decode(..., audience, issuer); a refusal is InvalidTokenError or PyJWKClientError, "
        "PyJWKClientConnectionError and all else an error"
    )
    age = f"lifespan={SHORT}, and waiting"
    pause = "time.monotonic of jwt.jwks_client, 31 s: a shorter cooldown_duration would be over too soon"
    threads = True

    _client: Any
    _clock: Clock
    _target: Target

    def prepare(self, target: Target, *, short: bool) -> None:
        from jwt import PyJWKClient, jwks_client

        self._clock = Clock("monotonic")
        self._clock.put_into(jwks_client)
        self._target = target
        options: dict[str, Any] = {"lifespan": SHORT} if short else {}
        self._client = PyJWKClient(target.jwks_uri, **options)

    def verify(self, token: str) -> object:
        import jwt

        key = self._client.get_signing_key_from_jwt(token)
        target = self._target
        return jwt.decode(token, key, algorithms=["RS256"], audience=target.audience, issuer=target.issuer)

    def refused(self, failure: Exception) -> bool:
        import jwt

        return isinstance(failure, jwt.InvalidTokenError) or type(failure) is jwt.PyJWKClientError

    def cool_down(self) -> None:
        self._clock.ahead += 31


CONTENDER = PyJWT
