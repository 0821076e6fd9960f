"""Worker processes of an issuer are killed in mid-write: nothing acknowledged is lost, nothing is accepted twice."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from bearer_guard import InactiveToken, JWTVerifier, StaticJWKSet
from bearer_guard.issuer import Issuer, SigningKey, StoreVerifier
from bearer_guard.issuer._tokens import signed

from .issuer_workers import ASSERTION, issuer_on, post

API = "https://api.example.com"
ROOT = Path(__file__).resolve().parents[2]
WORKERS = 4
KILLS = 16
ASSERTIONS = 400

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")


def assertion(key: SigningKey, client_id: str) -> str:
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": "https://id.example.com", "iat": now, "exp": now + 540}
    return signed({"alg": key.algorithm}, {**claims, "jti": os.urandom(16).hex()}, key)


def lines(output: TextIO) -> Iterator[tuple[int, str, str]]:
    for line in output:
        pid, kind, what = line.rstrip("\n").split(" ", 2)
        yield int(pid), kind, what


class Told:
    """What workers said until they were killed, some of them more than once replaced by another."""

    def __init__(self, settings: Path) -> None:
        self.by_kind: dict[str, list[str]] = defaultdict(list)
        command = [sys.executable, "-m", "tests.faults.issuer_workers", str(settings)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        ) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            alive: dict[int, int] = {}
            chance, killed = random.Random(1), 0
            program.stdin.write("\n" * WORKERS)
            program.stdin.flush()
            for pid, kind, what in lines(program.stdout):
                self.by_kind[kind].append(what)
                alive[pid] = alive.get(pid, chance.randrange(3, 30)) - 1
                if alive[pid] == 0 and killed < KILLS:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                    if killed < KILLS:
                        program.stdin.write("\n")
                        program.stdin.flush()
                        continue
                    for other in alive:
                        _kill(other)
                    program.stdin.close()
                    break
            # What they had said before they died is still in the pipe.
            for pid, kind, what in lines(program.stdout):
                self.by_kind[kind].append(what)
                if pid not in alive:
                    _kill(pid)
            program.stdin = None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Issuer, dict[str, Any], Told]:
    folder = tmp_path_factory.mktemp("store")
    issuer = issuer_on(str(folder / "issuer.db"))
    client, secret = issuer.clients.add(audience=API)
    key = SigningKey.generate()
    asserting = issuer.clients.add_with_keys({"keys": [key.public_jwk]}, audience=API)
    settings = {
        "store": str(folder / "issuer.db"),
        "client": {"client_id": client.client_id, "client_secret": secret},
        "assertions": [assertion(key, asserting.client_id) for _ in range(ASSERTIONS)],
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    return issuer, settings, Told(folder / "settings.json")


def test_no_worker_met_an_error_and_each_thing_was_done(scene: tuple[Issuer, dict[str, Any], Told]) -> None:
    told = scene[2].by_kind
    assert told["E"] == []
    assert all(told[kind] for kind in "TJArRK"), {kind: len(what) for kind, what in told.items()}


def test_every_opaque_token_that_a_client_got_is_known_and_every_revoked_one_is_not(
    scene: tuple[Issuer, dict[str, Any], Told],
) -> None:
    issuer, _, told = scene
    verifier = StoreVerifier(issuer.store, audience=API)
    revoked, maybe = set(told.by_kind["R"]), set(told.by_kind["r"])
    for token in set(told.by_kind["T"]) - maybe:
        assert verifier.verify(token).audience == (API,)
    for token in revoked:
        with pytest.raises(InactiveToken):
            verifier.verify(token)


def test_no_assertion_was_accepted_twice_nor_is_now(scene: tuple[Issuer, dict[str, Any], Told]) -> None:
    issuer, settings, told = scene
    accepted = told.by_kind["A"]
    assert len(accepted) == len(set(accepted))
    for number in accepted:
        members = {"client_assertion_type": ASSERTION, "client_assertion": settings["assertions"][int(number)]}
        status, answer = post(issuer, "/opaque", grant_type="client_credentials", **members)
        assert (status, answer["error"]) == (401, "invalid_client")


def test_every_jwt_is_good_by_the_keys_that_are_published_and_no_rotation_was_lost(
    scene: tuple[Issuer, dict[str, Any], Told],
) -> None:
    issuer, _, told = scene
    published = issuer.keys.jwks()
    verifier = JWTVerifier(issuer=issuer.identifier, audience=API, keys=StaticJWKSet(published))
    for token in told.by_kind["J"]:
        assert verifier.verify(token).is_client
    assert set(told.by_kind["K"]) <= {key["kid"] for key in published["keys"]}


def test_the_file_is_whole(scene: tuple[Issuer, dict[str, Any], Told]) -> None:
    connection = sqlite3.connect(scene[1]["store"])
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()
