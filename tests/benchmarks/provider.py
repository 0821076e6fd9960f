"""The identity provider of the request tables: a key set and metadata on loopback, and tokens that every peer takes.

Their claims are those of `Material` but for three: one audience and no path in the issuer, because fastapi-azure-auth
and auth0-fastapi-api take nothing else, and a `ver`, which the former demands.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.benchmarks.material import AUDIENCE, Material
from tests.benchmarks.probes import jwk_of
from tests.loopback import Loopback

DOMAIN = "id.example.com"
ISSUER = f"https://{DOMAIN}/"


class RequestMaterial(Material):
    """RS256 tokens that every contender of the request tables accepts."""

    def __init__(self, count: int) -> None:
        super().__init__("RS256", count)

    def claims(self, number: int, filling: int = 0) -> dict[str, Any]:
        return {**super().claims(number, filling), "iss": ISSUER, "aud": AUDIENCE, "ver": "2.0"}


class Provider:
    """Serves the public half of `key` and the metadata that leads to it, on loopback."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._server = Loopback(poll=0.5)  # oftener, it would take its turns among what is timed
        jwks_uri = self._server.page("/jwks", {"keys": [jwk_of(key)]}, Cache_Control="max-age=3600")
        metadata = {"issuer": ISSUER, "jwks_uri": jwks_uri, "response_types_supported": ["code"]}
        metadata |= {"authorization_endpoint": ISSUER + "authorize", "token_endpoint": ISSUER + "token"}
        self._server.page("/.well-known/openid-configuration", metadata)
        self.site = Site(self._server.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()


@dataclass(frozen=True)
class Site:
    """What an application is told: where the provider is."""

    url: str

    @property
    def jwks_uri(self) -> str:
        return self.url + "/jwks"

    @property
    def metadata_url(self) -> str:
        return self.url + "/.well-known/openid-configuration"

    @cached_property
    def jwk(self) -> dict[str, Any]:
        """The provider's key, for those who are given it beforehand."""
        with urlopen(self.jwks_uri, timeout=10) as response:
            found: dict[str, Any] = json.load(response)["keys"][0]
        return found
