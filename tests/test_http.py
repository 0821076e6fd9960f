"""The two ends of a guarded exchange: header fields in any shape, and bodies of refusals in two dialects."""

from __future__ import annotations

import dataclasses
import json
from http import HTTPStatus
from typing import Any

import pytest

from bearer_guard import (
    AuthorityUnavailable,
    ErrorBody,
    ExpiredToken,
    IncomingRequest,
    InsufficientScope,
    InvalidRequest,
    MissingToken,
    Refusal,
    oauth_error,
    problem_details,
)

REQUEST = IncomingRequest("GET", "/r")
REFUSALS = [
    MissingToken("d"),
    InvalidRequest("d"),
    ExpiredToken("d"),
    InsufficientScope(["a"], "d"),
    AuthorityUnavailable("d"),
]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer a", "X-Other": "b"},
        [("authorization", "Bearer a"), ("x-other", "b")],
        (pair for pair in (("AUTHORIZATION", "Bearer a"), ("X-OTHER", "b"))),
    ],
    ids=["mapping", "pairs", "generator"],
)
def test_header_fields_are_read_from_any_shape_as_often_as_wanted(headers: Any) -> None:
    request = IncomingRequest("POST", "/v1/user-status", headers)
    for _ in range(2):
        assert request.headers == (("authorization", "Bearer a"), ("x-other", "b"))
        assert request.values("authorization") == ["Bearer a"]
    assert (request.method, request.path) == ("POST", "/v1/user-status")


def test_every_line_of_a_repeated_field_is_there_in_order() -> None:
    request = IncomingRequest("GET", "/", [("A", "1"), ("b", "2"), ("a", "3")])
    assert request.values("a") == ["1", "3"]
    assert request.values("c") == []


def test_a_request_without_headers_has_none() -> None:
    assert REQUEST.headers == ()
    assert REQUEST.values("authorization") == []


def test_repr_names_method_and_path_and_no_header() -> None:
    assert repr(IncomingRequest("GET", "/r", {"Authorization": "Bearer s3cr3t"})) == "IncomingRequest('GET', '/r')"


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_the_oauth_body_has_the_code_and_the_sentence_and_nothing_else(error: Any) -> None:
    body = oauth_error(error, REQUEST)
    expected = {"error": error.error, "error_description": error.description}
    if error.error is None:
        del expected["error"]
    assert dict(body.content) == expected
    assert body.media_type == "application/json"


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_the_problem_body_agrees_with_the_status_and_its_phrase(error: Any) -> None:
    body = problem_details(error, REQUEST)
    assert dict(body.content) == {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.description,
    }
    assert body.media_type == "application/problem+json"
    json.dumps(dict(body.content))


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/vnd.api+json"])
def test_a_body_may_have_any_media_type(media_type: str) -> None:
    assert ErrorBody(content={}, media_type=media_type).media_type == media_type


@pytest.mark.parametrize("media_type", ["", "json", "text/html\r\nSet-Cookie: a=b", "text/html;\n", "tëxt/html"])
def test_what_is_no_media_type_reaches_no_header(media_type: str) -> None:
    with pytest.raises(ValueError, match="must be a media type"):
        ErrorBody(content={}, media_type=media_type)


def test_refusals_and_bodies_are_frozen_and_named() -> None:
    for value in (Refusal(status=401, headers=(), body=b""), ErrorBody(content={})):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, dataclasses.fields(value)[0].name, None)
    with pytest.raises(TypeError):
        Refusal(401, (), b"")  # type: ignore[misc]
    with pytest.raises(TypeError):
        ErrorBody({})  # type: ignore[misc]
