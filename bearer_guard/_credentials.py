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
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*")

_BEARER: Final = "bearer "


def bearer_token(fields: Sequence[str]) -> str | None:
    """The token in these Authorization field lines, or None where there is no such line.

    Raises MissingToken for another scheme (an unsupported method, RFC 6750 §3.1) and InvalidRequest for more than one
    line, an over-long value or one outside the grammar. A comma is outside it: WSGI servers join repeated lines so.
    """
    if not fields:
        return None
    if len(fields) > 1:
        raise InvalidRequest("more than one Authorization field", reason="repeated_credentials")
    value = fields[0]
    if value[:7].lower() != _BEARER:
        _refuse_other_scheme(value)
    if len(value) > MAX_TOKEN_LENGTH + len(_BEARER):
        raise InvalidRequest(f"token longer than {MAX_TOKEN_LENGTH} characters", reason="token_too_long")
    token = value[7:].lstrip(" ")
    if not _TOKEN68.fullmatch(token):
        raise InvalidRequest("the credentials are not one token68 (RFC 9110 §11.2)")
    return token


def _refuse_other_scheme(value: str) -> None:
    scheme = _SCHEME.match(value[:256])
    if scheme is None:
        raise InvalidRequest("no authentication scheme")
    if scheme[0].lower() == "bearer":
        raise InvalidRequest("the Bearer scheme without a token")
    raise MissingToken("another authentication scheme than Bearer", reason="unsupported_scheme")
