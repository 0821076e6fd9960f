"""FastMCP's JWTVerifier, as in its "Token verification"."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import Base, Clock, Refused, Target


class FastMCP(Base):
    title = "FastMCP"
    distribution = "fastmcp"
    also = ("joserfc",)
    settings = "JWTVerifier(jwks_uri, issuer, audience); a refusal is None, which is its answer to every trouble"
    age = "no parameter: time.monotonic of its module, set 3,601 s ahead"
    pause = "the same clock, 31 s"
    introspection = (
        "IntrospectionTokenVerifier(introspection_url, client_id, client_secret, audience); a refusal is None again"
    )
    coroutines = True

    _verifier: Any
    _clock: Clock

    def prepare(self, target: Target, *, short: bool) -> None:
        from fastmcp.server.auth.providers import jwt

        del short
        self._clock = Clock("monotonic")
        self._clock.put_into(jwt)
        self._verifier = jwt.JWTVerifier(jwks_uri=target.jwks_uri, issuer=target.issuer, audience=target.audience)

    def introspect(self, target: Target) -> None:
        from fastmcp.server.auth.providers.introspection import IntrospectionTokenVerifier

        self._verifier = IntrospectionTokenVerifier(
            introspection_url=target.introspection,
            client_id="api",
            client_secret="a secret of the api",
            audience=target.audience,
        )

    async def averify(self, token: str) -> object:
        granted = await self._verifier.verify_token(token)
        if granted is None:
            raise Refused
        return granted

    def refused(self, failure: Exception) -> bool:
        return isinstance(failure, Refused)

    def grow_old(self) -> None:
        self._clock.ahead += 3601

    def cool_down(self) -> None:
        self._clock.ahead += 31


CONTENDER = FastMCP
