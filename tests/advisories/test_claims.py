"""Attacks on claims (classes TIME, AUD, ISS, SUB, REQ, TYPE, TYP, CNF, SCP)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearer_guard import (
    ConfigurationError,
    ExpiredToken,
    InvalidClaim,
    TokenNotYetValid,
    UntrustedIssuer,
    all_of,
    any_of,
)
from bearer_guard.testing import LocalIssuer
from tests.answers import IS, IT, OK, admitted, ask, guard, refused
from tests.tokens import ABSENT, CLAIMS, HEADER, ISSUER, NOW, RESOURCE, T, raw

from .corpus import rejected

AS_JSON = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "true",
    "false",
    "null",
    '"9999999999"',
    '"\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669"',
    '"1_800_000_300"',
    '"2036-01-01T00:00:00Z"',
    '""',
    "[1800000300]",
    '{"exp":1800000300}',
    '"0x6B49D200"',
    "9" * 4000,
    "-1",
    "1e18",
]


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", AS_JSON, ids=lambda value: ascii(value)[:24])
def test_TIME_what_is_not_a_plausible_number_is_refused_wherever_it_is_present(claim: str, value: str) -> None:
    members = {name: json.dumps(member) for name, member in CLAIMS.items()} | {claim: value}
    payload = "{" + ",".join(f'"{name}":{member}' for name, member in members.items()) + "}"
    rejected(guard(), raw(HEADER, payload))
    rejected(guard(leeway=300, max_token_age=10**9), raw(HEADER, payload))


TIMES: dict[str, tuple[dict[str, Any], Any]] = {
    "TIME-1": ({"exp": NOW}, ExpiredToken),
    "TIME-2": ({"exp": NOW - 1}, ExpiredToken),
    "TIME-3": ({"nbf": NOW + 1}, TokenNotYetValid),
    "TIME-4": ({"nbf": NOW}, None),
    "TIME-5": ({"iat": NOW + 3600, "exp": NOW + 7200}, TokenNotYetValid),
    "TIME-6": ({"exp": ABSENT}, InvalidClaim),
    "TIME-7": ({"exp": 0}, ExpiredToken),
    "TIME-8": ({"exp": NOW - 0.5}, ExpiredToken),
}


@pytest.mark.parametrize(("claims", "error"), TIMES.values(), ids=TIMES)
def test_the_edges_of_a_tokens_time(claims: dict[str, Any], error: Any) -> None:
    if error is None:
        assert ask(guard(), T(**claims)).kind == OK
    else:
        refused(guard(), T(**claims), error)


def test_TIME_9_a_clock_that_knows_no_time_lets_nobody_in() -> None:
    for now in (float("nan"), float("inf")):
        assert ask(guard(clock=lambda now=now: now), T()).kind == IT


def test_TIME_10_dates_that_no_calendar_holds_are_no_500() -> None:
    for value in (1e18, -(10**12), 2**53 + 2, 2**63, 1e308):
        rejected(guard(), T(exp=value))
    assert admitted(guard(), T(exp=2**53)).expires_at == 2**53


AUDIENCES: list[Any] = [
    RESOURCE + "/",
    RESOURCE + ".evil.example",
    RESOURCE + "x",
    "x" + RESOURCE,
    RESOURCE[:-1],
    RESOURCE.upper(),
    RESOURCE.replace("api", "API"),
    f"{RESOURCE} {ISSUER}",
    f"{ISSUER},{RESOURCE}",
    f"{RESOURCE} ",
    f"\t{RESOURCE}",
    [],
    [[RESOURCE]],
    [RESOURCE, 1],
    [None, RESOURCE],
    [[], RESOURCE],
    [{}],
    {},
    {"0": RESOURCE},
    None,
    True,
    False,
    0,
    "",
    [""],
    "*",
    ["*"],
    "https://*.example",
    RESOURCE + "#",
    RESOURCE + "#x",
    RESOURCE + ":443",
    RESOURCE + "\u200b",
    "\ufeff" + RESOURCE,
    RESOURCE + "\0",
    RESOURCE + "\n",
    "http://api.example",
    "//api.example",
    "api.example",
    RESOURCE.replace("a", "\u0430", 1),
    ABSENT,
]


@pytest.mark.parametrize("number", range(1, len(AUDIENCES) + 1))
def test_AUD_what_does_not_name_this_api_exactly_is_refused(number: int) -> None:
    token = T(aud=AUDIENCES[number - 1])
    for configured in (RESOURCE, [RESOURCE], {RESOURCE: 1}):
        refused(guard(audience=configured), token, InvalidClaim)


def test_AUD_41_CVE_2024_53861_neither_name_is_looked_for_inside_the_other() -> None:
    for audience in ("https://api.example.evil", "api", "", "h", ["https", "api.example"]):
        refused(guard(), T(aud=audience), InvalidClaim)
    longer = guard(audience="https://api.example.evil")
    refused(longer, T(), InvalidClaim)
    assert ask(longer, T(aud="https://api.example.evil")).kind == OK


ISSUERS: list[Any] = [
    ISSUER + "/",
    ISSUER + "//",
    ISSUER.upper(),
    "https://AS.example",
    "HTTPS://as.example",
    ISSUER[:-1],
    ISSUER[1:],
    ISSUER + ".evil.example",
    ISSUER + "x",
    "x" + ISSUER,
    [ISSUER],
    [ISSUER, "https://evil.example"],
    ["https://evil.example", ISSUER],
    {"iss": ISSUER},
    {},
    None,
    True,
    1,
    "",
    ISSUER + ":443",
    ISSUER + "#",
    ISSUER + "?",
    " " + ISSUER,
    ISSUER + " ",
    ISSUER + "\n",
    ISSUER + "\0",
    "http://as.example",
    "https://u@as.example",
    "https://as.example@evil.example",
    "https://evil.example/https://as.example",
    "https://as.example\\@evil.example",
    "https://as.example%00",
    "https://as%2Eexample",
    "https://\u0430s.example",
    "https://as.example.",
    "//as.example",
    "as.example",
    RESOURCE,
    "*",
    ABSENT,
]


@pytest.mark.parametrize("number", range(1, len(ISSUERS) + 1))
def test_ISS_what_is_not_exactly_the_issuer_is_refused(number: int) -> None:
    for options in ({}, {"profile": "rfc9068"}):
        refused(guard(**options), T(iss=ISSUERS[number - 1]), UntrustedIssuer)


WRONG: list[Any] = [5, 1.5, True, False, None, [], ["u1"], {}, {"sub": "u1"}]


@pytest.mark.parametrize("claim", ["sub", "jti", "client_id"])
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_SUB_REQ_TYPE_a_claim_of_the_wrong_type_is_refused(claim: str, value: Any) -> None:
    if value is None and claim == "client_id":
        refused(guard(profile="rfc9068"), T(client_id=None), InvalidClaim)
    for options in ({}, {"profile": "rfc9068"}, {"required_claims": [claim]}):
        refused(guard(**options), T(**{claim: value}), InvalidClaim)


@pytest.mark.parametrize("claim", ["sub", "jti", "client_id", "iat"])
def test_REQ_an_absent_claim_is_refused_where_it_is_required(claim: str) -> None:
    for options in ({"profile": "rfc9068"}, {"required_claims": [claim]}):
        refused(guard(**options), T(**{claim: ABSENT}), InvalidClaim)
        assert ask(guard(**options), T()).kind == OK


def test_SUB_10_a_client_that_is_called_like_a_user_is_marked_as_a_client() -> None:
    assert admitted(guard(), T(sub="admin", client_id="admin")).is_client
    assert not admitted(guard(), T(sub="admin", client_id="web")).is_client


TYPES: list[Any] = [
    "JWT",
    "id_token+jwt",
    "logout+jwt",
    "secevent+jwt",
    "dpop+jwt",
    "token-introspection+jwt",
    "client-authentication+jwt",
    "statuslist+jwt",
    "refresh+jwt",
    "at-jwt",
    "at jwt",
    "at+jwt\n",
    "at+jwt\0",
    "xat+jwt",
    "at+jws",
    "",
    ["at+jwt"],
    1,
    None,
    True,
    "at+jwt, JWT",
    "a\u0442+jwt",
    "application/",
    "application/application/at+jwt",
    ABSENT,
]


@pytest.mark.parametrize("number", range(1, len(TYPES) + 1))
def test_TYP_no_other_kind_of_token_passes_for_an_access_token(number: int) -> None:
    answer = ask(guard(profile="rfc9068"), T({"typ": TYPES[number - 1]}))
    assert answer.kind == IT
    assert answer.error is not None
    assert answer.error.reason == "type_not_allowed"


def test_TYP_41_real_other_tokens_of_the_same_issuer_and_key_are_refused() -> None:
    issuer = LocalIssuer(audience=RESOURCE, clock=lambda: NOW)
    for profile in ("jwt", "rfc9068"):
        subject = guard(issuer.verifier(profile=profile))
        assert ask(subject, issuer.token()).kind == OK
        id_token = {"aud": "local-client", "nonce": "n", "at_hash": "h", "client_id": ABSENT, "jti": ABSENT}
        removed = {name for name, value in id_token.items() if value is ABSENT}
        claims = {name: value for name, value in {**issuer.claims(), **id_token}.items() if name not in removed}
        for header, payload in (
            ({"typ": "JWT"}, claims),
            ({"typ": "JWT"}, {**claims, "aud": RESOURCE}),
            ({"typ": "refresh+jwt"}, issuer.claims()),
            ({"typ": "JWT"}, {**issuer.claims(), "aud": issuer.issuer}),
        ):
            members = {"alg": "ES256", "kid": issuer.key.kid, **header}
            assert ask(subject, raw(members, payload, issuer.key.sign)).kind == IT


CNF: list[Any] = [
    {"jkt": "0ZcOCORZNYy"},
    {"x5t#S256": "bwcK0esc3ACC"},
    {"jwk": {"kty": "EC"}},
    {"jwe": "x"},
    {},
    "x",
    None,
    [],
    {"kid": "k1"},
]


@pytest.mark.parametrize("number", range(1, len(CNF) + 1))
def test_CNF_a_bound_token_or_a_malformed_binding_is_refused(number: int) -> None:
    for options in ({}, {"profile": "rfc9068"}, {"cache_size": 10}):
        subject = guard(**options)
        for _ in range(2):
            refused(subject, T(cnf=CNF[number - 1]), InvalidClaim)


SCOPES: list[Any] = [
    "write:all",
    "Write",
    "writer",
    "awrite",
    "read\twrite",
    "read\nwrite",
    "read\u00a0write",
    "read\u2003write",
    "read,write",
    "read+write",
    "read\x1cwrite",
    "read\x0bwrite",
    "write\0",
    ["write"],
    {"write": True},
    True,
    "wr\u0131te",
    "\uff57rite",
    "write;",
    '"write"',
    "*",
]


@pytest.mark.parametrize("number", range(1, len(SCOPES) + 1))
def test_SCP_what_is_not_the_scope_does_not_grant_it(number: int) -> None:
    for required in ("write", all_of("write"), any_of("write", "admin")):
        assert ask(guard(), T(scope=SCOPES[number - 1]), required).kind in (IS, IT)


def test_SCP_40_41_42_spaces_absence_and_substrings() -> None:
    assert ask(guard(), T(scope="read  write "), "write").kind == OK
    assert ask(guard(), T(scope=ABSENT), "write").kind == IS
    assert ask(guard(), T(scope="rewrite"), "write").kind == IS


def test_SCP_43_two_scopes_in_one_string_are_a_configuration_error() -> None:
    for combine in (all_of, any_of):
        with pytest.raises(ConfigurationError, match="space"):
            combine("a b")
