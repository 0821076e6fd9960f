"""AccessToken: what it says, that nothing on it can be changed, and that it can be compared, hashed, copied, stored."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearer_guard import AccessToken
from bearer_guard._token import freeze

CLAIMS: dict[str, Any] = {
    "iss": "https://id.example.com",
    "sub": "u1",
    "client_id": "c1",
    "aud": ["https://api.example.com", "https://other.example"],
    "exp": 2000.5,
    "iat": 1000,
    "jti": "j1",
    "cnf": {"jkt": "thumbprint"},
    "authorization_details": [{"type": "payment", "actions": ["initiate"]}],
}

SAME = {
    "subject": "u1",
    "client_id": "c1",
    "issuer": "https://id.example.com",
    "audience": ("https://api.example.com", "https://other.example"),
    "expires_at": 2000.5,
    "issued_at": 1000,
    "token_id": "j1",
    "confirmation": {"jkt": "thumbprint"},
}

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


def from_claims(*scopes: str, **changes: Any) -> AccessToken:
    return AccessToken.from_claims({**CLAIMS, **changes}, frozenset(scopes))


@pytest.fixture(params=["from claims", "from keywords"])
def token(request: pytest.FixtureRequest) -> AccessToken:
    if request.param == "from claims":
        return from_claims("a", "b")
    return AccessToken(scopes=["a", "b"], claims=CLAIMS, **SAME)


def test_it_says_what_the_claims_say(token: AccessToken) -> None:
    assert {name: getattr(token, name) for name in SAME} == SAME
    assert token.scopes == frozenset({"a", "b"})
    assert token.claims["authorization_details"] == ({"type": "payment", "actions": ("initiate",)},)


def test_without_claims_it_says_nothing() -> None:
    for empty in (AccessToken(), AccessToken.from_claims({}, frozenset())):
        assert {getattr(empty, name) for name in SAME if name != "audience"} == {None}
        assert empty.audience == ()
        assert empty.scopes == frozenset()
        assert dict(empty.claims) == {}


def test_one_audience_may_be_a_string() -> None:
    assert AccessToken(audience="https://api.example.com").audience == ("https://api.example.com",)
    assert from_claims(aud="https://api.example.com").audience == ("https://api.example.com",)


def test_any_iterable_of_audiences_and_scopes_serves() -> None:
    built = AccessToken(audience=iter(["x", "y"]), scopes=iter(["a", "a"]))
    assert built.audience == ("x", "y")
    assert built.scopes == {"a"}


def test_one_string_of_scopes_is_a_mistake_that_names_its_fix() -> None:
    with pytest.raises(TypeError, match=r"text\.split\(' '\)"):
        AccessToken(scopes="a b")


@pytest.mark.parametrize("name", ["subject", "scopes", "claims", "_scopes", "anything"])
def test_no_attribute_can_be_set_or_deleted(token: AccessToken, name: str) -> None:
    with pytest.raises(AttributeError, match="frozen"):
        setattr(token, name, None)
    with pytest.raises(AttributeError, match="frozen"):
        delattr(token, name)


def read_only(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, Mapping):
        for member in value.values():
            yield from read_only(member)
    elif isinstance(value, tuple):
        for member in value:
            yield from read_only(member)


@settings(deadline=None)
@given(json_values)
def test_a_frozen_value_equals_its_source_and_holds_nothing_that_can_be_changed(value: Any) -> None:
    frozen = freeze(value)
    assert thawed(frozen) == value
    for part in read_only(frozen):
        assert not isinstance(part, list | dict | set | bytearray)
        if isinstance(part, Mapping):
            with pytest.raises(TypeError):
                part["new"] = 1  # type: ignore[index]


def thawed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: thawed(member) for name, member in value.items()}
    return [thawed(member) for member in value] if isinstance(value, tuple) else value


def test_what_is_done_to_the_source_afterwards_does_not_reach_the_token() -> None:
    claims: dict[str, Any] = {"groups": ["g1"]}
    confirmation = {"jkt": "a"}
    built = AccessToken(claims=claims, confirmation=confirmation)
    claims["groups"].append("admins")
    claims["role"] = "admin"
    confirmation["jkt"] = "b"
    assert thawed(built.claims) == {"groups": ["g1"]}
    assert dict(built.confirmation or {}) == {"jkt": "a"}


def test_claims_and_fields_are_computed_once(token: AccessToken) -> None:
    assert token.claims is token.claims
    assert token.audience is token.audience


@pytest.mark.parametrize(
    ("subject", "client_id", "speaks_for_a_client"),
    [
        (None, "c1", True),
        ("c1", "c1", True),
        ("u1", "c1", False),
        ("u1", None, False),
        (None, None, False),
    ],
)
def test_a_client_is_told_from_a_user(subject: str | None, client_id: str | None, speaks_for_a_client: bool) -> None:
    assert AccessToken(subject=subject, client_id=client_id).is_client is speaks_for_a_client


@pytest.mark.parametrize(
    ("subject", "client_id", "identity"), [("u1", "c1", "u1"), (None, "c1", "c1"), (None, None, "")]
)
def test_a_framework_that_asks_who_it_is_gets_an_answer(subject: Any, client_id: Any, identity: str) -> None:
    built = AccessToken(subject=subject, client_id=client_id)
    assert built.is_authenticated is True
    assert (built.identity, built.display_name) == (identity, identity)


def test_equal_contents_make_equal_tokens_however_they_were_built() -> None:
    one, other = from_claims("a", "b"), AccessToken(scopes=["b", "a"], claims=CLAIMS, **SAME)
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


@pytest.mark.parametrize(
    "other",
    [
        from_claims("a"),
        from_claims("a", "b", sub="u2"),
        from_claims("a", "b", extra=1),
        from_claims("a", "b", exp=2001),
        AccessToken(),
    ],
)
def test_any_difference_makes_tokens_unequal(other: AccessToken) -> None:
    assert from_claims("a", "b") != other


def test_a_token_equals_nothing_else(token: AccessToken) -> None:
    assert token != "u1"
    assert token.__eq__(CLAIMS) is NotImplemented


def test_repr_names_the_fields_that_logs_want_and_none_of_the_other_claims() -> None:
    text = repr(from_claims("b", "a", email="u1@example.com"))
    assert text == (
        "AccessToken(subject='u1', client_id='c1', issuer='https://id.example.com', "
        "scopes=['a', 'b'], expires_at=2000.5)"
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_token_survives_pickling(token: AccessToken, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(token, protocol))
    assert again == token
    assert hash(again) == hash(token)
    assert again.claims["authorization_details"] == token.claims["authorization_details"]
    with pytest.raises(AttributeError, match="frozen"):
        again.subject = "other"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_equals_the_token(token: AccessToken, copied: Any) -> None:
    assert copied(token) == token


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4), st.frozensets(st.text(max_size=5)))
def test_whatever_the_claims_are_a_token_survives_pickling(claims: dict[str, Any], scopes: frozenset[str]) -> None:
    built = AccessToken(scopes=scopes, claims=claims)
    assert pickle.loads(pickle.dumps(built)) == built


def test_a_weak_reference_can_be_held(token: AccessToken) -> None:
    import weakref

    assert weakref.ref(token)() is token
