"""Rows B of the conformance list at the guard itself; tests/contract runs them against every adapter."""

from __future__ import annotations

import json
import re

import pytest

from bearer_guard import (
    BadSignature,
    ConfigurationError,
    Guard,
    IncomingRequest,
    InsufficientScope,
    InvalidClaim,
    JWTVerifier,
    MissingToken,
    RemoteJWKSet,
    UnknownKey,
    UntrustedIssuer,
    all_of,
    any_of,
    problem_details,
)
from tests.answers import BARE, DOWN, IR, IS, IT, OK, ask, guard, refused, verifier
from tests.loopback import Loopback
from tests.tokens import ABSENT, ISSUER, NOW, RESOURCE, T, raw, signer

EVERY_401 = {
    "nothing": (),
    "another-scheme": (("Authorization", "Basic Zm9v"),),
    "expired": (("Authorization", f"Bearer {T(exp=NOW)}"),),
    "junk": (("Authorization", "Bearer junk"),),
}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("fields", EVERY_401.values(), ids=EVERY_401)
def test_B01_B02_every_401_carries_a_challenge_with_a_parameter(
    fields: tuple[tuple[str, str], ...], method: str
) -> None:
    answer = ask(guard(), fields=fields, method=method)
    assert answer.status == 401
    assert answer.params is not None
    assert answer.params["realm"] == "r"


def test_B03_a_request_without_credentials_is_told_no_error() -> None:
    answer = ask(guard())
    assert answer.kind == BARE
    assert type(answer.error) is MissingToken
    assert answer.params == {"realm": "r"}


def test_B04_a_token_that_was_presented_and_failed_is_told_so() -> None:
    answer = ask(guard(), T(exp=NOW - 1))
    assert answer.kind == IT
    assert answer.params == {
        "realm": "r",
        "error": "invalid_token",
        "error_description": "The access token expired.",
    }


@pytest.mark.parametrize(
    "token", ["x", "x.y.z", "null", "undefined", "None", T(exp=0), T(aud="x"), T({"alg": "none"})], ids=range(8)
)
def test_B05_whatever_is_wrong_with_a_token_is_invalid_token(token: str) -> None:
    assert ask(guard(), token).kind == IT


def test_B06_a_repeated_field_is_invalid_request() -> None:
    answer = ask(guard(), T(), fields=(("Authorization", "Bearer junk"),))
    assert (answer.kind, answer.status) == (IR, 400)


def test_B07_a_valid_token_without_the_scope_is_insufficient_scope() -> None:
    answer = ask(guard(), T(), "write")
    assert (answer.kind, answer.status) == (IS, 403)
    assert type(answer.error) is InsufficientScope
    assert ask(guard(), T(scope="read write"), "write").kind == OK


@pytest.mark.parametrize(
    ("required", "named"),
    [
        (all_of("a", "b"), "a b"),
        (any_of("a", "b"), "a"),
        (all_of("a", any_of(all_of("b", "c"), "d")), "a b c"),
        (all_of("b", "a", "b"), "b a"),
    ],
)
def test_B08_a_403_names_every_scope_that_is_needed_at_once(required: object, named: str) -> None:
    answer = ask(guard(), T(scope="x"), required)
    assert answer.params is not None
    assert answer.params["scope"] == named
    assert ask(guard(), T(scope=named), required).kind == OK


@pytest.mark.parametrize("scope", ["read", "write"])
@pytest.mark.parametrize(
    "fields", [*EVERY_401.values(), (("Authorization", f"Bearer {T()}"),)], ids=[*EVERY_401, "good"]
)
def test_B09_B10_no_parameter_twice_and_the_realm_quoted(fields: tuple[tuple[str, str], ...], scope: str) -> None:
    for name, value in ask(guard(), fields=fields, required=scope).headers:
        if name == "www-authenticate":
            params = re.findall(r'([a-z_]+)="', value)  # the grammar has been checked by ask
            assert len(params) == len(set(params))
            assert 'realm="r"' in value


@pytest.mark.parametrize("scope", ['a"b', "é", "a\\b", "", "a b", "a\tb", "a\r\nb"])
def test_B11_a_scope_that_no_challenge_can_carry_is_a_configuration_error(scope: str) -> None:
    for combine in (all_of, any_of):
        with pytest.raises(ConfigurationError):
            combine(scope)
    with pytest.raises(ConfigurationError):
        guard().check(IncomingRequest("GET", "/r", [("authorization", f"Bearer {T()}")]), scope)


@pytest.mark.parametrize("realm", ['a"b', "é", "a\\b", "a\r\nSet-Cookie: a", "\x7f"])
def test_B12_a_realm_that_no_challenge_can_carry_is_a_configuration_error(realm: str) -> None:
    with pytest.raises(ConfigurationError, match="realm"):
        Guard(verifier(), realm=realm)


