"""The public names: what programs outside this repository are written against stays as it is."""

from __future__ import annotations

import importlib
import inspect

import pytest

import bearer_guard

NAMES = {
    "bearer_guard": [
        *("Guard", "AccessToken", "IncomingRequest", "Refusal", "ErrorBody", "oauth_error", "problem_details"),
        *("Verifier", "JWTVerifier", "IntrospectionVerifier", "MultiIssuer", "Router"),
        *("RemoteJWKSet", "StaticJWKSet", "SharedSecret", "any_of", "all_of"),
        *("BearerGuardError", "AccessDenied", "MissingToken", "InvalidRequest", "InvalidToken", "MalformedToken"),
        *("UntrustedIssuer", "UnknownKey", "BadSignature", "ExpiredToken", "TokenNotYetValid", "InvalidClaim"),
        *("InactiveToken", "InsufficientScope", "AuthorityUnavailable", "ConfigurationError", "UnguardedRoute"),
    ],
    "bearer_guard.asgi": ["BearerMiddleware", "readiness"],
    "bearer_guard.wsgi": ["BearerMiddleware", "readiness"],
    "bearer_guard.starlette": ["BearerMiddleware", "current_token", "requires"],
    "bearer_guard.werkzeug": ["BearerMiddleware", "current_token", "requires"],
    "bearer_guard.flask": ["BearerMiddleware", "current_token", "protect", "requires"],
    "bearer_guard.testing": ["ABSENT", "BrokenToken", "LocalIssuer", "LocalServer", "Trouble", "encode"],
    "bearer_guard.transport": ["ExchangeFailed", "Request", "Response", "Transport"],
}

# Parameter names and defaults, in the order of DESIGN section 3.
SIGNATURES = {
    "Guard": {"verifier": ..., "realm": "api", "optional": False, "error_body": bearer_guard.oauth_error},
    "JWTVerifier": {
        "keys": None,
        "algorithms": None,
        "profile": "jwt",
        "types": (),
        "leeway": 30.0,
        "scope_claims": ("scope", "scp"),
        "required_claims": (),
        "max_token_age": None,
        "validate": None,
        "cache_size": 0,
        "transport": None,
    },
    "RemoteJWKSet": {
        "url": ...,
        "max_age": 600.0,
        "stale_if_error": 3600.0,
        "cooldown": 30.0,
        "timeout": 5.0,
        "ssl_context": None,
        "proxy": None,
        "unsafe_http": False,
        "transport": None,
    },
    "SharedSecret": {"algorithm": "HS256"},
    "IntrospectionVerifier": {
        "endpoint": ...,
        "issuer": None,
        "client_id": None,
        "client_secret": None,
        "auth": "basic",
        "leeway": 30.0,
        "required_claims": (),
        "validate": None,
        "cache_ttl": 60.0,
        "negative_ttl": 5.0,
        "cache_size": 10_000,
        "timeout": 5.0,
        "signed": None,
        "ssl_context": None,
        "transport": None,
    },
    "AccessToken": {
        "subject": None,
        "client_id": None,
        "issuer": None,
        "audience": (),
        "scopes": (),
        "expires_at": None,
        "issued_at": None,
        "token_id": None,
        "confirmation": None,
    },
}


@pytest.mark.parametrize("module", NAMES)
def test_a_module_exports_its_names_and_no_others(module: str) -> None:
    found = importlib.import_module(module)
    assert sorted(found.__all__) == sorted(NAMES[module])
    assert all(hasattr(found, name) for name in found.__all__)


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_public_class_keeps_its_parameters_and_their_defaults(name: str) -> None:
    parameters = inspect.signature(getattr(bearer_guard, name)).parameters
    for parameter, default in SIGNATURES[name].items():
        expected = inspect.Parameter.empty if default is ... else default
        assert parameters[parameter].default == expected, parameter


@pytest.mark.parametrize(
    "name", [name for name in NAMES["bearer_guard"] if inspect.isclass(getattr(bearer_guard, name))]
)
def test_every_public_class_says_what_it_does(name: str) -> None:
    assert inspect.getdoc(getattr(bearer_guard, name))


@pytest.mark.parametrize("module", [module for module in NAMES if module.count(".")])
def test_every_adapter_has_the_same_nouns(module: str) -> None:
    if module in ("bearer_guard.testing", "bearer_guard.transport"):
        return
    exported = set(importlib.import_module(module).__all__)
    assert exported >= {"BearerMiddleware"}
    assert ("requires" in exported) == ("current_token" in exported) == (module not in NO_ROUTES)


NO_ROUTES = ("bearer_guard.asgi", "bearer_guard.wsgi")
