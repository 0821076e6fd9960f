"""axioms-core-py, as in its README, its JWKS manager initialized at the start as it says for production."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.faults.contenders import Base, Target

INTERVAL = 3


class AxiomsCore(Base):
    title = "axioms-core-py"
    distribution = "axioms-core-py"
    settings = (
        "initialize_jwks_manager(config) at the start, then validate_token_header, get_key_from_jwks_json and "
        "check_token_validity; a refusal is AxiomsError with a status below 500"
    )
    age = (
        f"AXIOMS_JWKS_REFRESH_INTERVAL={INTERVAL}, AXIOMS_JWKS_CACHE_TTL={2 * INTERVAL} (it must be twice that), and "
        "waiting; a provider that takes 2 s is still quicker than the interval"
    )
    bound = "no keys are kept past the time to live"
    threads = True

    _config: Any

    def prepare(self, target: Target, *, short: bool) -> None:
        from axioms_core import AxiomsConfig

        ages = {"AXIOMS_JWKS_REFRESH_INTERVAL": INTERVAL, "AXIOMS_JWKS_CACHE_TTL": 2 * INTERVAL} if short else {}
        self._config = AxiomsConfig(
            AXIOMS_AUDIENCE=target.audience,
            AXIOMS_ISS_URL=target.issuer,
            AXIOMS_JWKS_URL=target.jwks_uri,
            **ages,
        )

    async def start(self) -> None:
        from axioms_core import initialize_jwks_manager

        initialize_jwks_manager(config=self._config)

    def stop(self) -> None:
        from axioms_core import shutdown_jwks_manager

        shutdown_jwks_manager()

    def verify(self, token: str) -> object:
        from axioms_core import check_token_validity, get_key_from_jwks_json, validate_token_header

        header = validate_token_header(token)
        key = get_key_from_jwks_json(header["kid"], self._config)
        audience, issuer = self._config.AXIOMS_AUDIENCE, self._config.AXIOMS_ISS_URL
        return check_token_validity(token=token, key=key, alg=header["alg"], audience=audience, issuer=issuer)

    def refused(self, failure: Exception) -> bool:
        from axioms_core import AxiomsError

        return isinstance(failure, AxiomsError) and failure.status_code < 500

    def grow_old(self) -> None:
        time.sleep(2 * INTERVAL + 0.25)


CONTENDER = AxiomsCore
