"""Tokens obtained and used by clients: our own in every colour, and an OAuth client library that is not ours."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import trio
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client

from bearer_guard.client import TokenClient, TokenRequestFailed
from bearer_guard.httpx import BearerAuth, HTTPXTransport
from bearer_guard.issuer import StoreFailed
from tests.granting import Clock

from .systems import Running, System, each

TRUST = ssl.create_default_context()
"""Made once: making one takes 20 ms, and nothing here is encrypted."""
LOST = "Kq3-a-secret-that-is-nowhere-else-9Zx"


def style(system: System) -> tuple[str, str]:
    """How our client is told to ask: `auth` and `body`."""
    return ("post", "json") if system.json_body else ("basic_raw", "form")


def token_client(running: Running, **options: Any) -> TokenClient:
    """Our client in the document's style."""
    client_id, secret = running.client
    auth, body = style(running.system)
    defaults: dict[str, Any] = {"client_id": client_id, "client_secret": secret, "auth": auth, "body": body}
    scope = running.system.scope or None
    return TokenClient(running.url + running.system.token_path, **{"scope": scope, **defaults, **options})


OBTAIN: dict[str, Callable[[TokenClient], str]] = {
    "blocking": TokenClient.token,
    "asyncio": lambda client: asyncio.run(client.atoken()),
    "trio": lambda client: trio.run(client.atoken),
}


@each()
@pytest.mark.parametrize("obtain", OBTAIN.values(), ids=OBTAIN)
def test_our_client_obtains_keeps_and_renews_a_token(running: Running, obtain: Callable[[TokenClient], str]) -> None:
    clock = Clock()
    client = token_client(running, clock=clock)
    first = obtain(client)
    assert running.call(first).status == 200
    clock.now += running.system.lifetime / 2
    assert obtain(client) == first
    clock.now += running.system.lifetime / 2
    second = obtain(client)
    assert second != first
    assert running.call(second).status == 200


@each()
def test_our_client_works_over_pooled_connections(running: Running) -> None:
    with HTTPXTransport() as transport:
        assert running.call(token_client(running, transport=transport).token()).status == 200


@each()
def test_our_client_carries_the_providers_own_words_and_never_the_secret(running: Running) -> None:
    client = token_client(running, client_secret=LOST)
    with pytest.raises(TokenRequestFailed) as failed:
        client.token()
    assert failed.value.status == running.system.bad_credentials
    assert failed.value.error == "invalid_client"
    assert failed.value.description == "The client is unknown or could not prove itself."
    assert not failed.value.temporary
    assert LOST not in f"{failed.value} {failed.value!r} {client!r}"


@each()
def test_our_client_tells_the_providers_trouble_from_its_own(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(client_id: str) -> Any:
        raise StoreFailed("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(running.issuer.store, "client", fails)
        with pytest.raises(TokenRequestFailed) as failed:
            token_client(running).token()
    assert failed.value.status == 503
    assert failed.value.temporary
    assert (failed.value.error or "").lower() == "service_unavailable"
    assert (failed.value.description or "").rstrip(".") == "Service Unavailable"


def with_httpx(auth: BearerAuth, method: str, url: str) -> httpx2.Response:
    with httpx2.Client(auth=auth, trust_env=False, verify=TRUST) as client:
        return client.request(method, url)


def with_async_httpx(auth: BearerAuth, method: str, url: str) -> httpx2.Response:
    async def send() -> httpx2.Response:
        async with httpx2.AsyncClient(auth=auth, trust_env=False, verify=TRUST) as client:
            return await client.request(method, url)

    return asyncio.run(send())


@each()
@pytest.mark.parametrize("send", [with_httpx, with_async_httpx], ids=["blocking", "asyncio"])
def test_our_httpx_auth_presents_the_token(running: Running, send: Any) -> None:
    auth = BearerAuth(token_client(running), origins=running.url)
    for _ in range(2):
        assert send(auth, running.system.method, running.url + running.system.path).status_code == 200


@each(systems=["screening_eagle", "sqr_oauth_token"])
@pytest.mark.parametrize("send", [with_httpx, with_async_httpx], ids=["blocking", "asyncio"])
def test_our_httpx_auth_gets_another_token_when_the_key_of_the_first_was_withdrawn(running: Running, send: Any) -> None:
    tokens = token_client(running)
    first = tokens.token()
    running.issuer.keys.rotate(keep_old=False)
    assert running.call(first).status == 401
    url = running.url + running.system.path
    assert send(BearerAuth(tokens, origins=running.url), running.system.method, url).status_code == 200
    assert tokens.token() != first


# --- Authlib


def in_json(client: Any, method: str, uri: str, headers: Any, body: str) -> tuple[str, Any, str]:
    """What Authlib has for servers with ways of their own: a client authentication that writes the request anew."""
    del method, body
    fields = {"client_id": client.client_id, "client_secret": client.client_secret}
    content = json.dumps({**fields, "grant_type": "client_credentials"})
    headers["Content-Type"] = "application/json"
    headers["Content-Length"] = str(len(content))
    return uri, headers, content


def authlib_options(running: Running, secret: str | None = None) -> dict[str, Any]:
    return {
        "client_id": running.client[0],
        "client_secret": secret or running.client[1],
        "token_endpoint_auth_method": in_json if running.system.json_body else "client_secret_basic",
        "scope": running.system.scope or None,
        "trust_env": False,
        "verify": TRUST,
    }


@each()
def test_authlib_obtains_a_token_and_presents_it(running: Running) -> None:
    with OAuth2Client(**authlib_options(running)) as client:
        token = client.fetch_token(running.url + running.system.token_path, grant_type="client_credentials")
        assert token["expires_in"] == running.system.lifetime
        assert client.request(running.system.method, running.url + running.system.path).status_code == 200


@each()
def test_authlib_obtains_a_token_in_a_coroutine(running: Running) -> None:
    async def use() -> int:
        async with AsyncOAuth2Client(**authlib_options(running)) as client:
            await client.fetch_token(running.url + running.system.token_path, grant_type="client_credentials")
            answer = await client.request(running.system.method, running.url + running.system.path)
            return int(answer.status_code)

    assert asyncio.run(use()) == 200


@each()
def test_authlib_understands_a_refusal(running: Running) -> None:
    with OAuth2Client(**authlib_options(running, LOST)) as client, pytest.raises(OAuthError) as failed:
        client.fetch_token(running.url + running.system.token_path, grant_type="client_credentials")
    assert failed.value.error == "invalid_client"
