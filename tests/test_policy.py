"""A JWTVerifier's parameters: every mistake of one construction is reported at once, and each sentence names the fix."""

from __future__ import annotations

from typing import Any

import pytest

from bearer_guard import (
    ConfigurationError,
    Guard,
    IntrospectionVerifier,
    InvalidClaim,
    InvalidToken,
    JWTVerifier,
    MultiIssuer,
    RemoteJWKSet,
    Router,
    SharedSecret,
    StaticJWKSet,
    Verifier,
    all_of,
    any_of,
)
from bearer_guard.testing import LocalIssuer
from bearer_guard.wsgi import BearerMiddleware
from tests.named import named

API = "https://api.example.com"
ISSUER = "https://id.example.com"
issuer = LocalIssuer(API)
KEYS = StaticJWKSet(issuer.jwks())
SECRET = SharedSecret(b"\x8f\x1c\xa7\x02" + bytes(range(60, 200, 5)))

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"issuer": ...}, "issuer is required"),
    ({"issuer": ""}, "issuer is required"),
    ({"issuer": 1}, "issuer is required"),
    ({"audience": ...}, "audience is required"),
    ({"audience": ""}, "audience is required"),
    ({"audience": b"api"}, "audience is required"),
    ({"audience": 1}, "audience must be a string or a container"),
    ({"audience": []}, "audience is empty"),
    ({"audience": frozenset()}, "audience is empty"),
    ({"issuer": None, "keys": None}, "issuer=None needs keys="),
    ({"issuer": None, "profile": "rfc9068"}, "issuer=None contradicts"),
    ({"audience": None, "profile": "rfc9068"}, "audience=None contradicts"),
    ({"issuer": "Some ID", "keys": None}, "any other issuer needs keys="),
    ({"issuer": "http://id.example.com", "keys": None}, "issuer must be https"),
    ({"issuer": "https://id.example.com?a=1", "keys": None}, "must not hold a query"),
    ({"keys": {"keys": []}}, r"keys must be a RemoteJWKSet\(url\)"),
    ({"keys": "https://id.example.com/jwks"}, r"keys must be a RemoteJWKSet\(url\)"),
    ({"transport": object()}, "transport belongs to keys=RemoteJWKSet"),
    ({"algorithms": []}, r'such as \["RS256"\]'),
    ({"algorithms": "RS256"}, r'such as \["RS256"\]'),
    ({"algorithms": ["none"]}, "algorithm 'none' is not supported: choose from HS256"),
    ({"algorithms": ["es256"]}, "algorithm 'es256' is not supported"),
    ({"algorithms": ["HS256"]}, r"HS\* needs keys=SharedSecret"),
    ({"algorithms": ["HS256"], "keys": None}, r"HS\* needs keys=SharedSecret"),
    ({"algorithms": ["RS256"], "keys": SECRET}, r"HS\* needs keys=SharedSecret"),
    ({"algorithms": ["HS512"], "keys": SECRET}, r"HS\* needs keys=SharedSecret"),
    ({"profile": "strict"}, "profile must be one of 'jwt', 'rfc9068'"),
    ({"types": "at+jwt"}, "types must be a list of strings"),
    ({"types": [1]}, "types must be a list of strings"),
    ({"types": ["JWT"], "profile": "rfc9068"}, "types cannot be chosen"),
    ({"types": None}, "types must be a list of strings"),
    ({"types": 5}, "types must be a list of strings"),
    ({"algorithms": 5}, r'such as \["RS256"\]'),
    ({"algorithms": [["RS256"]]}, "is not supported"),
    ({"profile": []}, "profile must be one of"),
    ({"audience": [1]}, "audience must hold strings"),
    ({"audience": {""}}, "audience must hold strings"),
    ({"leeway": -1}, "leeway must be 0 to 300 seconds"),
    ({"leeway": 301}, "leeway must be 0 to 300 seconds"),
    ({"leeway": float("nan")}, "leeway must be 0 to 300 seconds"),
    ({"leeway": True}, "leeway must be 0 to 300 seconds"),
    ({"leeway": "30"}, "leeway must be 0 to 300 seconds"),
    ({"scope_claims": "scope"}, "scope_claims must be a list of claim names"),
    ({"scope_claims": ()}, "scope_claims is empty"),
    ({"required_claims": "sub"}, "required_claims must be a list of claim names"),
    ({"required_claims": [1]}, "required_claims must be a list of claim names"),
    ({"required_claims": 1}, "required_claims must be a list of claim names"),
    ({"max_token_age": 0}, "max_token_age must be a number of seconds greater than 0"),
    ({"max_token_age": float("inf")}, "max_token_age must be"),
    ({"validate": "rules"}, "validate must be a callable"),
    ({"cache_size": -1}, "cache_size must be a number of tokens"),
    ({"cache_size": True}, "cache_size must be a number of tokens"),
    ({"clock": 0}, "clock must be a callable"),
]


def verifier(**changes: Any) -> JWTVerifier:
    parameters: dict[str, Any] = {"issuer": ISSUER, "audience": API, "keys": KEYS} | changes
    return JWTVerifier(**{name: value for name, value in parameters.items() if value is not ...})


