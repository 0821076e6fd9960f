"""From Authorization field lines to one token, or a refusal: examples by rule, and the grammar against another parser."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bearer_guard import InvalidRequest, MissingToken
from bearer_guard._credentials import MAX_TOKEN_LENGTH, bearer_credentials, check_token68
from tests.quick import within

LETTERS_AND_DIGITS = string.ascii_letters + string.digits
TOKEN68 = set(LETTERS_AND_DIGITS + "-._~+/")
TCHAR = set(LETTERS_AND_DIGITS + "!#$%&'*+-.^_`|~")


def independently(value: str) -> str | type[Exception]:
    """What RFC 9110 §11.4 and RFC 6750 §2.1 make of a field value, character by character; a size limit apart."""
    length = 0
    while length < len(value) and value[length] in TCHAR:
        length += 1
    scheme, rest = value[:length], value[length:]
    if scheme.upper() != "BEARER":
        return MissingToken if scheme else InvalidRequest
    if not rest.startswith(" "):
        return InvalidRequest
    while rest.startswith(" "):
        rest = rest[1:]
    body = rest
    while body.endswith("="):
        body = body[:-1]
    return rest if body and all(character in TOKEN68 for character in body) else InvalidRequest


def bearer_token(fields: list[str]) -> str | None:
    credentials = bearer_credentials(fields)
    if credentials is not None:
        check_token68(credentials)
    return credentials


def outcome(value: str) -> str | type[Exception] | None:
    try:
        return bearer_token([value])
    except (InvalidRequest, MissingToken) as refused:
        return type(refused)


def test_no_field_is_no_token() -> None:
    assert bearer_token([]) is None


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize("spaces", [" ", "  ", "     "])
@pytest.mark.parametrize("token", ["a", "a.b.c", "Kz~8mX+K/1E==", "-._~+/", "0===", "A" * 6400])
def test_a_token_is_what_follows_the_scheme_and_its_spaces(scheme: str, spaces: str, token: str) -> None:
    assert bearer_token([scheme + spaces + token]) == token


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Bearer    ",
        "Bearer\ta",
        "Bearer a,b",
        "Bearer a b",
        'Bearer "a"',
        "Bearer a=b",
        "Bearer =",
        "Bearer a ",
        "Bearer a\n",
        "Bearer \ta",
        "Bearer é",
        "Bearer a\x00",
        "Bearer {}",
        "Bearer,a",
        "Bearer:a",
        "Bearer a, Bearer a",
        "bearer=a",
        "Bearer ١",
        "Bearer a\x85",
        "Bearer \xa0a",
    ],
)
def test_what_is_not_one_token68_is_an_invalid_request(value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bearer_token([value])
    assert refused.value.reason == "malformed_credentials"


@pytest.mark.parametrize("value", ["", " ", " Bearer a", "\tBearer a", "=", ",Bearer a", "é", '"Bearer" a'])
def test_a_field_without_a_scheme_is_an_invalid_request(value: str) -> None:
    with pytest.raises(InvalidRequest, match="no authentication scheme"):
        bearer_token([value])


@pytest.mark.parametrize(
    "value",
    ["Basic Zm9v", "DPoP a.b.c", "Negotiate", "BearerX a", "Bearer2 a", "Bearera", "xBearer a", "B", "~" * 9000],
)
def test_another_scheme_is_no_token_at_all(value: str) -> None:
    with pytest.raises(MissingToken) as refused:
        bearer_token([value])
    assert refused.value.reason == "unsupported_scheme"


@pytest.mark.parametrize(
    "fields",
    [["Bearer a", "Bearer a"], ["Bearer a", "junk"], ["junk", "Bearer a"], ["Basic Zm9v", "Bearer a"], ["", ""]],
)
def test_more_than_one_field_line_is_refused_whatever_they_hold(fields: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bearer_token(fields)
    assert refused.value.reason == "repeated_credentials"


def test_the_longest_token_passes_and_one_character_more_does_not() -> None:
    longest = "a" * MAX_TOKEN_LENGTH
    assert bearer_token(["Bearer " + longest]) == longest
    with pytest.raises(InvalidRequest) as refused:
        bearer_token(["Bearer " + longest + "a"])
    assert refused.value.reason == "token_too_long"


@pytest.mark.parametrize("filler", ["a", ".", " ", "=", "a=", "é"])
@pytest.mark.parametrize("scheme", ["Bearer ", "", "Basic ", "bearer"])
def test_a_megabyte_of_anything_is_refused_at_once(scheme: str, filler: str) -> None:
    value = scheme + filler * (2**20 // len(filler))

    def refuse() -> None:
        with pytest.raises((InvalidRequest, MissingToken)):
            bearer_token([value])

    assert within(0.05, refuse)


def test_no_refusal_repeats_what_was_sent() -> None:
    for fields in (["Bearer s3cr3t!"], ["s3cr3t x"], ["\x00s3cr3t"], ["Bearer s3cr3t", "s3cr3t"]):
        with pytest.raises((InvalidRequest, MissingToken)) as refused:
            bearer_token(fields)
        assert "s3cr3t" not in str(refused.value)


near_credentials = st.builds(
    "{}{}{}".format,
    st.sampled_from(["Bearer", "bearer", "BEARER", "Basic", "", "Bear", "BearerX"]) | st.text(max_size=4),
    st.text(" \t", max_size=3),
    st.text('aZ0-._~+/=, \t"\\é\n', max_size=8),
)


@settings(deadline=None, max_examples=400)
@given(near_credentials | st.text(max_size=30))
@example("Bearer a=")
@example("Bearer a\n")
@example("bearer  a")
@example("ſearer a")
def test_the_grammar_is_read_as_a_parser_without_regular_expressions_reads_it(value: str) -> None:
    assert outcome(value) == independently(value)


@settings(deadline=None)
@given(st.text(sorted(TOKEN68), min_size=1, max_size=40), st.integers(0, 3), st.integers(1, 5))
def test_every_token68_comes_through_unchanged(body: str, padding: int, spaces: int) -> None:
    token = body + "=" * padding
    assert bearer_token(["Bearer" + " " * spaces + token]) == token
