"""What goes into an issuer and what comes out: requests, responses, and the two answers that every path knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .._http import Headers, IncomingRequest

MAX_BODY: Final = 64 * 1024
"""Octets. An adapter reads one more than this at most, and `respond` answers 413 to a body that is longer."""


class IssuerRequest(IncomingRequest):
    """A request to an issuer. `path` is the whole decoded path without query, `body` at most MAX_BODY + 1 octets."""

    __slots__ = ("body",)

    def __init__(self, method: str, path: str, headers: Headers = (), body: bytes = b"") -> None:
        super().__init__(method, path, headers)
        self.body: bytes = body


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerResponse:
    """The answer: names of header fields in lower case; `body`, which may hold a token, stays out of `repr`."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


def json_response(status: int, content: Mapping[str, Any], *headers: tuple[str, str]) -> IssuerResponse:
    """`content` as a JSON response; `headers` come after the content's own."""
    body = json.dumps(content, separators=(",", ":")).encode()
    own = (("content-type", "application/json"), ("content-length", str(len(body))))
    return IssuerResponse(status=status, headers=own + headers, body=body)


def without_body(response: IssuerResponse) -> IssuerResponse:
    """The answer to HEAD: the same status and fields, no octet of content (RFC 9110 §9.3.2)."""
    return IssuerResponse(status=response.status, headers=response.headers, body=b"")
