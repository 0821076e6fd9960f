"""axioms-fastapi: what its dependency `require_auth` does, in the worker threads that FastAPI runs it in."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults.contenders import Base, Clock, Refused, Target


class AxiomsFastAPI(Base):
    title = "axioms-fastapi"
    distribution = "axioms-fastapi"
    settings = (
        "init_axioms(AXIOMS_AUDIENCE, AXIOMS_ISS_URL, AXIOMS_JWKS_URL) and require_auth; a refusal is an HTTPException "
        "of 400-499"
    )
    age = "no parameter: time of its module, set 601 s ahead"
    threads = True

    _config: Any
    _clock: Clock

    def prepare(self, target: Target, *, short: bool) -> None:
        import axioms_fastapi
        from axioms_fastapi import helper

        del short
        self._clock = Clock("time")
        self._clock.put_into(helper)
        self._config = axioms_fastapi.init_axioms(
            AXIOMS_AUDIENCE=target.audience, AXIOMS_ISS_URL=target.issuer, AXIOMS_JWKS_URL=target.jwks_uri
        )

    def verify(self, token: str) -> object:
        from axioms_fastapi import require_auth
        from starlette.requests import Request

        headers = [(b"authorization", b"Bearer " + token.encode())]
        request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})
        granted = require_auth(request, self._config)
        if granted is None:
            raise Refused
        return granted

    def refused(self, failure: Exception) -> bool:
        from fastapi import HTTPException

        if isinstance(failure, HTTPException):
            return bool(400 <= failure.status_code < 500)
        return isinstance(failure, Refused)

    def grow_old(self) -> None:
        self._clock.ahead += 601


CONTENDER = AxiomsFastAPI
