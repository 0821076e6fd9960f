"""okta-jwt-verifier's AccessTokenVerifier, as in its README. It insists on https."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import Base, Clock, Target


class Okta(Base):
    title = "okta-jwt-verifier"
    distribution = "okta-jwt-verifier"
    https = True
    issuer_suffix = "/oauth2/default"
    jwks_path = "/oauth2/default/v1/keys"
    settings = (
        "AccessTokenVerifier(issuer, audience), verify in coroutines and verify_sync in threads, https trusted by "
        "SSL_CERT_FILE and REQUESTS_CA_BUNDLE; a refusal is JWTValidationException"
    )
    age = "no parameter: time of acachecontrol.cache, set 121 s ahead"
    coroutines = threads = True

    _verifier: Any
    _clock: Clock

    def prepare(self, target: Target, *, short: bool) -> None:
        from acachecontrol import cache
        from okta_jwt_verifier import AccessTokenVerifier

        del short
        self._clock = Clock("time")
        self._clock.put_into(cache)
        self._verifier = AccessTokenVerifier(issuer=target.issuer, audience=target.audience)

    async def averify(self, token: str) -> object:
        return await self._verifier.verify(token)

    def verify(self, token: str) -> object:
        return self._verifier.verify_sync(token)

    def refused(self, failure: Exception) -> bool:
        from okta_jwt_verifier.exceptions import JWTValidationException

        return isinstance(failure, JWTValidationException)

    def grow_old(self) -> None:
        self._clock.ahead += 121


CONTENDER = Okta
