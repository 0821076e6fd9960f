"""From an issuer to the URL of its keys: authorization server metadata (RFC 8414 §3, OpenID Connect Discovery §4).

The metadata must name exactly the issuer that the location was built from, code point for code point, or it is not used
(RFC 8414 §3.3). Nothing here is ever built from a token.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from ._flow import ExchangeFailed, Flow, Request, Response, Send, Transport
from ._strict import json_object
from ._urls import url_problem

_OAUTH = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


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


def discover(issuer: str, transport: Transport, timeout: float, *, unsafe_http: bool) -> Flow[str]:
    """The `jwks_uri` of `issuer`. Raises ExchangeFailed when no location answers with metadata of that very issuer."""
    problem = "no location answered with metadata"
    for url in metadata_urls(issuer):
        request = Request(method="GET", url=url, headers={"Accept": "application/json"}, timeout=timeout)
        response: Response = yield Send(request, transport)
        found, jwks_uri = _read(response, issuer, unsafe_http=unsafe_http)
        if found:
            return jwks_uri
        problem = jwks_uri or problem
    raise ExchangeFailed(f"discovery: {problem}")


def _read(response: Response, issuer: str, *, unsafe_http: bool) -> tuple[bool, str]:
    """(True, jwks_uri), or (False, why not): a sentence, or empty where there is no metadata at all."""
    if response.status >= 500 or response.status == 429:
        return False, f"status {response.status}"
    try:
        metadata = json_object(response.body) if response.status == 200 else {}
    except ValueError:
        metadata = {}
    if "issuer" not in metadata:
        return False, ""
    if metadata["issuer"] != issuer:
        return False, "the metadata names another issuer (RFC 8414 §3.3)"
    jwks_uri = metadata.get("jwks_uri")
    if url_problem(jwks_uri, unsafe_http=unsafe_http):
        return False, "jwks_uri is absent or no https URL (RFC 8414 §2)"
    return True, str(jwks_uri)
