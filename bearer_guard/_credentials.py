"""From the Authorization field of a request to the one bearer token in it, or a refusal (RFC 6750 §2.1, RFC 9110 §11).

The field is the only place that is looked at: never the query, the body or a cookie.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ._errors import InvalidRequest, MissingToken

MAX_TOKEN_LENGTH: Final = 16 * 1024
"""Characters. ML-DSA tokens take 3-7 KiB; beyond this bound nothing is split, decoded or looked up."""

# credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ]                                  RFC 9110 §11.4
# auth-scheme = token = 1*tchar                                                                 RFC 9110 §5.6.2
_SCHEME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# token68     = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="                    RFC 9110 §11.2
_TOKEN68: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"

_BEARER: Final = "bearer "


def bearer_credentials(fields: Sequence[str]) -> str | None:
    """What follows the scheme in these Authorization field lines, or None where there is no such line.

    Raises MissingToken for another scheme (an unsupported method, RFC 6750 §3.1) and InvalidRequest for more than one
    line or an over-long value. Not checked: the grammar. Until `check_token68` has, it may be compared with tokens that
    have passed, or be taken apart as a JWS, whose alphabet is a part of that grammar; nothing is asked about it.
    """
    if not fields:
        return None
    if len(fields) > 1:
        raise InvalidRequest("more than one Authorization field", reason="repeated_credentials")
    value = fields[0]
    scheme = value[:7]
    if scheme != "Bearer " and scheme.lower() != _BEARER:
        _refuse_other_scheme(value)
    if len(value) > MAX_TOKEN_LENGTH + len(_BEARER):
        raise InvalidRequest(f"token longer than {MAX_TOKEN_LENGTH} characters", reason="token_too_long")
    return value[7:].lstrip(" ")


def check_token68(credentials: str) -> None:
    """Raise InvalidRequest unless `credentials` are one token68. No comma is in it: WSGI servers join lines by one."""
    # Deleting what is allowed, and counting what is left, takes a quarter of the time of a regular expression.
    allowed = credentials.rstrip("=") if credentials.isascii() else ""
    if not allowed or allowed.encode("ascii").translate(None, _TOKEN68):
        raise InvalidRequest("the credentials are not one token68 (RFC 9110 §11.2)")


def _refuse_other_scheme(value: str) -> None:
    scheme = _SCHEME.match(value[:256])
    if scheme is None:
        raise InvalidRequest("no authentication scheme")
    if scheme[0].lower() == "bearer":
        raise InvalidRequest("the Bearer scheme without a token")
    raise MissingToken("another authentication scheme than Bearer", reason="unsupported_scheme")
