"""The exception tree: whose fault it is, what the wire and the log get, and how configuration mistakes are gathered."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import bearer_guard
from bearer_guard import (
    AccessDenied,
    AccessToken,
    AuthorityUnavailable,
    BadSignature,
    BearerGuardError,
    ConfigurationError,
    ExpiredToken,
    Guard,
    InactiveToken,
    IncomingRequest,
    InsufficientScope,
    InvalidClaim,
    InvalidRequest,
    InvalidToken,
    MalformedToken,
    MissingToken,
    TokenNotYetValid,
    UnguardedRoute,
    UnknownKey,
    UntrustedIssuer,
    Verifier,
)
from bearer_guard._challenge import Challenge
from bearer_guard._errors import REASONS, duration_problems, raise_problems

INVALID = (
    InvalidToken,
    MalformedToken,
    UntrustedIssuer,
    UnknownKey,
    BadSignature,
    ExpiredToken,
    TokenNotYetValid,
    InactiveToken,
)
DENIALS: list[AccessDenied] = [
    MissingToken("detail"),
    InvalidRequest("detail"),
    InsufficientScope(["a", "b"], "detail"),
    InvalidClaim("aud", "detail"),
    *(kind("detail") for kind in INVALID),
]
REFUSALS = [*DENIALS, AuthorityUnavailable("detail", retry_after=7.5)]


def each(errors: Any) -> Any:
    return pytest.mark.parametrize("error", errors, ids=lambda error: type(error).__name__)


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"),
    [
        (MissingToken(), 401, None, "missing_token"),
        (InvalidRequest(), 400, "invalid_request", "malformed_credentials"),
        (InvalidToken(), 401, "invalid_token", "invalid_token"),
        (MalformedToken(), 401, "invalid_token", "malformed_token"),
        (UntrustedIssuer(), 401, "invalid_token", "untrusted_issuer"),
        (UnknownKey(), 401, "invalid_token", "unknown_key"),
        (BadSignature(), 401, "invalid_token", "bad_signature"),
        (ExpiredToken(), 401, "invalid_token", "expired"),
        (TokenNotYetValid(), 401, "invalid_token", "not_yet_valid"),
        (InvalidClaim("aud"), 401, "invalid_token", "invalid_claim"),
        (InactiveToken(), 401, "invalid_token", "inactive"),
        (InsufficientScope(["read"]), 403, "insufficient_scope", "insufficient_scope"),
        (AuthorityUnavailable(), 503, "temporarily_unavailable", "authority_unavailable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BearerGuardError) else "",
)
def test_every_refusal_has_its_status_its_code_and_its_reason(error: Any, status: int, code: Any, reason: str) -> None:
    assert (error.status, error.error, error.reason) == (status, code, reason)


def test_the_tree_says_whose_fault_it_is() -> None:
    assert all(isinstance(error, AccessDenied) for error in DENIALS)
    assert all(issubclass(kind, InvalidToken) for kind in (*INVALID, InvalidClaim))
    for kind in (MissingToken, InvalidRequest, InsufficientScope):
        assert not issubclass(kind, InvalidToken)
    for kind in (AuthorityUnavailable, ConfigurationError, UnguardedRoute):
        assert issubclass(kind, BearerGuardError)
        assert not issubclass(kind, AccessDenied)
    assert issubclass(ConfigurationError, ValueError)


def test_no_public_exception_is_missing_from_this_file() -> None:
    exported = {getattr(bearer_guard, name) for name in bearer_guard.__all__}
    errors = {kind for kind in exported if isinstance(kind, type) and issubclass(kind, BaseException)}
    tested = {type(error) for error in REFUSALS}
    assert errors - tested == {BearerGuardError, AccessDenied, ConfigurationError, UnguardedRoute}


@each(REFUSALS)
def test_every_reason_is_of_the_closed_set(error: Any) -> None:
    assert error.reason in REASONS


@each(REFUSALS)
def test_the_wire_sentence_fits_a_challenge_and_holds_no_detail(error: Any) -> None:
    assert "detail" not in error.description
    Challenge(params={"error_description": error.description})
    assert error.description.endswith(".")


def test_the_wire_cannot_tell_a_bad_signature_from_an_unknown_key_or_a_wrong_issuer() -> None:
    kinds = (BadSignature, UnknownKey, UntrustedIssuer, MalformedToken, InvalidToken)
    assert len({(kind.status, kind.error, kind.description) for kind in kinds}) == 1


@each(REFUSALS)
def test_the_log_gets_reason_and_detail(error: Any) -> None:
    assert str(error) == f"{error.reason}: detail"
    assert error.detail == "detail"


@pytest.mark.parametrize("kind", [MissingToken, InvalidRequest, *INVALID, AuthorityUnavailable])
def test_the_log_gets_the_reason_alone_where_there_is_no_detail(kind: Any) -> None:
    assert str(kind()) == kind().reason


def test_a_reason_may_be_narrower_than_that_of_its_class_and_leaves_the_class_alone() -> None:
    assert InvalidRequest(reason="token_too_long").reason == "token_too_long"
    assert InvalidRequest().reason == "malformed_credentials"


def test_an_invalid_claim_names_the_claim() -> None:
    error = InvalidClaim("aud")
    assert error.claim == "aud"
    assert error.detail == "claim 'aud' is not acceptable"
    assert InvalidClaim("typ", "other", reason="type_not_allowed").reason == "type_not_allowed"


def test_an_insufficient_scope_names_all_scopes_to_ask_for() -> None:
    error = InsufficientScope(scope for scope in ("a", "b"))
    assert error.required == ("a", "b")
    assert error.detail == "required scope: a b"


@pytest.mark.parametrize("name", ["a b", "", 'a"b', "a\\b", "é", "\r\nSet-Cookie: a"])
def test_what_no_scope_can_be_called_reaches_neither_wire_nor_log(name: str) -> None:
    error = InsufficientScope([name, "a"])
    assert (error.required, error.detail) == (("a",), "required scope: a")
    assert InsufficientScope([name]).required == ()


def test_one_string_is_not_taken_for_its_letters() -> None:
    with pytest.raises(TypeError, match="use text"):
        InsufficientScope("read:users")


@each(REFUSALS)
@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_refusal_survives_copying_and_pickling(error: Any, through: Any) -> None:
    again = through(error)
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)


def test_a_configuration_error_lists_every_problem() -> None:
    error = ConfigurationError("first", "second")
    assert error.problems == ("first", "second")
    assert str(error) == "first; second"
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


def test_problems_are_raised_together_under_the_name_of_their_owner() -> None:
    with pytest.raises(ConfigurationError) as caught:
        raise_problems("Guard", (problem for problem in ("a is wrong", "b is wrong")))
    assert caught.value.problems == ("Guard: a is wrong", "Guard: b is wrong")


def test_no_problem_raises_nothing() -> None:
    raise_problems("Guard", [])


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan"), float("inf"), "5", None, True, [5]])
def test_what_is_no_duration_is_a_problem(seconds: object) -> None:
    assert duration_problems({"cooldown": seconds}) == ["cooldown must be a number of seconds, not negative"]


@pytest.mark.parametrize("name", ["max_age", "timeout"])
def test_an_age_and_a_timeout_of_zero_are_a_problem(name: str) -> None:
    assert duration_problems({name: 0}) == [f"{name} must be greater than 0 seconds"]


@pytest.mark.parametrize("seconds", [0, 0.0, 1, 1.5, 10**9])
def test_other_durations_may_be_any_number_from_zero_up(seconds: float) -> None:
    assert duration_problems({"cooldown": seconds, "max_age": seconds + 1}) == []


def test_where_nothing_may_be_kept_at_all_a_zero_is_no_problem() -> None:
    assert duration_problems({"max_age": 0, "timeout": 0}, zero=True) == []


def test_a_refusal_of_a_class_that_forgot_the_base_initializer_is_still_a_refusal() -> None:
    class Banned(InvalidToken):
        def __init__(self) -> None:
            pass

    class Banning(Verifier):
        def verify(self, token: str) -> AccessToken:
            raise Banned

    guard = Guard(Banning())
    request = IncomingRequest("GET", "/", {"authorization": "Bearer x"})
    with pytest.raises(Banned) as raised:
        guard.check(request)
    assert guard.refusal(raised.value, request).status == 401


def test_access_denied_by_itself_answers_as_an_invalid_token() -> None:
    refusal = Guard(_Silent()).refusal(AccessDenied(), IncomingRequest("GET", "/"))
    assert refusal.status == 401
    assert 'error="invalid_token"' in dict(refusal.headers)["www-authenticate"]


class _Silent(Verifier):
    def verify(self, token: str) -> AccessToken:
        raise AccessDenied
