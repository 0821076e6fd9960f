"""Which URLs may be asked for keys and answers: https, or http on loopback, and nothing that can be read in two ways.

RFC 8414 §2 demands https; `file:`, `data:` and the like are refused with every other scheme (RFC 9700 §4.9).
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

# The characters of a URI, RFC 3986 §2: what urlsplit would drop or a server read differently never reaches it.
_URI = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")


class Endpoint(NamedTuple):
    """Where a URL leads to: what a connection and a request line need."""

    secure: bool
    host: str
    port: int
    target: str


def url_problem(url: object, *, unsafe_http: bool = False) -> str | None:
    """Why `url` must not be fetched, or None; the sentence names the fix."""
    if not isinstance(url, str) or not _URI.fullmatch(url):
        return "must be an absolute https URL"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be an absolute https URL"
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        return "must be an absolute https URL"
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "must not hold user information: give credentials as parameters of their own"
    if "#" in url:
        return "must not hold a fragment"
    if parts.scheme == "http" and not (unsafe_http or is_loopback(parts.hostname)):
        return "must be https: http is for loopback only, unless unsafe_http=True is given"
    return None


def is_loopback(host: str) -> bool:
    """Whether `host` is `localhost` or a loopback address; a name that merely resolves to one is not."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def endpoint(url: str) -> Endpoint:
    """Where `url`, which `url_problem` has passed, leads to."""
    parts: SplitResult = urlsplit(url)
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(secure, parts.hostname or "", parts.port or (443 if secure else 80), target)
