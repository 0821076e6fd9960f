"""Trouble at the provider: a 5XX in the document's shape, never a 401, and all is well when it is over."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from bearer_guard.issuer import Grant, StoreFailed
from bearer_guard.testing import LocalIssuer

from .documents import OPENAPI, conforms
from .refusals import unavailable
from .systems import Running, each


def fails(*arguments: Any) -> Any:
    raise StoreFailed("the disk is gone")


def device_is_gone(*arguments: Any) -> Any:
    raise OSError("the signing device is gone")


@each()
def test_keys_that_cannot_be_had_are_a_503_at_the_guard(running: Running) -> None:
    elsewhere = LocalIssuer("https://api.example.com")
    token = elsewhere.token(scope=running.system.needs)
    with elsewhere.override(running.guard), elsewhere.outage():
        answer = running.call(token)
    unavailable(running, answer)
    assert int(answer.headers["retry-after"]) >= 1
    assert running.call(running.token()).status == 200


@each(systems=["alternative_payments"])
def test_a_store_that_fails_is_a_503_at_the_guard(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    token = running.token()
    with monkeypatch.context() as patch:
        patch.setattr(running.issuer.store, "token", fails)
        answer = running.call(token)
    unavailable(running, answer)
    assert int(answer.headers["retry-after"]) >= 1
    assert running.call(token).status == 200


@each(systems=["screening_eagle", "orocommerce", "orocommerce_storefront"])
def test_a_register_of_clients_that_fails_is_a_503_at_the_guard(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = running.token()
    with monkeypatch.context() as patch:
        patch.setattr(running.issuer.store, "client", fails)
        answer = running.call(token)
    unavailable(running, answer)
    assert int(answer.headers["retry-after"]) >= 1
    assert running.call(token).status == 200


@each()
def test_a_store_that_fails_is_a_503_at_the_token_endpoint(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    store = running.issuer.store
    for method in ("client", "add_token") if running.system.algorithm is None else ("client",):
        with monkeypatch.context() as patch:
            patch.setattr(store, method, fails)
            answer = running.asked()
        unavailable(running, answer)
        assert answer.headers["cache-control"] == "no-store"
    assert running.asked().status == 200


@each(systems=["sqr_b2b", "sqr_b2b_hs256", "screening_eagle", "orocommerce", "sqr_oauth_token"])
def test_a_key_that_cannot_sign_is_a_500_at_the_token_endpoint(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Grant, "sign", device_is_gone)
        answer = running.asked()
    assert "signing device" not in repr(unavailable(running, answer, 500))
    assert running.asked().status == 200


@each(systems=["sqr_b2b", "sqr_b2b_hs256", "sqr_oauth_token"])
def test_sqr_describes_its_own_faults_with_the_documents_types(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = running.system.asking(running.client)
    before = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(running.issuer.store, "client", fails)
        answer = running.send(question)
    content = unavailable(running, answer)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", content["timestamp"])
    at = datetime.fromisoformat(content.pop("timestamp"))
    assert before - 0.001 <= at.timestamp() <= time.time()
    assert at.tzinfo == UTC
    assert content == {
        "code": 503,
        "path": running.system.token_path,
        "method": "POST",
        "error": "SERVICE_UNAVAILABLE",
        "message": "Service Unavailable",
    }
    if running.system.name in OPENAPI:
        conforms(running.system.name, question, answer)
