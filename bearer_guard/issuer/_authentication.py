"""Who makes a request to an endpoint of an issuer: by a secret or by a signed assertion (RFC 6749 §2.3, RFC 7523 §3).

An assertion names the client as issuer and subject and this issuer, alone, as audience: the URL of an endpoint is
refused, because a server that a client was lured to could have named it (7523bis). Each is good once.
"""

from __future__ import annotations

import json
from typing import Final

from .._claims import ClaimRules
from .._errors import InvalidToken
from .._flow import Flow
from .._jwks import load_jwks
from .._jws import CompactJWS, parse
from ._client import Client
from ._clients import Braked, Clients
from ._dialects import TokenRequestRefused
from ._secrets import Busy
from ._token_request import Credentials

_TYPES: Final = frozenset({None, "jwt", "client-authentication+jwt"})
_LEEWAY: Final = 30.0
_LONGEST: Final = 600.0
_REFUSED: Final = "The client is unknown or could not prove itself."


def authenticated(presented: Credentials, clients: Clients, identifier: str, now: float) -> Flow[Client]:
    """The client that `presented` proves, at the issuer `identifier`. Raises TokenRequestRefused."""
    if presented.assertion is not None:
        return _asserted(presented, presented.assertion, clients, identifier, now)  # needs no waiting
    if presented.secret is None:
        client = clients.get(presented.client_id)
        if client is not None and client.public:
            raise TokenRequestRefused("unauthorized_client", "A public client may not use this grant.")
        raise TokenRequestRefused("invalid_client", "The client must authenticate itself.")
    try:
        client = yield from clients.authentication(presented.client_id, presented.secret)
    except Braked as braked:
        raise TokenRequestRefused("invalid_client", _REFUSED, retry_after=braked.wait) from None
    except Busy:
        raise TokenRequestRefused(
            "temporarily_unavailable", "Too many requests at once.", status=503, retry_after=1.0
        ) from None
    if client is None:
        raise TokenRequestRefused("invalid_client", _REFUSED)
    return client


def _asserted(presented: Credentials, assertion: str, clients: Clients, identifier: str, now: float) -> Client:
    try:
        jws = parse(assertion)
        claims = jws.unverified_claims()
        client = clients.get(str(claims.get("sub")))
        if client is None or presented.client_id not in ("", client.client_id) or not _verified(jws, client):
            raise TokenRequestRefused("invalid_client", _REFUSED)
        rules = ClaimRules(
            issuer=client.client_id,
            audience=identifier,
            leeway=_LEEWAY,
            required=("sub", "jti"),
            max_token_age=None,
            validate=None,
        )
        rules.check(claims, now)
    except InvalidToken:
        raise TokenRequestRefused("invalid_client", _REFUSED) from None
    # An assertion that lasts for ever would have to be remembered for ever.
    if claims["aud"] not in (identifier, [identifier]) or claims["exp"] > now + _LONGEST:
        raise TokenRequestRefused("invalid_client", _REFUSED)
    name = json.dumps([client.client_id, claims["jti"]])
    if not clients.store.use_once("assertion", name, claims["exp"] + _LEEWAY, now):
        raise TokenRequestRefused("invalid_client", _REFUSED)
    return client


def _verified(jws: CompactJWS, client: Client) -> bool:
    if client.jwks is None or jws.header.typ not in _TYPES:
        return False
    algorithm = jws.header.algorithm
    keys = load_jwks(dict(client.jwks)).fitting(algorithm, jws.header.kid, listed=False)
    signature = jws.signature()
    return any(key.verifies(algorithm, jws.signing_input, signature) for key in keys)
