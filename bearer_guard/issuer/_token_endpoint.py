"""The token endpoint: a client with its credentials asks, a token is granted or refused (RFC 6749 §3.2, §4.4, §5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ._clients import Client, Clients
from ._dialects import Dialect, TokenRequestRefused
from ._messages import MAX_BODY, IssuerRequest, IssuerResponse, json_response
from ._token_request import TokenRequest, read

# RFC 6749 §5.1. Pragma is for caches of another age, which the section still asks for.
_NO_STORE: Final = (("cache-control", "no-store"), ("pragma", "no-cache"))

MakeToken = Callable[[Client, Sequence[str], str], str]
"""(client, audience, scope) -> access token."""


def answer(request: IssuerRequest, dialect: Dialect, clients: Clients, make_token: MakeToken) -> IssuerResponse:
    """The response to `request` at the token endpoint that speaks `dialect`."""
    if request.method != "POST":
        refused = TokenRequestRefused("invalid_request", "The token endpoint takes POST only.")
        return json_response(405, dialect.error_members(refused), ("allow", "POST"), *_NO_STORE)
    if len(request.body) > MAX_BODY:
        refused = TokenRequestRefused("invalid_request", "The body is too large.")
        return json_response(413, dialect.error_members(refused), *_NO_STORE)
    try:
        asked = read(request, dialect)
        client = _authenticated(asked, clients)
        audience, scope = _granted(asked, client)
    except TokenRequestRefused as refused:
        return _refusal(refused, dialect)
    content = {
        "access_token": make_token(client, audience, scope),
        "token_type": dialect.token_type,
        "expires_in": client.token_lifetime,
    }
    return json_response(200, {**content, "scope": scope} if scope else content, *_NO_STORE)


def _authenticated(asked: TokenRequest, clients: Clients) -> Client:
    client = clients.authenticate(asked.client_id, asked.client_secret)
    if client is None:
        raise TokenRequestRefused("invalid_client", "The client is unknown or its secret is wrong.")
    return client


def _granted(asked: TokenRequest, client: Client) -> tuple[Sequence[str], str]:
    if asked.grant_type != "client_credentials":
        raise TokenRequestRefused("unsupported_grant_type", "The grant type must be client_credentials.")
    scopes = [name for name in asked.scope.split(" ") if name] or client.scopes
    if not set(scopes) <= set(client.scopes):
        raise TokenRequestRefused("invalid_scope", "A scope is unknown, malformed or not granted to this client.")
    if not set(asked.resources) <= set(client.audience):
        raise TokenRequestRefused("invalid_target", "A resource is unknown or not open to this client.")
    return asked.resources or client.audience, " ".join(dict.fromkeys(scopes))


def _refusal(refused: TokenRequestRefused, dialect: Dialect) -> IssuerResponse:
    status = dialect.statuses.get(refused.code, 400)
    headers: tuple[tuple[str, str], ...] = _NO_STORE
    if status == 401 and dialect.basic:
        # RFC 6749 §5.2 wants the challenge of the scheme that was used; a dialect without Basic has none to name.
        headers = (("www-authenticate", 'Basic realm="token", charset="UTF-8"'), *_NO_STORE)
    return json_response(status, dialect.error_members(refused), *headers)
