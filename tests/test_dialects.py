"""Refusals in a provider's own words: the bodies that clients already parse, under a status and a challenge that stay."""

from __future__ import annotations

import json
import time

import pytest

from bearer_guard import AuthorityUnavailable, Guard, IncomingRequest, InsufficientScope, MissingToken, Refusal
from bearer_guard.dialects import Failure, Words, by_status, camel_case_words, error_body, incident_words, oauth_words
from bearer_guard.testing import LocalIssuer

issuer = LocalIssuer("https://api.example.com")
REQUEST = IncomingRequest("POST", "/v1/user-status")


def refusal(words: Words, error: MissingToken | InsufficientScope | AuthorityUnavailable) -> Refusal:
    guard = Guard(issuer.verifier(), error_body=error_body(words, clock=lambda: 1_795_435_200.25))
    return guard.refusal(error, REQUEST)


@pytest.mark.parametrize(
    ("words", "name"), [(oauth_words, "error_description"), (camel_case_words, "errorDescription")]
)
def test_a_guard_refuses_in_a_providers_members_and_the_challenge_stays(words: Words, name: str) -> None:
    refused = refusal(words, InsufficientScope(["read:users"]))
    assert json.loads(refused.body) == {
        "error": "insufficient_scope",
        name: "The access token lacks a scope that this resource requires.",
    }
    assert 'scope="read:users"' in dict(refused.headers)["www-authenticate"]


def test_where_no_code_is_named_the_status_gives_one() -> None:
    assert json.loads(refusal(oauth_words, MissingToken()).body)["error"] == "unauthorized"
    assert "error=" not in dict(refusal(oauth_words, MissingToken()).headers)["www-authenticate"]


def test_the_servers_own_faults_may_have_words_of_their_own() -> None:
    words = by_status(oauth_words, incident_words)
    assert json.loads(refusal(words, MissingToken()).body).keys() == {"error", "error_description"}
    refused = refusal(words, AuthorityUnavailable("down"))
    assert refused.status == 503
    assert json.loads(refused.body) == {
        "code": 503,
        "timestamp": "2026-11-23T12:00:00.250Z",
        "path": "/v1/user-status",
        "method": "POST",
        "error": "SERVICE_UNAVAILABLE",
        "message": "Service Unavailable",
    }


def test_the_failures_of_a_framework_speak_the_same_words() -> None:
    before = time.time()
    failure = Failure.of_status(404, method="GET", path="/nowhere")
    assert oauth_words(failure) == {"error": "not_found", "error_description": "Not Found."}
    assert failure.at >= before
    assert Failure.of_status(405, method="GET", path="/", at=1.0).at == 1.0
