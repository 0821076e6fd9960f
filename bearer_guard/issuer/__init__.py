"""The only code that issues: keys, tokens, clients, token endpoints, JWK Set and metadata, without a socket inside.

`Issuer.respond` holds every decision; `ASGIApp(issuer)` and `WSGIApp(issuer)` mount it. It exists so that the whole
loop runs on one machine: in development, in tests and in small self-contained APIs.
"""

from ._brought_keys import key_from_file
from ._client import Client
from ._clients import Clients
from ._dialects import JSON_BODY, STANDARD, Dialect, TokenRequestRefused, granted_members, lifetime_alone
from ._grant import Grant, JWTFormat, OpaqueFormat, plain_header, rfc9068_claims
from ._issuer import Issuer
from ._keys import KeyRing
from ._memory_store import MemoryStore
from ._messages import IssuerRequest, IssuerResponse
from ._mount import ASGIApp, WSGIApp
from ._own import IssuerKeys, StoreVerifier
from ._signing_key import SigningKey
from ._sqlite_store import SQLiteStore
from ._store import Store, StoredKey, StoreFailed, TokenRecord

__all__ = [
    "Issuer",
    "IssuerRequest",
    "IssuerResponse",
    "ASGIApp",
    "WSGIApp",
    "SigningKey",
    "KeyRing",
    "key_from_file",
    "IssuerKeys",
    "StoreVerifier",
    "Client",
    "Clients",
    "Store",
    "MemoryStore",
    "SQLiteStore",
    "StoreFailed",
    "TokenRecord",
    "StoredKey",
    "Dialect",
    "Grant",
    "JWTFormat",
    "OpaqueFormat",
    "STANDARD",
    "JSON_BODY",
    "plain_header",
    "rfc9068_claims",
    "granted_members",
    "lifetime_alone",
    "TokenRequestRefused",
]
