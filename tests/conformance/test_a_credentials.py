"""Rows A of the conformance list at the guard itself; tests/contract runs them against every adapter."""

from __future__ import annotations

import tracemalloc

import pytest

from bearer_guard import (
    AccessToken,
    IncomingRequest,
    InvalidRequest,
    InvalidToken,
    MalformedToken,
    MissingToken,
    Router,
    Verifier,
)
from tests.answers import BARE, IR, IT, OK, ask, guard
from tests.quick import within
from tests.tokens import T

OPAQUE = "Kz~8mX+K/1E=="


class Opaque(Verifier):
    """Stands for an introspection endpoint: keeps what it is asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def verify(self, token: str) -> AccessToken:
        self.asked.append(token)
        return AccessToken(subject="opaque")

    async def averify(self, token: str) -> AccessToken:
        return self.verify(token)


def authorization(*values: str) -> tuple[tuple[str, str], ...]:
    return tuple(("Authorization", value) for value in values)


def test_A01_a_bearer_token_in_the_authorization_field_gets_in() -> None:
    answer = ask(guard(), fields=authorization(f"Bearer {T()}"))
    assert answer.kind == OK
    assert answer.token is not None
    assert answer.token.subject == "u1"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_A02_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert ask(guard(), fields=authorization(f"{scheme} {T()}")).kind == OK


@pytest.mark.parametrize(("between", "expected"), [(" ", OK), ("   ", OK), ("\t", IR), (" \t", IR), ("\u00a0", IR)])
def test_A03_one_or_more_spaces_and_nothing_else_part_scheme_and_token(between: str, expected: str) -> None:
    answer = ask(guard(), fields=authorization(f"Bearer{between}{T()}"))
    assert answer.kind == expected
    assert expected == OK or type(answer.error) is InvalidRequest


@pytest.mark.parametrize("token", ["a,b", '"x"', "a b", "a=b", "{}", "=", "a%20b", "tok\u00e9n", "a\x00", "a\n", "a;b"])
def test_A04_what_is_not_one_token68_is_a_malformed_request(token: str) -> None:
    answer = ask(guard(), token)
    assert answer.kind == IR
    assert type(answer.error) is InvalidRequest
    assert answer.error.reason == "malformed_credentials"


def test_A05_an_opaque_token_with_every_legal_character_reaches_its_verifier_unchanged() -> None:
    opaque = Opaque()
    router = Router(jwt=guard()._verifier, opaque=opaque)
    assert ask(guard(router), OPAQUE).kind == OK
    assert set(opaque.asked) == {OPAQUE}


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "bearer   ", ""])
def test_A06_the_scheme_without_a_token_is_a_malformed_request(value: str) -> None:
    assert ask(guard(), fields=authorization(value)).kind == IR


@pytest.mark.parametrize("value", ["Basic Zm9v", 'Digest username="u", nonce="n"', "Negotiate YII=", "DPoP abc"])
def test_A07_another_scheme_is_answered_without_an_error_code(value: str) -> None:
    answer = ask(guard(), fields=authorization(value))
    assert answer.kind == BARE
    assert type(answer.error) is MissingToken
    assert answer.error.reason == "unsupported_scheme"


@pytest.mark.parametrize("value", ["BearerX {}", "Bearer2 {}", "Bearer{}", "Bearer-Token {}"])
def test_A08_the_scheme_is_a_whole_word_and_not_a_prefix(value: str) -> None:
    assert ask(guard(), fields=authorization(value.format(T()))).kind == BARE


@pytest.mark.parametrize(
    "values",
    [("Bearer {}", "Bearer junk"), ("Bearer junk", "Bearer {}"), ("Bearer {}", "Bearer {}"), ("Bearer {}", "")],
)
def test_A09_two_authorization_lines_are_refused_whatever_they_hold(values: tuple[str, str]) -> None:
    answer = ask(guard(), fields=authorization(*(value.format(T()) for value in values)))
    assert answer.kind == IR
    assert answer.error is not None
    assert answer.error.reason == "repeated_credentials"


def test_A09_names_of_the_field_in_different_case_are_the_same_field() -> None:
    assert ask(guard(), fields=(("authorization", f"Bearer {T()}"), ("AUTHORIZATION", f"Bearer {T()}"))).kind == IR


@pytest.mark.parametrize(
    "value", ["Bearer {0},Bearer {0}", "Bearer {0}, Bearer {0}", "Bearer {0}, Basic x", "Bearer {0},"]
)
def test_A10_a_comma_in_the_value_is_a_repeated_field(value: str) -> None:
    assert ask(guard(), fields=authorization(value.format(T()))).kind == IR


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Cookie", "access_token={}"),
        ("X-Authorization", "Bearer {}"),
        ("Proxy-Authorization", "Bearer {}"),
        ("Authorization_", "Bearer {}"),
        ("HTTP_AUTHORIZATION", "Bearer {}"),
        ("Sec-WebSocket-Protocol", "bearer, {}"),
        ("Referer", "https://api.example/r?access_token={}"),
    ],
)
def test_A12_A17_a_token_anywhere_but_in_the_authorization_field_is_not_seen(name: str, value: str) -> None:
    assert ask(guard(), fields=((name, value.format(T())),)).kind == BARE
    assert ask(guard(), T(), fields=((name, value.format("junk")),)).kind == OK


@pytest.mark.parametrize("character", ["a", "."])
def test_A18_a_megabyte_is_refused_before_anything_looks_into_it(character: str) -> None:
    subject, value = guard(), "Bearer " + character * 1_000_000
    answer = ask(subject, fields=authorization(value))
    assert answer.kind == IR
    assert answer.error is not None
    assert answer.error.reason == "token_too_long"
    request = IncomingRequest("GET", "/r", [("authorization", value)])

    def refuse() -> None:
        with pytest.raises(InvalidRequest):
            subject.check(request)

    tracemalloc.start()
    assert within(0.005, refuse)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000  # half a copy would show: nothing is split, copied or decoded


def test_A18_a_token_of_the_size_of_ml_dsa_is_still_judged() -> None:
    answer = ask(guard(), "a" * 6400)
    assert answer.kind == IT
    assert type(answer.error) is MalformedToken
    padding = "x" * 4600
    assert len(T(padding=padding)) > 6400
    assert ask(guard(), T(padding=padding)).kind == OK


def test_A18_the_bound_holds_again_where_a_token_comes_by_another_way_than_a_request() -> None:
    with pytest.raises(InvalidToken) as caught:
        guard()._verifier.verify(T(padding="x" * 20_000))
    assert caught.value.reason == "token_too_long"
