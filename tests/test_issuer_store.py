"""Stores of an issuer: memory and SQLite keep the same promises; the file, its form, its connections, and forks."""

from __future__ import annotations

import gc
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bearer_guard import AuthorityUnavailable, ConfigurationError
from bearer_guard.issuer import (
    Client,
    Clients,
    Issuer,
    IssuerKeys,
    IssuerRequest,
    KeyRing,
    MemoryStore,
    SigningKey,
    SQLiteStore,
    Store,
    StoredKey,
    StoreFailed,
    StoreVerifier,
    TokenRecord,
)

API = "https://api.example.com"
NOW = 1_800_000_000.0
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "issuer.db")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "issuer.db"


def record(expires_at: float = NOW + 60) -> TokenRecord:
    return TokenRecord(client_id="c", expires_at=expires_at, claims={"aud": API, "exp": expires_at})


def kids(store: Store) -> list[str]:
    kept = store.keys()
    return [key.kid for key in kept]


def needs(store: Store) -> list[float]:
    kept = store.keys()
    return [key.needed_until for key in kept]


def test_a_client_is_kept_whole_and_its_identifier_once(store: Store) -> None:
    clients = Clients(store)
    made, _ = clients.add(audience=[API, "b"], scopes="x y", token_lifetime=5, client_id="made", introspects=[API])
    key = SigningKey.generate()
    keyed = clients.add_with_keys({"keys": [dict(key.public_jwk or {})]}, audience=API, client_id="keyed é")
    public = clients.add_public(client_id="public")
    for client in (made, keyed, public):
        assert store.client(client.client_id) == client
        assert not store.add_client(Client(client_id=client.client_id, audience=("another",)))
        assert store.client(client.client_id) == client
    assert sorted(store.client_ids()) == ["keyed é", "made", "public"]
    for nobody in ("", "nobody", "\ud800", "nul\0"):
        assert store.client(nobody) is None
    assert len(clients) == 3


def test_a_store_knows_whether_a_secret_was_brought(store: Store) -> None:
    clients = Clients(store)
    clients.add(audience=API)
    assert not store.has_brought_secrets()
    client, secret = clients.add(audience=API, secret="7Gq2Lx9Vt4Rz8Wm1Kc6Hb3Nf5")
    assert store.has_brought_secrets()
    assert clients.authenticate(client.client_id, secret) == client


def test_a_token_is_there_until_it_expires_or_is_removed(store: Store) -> None:
    store.add_token(b"1" * 32, record(), NOW)
    store.add_token(b"2" * 32, record(), NOW)
    assert store.token(b"1" * 32, NOW + 59.9) == record()
    assert store.token(b"1" * 32, NOW + 60) is None
    store.remove_token(b"1" * 32)
    store.remove_token(b"1" * 32)
    assert store.token(b"1" * 32, NOW) is None
    assert store.token(b"2" * 32, NOW) == record()


def test_a_name_is_used_once_until_it_expires(store: Store) -> None:
    assert store.use_once("assertion", "x\ud800", NOW + 60, NOW)
    assert not store.use_once("assertion", "x\ud800", NOW + 600, NOW + 59)
    assert store.use_once("revoked", "x\ud800", NOW + 60, NOW)
    assert store.used("assertion", "x\ud800", NOW + 59)
    assert not store.used("assertion", "x\ud800", NOW + 60)
    assert store.use_once("assertion", "x\ud800", NOW + 120, NOW + 60)