@pytest.mark.parametrize(
    "token",
    [
        T({"kid": "x\r\nSet-Cookie: a"}),
        T(iss='"\\évil'),
        T(aud='"\r\nX: y'),
        T(scope='"\\'),
        T({"typ": '"\r\n'}),
        T({"alg": 'ES256"\r\n'}),
        T(sub=["\r\n"]),
    ],
    ids=["kid", "iss", "aud", "scope", "typ", "alg", "sub"],
)
def test_B12_nothing_of_a_token_reaches_the_response(token: str) -> None:
    answer = ask(guard(), token, "write")  # ask checks characters, number of fields and body
    assert answer.kind in (IT, IS)
    assert [name for name, _ in answer.headers] == [
        "www-authenticate",
        "content-type",
        "content-length",
        "cache-control",
    ]


def test_B14_bad_signature_unknown_key_and_foreign_issuer_look_alike() -> None:
    stranger = signer(number=1)
    answers = [
        refused(guard(), T(by=stranger), BadSignature),
        refused(guard(), T({"kid": "k2"}, by=stranger), UnknownKey),
        refused(guard(), T(by=stranger, iss="https://other.example"), BadSignature),
        refused(guard(), T(iss="https://other.example"), UntrustedIssuer),
    ]
    assert len({answer.wire for answer in answers}) == 1


def test_B16_no_refusal_may_be_cached() -> None:
    for answer in (ask(guard()), ask(guard(), "a b"), ask(guard(), "x"), ask(guard(), T(), "write")):
        assert dict(answer.headers)["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("fields", "required", "status", "title"),
    [
        ((), None, 401, "Unauthorized"),
        ((("Authorization", "Bearer x"),), None, 401, "Unauthorized"),
        ((("Authorization", "Bearer a b"),), None, 400, "Bad Request"),
        ((("Authorization", f"Bearer {T()}"),), "write", 403, "Forbidden"),
    ],
)
def test_B17_a_problem_body_says_the_status_and_its_phrase(
    fields: tuple[tuple[str, str], ...], required: str | None, status: int, title: str
) -> None:
    subject = Guard(verifier(), error_body=problem_details)
    request = IncomingRequest("GET", "/r", fields)
    with pytest.raises(Exception) as caught:
        subject.check(request, required)
    refusal = subject.refusal(caught.value, request)  # type: ignore[arg-type]
    problem = json.loads(refusal.body)
    assert problem.pop("detail")
    assert problem == {"type": "about:blank", "title": title, "status": status}
    assert refusal.status == status
    headers = dict(refusal.headers)
    assert headers["content-type"] == "application/problem+json"
    assert headers["www-authenticate"].startswith("Bearer realm=")


@pytest.mark.parametrize(
    "token",
    [
        T(iss="x"),
        T(aud="x"),
        T(exp=1),
        T({"kid": "x"}),
        T(sub=ABSENT),
        T({"typ": "x"}),
        raw(b"{", b"{"),
        T(cnf={}),
        T(nbf="x"),
    ],
    ids=["iss", "aud", "exp", "kid", "sub", "typ", "json", "cnf", "nbf"],
)
def test_B18_no_configured_value_and_no_trace_is_in_an_answer(token: str) -> None:
    answer = ask(guard(profile="rfc9068"), token)
    sent = repr(answer.wire)
    assert answer.kind == IT
    assert not [value for value in (ISSUER, RESOURCE, "k1", "Traceback", "at+jwt", "ES256", "Error") if value in sent]


def test_B19_an_identity_provider_that_is_down_is_not_the_clients_fault() -> None:
    with Loopback() as provider:
        url = provider.page("/jwks", b"", status=500)
        subject = guard(keys=RemoteJWKSet(url))
        for token in (T(), T(exp=NOW - 1), T({"kid": "k2"})):
            answer = ask(subject, token, fetches=True)
            assert (answer.kind, answer.status) == (DOWN, 503)
        assert provider.requests == ["/jwks"]  # the back-off holds the other two back


def test_B19_a_provider_that_nothing_listens_for_is_a_503_as_well() -> None:
    with Loopback() as provider:
        url = provider.url
    assert ask(guard(JWTVerifier(issuer=url, audience=RESOURCE)), T(iss=url), fetches=True).kind == DOWN


@pytest.mark.parametrize("fields", EVERY_401.values(), ids=EVERY_401)
def test_B20_head_gets_what_get_gets_without_the_body(fields: tuple[tuple[str, str], ...]) -> None:
    get, head = (ask(guard(), fields=fields, method=method) for method in ("GET", "HEAD"))
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert get.body


def test_B20_a_claim_error_is_an_invalid_token_for_head_too() -> None:
    answer = ask(guard(), T(aud="x"), method="HEAD")
    assert type(answer.error) is InvalidClaim
