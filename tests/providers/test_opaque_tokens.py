"""Opaque tokens of an API that issued them itself: by its store, by a lookup that a user writes, by asking the issuer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest

from bearer_guard import (
    AccessDenied,
    AccessToken,
    AuthorityUnavailable,
    Guard,
    InactiveToken,
    IncomingRequest,
    InsufficientScope,
    IntrospectionVerifier,
    Verifier,
)
from bearer_guard.cli._apps import under_waitress
from bearer_guard.issuer import Issuer, Store, StoreFailed, StoreVerifier, WSGIApp

from .conftest import Serve
from .systems import Running
from .test_protected_endpoints import kept

API = "https://api.example.com"


class Lookup(Verifier):
    """What a user would write: the table is read, and what is in it is what the token says."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def verify(self, token: str) -> AccessToken:
        now = time.time()
        try:
            record = self._store.token(sha256(token.encode()).digest(), now)
        except StoreFailed as failure:
            raise AuthorityUnavailable("the table of tokens") from failure
        if record is None or record.claims["aud"] != API:
            raise InactiveToken
        return AccessToken(
            client_id=record.client_id, scopes=record.claims["scope"].split(), expires_at=record.expires_at
        )


@pytest.fixture(scope="module")
def running(serve: Serve) -> Running:
    return serve("alternative_payments", "wsgi")


@pytest.fixture(scope="module")
def asking(running: Running) -> Iterator[Verifier]:
    """Introspection at the issuer's own endpoint, by a client that may ask about tokens for this API."""
    issuer: Issuer = running.issuer
    client, secret = issuer.clients.add(audience="https://introspection.example.com", introspects=API)
    with under_waitress(WSGIApp(issuer)) as url:
        yield IntrospectionVerifier(
            endpoint=f"{url}/oauth2/introspect",
            audience=API,
            client_id=client.client_id,
            client_secret=secret,
            negative_ttl=0,
            cache_ttl=0,
        )


@pytest.fixture(params=["store", "lookup", "introspection"])
def verifier(request: pytest.FixtureRequest, running: Running) -> Verifier:
    if request.param == "introspection":
        verifier: Verifier = request.getfixturevalue("asking")
        return verifier
    return (
        StoreVerifier(running.issuer.store, audience=API) if request.param == "store" else Lookup(running.issuer.store)
    )


@pytest.fixture(params=["blocking", "asyncio"])
def check(request: pytest.FixtureRequest, verifier: Verifier) -> Callable[..., AccessToken]:
    guard = Guard(verifier)

    def check(token: str, required: Any = None) -> AccessToken:
        incoming = IncomingRequest("GET", "/customers", {"Authorization": f"Bearer {token}"})
        if request.param == "blocking":
            found = guard.check(incoming, required)
        else:
            found = asyncio.run(guard.acheck(incoming, required))
        assert found is not None
        return found

    return check


def test_a_token_says_what_was_granted(running: Running, check: Callable[..., AccessToken]) -> None:
    token = check(running.token(), "read:customers")
    assert token.client_id == running.client[0]
    assert token.scopes == {"read:customers"}
    assert 3500 < (token.expires_at or 0) - time.time() <= 3600


def test_what_was_not_granted_is_refused(running: Running, check: Callable[..., AccessToken]) -> None:
    good = running.token()
    others = [good[:-1] + ("0" if good[-1] != "0" else "1"), good.upper(), "0" * 56, "a"]
    others += [
        kept(running, audience=API, expires_in=-1),
        kept(running, audience="https://x.example.com", expires_in=60),
    ]
    for token in others:
        with pytest.raises(AccessDenied) as refused:
            check(token)
        assert (refused.value.status, refused.value.error) == (401, "invalid_token")
    with pytest.raises(InsufficientScope):
        check(good, "write:customers")


def test_a_store_that_fails_is_not_the_tokens_fault(
    running: Running, check: Callable[..., AccessToken], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(digest: bytes, now: float) -> Any:
        raise StoreFailed("the disk is gone")

    token = running.token()
    monkeypatch.setattr(running.issuer.store, "token", fails)
    with pytest.raises(AuthorityUnavailable):
        check(token)
