"""The two ends of a guarded exchange: the request that came in and the refusal that goes out.

Adapters translate between these and their framework's own. How a refusal's body reads is a callable, so that an API can
answer in the words that its clients already parse (RFC 6749 §5.2, RFC 9457); status and challenge are not negotiable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeAlias, cast

from ._errors import AccessDenied, AuthorityUnavailable

# type "/" subtype and parameters; not their whole grammar, but nothing that could end a field line    RFC 9110 §8.3.1
_MEDIA_TYPE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:;[\x20-\x7E]*)?")

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]


class IncomingRequest:
    """What a guard looks at: the method, the path and the header fields of a request.

    `headers` is a mapping or (name, value) pairs; names in any case, a repeated field as repeated pairs. `path` is the
    decoded path without query. Adapters subclass this with a view on what their server gave, so that nothing is copied.
    """

    __slots__ = ("_headers", "method", "path")

    method: str
    path: str
    _headers: Headers

    def __init__(self, method: str, path: str, headers: Headers = ()) -> None:
        self.method = method
        self.path = path
        self._headers = headers if isinstance(headers, Mapping) else tuple(headers)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Every header field, names in lower case."""
        headers = self._headers
        pairs = cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
        return tuple((name.lower(), value) for name, value in pairs)

    def values(self, name: str) -> list[str]:
        """The values of every field line called `name` (lower case), in order."""
        return [value for found, value in self.headers if found == name]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.method!r}, {self.path!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The response to a refused request: status, header fields and body, ready to be sent as they are."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """A JSON object for a refusal's body, and its media type. Raises ValueError for text that is no media type."""

    content: Mapping[str, Any]
    media_type: str = "application/json"

    def __post_init__(self) -> None:
        if not _MEDIA_TYPE.fullmatch(self.media_type):
            raise ValueError("media_type must be a media type of printable ASCII, such as application/problem+json")


ErrorBodyOf: TypeAlias = Callable[[AccessDenied | AuthorityUnavailable, IncomingRequest], ErrorBody]


def oauth_error(error: AccessDenied | AuthorityUnavailable, request: IncomingRequest) -> ErrorBody:
    """The body of RFC 6749 §5.2: `error` and `error_description`; no `error` where no token was presented."""
    del request
    content = {"error_description": error.description}
    return ErrorBody(content=content if error.error is None else {"error": error.error, **content})


def problem_details(error: AccessDenied | AuthorityUnavailable, request: IncomingRequest) -> ErrorBody:
    """The body of RFC 9457: type `about:blank`, the status and its phrase, one sentence of detail."""
    del request
    return ErrorBody(
        content={
            "type": "about:blank",
            "title": HTTPStatus(error.status).phrase,
            "status": error.status,
            "detail": error.description,
        },
        media_type="application/problem+json",
    )
