"""A request to an endpoint of an issuer taken apart: parameters and the client's credentials (RFC 6749 §2.3, §3.2).

Parameters count in the body only, never in the query; one without a value counts as omitted, one given twice is an
error. A client proves itself in one way only.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from .._jws import media_type
from .._strict import json_object
from ._dialects import Dialect, TokenRequestRefused
from ._messages import MAX_BODY, IssuerRequest

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_PARAMETERS: Final = 64
_MAX_BASIC: Final = 8192
_REPEATABLE: Final = frozenset({"resource"})  # RFC 8707 §2
_KNOWN: Final = frozenset(
    {"grant_type", "scope", "resource", "client_id", "client_secret", "client_assertion", "client_assertion_type"}
    | {"token", "token_type_hint"}
)
_ASSERTION: Final = ("client_assertion", "client_assertion_type")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")  # in the grammar of no parameter                     RFC 6749 App. A


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client brings to prove itself: a secret, an assertion, or neither; nothing of it is verified."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormRequest:
    """What was asked for, and by whom; nothing of it is verified. `resources` are the values of `resource`."""

    credentials: Credentials
    parameters: Mapping[str, str] = field(repr=False)
    resources: Sequence[str] = ()


def posted(request: IssuerRequest, dialect: Dialect) -> FormRequest:
    """What `request` asks for in this dialect. Raises TokenRequestRefused."""
    if request.method != "POST":
        raise TokenRequestRefused("invalid_request", "This endpoint takes POST only.", status=405)
    if len(request.body) > MAX_BODY:
        raise TokenRequestRefused("invalid_request", "The body is too large.", status=dialect.too_large)
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
        if "\0" in name or "\0" in value:  # no parameter's grammar has it: RFC 6749, appendix A
            raise TokenRequestRefused("invalid_request", "A parameter holds NUL.")
        if not value:
            continue
        if _CONTROL.search(value):
            raise TokenRequestRefused("invalid_request", "A parameter holds a control character.")
        if name in _REPEATABLE:
            resources.append(value)
        elif name in parameters:
            raise TokenRequestRefused("invalid_request", "A parameter is repeated.")
        else:
            parameters[name] = value
    if missing := [name for name in dialect.required if name not in parameters]:
        raise TokenRequestRefused("invalid_request", f"The parameter {missing[0]} is missing.")
    credentials = _credentials(request.values("authorization"), parameters, dialect)
    return FormRequest(credentials=credentials, parameters=parameters, resources=tuple(resources))


def _form_pairs(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(
        body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS, separator="&"
    )


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in json_object(body).items():
        values = value if name in _REPEATABLE and isinstance(value, list) else [value]
        if all(isinstance(one, str) for one in values):
            pairs += [(name, one) for one in values]
        elif name in _KNOWN:
            raise ValueError("a member that is known is not a string")
    return pairs  # others are unknown parameters, and ignored: RFC 6749 §3.2


def _credentials(fields: Sequence[str], parameters: Mapping[str, str], dialect: Dialect) -> Credentials:
    asserted = any(name in parameters for name in _ASSERTION)
    if len(fields) + asserted + ("client_secret" in parameters) > 1:
        raise TokenRequestRefused("invalid_request", "More than one way of client authentication.")
    named = parameters.get("client_id")
    if fields:
        if dialect.basic is None:
            raise TokenRequestRefused("invalid_request", "Client authentication by HTTP is not offered here.")
        client_id, secret = _basic(fields[0], encoded=dialect.basic == "encoded")
        if named is not None and named != client_id:
            raise TokenRequestRefused("invalid_request", "Two different clients are named.")
        return Credentials(client_id=client_id, secret=secret)
    if asserted and dialect.private_key_jwt:
        if parameters.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in parameters:
            raise TokenRequestRefused("invalid_request", "The client assertion is incomplete or of an unknown type.")
        return Credentials(client_id=named or "", assertion=parameters["client_assertion"])
    if named is None or not dialect.in_body:
        raise TokenRequestRefused("invalid_client", "The client must authenticate itself.")
    return Credentials(client_id=named, secret=parameters.get("client_secret"))


def _basic(value: str, *, encoded: bool) -> tuple[str, str]:
    # user-id ":" password, in the standard each half form-url-encoded before.      RFC 7617 §2, RFC 6749 §2.3.1
    scheme, _, credentials = value.partition(" ")
    try:
        if len(value) > _MAX_BASIC:
            raise ValueError("too long")
        if scheme.lower() != "basic":
            raise ValueError("another scheme")
        text = b64decode(credentials.strip(" "), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        if not colon:
            raise ValueError("no colon")
        if not encoded:
            return client_id, secret
        return unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except ValueError:
        raise TokenRequestRefused("invalid_client", "The Authorization header field is not HTTP Basic.") from None
