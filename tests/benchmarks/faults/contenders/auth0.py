"""auth0-api-python's ApiClient.verify_access_token, as in its README. It insists on https."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import SHORT, Base, Target


class Auth0(Base):
    title = "auth0-api-python"
    distribution = "auth0-api-python"
    also = ("authlib",)
    https = True
    issuer_suffix = "/"
    settings = (
        "ApiClient(ApiClientOptions(domain, audience)).verify_access_token, https trusted by SSL_CERT_FILE; a refusal "
        "is a BaseAuthError whose get_status_code() is below 500"
    )
    age = f"cache_ttl_seconds={SHORT}, and waiting"
    discovers = True
    coroutines = True

    _client: Any

    def prepare(self, target: Target, *, short: bool) -> None:
        from auth0_api_python import ApiClient, ApiClientOptions

        domain = target.issuer.removeprefix("https://").rstrip("/")
        options: dict[str, Any] = {"cache_ttl_seconds": SHORT} if short else {}
        self._client = ApiClient(ApiClientOptions(domain=domain, audience=target.audience, **options))

    async def averify(self, token: str) -> object:
        return await self._client.verify_access_token(access_token=token)

    def refused(self, failure: Exception) -> bool:
        from auth0_api_python.errors import BaseAuthError

        return isinstance(failure, BaseAuthError) and failure.get_status_code() < 500


CONTENDER = Auth0
