"""fastapi-azure-auth's B2C scheme, the one with a parameter for where the provider is; called as FastAPI calls it."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import Base, Clock, Target


class FastAPIAzureAuth(Base):
    title = "fastapi-azure-auth"
    distribution = "fastapi-azure-auth"
    settings = (
        "B2CMultiTenantAuthorizationCodeBearer(app_client_id, openid_config_url, iss_callable), load_config() at the "
        "start as documented; a refusal is any HTTPException of 400-499"
    )
    age = "no parameter: datetime of its module, set 24 h ahead"
    discovers = True
    coroutines = True

    _scheme: Any
    _clock: Clock

    def prepare(self, target: Target, *, short: bool) -> None:
        from datetime import datetime, timedelta

        from fastapi_azure_auth import B2CMultiTenantAuthorizationCodeBearer, openid_config

        del short
        self._clock = clock = Clock()

        class Moments(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime.now(tz) + timedelta(seconds=clock.ahead)

        openid_config.datetime = Moments

        async def issuer(tid: str) -> str:
            del tid
            return target.issuer

        self._scheme = B2CMultiTenantAuthorizationCodeBearer(
            app_client_id=target.audience,
            openid_config_url=target.issuer + "/.well-known/openid-configuration",
            openapi_authorization_url=target.issuer + "/authorize",
            openapi_token_url=target.issuer + "/token",
            iss_callable=issuer,
        )

    async def start(self) -> None:
        await self._scheme.openid_config.load_config()

    async def averify(self, token: str) -> object:
        from fastapi.security import SecurityScopes
        from starlette.requests import Request

        headers = [(b"authorization", b"Bearer " + token.encode())]
        request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})
        return await self._scheme(request, SecurityScopes())

    def refused(self, failure: Exception) -> bool:
        from fastapi import HTTPException

        return isinstance(failure, HTTPException) and 400 <= failure.status_code < 500

    def step(self, seconds: float) -> None:
        self._clock.ahead += seconds

    def grow_old(self) -> None:
        self._clock.ahead += 24 * 3600 + 1


CONTENDER = FastAPIAzureAuth
