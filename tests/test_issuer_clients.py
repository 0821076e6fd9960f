"""Clients of an issuer: in a TOML file, with secrets that were brought, and how much of the machine they may take."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import trio

from bearer_guard import ConfigurationError
from bearer_guard.issuer import Clients, Issuer, IssuerRequest, SigningKey, SQLiteStore
from bearer_guard.issuer._client import client_from, new_client
from bearer_guard.issuer._client_file import append
from bearer_guard.issuer._secrets import SecretHash, brought, made

API = "https://api.example.com"
BROUGHT = "7Gq2Lx9Vt4Rz8Wm1Kc6Hb3Nf5"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "issuer.toml"


def request(client_id: str, secret: str) -> IssuerRequest:
    members = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return IssuerRequest("POST", "/oauth2/token", FORM, urlencode(members).encode())


def in_file(path: Path, client_id: str, secret: str | None = None, **options: Any) -> str:
    secret, kept = made() if secret is None else (secret, brought(secret))
    append(path, new_client("test", client_id=client_id, audience=API, secret=kept, **options))
    return secret


def test_a_file_grows_by_a_client_at_a_time_and_holds_no_secret(path: Path) -> None:
    path.write_text('# ours\nissuer = "https://id.example.com"')
    path.chmod(0o600)
    odd = 'a "quoted" \\ é\x7f\t'
    secrets = [in_file(path, name, scopes="x y", introspects=[API]) for name in ("first", odd)]
    key = SigningKey.generate()
    append(path, new_client("test", client_id="keyed", audience=API, jwks={"keys": [key.public_jwk]}))
    text = path.read_text()
    assert text.startswith("# ours\n")
    assert not any(secret in text for secret in secrets)
    assert path.stat().st_mode & 0o777 == 0o600
    clients = Clients(file=path)
    assert len(clients) == 3
    for name, secret in zip(("first", odd), secrets, strict=True):
        found = clients.authenticate(name, secret)
        assert found is not None
        assert (found.client_id, found.scopes, found.introspects) == (name, ("x", "y"), (API,))
        assert clients.authenticate(name, secret + "x") is None
    keyed = clients.get("keyed")
    assert keyed is not None
    assert keyed.jwks == {"keys": [key.public_jwk]}
    with pytest.raises(ConfigurationError, match=r"is in .* already"):
        in_file(path, "first")
    with pytest.raises(ConfigurationError, match="unique"):
        clients.add(audience=API, client_id="first")


def test_clients_that_are_added_at_once_are_all_in_the_file(path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: in_file(path, f"c{number}"), range(16)))
    assert len(Clients(file=path)) == 16
    assert [file.name for file in path.parent.iterdir()] == ["issuer.toml"]


def test_a_file_that_has_changed_is_read_again_and_one_that_is_wrong_is_not(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_file(path, "first")
    clients = Clients(file=path)
    assert "first" in clients
    assert "second" not in clients
    secret = in_file(path, "second")
    assert clients.authenticate("second", secret) is not None
    assert "second" in clients.of(API)
    assert "second" not in clients.of("another")
    assert repr(clients.of(API)) == f"<the clients of {API!r}>"
    path.write_text("[[client]")
    assert "first" in clients
    assert "the clients that were read last go on" in caplog.text
    path.unlink()
    assert "first" in clients
    in_file(path, "third")
    assert ["first" in clients, "third" in clients] == [False, True]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[client]", "not TOML"),
        ("client = 1", "array of tables"),
        ("client = [1]", "array of tables"),
        ('[[client]]\naudience = "a"', "client_id must be unique and not empty"),
        ('[[client]]\nclient_id = 1\naudience = "a"', "client_id must be unique and not empty"),
        ('[[client]]\nclient_id = "a"', "audience"),
        ('[[client]]\nclient_id = "a"\naudience = 1', "audience must be a text"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\nintrospects = [1]', "introspects"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\nscopes = ["a b"]', "scope"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\ntoken_lifetime = 0', "token_lifetime"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\ntoken_lifetime = true', "token_lifetime"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\nsecret = "a-secret-in-the-clear"', "not a hash"),
        (f'[[client]]\nclient_id = "a"\naudience = "a"\nsecret = "sha256:{"0" * 32}:{"0" * 128}"', "not a hash"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\nsecret = 1', "not a hash"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\npassword = "x"', "unknown member 'password'"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\njwks = "{"', "jwks is not JSON"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\njwks = "[]"', "jwks must be a JWK Set"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\njwks = "{}"', "jwks: not a JSON object with"),
        ('[[client]]\nclient_id = "a"\naudience = "a"\n' * 2, "there twice"),
    ],
)
def test_a_file_that_is_wrong_is_a_configuration_error_without_its_secrets(path: Path, text: str, problem: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        Clients(file=path)
    assert "in-the-clear" not in str(caught.value)


def test_a_file_that_others_may_read_or_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Clients(file=path)
    in_file(path, "first")
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Clients(file=path)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        in_file(path, "second")


def test_every_problem_of_a_client_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        client_from("client 7", "\ud800", {"audience": [""], "scopes": ['"'], "token_lifetime": 10**9})
    assert len(caught.value.problems) == 4
    assert all(problem.startswith(("client 7: ", "scope")) or "scope" in problem for problem in caught.value.problems)


# --- secrets that were brought --------------------------------------------------------------------------------------


def test_a_brought_secret_is_kept_as_scrypt_and_one_that_can_be_guessed_is_refused() -> None:
    clients = Clients()
    client, _ = clients.add(audience=API, secret=BROUGHT)
    assert client.secret is not None
    assert client.secret.text.startswith("scrypt:")
    assert SecretHash.from_text(client.secret.text) == client.secret
    assert BROUGHT not in client.secret.text + repr(client)
    assert clients.authenticate(client.client_id, BROUGHT) == client
    for secret in ("", "password", "correct horse"):
        with pytest.raises(ConfigurationError, match="secret"):
            clients.add(audience=API, secret=secret)


def test_a_client_in_a_file_with_a_brought_secret_makes_every_wrong_secret_cost_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file(path, "first", BROUGHT)
    clients = Clients(file=path)
    scrypts: list[str] = []
    scrypt = hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", lambda *a, **k: scrypts.append("") or scrypt(*a, **k))
    for name in ("first", "nobody"):
        assert clients.authenticate(name, "wrong") is None
    assert len(scrypts) == 2


def test_a_client_that_has_proved_a_brought_secret_is_not_slowed_down_nor_locked_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issuer = Issuer("https://id.example.com", clock=lambda: 0.0)
    client, _ = issuer.clients.add(audience=API, secret=BROUGHT)
    assert issuer.respond(request(client.client_id, BROUGHT)).status == 200
    monkeypatch.setattr(hashlib, "scrypt", lambda *a, **k: b"no")
    for _ in range(25):
        response = issuer.respond(request(client.client_id, "wrong"))
    assert "retry-after" in dict(response.headers)
    assert issuer.respond(request(client.client_id, BROUGHT)).status == 200


class Gate:
    """Stands for scrypt, which takes until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inside, self.most = 0, 0
        self.entered, self.open = threading.Semaphore(0), threading.Event()
        self._lock = threading.Lock()
        monkeypatch.setattr(hashlib, "scrypt", self)

    def __call__(self, *_: Any, **__: Any) -> bytes:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.entered.release()
        self.open.wait(30)
        with self._lock:
            self.inside -= 1
        return b"x" * 64


