"""The rules for registered claims: types, windows, issuer, audience, scopes; time is an argument everywhere."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearer_guard import ExpiredToken, InvalidClaim, InvalidToken, TokenNotYetValid, UntrustedIssuer
from bearer_guard._claims import RFC9068_CLAIMS, ClaimRules, scopes_of

ISSUER = "https://id.example.com"
API = "https://api.example.com"
NOW = 1_800_000_000
GOOD: dict[str, Any] = {"iss": ISSUER, "aud": API, "exp": NOW + 300}
NO_NUMERIC_DATES = [
    *("1900000000", "x", "", True, False, None, [], {}, [1900000000], -1, -0.5, 2**53 + 1, 1e300, 10**4000),
    *(float("inf"), float("-inf"), float("nan")),
]


def rules(**changes: Any) -> ClaimRules:
    usual: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": API,
        "leeway": 0.0,
        "required": (),
        "max_token_age": None,
        "validate": None,
    }
    return ClaimRules(**{**usual, **changes})


def refused(given_rules: ClaimRules, now: float = NOW, **claims: Any) -> InvalidToken | None:
    present = {name: value for name, value in {**GOOD, **claims}.items() if value is not ...}
    try:
        given_rules.check(present, now)
    except InvalidToken as error:
        return error
    return None


def test_good_claims_pass() -> None:
    assert refused(rules()) is None
    assert refused(rules(), sub="u1", client_id="c1", jti="j1", cnf={"jkt": "x"}, iat=NOW, nbf=NOW, unknown=[1]) is None


@pytest.mark.parametrize(
    "iss",
    [
        ...,
        None,
        "",
        1,
        True,
        [ISSUER],
        {},
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER[:-1],
        ISSUER + ":443",
        "\u200b" + ISSUER,
    ],
)
def test_another_issuer_is_not_trusted(iss: object) -> None:
    error = refused(rules(), iss=iss)
    assert isinstance(error, UntrustedIssuer)
    assert error.detail == f"expected issuer {ISSUER!r}"


def test_issuer_none_means_that_it_must_be_absent() -> None:
    assert refused(rules(issuer=None), iss=...) is None
    for iss in (ISSUER, None, ""):
        assert isinstance(refused(rules(issuer=None), iss=iss), UntrustedIssuer)


@pytest.mark.parametrize("aud", [API, [API], ["x", API], (API,), [API, API], ["", API]])
def test_an_audience_is_a_string_or_an_array_that_holds_ours(aud: object) -> None:
    assert refused(rules(), aud=aud) is None


@pytest.mark.parametrize(
    "aud",
    [
        ...,
        None,
        "",
        1,
        True,
        {},
        {API: 1},
        [],
        [[API]],
        [1, API],
        [API, None],
        API + "/",
        API + ".evil.example",
        f"x {API}",
        [f"{API} x"],
        API.upper(),
        ["x", "y"],
        API[:-1],
    ],
)
def test_any_other_audience_is_refused(aud: object) -> None:
    error = refused(rules(), aud=aud)
    assert isinstance(error, InvalidClaim)
    assert error.claim == "aud"


def test_audience_none_means_that_it_must_be_absent() -> None:
    assert refused(rules(audience=None), aud=...) is None
    for aud in (API, [], None, ""):
        error = refused(rules(audience=None), aud=aud)
        assert isinstance(error, InvalidClaim)
        assert error.claim == "aud"


@pytest.mark.parametrize("container", [{"x", API}, ["x", API], {API: "the name"}, frozenset({API})])
def test_any_container_of_audiences_serves(container: Any) -> None:
    assert refused(rules(audience=container)) is None
    assert refused(rules(audience=container), aud=["y", API]) is None
    error = refused(rules(audience=container), aud="y")
    assert isinstance(error, InvalidClaim)
    assert API not in str(error)  # a container may hold many: none of them is written out


def test_a_container_of_audiences_is_a_live_view() -> None:
    clients: set[str] = set()
    live = rules(audience=clients)
    assert refused(live) is not None
    clients.add(API)
    assert refused(live) is None


def test_a_string_of_audiences_is_compared_and_never_searched() -> None:
    assert refused(rules(audience=API), aud=API[8:]) is not None
    assert refused(rules(audience=API), aud="") is not None


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", NO_NUMERIC_DATES, ids=lambda value: repr(value)[:20])
def test_what_is_no_numeric_date_is_refused_also_where_the_claim_is_optional(name: str, value: object) -> None:
    error = refused(rules(), **{name: value})
    assert isinstance(error, InvalidClaim)
    assert (error.claim, error.detail) == (name, f"claim {name!r} is not a NumericDate")


def test_a_missing_exp_is_refused_unless_the_rules_do_without() -> None:
    error = refused(rules(), exp=...)
    assert isinstance(error, InvalidClaim)
    assert error.claim == "exp"
    assert refused(rules(expires=False), exp=...) is None
    assert isinstance(refused(rules(expires=False), exp=NOW), ExpiredToken)


@pytest.mark.parametrize(
    ("claims", "now", "kind"),
    [
        ({"exp": NOW}, NOW, ExpiredToken),
        ({"exp": NOW + 1}, NOW, None),
        ({"exp": NOW + 0.5}, NOW, None),
        ({"exp": NOW + 0.5}, NOW + 0.5, ExpiredToken),
        ({"nbf": NOW}, NOW, None),
        ({"nbf": NOW + 1}, NOW, TokenNotYetValid),
        ({"iat": NOW}, NOW, None),
        ({"iat": NOW + 1}, NOW, TokenNotYetValid),
        ({"iat": 0, "nbf": 0, "exp": 2**53}, NOW, None),
        ({"exp": 0}, NOW, ExpiredToken),
    ],
)
def test_the_edges_of_the_window(claims: dict[str, Any], now: float, kind: type[InvalidToken] | None) -> None:
    error = refused(rules(), now, **claims)
    assert (None if error is None else type(error)) is kind


moments = st.integers(0, 2**40) | st.floats(0, 2**40)
leeways = st.floats(0, 300)


@settings(deadline=None, max_examples=300)
@given(exp=moments, nbf=moments | st.none(), iat=moments | st.none(), now=moments, leeway=leeways)
def test_the_window_is_nbf_and_iat_to_exp_stretched_by_the_leeway(
    exp: float, nbf: float | None, iat: float | None, now: float, leeway: float
) -> None:
    claims = {"exp": exp, "nbf": ... if nbf is None else nbf, "iat": ... if iat is None else iat}
    error = refused(rules(leeway=leeway), now, **claims)
    starts = [moment - leeway for moment in (nbf, iat) if moment is not None]
    if now >= exp + leeway:
        assert isinstance(error, ExpiredToken)
    elif any(now < start for start in starts):
        assert isinstance(error, TokenNotYetValid)
    else:
        assert error is None


@settings(deadline=None)
@given(exp=moments, nbf=moments, now=moments, leeway=leeways, more=leeways)
def test_more_leeway_never_refuses_what_less_admits(
    exp: float, nbf: float, now: float, leeway: float, more: float
) -> None:
    if refused(rules(leeway=leeway), now, exp=exp, nbf=nbf) is None:
        assert refused(rules(leeway=leeway + more), now, exp=exp, nbf=nbf) is None


@settings(deadline=None)
@given(exp=moments, now=moments, later=moments, leeway=leeways)
def test_an_expired_token_stays_expired(exp: float, now: float, later: float, leeway: float) -> None:
    if isinstance(refused(rules(leeway=leeway), now, exp=exp), ExpiredToken):
        assert isinstance(refused(rules(leeway=leeway), max(now, later), exp=exp), ExpiredToken)


@settings(deadline=None)
@given(iat=st.integers(0, NOW), age=st.integers(1, 10**6), leeway=st.integers(0, 300))
def test_the_greatest_age_counts_from_iat_and_is_stretched_by_the_leeway(iat: int, age: int, leeway: int) -> None:
    limited = rules(max_token_age=float(age), leeway=float(leeway))
    end = iat + age + leeway
    assert refused(limited, end - 1, iat=iat, exp=2**53) is None
    assert isinstance(refused(limited, end, iat=iat, exp=2**53), ExpiredToken)


def test_the_greatest_age_needs_iat() -> None:
    error = refused(rules(max_token_age=60.0))
    assert isinstance(error, InvalidClaim)
    assert error.claim == "iat"


@pytest.mark.parametrize("claims", [{"exp": NOW}, {"exp": "x"}, {"nbf": NOW + 9}, {}])
def test_unverified_claims_can_be_asked_whether_time_alone_would_refuse_them(claims: dict[str, Any]) -> None:
    assert rules().refused_by_time(claims, NOW)
    assert not rules().refused_by_time({"exp": NOW + 1}, NOW)


@pytest.mark.parametrize("name", ["sub", "client_id", "jti"])
@pytest.mark.parametrize("value", [5, None, [], ["a"], {}, True, 1.5])
def test_identifiers_are_strings_wherever_they_are_present(name: str, value: object) -> None:
    error = refused(rules(), **{name: value})
    assert isinstance(error, InvalidClaim)
    assert error.claim == name


@pytest.mark.parametrize("cnf", [None, "x", [], 5, True])
def test_a_confirmation_is_an_object(cnf: object) -> None:
    error = refused(rules(), cnf=cnf)
    assert isinstance(error, InvalidClaim)
    assert error.claim == "cnf"


@pytest.mark.parametrize(
    "claim", ["at_hash", "c_hash", "s_hash", "events", "htm", "htu", "token_introspection", "status_list"]
)
def test_claims_that_only_other_kinds_of_token_have_are_refused(claim: str) -> None:
    error = refused(rules(), **{claim: "x"})
    assert isinstance(error, InvalidClaim)
    assert error.reason == "type_not_allowed"


@pytest.mark.parametrize("name", RFC9068_CLAIMS)
def test_each_required_claim_must_be_there_and_null_is_absent(name: str) -> None:
    demanding = rules(issuer=None if name == "iss" else ISSUER, audience=API, required=RFC9068_CLAIMS)
    full = {"sub": "u1", "client_id": "c1", "iat": NOW, "jti": "j1"}
    if name != "iss":
        assert refused(demanding, **full) is None
    assert isinstance(refused(demanding, **{**full, name: ...}), InvalidClaim)
    error = refused(rules(required=("tenant",)), tenant=None)
    assert isinstance(error, InvalidClaim)
    assert (error.claim, error.detail) == ("tenant", "required claim 'tenant' is absent")


@pytest.mark.parametrize("value", ["", 0, False, [], {}])
def test_a_required_claim_may_be_empty_but_not_absent(value: object) -> None:
    assert refused(rules(required=("tenant",)), tenant=value) is None


def test_house_rules_come_last_and_get_a_read_only_view() -> None:
    seen: list[Any] = []
    assert refused(rules(validate=seen.append), tenant="t1") is None
    (claims,) = seen
    assert isinstance(claims, MappingProxyType)
    assert claims["tenant"] == "t1"
    assert isinstance(refused(rules(validate=seen.append), exp=NOW), ExpiredToken)
    assert len(seen) == 1


def test_house_rules_refuse_by_raising_or_by_false_and_by_nothing_else() -> None:
    def raising(claims: Any) -> None:
        raise InvalidClaim("tenant", "expected tenant 't1'")

    error = refused(rules(validate=raising))
    assert isinstance(error, InvalidClaim)
    assert error.claim == "tenant"
    error = refused(rules(validate=lambda claims: False))
    assert isinstance(error, InvalidClaim)
    assert error.claim == "validate"
    for answer in (True, None, 0, "", []):
        assert refused(rules(validate=lambda claims, answer=answer: answer)) is None


def test_what_else_a_house_rule_raises_is_not_swallowed() -> None:
    with pytest.raises(KeyError):
        refused(rules(validate=lambda claims: claims["absent"]))


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "cnf", "jti"]), st.text() | st.none())
)
def test_no_detail_repeats_a_value_of_the_token(claims: dict[str, Any]) -> None:
    marked = {name: value if value is None else f"s3cr3t{value}" for name, value in claims.items()}
    error = refused(rules(), **marked)
    assert error is None or "s3cr3t" not in str(error)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": ""}, set()),
        ({"scope": " read  write read "}, {"read", "write"}),
        ({"scope": "x\tread"}, {"x\tread"}),
        ({"scope": "x\nread\u00a0y"}, {"x\nread\u00a0y"}),
        ({"scp": "read write"}, {"read", "write"}),
        ({"scp": ["read", "write", ""]}, {"read", "write"}),
        ({"scp": ["read write"]}, {"read write"}),
        ({"scp": []}, set()),
        ({"scope": "read", "scp": "write"}, {"read"}),
        ({"scope": "", "scp": "write"}, set()),
        ({"scope": ["write"]}, set()),
        ({"roles": "admin"}, set()),
    ],
)
def test_the_first_scope_claim_that_is_present_grants_and_no_other(claims: dict[str, Any], scopes: set[str]) -> None:
    assert scopes_of(claims, ("scope", "scp")) == scopes


@pytest.mark.parametrize("name", ["scope", "scp"])
@pytest.mark.parametrize("value", [None, 1, True, {}, {"read": 1}, ["read", 1], [["read"]], [None]])
def test_a_scope_claim_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidClaim) as caught:
        scopes_of({name: value}, ("scope", "scp"))
    assert caught.value.claim == name


@settings(deadline=None)
@given(st.lists(st.text("ab:./", min_size=1, max_size=4), max_size=6), st.integers(1, 3))
def test_a_scope_string_is_the_set_of_its_names_however_they_are_spaced(names: list[str], spaces: int) -> None:
    assert scopes_of({"scope": (" " * spaces).join(names)}, ("scope",)) == set(names)


@pytest.mark.parametrize(
    ("read", "scopes"),
    [
        (lambda claims: claims["scope"], {"read", "write"}),
        (lambda claims: claims.get("absent"), set()),
        (lambda claims: "read write", {"read", "write"}),
        (lambda claims: set(claims["roles"]), {"admin"}),
        (lambda claims: frozenset({"a"}), {"a"}),
        (lambda claims: tuple(claims["roles"]), {"admin"}),
    ],
)
def test_a_callable_reads_scopes_wherever_an_issuer_puts_them(read: Callable[[Any], Any], scopes: set[str]) -> None:
    assert scopes_of({"scope": ["read", "write"], "roles": ["admin"]}, read) == scopes


@pytest.mark.parametrize("value", [1, True, {"a": 1}, [1], ["a", None]])
def test_what_a_callable_returns_is_checked_too(value: object) -> None:
    with pytest.raises(InvalidClaim) as caught:
        scopes_of({}, lambda claims: value)
    assert caught.value.claim == "scope"
