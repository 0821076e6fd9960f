"""The token endpoint: a client with its credentials asks, a token is granted or refused (RFC 6749 §3.2, §4.4, §5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from .._flow import Flow
from ._client import Client
from ._dialects import Dialect, TokenRequestRefused
from ._grant import Grant
from ._messages import IssuerRequest, IssuerResponse, json_response
from ._refusals import NO_STORE
from ._token_request import Credentials, FormRequest, posted

_MAX_RESOURCES: Final = 10

Authenticate: TypeAlias = Callable[[Credentials], Flow[Client]]
MakeGrant: TypeAlias = Callable[[Client, Sequence[str], str], Grant]
"""(client, audience, scope) -> Grant."""
MakeToken: TypeAlias = Callable[[Grant], str]


def answer(
    request: IssuerRequest,
    dialect: Dialect,
    authenticate: Authenticate,
    make_grant: MakeGrant,
    make_token: MakeToken,
) -> Flow[IssuerResponse]:
    """The response at the token endpoint that speaks `dialect`. Raises TokenRequestRefused."""
    asked = posted(request, dialect)
    if "grant_type" not in asked.parameters:
        raise TokenRequestRefused("invalid_request", "The parameter grant_type is missing.")
    client = yield from authenticate(asked.credentials)
    grant = make_grant(client, *_granted(asked, client))
    members = {"access_token": make_token(grant), "token_type": dialect.token_type, **dialect.members(grant)}
    return json_response(200, members, *NO_STORE)


def _granted(asked: FormRequest, client: Client) -> tuple[Sequence[str], str]:
    if asked.parameters["grant_type"] != "client_credentials":
        raise TokenRequestRefused("unsupported_grant_type", "The grant type must be client_credentials.")
    scopes = asked.parameters["scope"].split(" ") if "scope" in asked.parameters else client.scopes
    if not set(scopes) <= set(client.scopes):
        raise TokenRequestRefused("invalid_scope", "A scope is unknown, malformed or not granted to this client.")
    if len(asked.resources) > _MAX_RESOURCES or not set(asked.resources) <= set(client.audience):
        raise TokenRequestRefused("invalid_target", "A resource is unknown or not open to this client.")
    return tuple(dict.fromkeys(asked.resources)) or client.audience, " ".join(dict.fromkeys(scopes))
