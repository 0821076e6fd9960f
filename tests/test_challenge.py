"""Challenges: what may be configured, how it is spelled, and that what is spelled can be read back."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bearer_guard import ConfigurationError
from bearer_guard._challenge import Challenge, parse_challenges

SAFE = "".join(chr(octet) for octet in range(0x20, 0x7F) if chr(octet) not in '"\\')
TCHAR = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

names = st.text(TCHAR, min_size=1, max_size=12)
values = st.text(SAFE, max_size=30)
challenges = st.builds(
    Challenge,
    scheme=st.sampled_from(["Bearer", "DPoP", "Basic"]),
    params=st.dictionaries(names.map(str.lower), values, min_size=1, max_size=5),
)


def test_it_is_spelled_in_the_order_of_its_parameters_with_every_value_quoted() -> None:
    challenge = Challenge(params={"realm": "api", "error": "invalid_token", "scope": "a b"})
    assert str(challenge) == 'Bearer realm="api", error="invalid_token", scope="a b"'


def test_its_parameters_are_its_own_and_read_only() -> None:
    params = {"realm": "api"}
    challenge = Challenge(params=params)
    params["realm"] = "other"
    assert challenge.params == {"realm": "api"}
    with pytest.raises(TypeError):
        challenge.params["realm"] = "other"  # type: ignore[index]


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\r\nSet-Cookie: a", "a\n", "é", "\x00", "\x7f", "a\tb", "\u2028"])
def test_a_value_that_could_bend_the_field_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="challenge: realm may hold printable ASCII"):
        Challenge(params={"realm": value})


@pytest.mark.parametrize("name", ["", "a b", "a=b", 'a"', "é", "a\n", "a,b"])
def test_a_parameter_name_is_a_token(name: str) -> None:
    with pytest.raises(ConfigurationError):
        Challenge(params={name: "x"})


@pytest.mark.parametrize("scheme", ["", "Bear er", "Bearer\r\nSet-Cookie: a", "Bearer,", "é"])
def test_a_scheme_is_a_token(scheme: str) -> None:
    with pytest.raises(ConfigurationError):
        Challenge(scheme=scheme, params={"realm": "api"})


def test_every_mistake_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Challenge(params={"realm": '"', "scope": "\\", "error": "fine"})
    assert len(caught.value.problems) == 2


def test_a_bearer_challenge_without_a_parameter_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one parameter"):
        Challenge(params={})
    assert Challenge(scheme="Negotiate", params={}).params == {}


@settings(deadline=None)
@given(st.lists(challenges, min_size=1, max_size=3))
def test_what_is_spelled_is_read_back(written: list[Challenge]) -> None:
    value = ", ".join(map(str, written))
    assert parse_challenges(value) == tuple(written)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5) | names, st.text(max_size=10) | values, max_size=3))
@example({"realm": '"'})
def test_whatever_is_configured_one_safe_field_line_comes_out_or_nothing(params: dict[str, str]) -> None:
    try:
        value = str(Challenge(params=params))
    except ConfigurationError:
        return
    assert re.fullmatch(
        r'Bearer [!-~]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"(, [!-~]+="[\x20\x21\x23-\x5b\x5d-\x7e]*")*', value
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        ("Bearer realm=api", (("Bearer", {"realm": "api"}),)),
        ('bearer REALM="a"', (("bearer", {"realm": "a"}),)),
        ('Bearer realm = "a" ,\terror\t=\tx', (("Bearer", {"realm": "a", "error": "x"}),)),
        ('Bearer realm="a\\b"', (("Bearer", {"realm": "ab"}),)),
        ('Bearer realm="a, b=c"', (("Bearer", {"realm": "a, b=c"}),)),
        ('Bearer realm="a",', (("Bearer", {"realm": "a"}),)),
        ("Negotiate", (("Negotiate", {}),)),
        ('DPoP algs="ES256", Bearer realm="a"', (("DPoP", {"algs": "ES256"}), ("Bearer", {"realm": "a"}))),
    ],
)
def test_other_spellings_of_a_challenge_are_read_too(
    value: str, expected: tuple[tuple[str, dict[str, str]], ...]
) -> None:
    assert tuple((challenge.scheme, dict(challenge.params)) for challenge in parse_challenges(value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        ",",
        '="a"',
        'Bearer realm="a" error="b"',
        'Bearer realm="a", realm="b"',
        'Bearer realm="a", REALM="b"',
        'Bearer realm="a',
        'Bearer realm="a\\"b"',
        "Bearer abc123==",
        'Bearer realm="é"',
        'Bearer realm="a\nb"',
    ],
)
def test_what_is_no_challenge_is_a_value_error(value: str) -> None:
    with pytest.raises(ValueError):
        parse_challenges(value)


@settings(deadline=None)
@given(st.text('Bearer realm="a\\,\t b', max_size=40))
def test_reading_ends_with_challenges_or_a_value_error(value: str) -> None:
    try:
        parse_challenges(value)
    except ValueError:
        pass
