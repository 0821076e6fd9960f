"""What an issued access token is made of (RFC 9068 §2, RFC 7515 §7.1).

Claims, header and compact serialization are three steps, so that a test kit can put something else into any of them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final

from .._jws import compact
from ._signing_key import SigningKey

TYPE: Final = "at+jwt"  # RFC 9068 §2.1


def access_token_claims(
    *,
    issuer: str,
    audience: str | Iterable[str],
    client_id: str,
    subject: str | None = None,
    scope: str = "",
    issued_at: float,
    lifetime: float,
) -> dict[str, Any]:
    """The claims of RFC 9068 §2.2: `sub` is the client itself unless told otherwise, `jti` has 128 random bits.

    `issued_at` is a NumericDate and `lifetime` in seconds; whole numbers stay whole.
    """
    audiences = [audience] if isinstance(audience, str) else list(audience)
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audiences[0] if len(audiences) == 1 else audiences,
        "sub": client_id if subject is None else subject,
        "client_id": client_id,
        "iat": issued_at,
        "exp": issued_at + lifetime,
        "jti": secrets.token_urlsafe(16),
    }
    if scope:
        claims["scope"] = scope
    return claims


def header_for(key: SigningKey) -> dict[str, Any]:
    """The header of an access token that `key` signs."""
    return {"alg": key.algorithm, "typ": TYPE, "kid": key.kid}


def json_octets(value: Mapping[str, Any]) -> bytes:
    """`value` as compact JSON in UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def signed(header: Mapping[str, Any], claims: Mapping[str, Any], key: SigningKey) -> str:
    """The token of `header` and `claims` under `key`; neither is checked."""
    return compact(json_octets(header), json_octets(claims), key.sign)
