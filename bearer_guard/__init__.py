"""The resource server's half of OAuth 2.0 for every Python web application.

One `Guard` says who may call. It guards ASGI and WSGI applications and single routes through the adapter modules
(`bearer_guard.asgi`, `.wsgi`, `.starlette`, `.werkzeug`, `.flask`), and `bearer_guard.testing` replaces the identity
provider in unit tests. Importing this package loads no framework, opens nothing and reads no environment variable.
"""

from ._errors import (
    AccessDenied,
    AuthorityUnavailable,
    BadSignature,
    BearerGuardError,
    ConfigurationError,
    ExpiredToken,
    InactiveToken,
    InsufficientScope,
    InvalidClaim,
    InvalidRequest,
    InvalidToken,
    MalformedToken,
    MissingToken,
    TokenNotYetValid,
    UnguardedRoute,
    UnknownKey,
    UntrustedIssuer,
)
from ._guard import Guard
from ._http import ErrorBody, IncomingRequest, Refusal, oauth_error, problem_details
from ._introspection import IntrospectionVerifier
from ._keys import StaticJWKSet
from ._remote import RemoteJWKSet
from ._scopes import all_of, any_of
from ._shared_secret import SharedSecret
from ._token import AccessToken
from ._verifier import Verifier
from ._verifiers import JWTVerifier, MultiIssuer, Router

__all__ = [
    "Guard",
    "AccessToken",
    "IncomingRequest",
    "Refusal",
    "ErrorBody",
    "oauth_error",
    "problem_details",
    "Verifier",
    "JWTVerifier",
    "IntrospectionVerifier",
    "MultiIssuer",
    "Router",
    "RemoteJWKSet",
    "StaticJWKSet",
    "SharedSecret",
    "any_of",
    "all_of",
    "BearerGuardError",
    "AccessDenied",
    "MissingToken",
    "InvalidRequest",
    "InvalidToken",
    "MalformedToken",
    "UntrustedIssuer",
    "UnknownKey",
    "BadSignature",
    "ExpiredToken",
    "TokenNotYetValid",
    "InvalidClaim",
    "InactiveToken",
    "InsufficientScope",
    "AuthorityUnavailable",
    "ConfigurationError",
    "UnguardedRoute",
]