@pytest.mark.parametrize("library", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_two_secrets_are_compared_at_once_few_wait_the_rest_is_told_503_and_nobody_else_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, library: str, kind: str
) -> None:
    store = SQLiteStore(tmp_path / "issuer.db") if kind == "sqlite" else None
    issuer = Issuer("https://id.example.com", store=store)
    client, secret = issuer.clients.add(audience=API)
    issuer.clients.add(audience=API, secret=BROUGHT)
    gate = Gate(monkeypatch)
    statuses: list[int] = []

    async def stranger(number: int) -> None:
        response = await issuer.arespond(request(f"nobody-{number}", "wrong"))
        statuses.append(response.status)
        if response.status == 503:
            assert int(dict(response.headers)["retry-after"]) >= 1

    async def pause() -> None:
        if library == "asyncio":
            await asyncio.sleep(0.001)
        else:
            await trio.sleep(0.001)

    async def owner() -> None:
        while len(statuses) < 36:  # 100 strangers less those who wait
            await pause()
        assert set(statuses) == {503}
        for _ in range(10):
            assert (await issuer.arespond(request(client.client_id, secret))).status == 200
        gate.open.set()

    async def in_trio() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(stranger, number)
            nursery.start_soon(owner)

    async def in_asyncio() -> None:
        await asyncio.gather(*map(stranger, range(100)), owner())

    try:
        if library == "trio":
            trio.run(in_trio)
        else:
            asyncio.run(in_asyncio())
    finally:
        gate.open.set()
    assert gate.most == 2
    assert sorted(statuses) == [401] * 64 + [503] * 36


def test_a_comparison_for_which_there_is_no_room_is_a_503_and_no_wrong_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer("https://id.example.com")
    client, _ = issuer.clients.add(audience=API, secret=BROUGHT)

    def no_room(*_: Any, **__: Any) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "scrypt", no_room)
        response = issuer.respond(request(client.client_id, BROUGHT))
    assert (response.status, json.loads(response.body)["error"]) == (503, "temporarily_unavailable")
    assert issuer.respond(request(client.client_id, BROUGHT)).status == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_compares_in_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = Clients()
    client, _ = clients.add(audience=API, secret=BROUGHT)
    assert clients.authenticate(client.client_id, "wrong") is None
    before = clients._slow._threads.here()
    monkeypatch.setattr(os, "getpid", lambda: -1)  # what a fork changes, without its other effects on this process
    assert clients.authenticate(client.client_id, BROUGHT) == client
    assert clients._slow._threads.here() is not before
    before.executor.shutdown()


def test_the_brake_remembers_the_names_that_failed_last() -> None:
    clients = Clients(clock=lambda: 0.0)
    for number in range(10_050):
        clients._brake.failed(str(number), 0.0)
    assert len(clients._brake._debts) == 10_000
    assert "0" not in clients._brake._debts
    assert "10049" in clients._brake._debts
