"""What each token endpoint grants, and what it refuses in its document's own words."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from secrets import token_hex, token_urlsafe
from typing import Any

import pytest

from bearer_guard.cli._apps import under_waitress
from bearer_guard.issuer import Issuer, WSGIApp

from .documents import parts
from .refusals import challenges, in_words, not_granted
from .systems import BY_NAME, ENDPOINTS, Question, Running, System, each, load


@each()
def test_the_documents_request_gets_the_documents_response(running: Running) -> None:
    answer = running.asked()
    content = answer.json()
    assert answer.status == 200
    assert content.keys() == running.system.members
    assert content["token_type"] == running.system.token_type
    assert content["expires_in"] == running.system.lifetime
    assert type(content["expires_in"]) is int
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert challenges(answer) == []


@each(systems=ENDPOINTS)
def test_a_content_type_may_have_parameters_and_capitals(running: Running) -> None:
    usual = running.system.asking(running.client).headers["Content-Type"]
    for spelled in (f"{usual}; charset=utf-8", usual.title()):
        assert running.asked(headers={"Content-Type": spelled}).status == 200


@each()
def test_no_two_tokens_are_alike(running: Running) -> None:
    assert len({running.token() for _ in range(3)}) == 3


@each(systems=["sqr_b2b", "sqr_b2b_hs256", "sqr_oauth_token"])
def test_sqr_grants_a_jwt_and_names_its_scopes(running: Running) -> None:
    content = running.asked().json()
    header, claims = parts(content["access_token"])
    assert content["scope"] == claims["scope"] == "read:users write:logs"
    assert header == {"alg": running.system.algorithm, "typ": "JWT"}
    assert (claims["sub"], claims["client_id"]) == (running.client[0], running.client[0])
    assert claims["exp"] - claims["iat"] == content["expires_in"]
    assert running.asked(scope="read:users").json()["scope"] == "read:users"


@each(systems=["alternative_payments"])
def test_alternative_payments_grants_56_hexadecimal_characters_and_keeps_a_hash(running: Running) -> None:
    token = running.token()
    assert re.fullmatch(r"[0-9a-f]{56}", token)
    assert token not in repr(vars(running.issuer.store))


@each(systems=["orocommerce", "orocommerce_storefront"])
def test_orocommerce_signs_for_the_client_with_fractional_times_and_names_no_issuer(running: Running) -> None:
    header, claims = parts(running.token())
    assert header == {"alg": "RS256", "typ": "JWT"}
    assert claims.keys() == {"aud", "jti", "iat", "nbf", "exp", "sub", "scopes"}
    assert claims["aud"] == running.client[0]
    assert claims["scopes"] == ["all"]
    assert {type(claims[name]) for name in ("iat", "nbf", "exp")} == {float}
    assert claims["exp"] - claims["iat"] == 3600


@each(systems=["orocommerce"])
def test_the_lifetime_of_orocommerces_tokens_can_be_configured(running: Running) -> None:
    client, secret = running.issuer.clients.add(audience="back office", scopes="all", token_lifetime=60)
    answer = running.asked((client.client_id, secret))
    assert answer.json()["expires_in"] == 60
    assert running.call(answer.json()["access_token"]).status == 200


@pytest.mark.parametrize("name", ["alternative_payments", "screening_eagle"])
def test_the_halves_of_basic_are_taken_as_they_are(name: str) -> None:
    """At an issuer of its own: where a secret was brought, each wrong one costs time."""
    system, dialect, secret = BY_NAME[name], load(name).DIALECT, "Vt8%2Bq+7%20jW" + token_urlsafe(32)
    issuer = Issuer("https://id.example.com", dialects=[dialect])
    issuer.clients.add(audience="x", scopes=system.scope, client_id="a+b", secret=secret)
    with under_waitress(WSGIApp(issuer)) as url:
        running = Running(system, url)
        assert running.asked(("a+b", secret)).status == 200
        encoded = secret.replace("%", "%25").replace("+", "%2B")
        for wrong in (("a+b", encoded), ("a%2Bb", encoded), ("a%2Bb", secret)):
            not_granted(running, running.asked(wrong), system.bad_credentials, "invalid_client")


# --- refused


@dataclass(frozen=True)
class Asking:
    """A token request that is refused: with which status and code, and which systems it says something about."""

    name: str
    make: Callable[[Running], Question]
    error: str = "invalid_request"
    status: int = 400
    only: Callable[[System], bool] = lambda system: True

    def concerns(self, system: System) -> bool:
        return self.only(system)

    def check(self, running: Running) -> None:
        status = running.system.bad_credentials if self.error == "invalid_client" else self.status
        not_granted(running, running.send(self.make(running)), status, self.error)


def changed(**changes: Any) -> Callable[[Running], Question]:
    return lambda running: running.system.asking(running.client, **changes)


def credentials(change: Callable[[str, str], tuple[str, str]]) -> Callable[[Running], Question]:
    return lambda running: running.system.asking(change(*running.client))


def content_type(value: str | None) -> Callable[[Running], Question]:
    return changed(headers={"Content-Type": value})


def basic_and_body(running: Running) -> Question:
    client_id, secret = running.client
    proof = {"Authorization": "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()}
    return running.system.asking(running.client, headers=proof, client_id=client_id, client_secret=secret)


def in_the_query(running: Running) -> Question:
    question = running.system.asking(running.client, grant_type=None)
    return replace(question, path=question.path + "?grant_type=client_credentials")


def by_json(system: System) -> bool:
    return system.json_body


def by_form(system: System) -> bool:
    return not system.json_body


def asks_scope(system: System) -> bool:
    return bool(system.scope)


MALFORMED_BASIC: Mapping[str, str] = {
    "nothing": "Basic",
    "padding": "Basic ===",
    "no colon": "Basic YWJj",
    "no UTF-8": "Basic /////w==",
    "empty halves": "Basic Og==",
    "a bearer token": "Bearer abc",
    "another scheme": "Digest x",
    "a long one": "Basic " + "YTph" * 8_000,
}

REFUSED = [
    # who asks
    Asking("wrong secret", credentials(lambda client_id, secret: (client_id, "wrong")), "invalid_client"),
    Asking("secret cut short", credentials(lambda client_id, secret: (client_id, secret[:-1])), "invalid_client"),
    Asking("secret and more", credentials(lambda client_id, secret: (client_id, secret + "x")), "invalid_client"),
    Asking("secret not ASCII", credentials(lambda client_id, secret: (client_id, "pässword")), "invalid_client"),
    Asking("unknown client", credentials(lambda client_id, secret: ("nobody", secret)), "invalid_client"),
    Asking("no credentials", changed(client_id=None, client_secret=None), only=by_json),
    Asking("no credentials", changed(headers={"Authorization": None}), "invalid_client", only=by_form),
    Asking(
        "credentials in the form",
        lambda running: running.system.asking(
            running.client,
            headers={"Authorization": None},
            client_id=running.client[0],
            client_secret=running.client[1],
        ),
        "invalid_client",
        only=by_form,
    ),
    Asking("two ways at once", basic_and_body),
    *[
        Asking(f"basic, {name}", changed(headers={"Authorization": value}), "invalid_client", only=by_form)
        for name, value in MALFORMED_BASIC.items()
    ],
    # which grant
    Asking("grant type password", changed(grant_type="password"), "unsupported_grant_type"),
    Asking("grant type authorization_code", changed(grant_type="authorization_code"), "unsupported_grant_type"),
    Asking("grant type in capitals", changed(grant_type="CLIENT_CREDENTIALS"), "unsupported_grant_type"),
    # what is missing
    Asking("no grant_type", changed(grant_type=None)),
    Asking("empty grant_type", changed(grant_type="")),
    Asking("grant_type in the query", in_the_query),
    Asking("no client_id", changed(client_id=None), only=by_json),
    Asking("empty client_id", changed(client_id=""), only=by_json),
    Asking("no client_secret", changed(client_secret=None), only=by_json),
    Asking("empty client_secret", changed(client_secret=""), only=by_json),
    Asking("no scope", changed(scope=None), only=asks_scope),
    Asking("empty scope", changed(scope=""), only=asks_scope),
    # for what
    Asking("scope not granted", changed(scope="admin"), "invalid_scope"),
    Asking("scope malformed", changed(scope='a"b'), "invalid_scope"),
    Asking(
        "one scope too many", lambda it: it.system.asking(it.client, scope=f"{it.system.needs} admin"), "invalid_scope"
    ),
    Asking("resource unknown", changed(resource="https://other.example.com"), "invalid_target"),
    # how
    Asking("content type text/plain", content_type("text/plain")),
    Asking("content type multipart", content_type("multipart/form-data; boundary=x")),
    Asking("content type nearly", content_type("application/jsonp")),
    Asking("content type absent", content_type(None)),
    Asking("a form where JSON belongs", content_type("application/x-www-form-urlencoded"), only=by_json),
    Asking("JSON where a form belongs", content_type("application/json"), only=by_form),
]


@each(REFUSED, systems=ENDPOINTS)
def test_a_request_is_refused_with_the_documents_status_and_words(running: Running, case: Asking) -> None:
    case.check(running)


@each()
def test_an_unknown_client_and_a_wrong_secret_get_the_same_answer(running: Running) -> None:
    wrong, unknown = running.asked((running.new_client()[0], "wrong")), running.asked((token_hex(8), "wrong"))
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body)
    assert wrong.headers.keys() == unknown.headers.keys()


@each()
def test_other_methods_are_refused(running: Running) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = running.send(Question(method, running.system.token_path))
        assert answer.status == 405
        assert "POST" in answer.headers["allow"].split(", ")
        in_words(answer, running.system.words)


# --- malformed


def _form(*pairs: bytes) -> bytes:
    return b"&".join((b"grant_type=client_credentials", *pairs))


FORMS = {
    "100,000 parameters": _form(*(b"a%d=1" % number for number in range(100_000))),
    "NUL": _form(b"scope=\0"),
    "NUL, escaped": _form(b"scope=%00"),
    "invalid UTF-8": _form(b"scope=\xff"),
    "invalid UTF-8, escaped": _form(b"scope=%ff%fe"),
    "a parameter twice": _form(_form()),
    "semicolons": b"grant_type=client_credentials;scope=a",
}
OBJECTS = {
    "100,000 members": json.dumps({f"a{number}": "1" for number in range(100_000)}).encode(),
    "NUL": b'{"grant_type":"client_credentials\0"}',
    "NUL, escaped": b'{"grant_type":"\\u0000","client_id":"\\u0000","client_secret":"\\u0000"}',
    "invalid UTF-8": b'{"grant_type":"client_credentials\xff"}',
    "a member twice": b'{"client_id":"a","client_secret":"b","grant_type":"c","grant_type":"client_credentials"}',
    "deep array": b"[" * 60_000,
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "array": b'["grant_type"]',
    "number": b"1",
    "long number": b"1" * 60_000,
    "no strings": b'{"client_id":1,"client_secret":[],"grant_type":{}}',
    "null": b'{"client_id":null,"client_secret":null,"grant_type":null}',
    "NaN": b'{"client_id":NaN}',
    "byte order mark": b'\xef\xbb\xbf{"client_id":"a","client_secret":"b","grant_type":"c"}',
    "UTF-16": '{"client_id":"a","client_secret":"b","grant_type":"c"}'.encode("utf-16"),
}


@dataclass(frozen=True)
class Malformed:
    """A body that is sent with an otherwise good request's fields."""

    name: str
    body: bytes
    json_body: bool | None = None

    def concerns(self, system: System) -> bool:
        return self.json_body in (None, system.json_body)


MALFORMED = [
    Malformed("empty", b""),
    Malformed("ten megabytes", b"a" * 10_000_000),
    Malformed("only NUL", b"\0" * 200),
    *[Malformed(name, body, False) for name, body in FORMS.items()],
    *[Malformed(name, body, True) for name, body in OBJECTS.items()],
]


@each(MALFORMED, systems=ENDPOINTS)
def test_a_malformed_request_gets_the_documents_400_in_bounded_time(running: Running, case: Malformed) -> None:
    question = replace(running.system.asking(running.client), body=case.body)
    began = time.perf_counter()
    answer = running.send(question)
    assert time.perf_counter() - began < 10
    assert answer.status == 400, answer
    content = in_words(answer, running.system.words)
    assert content["error"] in ("invalid_request", "invalid_scope", "unsupported_grant_type")
