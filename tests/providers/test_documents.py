"""The published documents themselves, against what the servers really say: schemas, examples and sample tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_core.exceptions import OpenAPIError

from bearer_guard import BadSignature, ExpiredToken, InvalidToken, JWTVerifier, SharedSecret
from tests.tokens import raw

from .documents import OPENAPI, conforms, documented_statuses, examples, parts
from .refusals import denied
from .systems import BY_NAME, Answer, Question, Running, each, load
from .test_token_endpoint import REFUSED


def documented(system: str, status: int) -> bool:
    return bool({str(status), f"{status // 100}XX"} & documented_statuses(system))


@each(systems=OPENAPI)
def test_request_and_response_are_as_the_openapi_document_has_them(running: Running) -> None:
    question = running.system.asking(running.client)
    conforms(running.system.name, question, running.send(question), request_too=True)


@each(systems=OPENAPI)
def test_refusals_are_as_the_openapi_document_has_them(running: Running) -> None:
    checked = set()
    for case in REFUSED:
        if case.concerns(running.system):
            question = case.make(running)
            answer = running.send(question)
            if documented(running.system.name, answer.status):
                conforms(running.system.name, question, answer)
                checked.add(answer.status)
            else:
                assert (running.system.name, answer.status) == ("alternative_payments", 400), case.name
    assert checked == ({403} if running.system.name == "alternative_payments" else {400, 401})


@pytest.mark.parametrize(
    ("system", "status", "content"),
    [
        ("alternative_payments", 200, {"access_token": "0", "token_type": "bearer", "expires_in": "3600"}),
        ("alternative_payments", 403, {"error": 403}),
        ("sqr_oauth_token", 200, {"access_token": "a.b.c", "token_type": "Bearer"}),
        ("sqr_oauth_token", 400, {"error": "invalid_request"}),
        ("sqr_oauth_token", 503, {"error": "temporarily_unavailable", "error_description": "."}),
        (
            "sqr_oauth_token",
            503,
            {"code": 503, "timestamp": "now", "path": "/", "method": "POST", "error": "E", "message": "M"},
        ),
    ],
)
def test_the_tool_would_notice_another_answer(system: str, status: int, content: Any) -> None:
    question = Question("POST", BY_NAME[system].token_path)
    answer = Answer(status, {"content-type": "application/json"}, json.dumps(content).encode())
    with pytest.raises(OpenAPIError):
        conforms(system, question, answer)


# --- documents of running text


@each(systems=["sqr_b2b", "sqr_b2b_hs256"])
def test_the_guides_examples_are_asked_and_answered(running: Running) -> None:
    _, body, response = examples("000_*")
    question = running.system.asking(running.client)
    assert json.loads(question.body or b"").keys() == body.keys()
    answer = running.send(question).json()
    assert {**response, "access_token": answer["access_token"]} == answer
    assert parts(response["access_token"].rstrip(".") + ".e30.")[0].keys() == parts(answer["access_token"])[0].keys()


@each(systems=["orocommerce", "orocommerce_storefront"])
def test_orocommerces_examples_are_asked_and_answered(running: Running) -> None:
    body, response = examples("003_*")
    question = running.system.asking(running.client)
    assert json.loads(question.body or b"").keys() == body.keys()
    answer = running.send(question).json()
    assert {**response, "access_token": answer["access_token"]} == answer


def shape(token: str) -> tuple[dict[str, Any], list[tuple[str, type]]]:
    """The header, and the claims' names and types in the order in which they stand."""
    header, claims = parts(token)
    return header, [(name, type(value)) for name, value in claims.items()]


@each(systems=["screening_eagle"])
def test_screening_eagles_example_is_answered_claim_for_claim(running: Running) -> None:
    sample, *refusals = examples("002_*")
    answer = running.asked().json()
    tokens = {"access_token", "id_token", "refresh_token"}
    assert {name: answer[name] for name in answer.keys() - tokens} == {
        name: sample[name] for name in sample.keys() - tokens
    }
    for name in tokens:
        assert shape(answer[name]) == shape(sample[name]), name
    ours, theirs = (parts(content["access_token"])[1] for content in (answer, sample))
    for name in ("iss", "sub", "scp", "scopes", "userID", "userRegion"):
        assert ours[name] == theirs[name]
    assert ours["exp"] - ours["iat"] == theirs["exp"] - theirs["iat"] == sample["expires_in"]
    assert parts(answer["refresh_token"])[1]["scp"] == parts(sample["refresh_token"])[1]["scp"]
    assert {frozenset(refusal) for refusal in refusals} == {running.system.words}


@each(systems=["screening_eagle"])
def test_screening_eagles_samples_are_refused(running: Running) -> None:
    sample = examples("002_*")[0]
    for name in ("access_token", "id_token", "refresh_token"):
        denied(running, running.call(sample[name]), 401, "invalid_token")


def test_screening_eagles_samples_are_refused_for_their_key_and_for_their_age() -> None:
    module = load("screening_eagle")
    sample = examples("002_*")[0]["access_token"]
    header, claims = parts(sample)
    key = module.issuer.keys.current

    def verifier(now: float | None) -> JWTVerifier:
        return JWTVerifier(
            issuer=module.ISSUER,
            audience=claims["aud"],
            keys=SharedSecret(key.secret),
            types=["JWT"],
            scope_claims=["scp"],
            validate=module.only_access_tokens,
            **({} if now is None else {"clock": lambda: now}),
        )

    then, ours = verifier(claims["iat"] + 60), raw(header, claims, key.sign)
    with pytest.raises(BadSignature):
        then.verify(sample)
    assert then.verify(ours).scopes == {"openid", "email", "profile", "inspect"}
    with pytest.raises(ExpiredToken):
        verifier(None).verify(ours)
    for other in ("id_token", "refresh_token"):
        with pytest.raises(InvalidToken) as refused:
            then.verify(raw(*parts(examples("002_*")[0][other]), key.sign))
        assert not isinstance(refused.value, ExpiredToken | BadSignature)
