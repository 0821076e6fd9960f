"""From an issuer to the URL of its keys: authorization server metadata (RFC 8414 §3, OpenID Connect Discovery §4).

The metadata must name exactly the issuer that the location was built from, code point for code point, or it is not used
(RFC 8414 §3.3). Nothing here is ever built from a token.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ._attempts import FetchFailed
from ._flow import ExchangeFailed, Flow, Request, Response, Send, Transport
from ._freshness import retry_after
from ._strict import json_object
from ._urls import url_problem

_OAUTH = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


class MetadataRefused(FetchFailed):
    """There is metadata, and it must not be used: it names another issuer, or no place for the keys."""


def issuer_problem(issuer: object, *, unsafe_http: bool = False) -> str | None:
    """Why keys cannot be discovered for `issuer`, or None (RFC 8414 §2: an https URL without query or fragment)."""
    if problem := url_problem(issuer, unsafe_http=unsafe_http):
        return f"issuer {problem}, so that its keys can be discovered; any other issuer needs keys="
    if "?" in str(issuer):
        return "issuer must not hold a query (RFC 8414 §2)"
    return None


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where the metadata of `issuer` may be: RFC 8414 §3.1 inserts before the path, OpenID Connect appends to it."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    urls = (f"{origin}{_OAUTH}{path}", f"{origin}{_OPENID}{path}", f"{origin}{path}{_OPENID}")
    return tuple(dict.fromkeys(urls))


def discover(issuer: str, transport: Transport, deadline: float, *, unsafe_http: bool, first: int = 0) -> Flow[str]:
    """The `jwks_uri` of `issuer`, before `deadline` (real time).

    The places are asked in order, where there are more than two from number `first` on: after a failure another one has
    most of the time. Raises MetadataRefused when what was found must not be used, FetchFailed and ExchangeFailed when
    nothing was found.
    """
    failure: Exception = FetchFailed("discovery: no location answered with metadata")
    urls = deque(metadata_urls(issuer))
    urls.rotate(-first if len(urls) > 2 else 0)
    for asked, url in enumerate(urls, 1):
        # Each has half of the time that is left: one that hangs leaves some to the next, one that is slow has enough.
        timeout = max(0.001, (deadline - time.monotonic()) / (1 if asked == len(urls) else 2))
        request = Request(method="GET", url=url, headers={"Accept": "application/json"}, timeout=timeout)
        try:
            response: Response = yield Send(request, transport)
        except ExchangeFailed as broken:
            failure = failure if isinstance(failure, MetadataRefused) else broken
            continue
        found = _read(response, issuer, unsafe_http=unsafe_http)
        if isinstance(found, str):
            return found
        if found is not None and not isinstance(failure, MetadataRefused):  # what was refused is not outdone by a fault
            failure = found
    raise failure


def _read(response: Response, issuer: str, *, unsafe_http: bool) -> str | FetchFailed | None:
    """The jwks_uri, or why there is none; None where there is no metadata at all, which the next place may have."""
    if response.status >= 500 or response.status == 429:
        wait = retry_after(response.headers, datetime.now(UTC))
        return FetchFailed(f"discovery: status {response.status}", retry_after=wait)
    try:
        metadata = json_object(response.body) if response.status == 200 else {}
    except ValueError:
        metadata = {}
    if "issuer" not in metadata:
        return None
    if metadata["issuer"] != issuer:
        return MetadataRefused("discovery: the metadata names another issuer (RFC 8414 §3.3)")
    jwks_uri = metadata.get("jwks_uri")
    downgraded = str(jwks_uri)[:5].lower() == "http:" and issuer.startswith("https:") and not unsafe_http
    if downgraded or url_problem(jwks_uri, unsafe_http=unsafe_http):
        return MetadataRefused("discovery: jwks_uri is absent or no https URL (RFC 8414 §2)")
    return str(jwks_uri)
