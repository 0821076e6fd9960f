"""How an issuer says no: status, header fields and body of a refused request (RFC 6749 §5.2)."""

from __future__ import annotations

import math
from typing import Final

from ..dialects import Failure
from ._dialects import Dialect, TokenRequestRefused
from ._messages import IssuerRequest, IssuerResponse, json_response

# RFC 6749 §5.1. Pragma is for caches of another age, which the section still asks for.
NO_STORE: Final = (("cache-control", "no-store"), ("pragma", "no-cache"))


def refusal(refused: TokenRequestRefused, request: IssuerRequest, dialect: Dialect, now: float) -> IssuerResponse:
    """The answer to a request that was refused, in the dialect's words."""
    status = refused.status or dialect.statuses.get(refused.code, 400)
    fields: list[tuple[str, str]] = []
    if status == 405:
        fields.append(("allow", "POST"))
    if status == 401:
        fields.append(("www-authenticate", dialect.challenge))
    if refused.retry_after is not None:
        fields.append(("retry-after", str(math.ceil(refused.retry_after))))
    failure = Failure(
        status=status,
        code=refused.code,
        description=refused.description,
        method=request.method,
        path=request.path,
        at=now,
    )
    return json_response(status, dialect.words(failure), *fields, *NO_STORE)


def by_status(status: int, request: IssuerRequest, dialect: Dialect, now: float) -> IssuerResponse:
    """The answer that a status alone describes, such as 404, in the dialect's words."""
    failure = Failure.of_status(status, method=request.method, path=request.path, at=now)
    return json_response(status, dialect.words(failure), *NO_STORE)
