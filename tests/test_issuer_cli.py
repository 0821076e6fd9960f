"""`bearer-guard issuer`: what is served, where, with which keys, and what is refused; clients from the command line."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bearer_guard
from bearer_guard import JWTVerifier, RemoteJWKSet
from bearer_guard.cli import INTERRUPTED, main
from bearer_guard.issuer import SigningKey

API = "https://api.example.com"


class Served(io.StringIO):
    """Takes what `serve` prints; when the curl line is there, does something in another thread, then presses Ctrl-C."""

    def __init__(self, act: Callable[[str], None]) -> None:
        super().__init__()
        self._act = act
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._then)

    def write(self, text: str) -> int:
        written = super().write(text)
        if "curl" in text:
            self._thread.start()
        return written

    def _then(self) -> None:
        try:
            self._act(self.getvalue())
        except BaseException as failure:
            self.failure = failure
        os.kill(os.getpid(), signal.SIGINT)


def served(monkeypatch: pytest.MonkeyPatch, arguments: list[str], act: Callable[[str], None]) -> str:
    """What `serve` printed, once `act` has had it in its hands and Ctrl-C has ended it."""
    out = Served(act)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        status = main(["issuer", "serve", "--port", "0", *arguments])
    out._thread.join(30)
    if out.failure is not None:
        raise out.failure
    assert status == INTERRUPTED
    return out.getvalue()


def token(printed: str, client_id: str | None = None, secret: str | None = None) -> dict[str, Any]:
    shown = re.search(r'^curl -s -u "(.*):(.*)" -d grant_type=client_credentials http://([^/]*)(/\S*)$', printed, re.M)
    assert shown is not None, printed
    connection = http.client.HTTPConnection(shown[3], timeout=20)
    members = f"grant_type=client_credentials&client_id={client_id or shown[1]}&client_secret={secret or shown[2]}"
    try:
        connection.request("POST", shown[4], members, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        content: dict[str, Any] = json.loads(answer.read())
        return content
    finally:
        connection.close()


def value(printed: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*)$", printed, re.M)
    assert found is not None, printed
    return found[1]


def verified(printed: str, content: dict[str, Any]) -> bearer_guard.AccessToken:
    keys = RemoteJWKSet(value(printed, "keys"))
    return JWTVerifier(issuer=value(printed, "issuer"), audience=API, keys=keys).verify(content["access_token"])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "issuer.toml"


def added(config: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[str, str]:
    arguments = ["issuer", "add-client", "--config", str(config), "--audience", API, *more]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    return value(printed, "client_id"), value(printed, "client_secret")


@pytest.mark.parametrize("server", ["uvicorn", "waitress"])
def test_without_a_file_one_client_is_made_and_its_curl_line_works(
    monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    if server == "waitress":
        monkeypatch.setitem(sys.modules, "uvicorn", None)

    def act(printed: str) -> None:
        assert value(printed, "issuer").startswith("http://127.0.0.1:")
        assert verified(printed, token(printed)).client_id == "demo"

    served(monkeypatch, [], act)


def test_without_a_server_the_extra_that_brings_one_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("uvicorn", "waitress", "waitress.server"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["issuer", "serve"]) == 2
    assert "pip install 'bearer-guard[issuer]'" in capsys.readouterr().err


def test_clients_of_a_file_get_tokens_also_those_that_are_added_meanwhile(
    monkeypatch: pytest.MonkeyPatch, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, secret = added(config, capsys, "--scope", "read write", "--token-lifetime", "60", "--introspects", API)

    def act(printed: str) -> None:
        assert f'-u "{first}:$CLIENT_SECRET"' in printed
        assert secret not in printed + config.read_text()
        content = token(printed, first, secret)
        assert (content["scope"], content["expires_in"]) == ("read write", 60)
        arguments = ["issuer", "add-client", "--config", str(config), "--audience", API, "--client-id", "second"]
        command = [sys.executable, "-m", "bearer_guard", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment())
        assert token(printed, "second", value(done.stdout, "client_secret"))["expires_in"] == 3600

    served(monkeypatch, ["--config", str(config)], act)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(bearer_guard.__file__).parents[1])}


def test_tokens_and_keys_outlive_a_restart_with_a_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client_id, secret = added(config, capsys)
    contents: list[dict[str, Any]] = []
    keys: list[str] = []

    def act(printed: str) -> None:
        contents.append(token(printed, client_id, secret))
        with socket.create_connection((value(printed, "keys").split("/")[2].split(":")[0], port(printed))):
            keys.append(json.dumps(_get(port(printed), "/.well-known/jwks.json")))

    for _ in range(2):
        served(monkeypatch, ["--config", str(config), "--store", str(tmp_path / "issuer.db")], act)
    assert keys[0] == keys[1]
    assert (tmp_path / "issuer.db").stat().st_mode & 0o777 == 0o600


def port(printed: str) -> int:
    return int(value(printed, "keys").split("/")[2].rpartition(":")[2])


def _get(at: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", at, timeout=20)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_a_file_sets_issuer_store_key_and_kind_of_token(
    monkeypatch: pytest.MonkeyPatch, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(
        'issuer = "https://id.example.com/t1"\nstore = "kept.db"\nsigning_key = "key.pem"\nalgorithm = "RS256"\n'
        'token = "opaque"\n'
    )
    config.chmod(0o600)
    key = SigningKey.generate("RS256")
    (config.parent / "key.pem").write_bytes(key.octets)
    (config.parent / "key.pem").chmod(0o600)

    def act(printed: str) -> None:
        assert value(printed, "issuer") == "https://id.example.com/t1"
        assert 'curl -s -u "CLIENT_ID:$CLIENT_SECRET"' in printed

    served(monkeypatch, ["--config", str(config)], act)
    assert (config.parent / "kept.db").exists()


def test_beyond_loopback_it_is_served_only_when_told_so_and_under_an_https_name(
    monkeypatch: pytest.MonkeyPatch, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["issuer", "serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "--unsafe-non-loopback" in capsys.readouterr().err
    assert main(["issuer", "serve", "--host", "0.0.0.0", "--port", "0", "--unsafe-non-loopback"]) == 2
    assert "must name the issuer" in capsys.readouterr().err
    config.write_text('issuer = "http://id.example.com"\n')
    config.chmod(0o600)
    refused = ["issuer", "serve", "--host", "0.0.0.0", "--port", "0", "--unsafe-non-loopback", "--config", str(config)]
    assert main(refused) == 2
    assert "must be https" in capsys.readouterr().err


def test_it_may_listen_on_the_other_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    served(monkeypatch, ["--host", "::1"], lambda printed: verified(printed, token(printed)) and None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense = 1", "nonsense is not a setting"),
        ("issuer = 1", "issuer must be of type str"),
        ("rotate_every = true", "rotate_every must be of type int"),
        ("rotate_every = 10", "longer than publish_ahead"),
        ('token = "saml"', "token must be"),
        ('algorithm = "none"', "algorithm must be one of"),
        ('signing_key = "nowhere"', "nowhere cannot be read"),
        ('signing_key = "open"', "chmod 600"),
        ('signing_key = "short"\nalgorithm = "HS256"', "needs at least 32"),
        ('signing_key = "guessable"\nalgorithm = "HS256"', "made by a person"),
        ('[[client]]\nclient_id = "a"', "audience"),
    ],
)
def test_a_file_or_a_key_that_must_not_be_used_is_refused_before_anything_is_served(
    config: Path, capsys: pytest.CaptureFixture[str], text: str, problem: str
) -> None:
    keys = {"open": secrets.token_bytes(32).hex(), "short": "short", "guessable": "password" * 8}
    for name, octets in keys.items():
        (config.parent / name).write_text(octets)
        (config.parent / name).chmod(0o644 if name == "open" else 0o600)
    config.write_text(text)
    config.chmod(0o600)
    assert main(["issuer", "serve", "--port", "0", "--config", str(config)]) == 2
    printed = capsys.readouterr()
    assert problem in printed.err
    assert printed.out == ""
    assert not any(octets in printed.err for octets in keys.values())


def test_a_port_that_is_taken_and_a_folder_that_is_not_there_are_named(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["issuer", "serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "in use" in capsys.readouterr().err
    arguments = ["issuer", "add-client", "--config", str(config.parent / "nowhere" / "x.toml"), "--audience", API]
    assert main(arguments) == 2
    assert f"{config.parent / 'nowhere'}: No such file" in capsys.readouterr().err


def test_a_secret_may_be_brought_on_stdin_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["issuer", "add-client", "--config", str(config), "--audience", API, "--secret-from-stdin"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("7Gq2Lx9Vt4Rz8Wm1Kc6Hb3Nf5\n"))
    assert main(arguments) == 0
    assert "secret" not in capsys.readouterr().out
    assert 'secret = "scrypt:' in config.read_text()
    monkeypatch.setattr(sys, "stdin", io.StringIO("password\n"))
    assert main(arguments) == 2
    assert "can be guessed" in capsys.readouterr().err


def test_the_command_ends_cleanly_by_ctrl_c() -> None:
    command = [sys.executable, "-m", "bearer_guard", "issuer", "serve", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        assert token("".join(lines))["token_type"] == "Bearer"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert errors.strip() == "ended by Ctrl-C"


def test_a_server_that_ends_by_itself_ends_the_command_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bearer_guard.cli.issuer.server", lambda: lambda issuer, listening: None)
    assert main(["issuer", "serve", "--port", "0"]) == 0
    assert "curl" in capsys.readouterr().out