@pytest.mark.parametrize(("changes", "sentence"), MISTAKES, ids=[named(changes) for changes, _ in MISTAKES])
def test_a_mistake_fails_at_construction_and_names_the_fix(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as raised:
        verifier(**changes)
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith("JWTVerifier: ")


def test_every_mistake_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        JWTVerifier(leeway=-1, algorithms=[], cache_size=-1, keys=KEYS)
    assert len(raised.value.problems) == 5
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": frozenset([API])},
        {"audience": {}.keys()},
        {"audience": None},
        {"issuer": None},
        {"issuer": "Some ID"},
        {"keys": None},
        {"leeway": 0},
        {"leeway": 300},
        {"types": [None, "application/AT+JWT"]},
        {"scope_claims": lambda claims: claims.get("roles")},
        {"max_token_age": 60},
        {"algorithms": ["ES256", "EdDSA"]},
        {"keys": SECRET, "algorithms": ["HS256"]},
    ],
    ids=named,
)
def test_what_makes_sense_is_accepted(changes: dict[str, Any]) -> None:
    assert isinstance(verifier(**changes), JWTVerifier)


def test_a_series_that_can_be_read_once_counts_all_the_same() -> None:
    strict = verifier(
        issuer=issuer.issuer, required_claims=(name for name in ["tenant"]), types=(typ for typ in ["at+jwt"])
    )
    with pytest.raises(InvalidClaim):
        strict.verify(issuer.token())
    assert strict.verify(issuer.token(tenant="eu"))
    scoped = verifier(issuer=issuer.issuer, scope_claims=(name for name in ["rights"]))
    for _ in range(2):
        assert scoped.verify(issuer.token(rights="read")).scopes == {"read"}
    with pytest.raises(InvalidToken):
        strict.verify(issuer.token(tenant="eu", headers={"typ": "JWT"}))


class AsyncOnly(Verifier):
    async def averify(self, token: str) -> Any:
        raise NotImplementedError


class Nothing(Verifier):
    pass


OTHERS: dict[str, tuple[Any, str]] = {
    "an http issuer off loopback": (lambda: RemoteJWKSet.discover("http://id.example.com"), "must be https"),
    "an http key URL off loopback": (lambda: RemoteJWKSet("http://id.example.com/jwks"), "must be https"),
    "a file as key URL": (lambda: RemoteJWKSet("file:///etc/passwd"), "must be an absolute https URL"),
    "credentials in a key URL": (lambda: RemoteJWKSet("https://a:b@id.example.com"), "user information"),
    "a time-out of nothing": (lambda: RemoteJWKSet("https://id.example.com/jwks", timeout=0), "greater than 0"),
    "a key transport that sends nothing": (
        lambda: RemoteJWKSet("https://id.example.com/jwks", transport=object()),  # type: ignore[arg-type]
        "a method send",
    ),
    "an introspection transport that sends nothing": (
        lambda: IntrospectionVerifier(endpoint="https://id.example.com/introspect", audience=API, transport=5),  # type: ignore[arg-type]
        "a method send",
    ),
    "a short secret": (lambda: SharedSecret("short"), "at least 32"),
    "algorithms for a secret": (lambda: SharedSecret(b"x" * 64, algorithm=["HS256"]), "HS256, HS384, HS512"),  # type: ignore[arg-type]
    "no secret": (lambda: SharedSecret(), "give one secret"),
    "an algorithm for a secret": (lambda: SharedSecret(b"x" * 64, algorithm="RS256"), "HS256, HS384, HS512"),
    "an empty key set": (lambda: StaticJWKSet({"keys": []}), "no usable key"),
    "an empty any_of": (lambda: any_of(), "name at least one scope"),
    "an empty all_of": (lambda: all_of(), "name at least one scope"),
    "two scopes in one string": (lambda: all_of("a b"), "a string of its own"),
    "a scope with a quote": (lambda: any_of('a"b'), "is not a scope"),
    "a realm with a line break": (lambda: Guard(issuer.verifier(), realm="a\r\nb"), "realm may hold"),
    "a realm that is no text": (lambda: Guard(issuer.verifier(), realm=1), "realm must be a string"),  # type: ignore[arg-type]
    "an optional that is no yes or no": (
        lambda: Guard(issuer.verifier(), optional="false"),  # type: ignore[arg-type]
        "optional must be True or False",
    ),
    "no verifier": (lambda: Guard(None), "verifier must be a Verifier"),  # type: ignore[arg-type]
    "a verifier that decides nothing": (lambda: Guard(Nothing()), "must override verify or averify"),
    "an error body that is none": (lambda: Guard(issuer.verifier(), error_body={}), "error_body"),  # type: ignore[arg-type]
    "an async-only verifier under WSGI": (
        lambda: BearerMiddleware(lambda environ, start: [], Guard(AsyncOnly())),
        "override verify too",
    ),
    "a star inside a public path": (
        lambda: BearerMiddleware(lambda environ, start: [], Guard(issuer.verifier()), public=["/a*b"]),
        r"\*",
    ),
    "no issuers": (lambda: MultiIssuer(), "at least one JWTVerifier"),
    "an issuer that is no verifier": (lambda: MultiIssuer(Nothing()), "not a JWTVerifier"),  # type: ignore[arg-type]
    "two of one issuer": (lambda: MultiIssuer(verifier(), verifier()), "given twice"),
    "an issuer without name": (lambda: MultiIssuer(verifier(issuer=None)), "cannot be chosen"),
    "a router to nothing": (lambda: Router(jwt=Nothing(), opaque=issuer.verifier()), "jwt must be a Verifier"),
    "an http introspection endpoint": (
        lambda: IntrospectionVerifier(endpoint="http://id.example.com", audience=API, client_id="a", client_secret="b"),
        "must be https",
    ),
}


@pytest.mark.parametrize(("make", "sentence"), OTHERS.values(), ids=OTHERS.keys())
def test_every_other_construction_mistake_names_its_fix_too(make: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        make()
