"""Refusals in a provider's own words: what the body of an error looks like, said once for guards and token endpoints.

Status and challenge follow RFC 6750 §3 and RFC 6749 §5.2 whatever the words are; only the JSON body is the provider's.
`Words` make that body from a `Failure`; `error_body(words)` is what a `Guard` takes, and a `Dialect` of
`bearer_guard.issuer` takes the same words for its token endpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeAlias

from ._errors import AccessDenied, AuthorityUnavailable
from ._http import ErrorBody, ErrorBodyOf, IncomingRequest

__all__ = [
    "Failure",
    "Words",
    "error_body",
    "oauth_words",
    "camel_case_words",
    "incident_words",
    "by_status",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong with a request, before anybody has put it into words.

    `code` is an error code of RFC 6749 §5.2 or RFC 6750 §3.1, None where those name none (no token was presented, a
    path is unknown, the server has a fault of its own). `description` is one fixed sentence that holds nothing of the
    request; `at` is a NumericDate.
    """

    status: int
    code: str | None
    description: str
    method: str
    path: str
    at: float

    @classmethod
    def of_status(cls, status: int, *, method: str, path: str, at: float | None = None) -> Failure:
        """The failure that an HTTP status alone describes, for the 404, 405 and 500 of a framework; `at` is now."""
        phrase = HTTPStatus(status).phrase
        moment = time.time() if at is None else at
        return cls(status=status, code=None, description=f"{phrase}.", method=method, path=path, at=moment)

    @property
    def phrase(self) -> str:
        """The reason phrase of the status (RFC 9110 §15), such as `Not Found`."""
        return HTTPStatus(self.status).phrase

    @property
    def identifier(self) -> str:
        """`code`, or where there is none the phrase written like one: `not_found`."""
        return self.code or self.phrase.lower().replace(" ", "_").replace("-", "_")


Words: TypeAlias = Callable[[Failure], Mapping[str, Any]]
"""From a failure to the members of the JSON object that describes it."""


def oauth_words(failure: Failure) -> Mapping[str, Any]:
    """`{"error", "error_description"}`, the members of RFC 6749 §5.2; both are always there."""
    return {"error": failure.identifier, "error_description": failure.description}


def camel_case_words(failure: Failure) -> Mapping[str, Any]:
    """`{"error", "errorDescription"}`; both are always there."""
    return {"error": failure.identifier, "errorDescription": failure.description}


def incident_words(failure: Failure) -> Mapping[str, Any]:
    """`{"code", "timestamp", "path", "method", "error", "message"}`; the timestamp in UTC with milliseconds (RFC 3339).

    `code` is the HTTP status as a number, `error` its phrase as a constant would be named.
    """
    moment = datetime.fromtimestamp(failure.at, UTC).isoformat(timespec="milliseconds")
    return {
        "code": failure.status,
        "timestamp": moment.replace("+00:00", "Z"),
        "path": failure.path,
        "method": failure.method,
        "error": failure.phrase.upper().replace(" ", "_").replace("-", "_"),
        "message": failure.phrase,
    }


def by_status(client: Words, server: Words) -> Words:
    """Words that are `client`'s for the client's faults (4xx) and `server`'s for the server's (5xx)."""
    return lambda failure: (server if failure.status >= 500 else client)(failure)


def error_body(words: Words, *, clock: Callable[[], float] = time.time) -> ErrorBodyOf:
    """What a guard takes as `error_body` to refuse in `words`; `clock` returns NumericDates."""

    def body(error: AccessDenied | AuthorityUnavailable, request: IncomingRequest) -> ErrorBody:
        failure = Failure(
            status=error.status,
            code=error.error,
            description=error.description,
            method=request.method,
            path=request.path,
            at=clock(),
        )
        return ErrorBody(content=words(failure))

    return body
