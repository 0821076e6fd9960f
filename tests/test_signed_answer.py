"""Signed introspection responses, read by themselves: for whom, by whom, when, and about what (RFC 9701 §5)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from bearer_guard import AuthorityUnavailable, RemoteJWKSet, StaticJWKSet
from bearer_guard._flow import Response, run
from bearer_guard._io import IO
from bearer_guard._signed_answer import MEDIA_TYPE, SignedAnswer
from tests.loopback import Loopback
from tests.tokens import ABSENT, ISSUER, NOW, RESOURCE, changed, jwk, jwks, raw, signer

HEADER = {"alg": "ES256", "typ": "token-introspection+jwt", "kid": "k1"}
CLAIMS = {"iss": ISSUER, "aud": RESOURCE, "iat": NOW, "token_introspection": {"active": True, "sub": "u1"}}


def response(header: Any = None, /, by: Any = None, content_type: str = MEDIA_TYPE, **members: Any) -> Response:
    token = raw(changed(HEADER, header or {}), changed(CLAIMS, members), by or signer())
    return Response(status=200, headers={"content-type": content_type}, body=token.encode())


def reader(keys: Any = None, audiences: Any = (RESOURCE,), leeway: float = 0, patience: float = 5) -> SignedAnswer:
    return SignedAnswer(keys or StaticJWKSet(jwks()), ISSUER, audiences, leeway, patience)


def read(answer: Response, subject: SignedAnswer | None = None, now: float = NOW) -> Mapping[str, Any]:
    return run((subject or reader()).members(answer, now, time.monotonic() + 5), IO)


def refused(answer: Response, subject: SignedAnswer | None = None, now: float = NOW) -> str:
    with pytest.raises(ValueError) as caught:
        read(answer, subject, now)
    return str(caught.value)


@pytest.mark.parametrize(
    "content_type", [MEDIA_TYPE, MEDIA_TYPE.upper(), f"{MEDIA_TYPE}; charset=utf-8", f" {MEDIA_TYPE} ;x=y"]
)
def test_the_members_about_the_token_are_what_is_read(content_type: str) -> None:
    assert read(response(content_type=content_type)) == CLAIMS["token_introspection"]


@pytest.mark.parametrize(
    "typ", ["token-introspection+jwt", "application/token-introspection+jwt", "TOKEN-Introspection+JWT"]
)
def test_the_typ_is_a_media_type_in_any_case(typ: str) -> None:
    assert read(response({"typ": typ}))["sub"] == "u1"


@pytest.mark.parametrize("content_type", ["", "application/json", "application/jwt", f"x{MEDIA_TYPE}"])
def test_another_media_type_is_not_a_signed_answer(content_type: str) -> None:
    assert refused(response(content_type=content_type)) == "the answer is not a signed one"
    headers = {"content-type": content_type} if content_type else {}
    assert refused(Response(status=200, headers=headers, body=b"{}")) == "the answer is not a signed one"


@pytest.mark.parametrize(
    ("header", "members", "problem"),
    [
        ({"typ": "jwt"}, {}, "its typ is another"),
        ({"typ": ABSENT}, {}, "its typ is another"),
        ({}, {"iss": ISSUER + "/"}, "from another server"),
        ({}, {"iss": ABSENT}, "from another server"),
        ({}, {"aud": RESOURCE + "/"}, "for another API"),
        ({}, {"aud": ABSENT}, "for another API"),
        ({}, {"aud": {"a": 1}}, "for another API"),
        ({}, {"aud": [None, [RESOURCE]]}, "for another API"),
        ({}, {"iat": ABSENT}, "does not say when"),
        ({}, {"iat": "1800000000"}, "does not say when"),
        ({}, {"iat": True}, "does not say when"),
        ({}, {"token_introspection": ABSENT}, "says nothing about a token"),
        ({}, {"token_introspection": "active"}, "says nothing about a token"),
        ({"alg": "RS256"}, {}, "algorithm_not_allowed|bad_signature|unknown_key"),
        ({"alg": "none"}, {}, "algorithm_not_allowed"),
        ({"kid": "k2"}, {}, "unknown_key"),
        ({"crit": ["x"]}, {}, "malformed_token"),
    ],
)
def test_what_is_not_for_us_now_about_a_token_is_refused_with_the_reason(
    header: Any, members: Any, problem: str
) -> None:
    told = refused(response(header, by=signer(), **members))
    assert any(words in told for words in problem.split("|")), told


def test_a_wrong_signature_is_refused() -> None:
    assert "bad_signature" in refused(response(by=signer(number=1)))


@pytest.mark.parametrize("body", [b"", b"{}", b"a.b", b"\xff\xfe", b"a.b.c"])
def test_what_is_no_token_is_refused(body: bytes) -> None:
    assert "not acceptable" in refused(Response(status=200, headers={"content-type": MEDIA_TYPE}, body=body))


def test_white_space_around_is_no_part_of_it() -> None:
    answer = response()
    assert read(Response(status=200, headers=answer.headers, body=b"\n" + answer.body + b"\r\n"))["sub"] == "u1"


@pytest.mark.parametrize(
    ("seconds", "leeway", "fits"),
    [
        (0, 0, True),
        (-0.9, 0, True),
        (-1, 0, False),
        (5.9, 0, True),
        (6, 0, False),
        (-30.9, 30, True),
        (-31, 30, False),
        (35.9, 30, True),
        (36, 30, False),
    ],
)
def test_it_was_made_between_the_question_and_its_deadline_give_or_take_the_leeway(
    seconds: float, leeway: float, fits: bool
) -> None:
    answer, subject = response(iat=NOW + seconds), reader(leeway=leeway, patience=5)
    if fits:
        assert read(answer, subject)["sub"] == "u1"
    else:
        assert "not made just now" in refused(answer, subject)


@pytest.mark.parametrize(
    ("audiences", "aud", "ours"),
    [
        ((None, RESOURCE), RESOURCE, True),
        ((None, None), RESOURCE, False),
        (("api", None), ["x", "api"], True),
        (("api", {RESOURCE, "other"}), RESOURCE, True),
        (("api", {RESOURCE}), "third", False),
        (("api", RESOURCE), [], False),
    ],
)
def test_it_names_the_client_or_the_audience(audiences: Any, aud: Any, ours: bool) -> None:
    answer, subject = response(aud=aud), reader(audiences=audiences)
    assert (read(answer, subject)["sub"] == "u1") if ours else "for another API" in refused(answer, subject)


def test_its_keys_are_fetched_and_fetched_again_when_they_rotate() -> None:
    with Loopback() as server:
        keys = RemoteJWKSet(server.page("/jwks", jwks()))
        subject = reader(keys)
        assert read(response(), subject)["sub"] == "u1"
        assert read(response(), subject)["sub"] == "u1"
        assert len(server.requests) == 1
        server.page("/jwks", jwks(jwk(number=1, kid="k2")))
        assert read(response({"kid": "k2"}, by=signer(number=1)), subject)["sub"] == "u1"
        assert len(server.requests) == 2


def test_keys_that_cannot_be_fetched_are_trouble_of_their_own() -> None:
    with Loopback() as server, pytest.raises(AuthorityUnavailable, match="status 500"):
        read(response(), reader(RemoteJWKSet(server.page("/jwks", {}, 500))))