def test_of_many_threads_with_one_name_one_alone_uses_it(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        used = list(threads.map(lambda _: store.use_once("assertion", "x", NOW + 60, NOW), range(40)))
    assert used.count(True) == 1


def test_what_has_expired_does_not_pile_up(store: Store) -> None:
    for number in range(3000):
        if isinstance(store, SQLiteStore) and number >= 60:
            break
        store.use_once("assertion", str(number), NOW + number + 1, NOW + number)
        store.add_token(number.to_bytes(32), record(NOW + number + 1), NOW + number)
    if isinstance(store, SQLiteStore):
        with closing(sqlite3.connect(store.path)) as connection:
            for table in ("tokens", "used"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    else:
        assert len(store._tokens) + len(store._used) < 2500  # type: ignore[attr-defined]


def test_a_key_is_added_after_the_one_it_was_planned_after_and_dropped_when_nobody_needs_it(store: Store) -> None:
    def key(kid: str) -> StoredKey:
        return StoredKey(kid=kid, algorithm="HS256", material=b"m", signs_from=NOW)

    assert store.keys() == ()
    assert store.add_key(key("a"), None)
    assert not store.add_key(key("b"), None)
    assert store.add_key(key("b"), "a")
    assert not store.add_key(key("c"), "a")
    assert kids(store) == ["b", "a"]
    assert store.need_key("a", NOW + 10)
    assert store.need_key("a", NOW + 5)
    assert not store.need_key("c", NOW)
    store.drop_key("a", NOW + 9)
    assert needs(store) == [0.0, NOW + 10]
    store.drop_key("a", NOW + 10)
    assert kids(store) == ["b"]
    assert "material" not in repr(key("a"))


def test_everything_is_there_again_after_a_restart(path: Path) -> None:
    first = Issuer("https://id.example.com", store=SQLiteStore(path), keys=None)
    client, secret = first.clients.add(audience=API)
    token = first.token(client, [API], "")
    first.store.add_token(b"1" * 32, record(), NOW)
    first.store.close()  # type: ignore[attr-defined]
    second = Issuer("https://id.example.com", store=SQLiteStore(path))
    assert second.clients.authenticate(client.client_id, secret) == client
    assert second.keys.jwks() == first.keys.jwks()
    assert second.store.token(b"1" * 32, NOW) == record()
    assert token.split(".")[0] == second.token(client, [API], "").split(".")[0]


def test_the_file_and_what_sqlite_puts_beside_it_can_be_read_by_the_owner_alone(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_token(b"1" * 32, record(), NOW)
    found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(found) >= {"issuer.db", "issuer.db-wal"}
    assert set(found.values()) == {0o600}


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    SQLiteStore(path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        SQLiteStore(path)


def another_database(path: Path) -> None:
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (c)")


def newer_store(path: Path) -> None:
    SQLiteStore(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")


def no_database(path: Path) -> None:
    path.touch(0o600)
    path.write_text("x" * 5000)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (another_database, "not a store of this package"),
        (newer_store, "has version 2"),
        (no_database, "cannot be opened"),
        (lambda path: path.touch(0o600), "not a store of this package"),
        (lambda path: path.parent.rmdir(), "cannot be opened"),
    ],
    ids=["another", "newer", "no database", "empty", "no folder"],
)
def test_a_file_that_is_no_store_is_a_configuration_error_and_left_alone(
    tmp_path: Path, make: Any, problem: str
) -> None:
    path = tmp_path / "folder" / "issuer.db"
    path.parent.mkdir()
    make(path)
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(ConfigurationError, match=problem):
        SQLiteStore(path)
    assert (path.read_bytes() if path.exists() else None) == before
    assert not path.parent.exists() or {file.name for file in path.parent.iterdir()} <= {"issuer.db"}


@pytest.mark.parametrize("name", ["", ":memory:"])
def test_a_store_in_memory_has_another_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="MemoryStore"):
        SQLiteStore(name)


def test_of_many_that_make_the_file_at_once_all_get_the_same(path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        rings = list(threads.map(lambda _: KeyRing(store=SQLiteStore(path)), range(8)))
    assert len({ring.jwks()["keys"][0]["kid"] for ring in rings}) == 1
    assert {file.name.rpartition(".")[2] for file in path.parent.iterdir()} <= {"db", "db-wal", "db-shm"}


def test_a_writer_that_gets_no_turn_raises_and_the_client_is_told_503(path: Path) -> None:
    store = SQLiteStore(path, patience=0.05)
    issuer = Issuer("https://id.example.com", store=store)
    client, secret = issuer.clients.add(audience=API)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="SQLITE_BUSY"):
            store.add_token(b"1" * 32, record(), NOW)
        body = f"grant_type=client_credentials&client_id={client.client_id}&client_secret={secret}".encode()
        form = {"content-type": "application/x-www-form-urlencoded"}
        response = issuer.respond(IssuerRequest("POST", "/oauth2/token", form, body))
        assert response.status == 503
    with store._connections.writing(), ThreadPoolExecutor(1) as thread:
        failing = thread.submit(store.add_token, b"1" * 32, record(), NOW)
        with pytest.raises(StoreFailed, match="no turn"):
            failing.result()
    store.add_token(b"1" * 32, record(), NOW)


def test_a_block_that_raises_leaves_nothing_behind(path: Path) -> None:
    store = SQLiteStore(path)

    def broken() -> None:
        with store._connections.writing() as connection:
            connection.execute("DELETE FROM clients")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert store.client("nobody") is None  # from the row that stands for all of them
    store.add_token(b"1" * 32, record(), NOW)


def test_a_file_that_is_gone_is_trouble_at_the_store_and_not_the_clients_fault(path: Path) -> None:
    store = SQLiteStore(path)
    ring = KeyRing(store=store)
    store.close()
    for file in path.parent.iterdir():
        file.unlink()
    with pytest.raises(AuthorityUnavailable):
        StoreVerifier(store, audience=API).verify("x")
    ring._seen_at = 0.0
    assert IssuerKeys(ring).current().keys  # whoever verifies goes on
    with pytest.raises(StoreFailed):
        ring.look()
    with pytest.raises(StoreFailed):
        ring.jwks()


def test_a_key_that_cannot_be_read_is_trouble_at_the_store(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_key(StoredKey(kid="a", algorithm="ES256", material=b"no key", signs_from=0.0), None)
    with pytest.raises(StoreFailed, match="cannot be read"):
        KeyRing(store=store)


def test_connections_are_closed_with_the_store_and_few_are_kept(path: Path) -> None:
    store = SQLiteStore(path)
    inside = threading.Barrier(12)

    def read(connections: Any) -> None:
        with connections.reading():
            inside.wait(10)

    with ThreadPoolExecutor(12) as threads:
        for done in [threads.submit(read, store._connections) for _ in range(12)]:
            done.result()
    assert len(store._connections._idle) == 8
    assert repr(store) == f"SQLiteStore({str(path)!r})"
    idle = store._connections._idle
    del store
    gc.collect()
    assert idle == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_other_threads_write_leaves_parent_and_child_with_a_store_that_works(path: Path) -> None:
    program = """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, which is what is tried here
from bearer_guard.issuer import SQLiteStore, TokenRecord
store, stop = SQLiteStore(sys.argv[1]), threading.Event()
gone = SQLiteStore(sys.argv[1]); del gone
def write(who):
    for number in range(10**9):
        if stop.is_set(): return number
        store.add_token(os.urandom(32), TokenRecord(client_id=who, expires_at=2e9, claims={}), 1e9)
threads = [threading.Thread(target=write, args=("parent",)) for _ in range(3)]
for thread in threads: thread.start()
for _ in range(5):
    child = os.fork()
    if child == 0:
        for _ in range(10): store.add_token(os.urandom(32), TokenRecord(client_id="child", expires_at=2e9, claims={}), 1e9)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
store.add_token(b"1" * 32, TokenRecord(client_id="last", expires_at=2e9, claims={}), 1e9)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60, env=environment)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        count = "SELECT count(*) FROM tokens WHERE client_id = 'child'"
        assert connection.execute(count).fetchone() == (50,)
        assert connection.execute(count.replace("child", "last")).fetchone() == (1,)


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    yield
    gc.collect()
