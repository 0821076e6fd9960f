"""The only code that issues: keys, tokens, clients, token endpoints, JWK Set and metadata, without a socket inside.

`Issuer.respond` holds every decision; `ASGIApp(issuer.respond)` and `WSGIApp(issuer.respond)` mount it. It exists so
that the whole loop runs on one machine: in development, in tests and in small self-contained APIs.
"""

from ._clients import Client, Clients
from ._dialects import JSON_BODY, STANDARD, Dialect, TokenRequestRefused
from ._issuer import Issuer
from ._keys import KeyRing, SigningKey
from ._messages import IssuerRequest, IssuerResponse
from ._mount import ASGIApp, WSGIApp

__all__ = [
    "Issuer",
    "IssuerRequest",
    "IssuerResponse",
    "ASGIApp",
    "WSGIApp",
    "SigningKey",
    "KeyRing",
    "Client",
    "Clients",
    "Dialect",
    "STANDARD",
    "JSON_BODY",
    "TokenRequestRefused",
]
