"""Where the endpoints of an issuer are, and the metadata that says so (RFC 8414 §2)."""

from __future__ import annotations

from typing import Any, Final

from .._jose import ASYMMETRIC
from ._dialects import STANDARD, Dialect

JWKS_PATH: Final = "/.well-known/jwks.json"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
OPENID_PATH: Final = "/.well-known/openid-configuration"
INTROSPECTION_PATH: Final = "/oauth2/introspect"
REVOCATION_PATH: Final = "/oauth2/revoke"
OWN_PATHS: Final = frozenset({JWKS_PATH, METADATA_PATH, OPENID_PATH, INTROSPECTION_PATH, REVOCATION_PATH})


def issuer_metadata(identifier: str, url: str, dialect: Dialect) -> dict[str, Any]:
    """The metadata of an issuer whose first token endpoint speaks `dialect`."""
    endpoints = {
        "token": (dialect.path, dialect.authentication_methods),
        "introspection": (INTROSPECTION_PATH, STANDARD.authentication_methods),
        "revocation": (REVOCATION_PATH, STANDARD.authentication_methods),
    }
    members: dict[str, Any] = {
        "issuer": identifier,
        "jwks_uri": url + JWKS_PATH,
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
    }
    for name, (path, methods) in endpoints.items():
        members[f"{name}_endpoint"] = url + path
        members[f"{name}_endpoint_auth_methods_supported"] = methods
        if "private_key_jwt" in methods:
            members[f"{name}_endpoint_auth_signing_alg_values_supported"] = sorted(ASYMMETRIC)
    return members
