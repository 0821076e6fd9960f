"""A token request taken apart: its parameters and the client's credentials (RFC 6749 §2.3.1, §3.2, §4.4.2).

Parameters count in the body only, never in the query; one without a value counts as omitted, one given twice is an
error.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from .._jws import media_type
from .._strict import json_object
from ._dialects import Dialect, TokenRequestRefused
from ._messages import IssuerRequest

_MAX_PARAMETERS = 64
_REPEATABLE = frozenset({"resource"})  # RFC 8707 §2


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What was asked for, and by whom; nothing of it is verified."""

    client_id: str
    client_secret: str = field(repr=False)
    grant_type: str
    scope: str = ""
    resources: Sequence[str] = ()


def read(request: IssuerRequest, dialect: Dialect) -> TokenRequest:
    """The token request in `request`. Raises TokenRequestRefused."""
    content_types = request.values("content-type")
    if len(content_types) != 1 or media_type(content_types[0].split(";")[0].strip()) != media_type(
        dialect.content_type
    ):
        raise TokenRequestRefused("invalid_request", f"The content type must be {dialect.content_type}.")
    try:
        pairs = _json_pairs(request.body) if dialect.body == "json" else _form_pairs(request.body)
    except ValueError:
        raise TokenRequestRefused("invalid_request", f"The body is not {dialect.content_type}.") from None
    parameters: dict[str, str] = {}
    resources: list[str] = []
    for name, value in pairs:
        if not value:
            continue
        if name in _REPEATABLE:
            resources.append(value)
        elif name in parameters:
            raise TokenRequestRefused("invalid_request", "A parameter is repeated.")
        else:
            parameters[name] = value
    client_id, client_secret = _credentials(request.values("authorization"), parameters, dialect)
    if "grant_type" not in parameters:
        raise TokenRequestRefused("invalid_request", "The parameter grant_type is missing.")
    return TokenRequest(
        client_id=client_id,
        client_secret=client_secret,
        grant_type=parameters["grant_type"],
        scope=parameters.get("scope", ""),
        resources=tuple(resources),
    )


def _form_pairs(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(
        body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS, separator="&"
    )


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in json_object(body).items():
        values = value if name in _REPEATABLE and isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in values):
            raise ValueError("a member is not a string")
        pairs += [(name, one) for one in values]
    return pairs


def _credentials(fields: Sequence[str], parameters: dict[str, str], dialect: Dialect) -> tuple[str, str]:
    if not fields:
        if "client_id" not in parameters or "client_secret" not in parameters:
            raise TokenRequestRefused("invalid_client", "The client must authenticate itself.")
        return parameters["client_id"], parameters["client_secret"]
    if len(fields) > 1 or "client_secret" in parameters or not dialect.basic:
        raise TokenRequestRefused("invalid_request", "More than one way of authentication, or one not offered here.")
    client_id, client_secret = _basic(fields[0])
    if parameters.get("client_id", client_id) != client_id:
        raise TokenRequestRefused("invalid_request", "Two different clients are named.")
    return client_id, client_secret


def _basic(value: str) -> tuple[str, str]:
    # user-id ":" password, each half form-url-encoded before.                      RFC 7617 §2, RFC 6749 §2.3.1
    scheme, _, credentials = value.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError("another scheme")
        text = b64decode(credentials.strip(" "), validate=True).decode("utf-8")
        client_id, colon, client_secret = text.partition(":")
        if not colon:
            raise ValueError("no colon")
        return unquote_plus(client_id, errors="strict"), unquote_plus(client_secret, errors="strict")
    except ValueError:
        raise TokenRequestRefused("invalid_client", "The Authorization header field is not HTTP Basic.") from None
