"""The public documents of an issuer, cacheable and revalidated by their tag (RFC 9110 §8.8, §13.1.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from ._messages import IssuerRequest, IssuerResponse, json_response


def document(request: IssuerRequest, content: Mapping[str, Any], max_age: int) -> IssuerResponse:
    """`content` as the answer to GET and HEAD, fresh for `max_age` seconds; 304 where the client has it already."""
    if request.method not in ("GET", "HEAD"):
        return json_response(405, {"error": "method_not_allowed"}, ("allow", "GET, HEAD"))
    response = json_response(200, content, ("cache-control", f"public, max-age={max_age}"))
    etag = f'"{sha256(response.body).hexdigest()[:32]}"'
    headers = (*response.headers, ("etag", etag))
    if _names(request.values("if-none-match"), etag):
        kept = tuple(field for field in headers if not field[0].startswith("content-"))
        return IssuerResponse(status=304, headers=kept, body=b"")
    return IssuerResponse(status=200, headers=headers, body=response.body)


def _names(fields: Sequence[str], etag: str) -> bool:
    # If-None-Match = "*" / #entity-tag, compared weakly
    tags = [tag.strip().removeprefix("W/") for tag in ",".join(fields).split(",")]
    return etag in tags or "*" in tags
