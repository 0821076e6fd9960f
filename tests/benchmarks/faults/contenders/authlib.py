"""Authlib's JWTBearerTokenValidator (RFC 9068) on joserfc; `get_jwks` is the one that its docstring shows."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import Base, Target


class Authlib(Base):
    title = "Authlib, joserfc"
    distribution = "authlib"
    also = ("joserfc",)
    settings = (
        "JWTBearerTokenValidator(issuer, resource_server) with the get_jwks of its docstring: metadata and keys by "
        "requests, kept in a dict without end; a refusal is an OAuth2Error"
    )
    age = "its keys never grow old"
    bound = "it has none"
    introspection = "IntrospectTokenValidator with the introspect_token of its docstring, requests.post(...).json(); the same outcomes"
    ages = False
    discovers = True
    threads = True

    _validator: Any

    def prepare(self, target: Target, *, short: bool) -> None:
        import requests
        from authlib.oauth2.rfc9068 import JWTBearerTokenValidator

        del short
        kept: dict[str, Any] = {}

        class Validator(JWTBearerTokenValidator):  # type: ignore[misc]
            def get_jwks(self) -> Any:
                if "jwks" not in kept:
                    metadata = requests.get(self.issuer + "/.well-known/oauth-authorization-server").json()
                    kept["jwks"] = requests.get(metadata["jwks_uri"]).json()
                return kept["jwks"]

        self._validator = Validator(issuer=target.issuer, resource_server=target.audience)

    def introspect(self, target: Target) -> None:
        import requests
        from authlib.oauth2.rfc7662 import IntrospectTokenValidator

        class Validator(IntrospectTokenValidator):  # type: ignore[misc]
            def introspect_token(self, token_string: str) -> Any:
                response = requests.post(target.introspection, data={"token": token_string})
                response.raise_for_status()
                return response.json()

        self._validator = Validator()

    def verify(self, token: str) -> object:
        claims = self._validator.authenticate_token(token)
        self._validator.validate_token(claims, [], None)
        return claims

    def refused(self, failure: Exception) -> bool:
        from authlib.oauth2 import OAuth2Error

        return isinstance(failure, OAuth2Error)

    def grow_old(self) -> None:
        """There is nothing to wait for."""


CONTENDER = Authlib
