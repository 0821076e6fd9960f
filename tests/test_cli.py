"""The command line: options, the demo's verdict, its output, and how it ends."""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from waitress.server import create_server

import bearer_guard
from bearer_guard import AccessToken, Guard, JWTVerifier, RemoteJWKSet, Verifier
from bearer_guard.cli import _apps, main
from bearer_guard.cli._exchange import Exchange
from bearer_guard.cli._scenario import SCOPE
from bearer_guard.cli._transcript import Transcript
from bearer_guard.cli.demo import run_demo

STEPS = [
    "no token",
    "a good token",
    "a tampered token",
    "an expired token",
    "a token for another API",
    "a token without the scope",
    "an ID token",
    "a key rotation in mid-flight",
    "the issuer goes down",
    "the issuer is back",
]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(bearer_guard.__file__).parents[1]), **more}


def demo_document(**options: Any) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    status = run_demo(as_json=True, out=out, **options)
    document: dict[str, Any] = json.loads(out.getvalue())
    return status, document


def differing(document: dict[str, Any]) -> set[str]:
    return {check["step"] for check in document["checks"] if not check["ok"]}


@pytest.fixture(scope="module")
def played() -> tuple[int, dict[str, Any]]:
    """The demo as it should be: its exit status and its document."""
    return demo_document()


@pytest.fixture
def document(played: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    return played[1]


def test_the_demo_plays_every_step_against_both_apis_and_ends_with_0(played: tuple[int, dict[str, Any]]) -> None:
    status, document = played
    assert (status, document["ok"], differing(document)) == (0, True, set())
    assert list(dict.fromkeys(check["step"] for check in document["checks"])) == STEPS
    for step in STEPS:
        asked = {check["who"].split(",")[0] for check in document["checks"] if check["step"] == step}
        assert asked >= {"Starlette", "Flask"}
    assert document["seconds"] < 30


def test_every_exchange_of_the_demo_is_shown_with_request_status_challenge_and_body(document: dict[str, Any]) -> None:
    refused = next(shown for shown in document["exchanges"] if shown["step"] == "an expired token")
    assert refused["status"] == 401
    assert refused["request"]["method"] == "POST"
    assert refused["request"]["url"].endswith("/v1/user-status")
    assert refused["request"]["headers"]["Authorization"].startswith("Bearer ey")
    assert 'error="invalid_token"' in refused["www_authenticate"]
    assert json.loads(refused["body"])["error"] == "invalid_token"
    down = next(shown for shown in document["exchanges"] if shown["step"] == "the issuer goes down")
    assert down["status"] is None


def test_nothing_that_the_demo_shows_is_a_whole_token_or_secret(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    assert not re.search(r"ey[\w-]+\.ey[\w-]+\.[\w-]+", text)
    assert not re.search(r'client_secret[\\": ]+[\w-]{20}', text)


def test_the_rotation_costs_exactly_one_request_for_the_key_set(document: dict[str, Any]) -> None:
    row = next(check for check in document["checks"] if check["who"] == "requests for the JWK Set")
    assert (row["expected"], row["seen"]) == ("1", "1")


class AdmitAll(Verifier):
    def verify(self, token: str) -> AccessToken:
        return AccessToken(client_id="anybody", scopes=[SCOPE])


def guard(issuer: str, **policy: Any) -> Guard:
    keys = RemoteJWKSet.discover(issuer, cooldown=0.2)
    return Guard(JWTVerifier(**{"issuer": issuer, "audience": "https://api.example.com", "keys": keys, **policy}))


BROKEN: dict[str, tuple[Callable[[str], Guard], set[str]]] = {
    "admits everybody": (lambda issuer: Guard(AdmitAll()), {"a tampered token", "an expired token", "an ID token"}),
    "expects another audience": (
        lambda issuer: guard(issuer, audience="https://wrong.example"),
        {"a good token", "a key rotation in mid-flight", "the issuer goes down", "the issuer is back"},
    ),
    "takes every audience": (
        lambda issuer: guard(issuer, audience=Everything()),
        {"a token for another API"},
    ),
    "lets anonymous requests pass": (lambda issuer: Guard(AdmitAll(), optional=True), {"a tampered token"}),
    "has an endless leeway": (
        lambda issuer: guard(issuer, leeway=300),
        {"an expired token"},
    ),
}


class Everything:
    def __contains__(self, item: object) -> bool:
        return True


@pytest.mark.parametrize(("make_guard", "steps"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_guard_makes_the_demo_end_with_1(make_guard: Callable[[str], Guard], steps: set[str]) -> None:
    status, document = demo_document(make_guard=make_guard)
    assert (status, document["ok"]) == (1, False)
    assert differing(document) >= steps


def test_the_transcript_of_a_broken_guard_says_what_was_expected_and_how_much_differs() -> None:
    out = io.StringIO()
    assert run_demo(make_guard=lambda issuer: Guard(AdmitAll()), out=out) == 1
    assert "< 200   (expected: 401 invalid_token)" in out.getvalue()
    assert re.search(r"\d+ of \d+ differ", out.getvalue())


def test_the_command_prints_a_readable_transcript_and_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert text.isascii()
    positions = [text.index(f"\n{step}\n") for step in STEPS]
    assert positions == sorted(positions)
    assert '< WWW-Authenticate: Bearer realm="users"\n' in text
    assert re.search(r"\nall \d+ as expected, \d+\.\d s\n$", text)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("arguments", "environ", "coloured"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, True),
        ([], {"TERM": "dumb"}, False),
        (["--color=never"], {}, False),
        (["--color=always"], {"NO_COLOR": "1"}, True),
    ],
    ids=["terminal", "NO_COLOR", "empty NO_COLOR", "dumb", "never", "always"],
)
def test_colour_is_for_terminals_and_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environ: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    seen: list[bool] = []
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr("bearer_guard.cli.demo.run_demo", lambda colour, **_: seen.append(colour) or 0)
    assert main(["demo", *arguments]) == 0
    assert seen == [coloured]


def test_a_coloured_transcript_marks_agreement_and_difference() -> None:
    out = io.StringIO()
    transcript = Transcript(out, colour=True, quiet=False)
    transcript.step("step", "note")
    transcript.compare("who", "1", "1")
    transcript.compare("who", "1", "2")
    transcript.table(0.5)
    assert "\x1b[32m    who: 1\x1b[0m" in out.getvalue()
    assert "\x1b[1;31m    who: 2   (expected: 1)\x1b[0m" in out.getvalue()
    assert not transcript.agrees


def test_a_transcript_without_a_single_comparison_agrees_with_nothing() -> None:
    assert not Transcript(io.StringIO(), colour=False, quiet=True).agrees


@pytest.mark.parametrize(
    ("status", "challenge", "outcome"),
    [
        (0, None, "connection refused"),
        (200, None, "200"),
        (401, None, "401 without challenge"),
        (403, None, "403 without challenge"),
        (401, 'Bearer realm="users"', "401"),
        (401, 'Bearer realm="users", error="invalid_token"', "401 invalid_token"),
    ],
)
def test_the_outcome_of_an_exchange_is_its_status_and_the_challenges_error(
    status: int, challenge: str | None, outcome: str
) -> None:
    exchange = Exchange(url="http://127.0.0.1/", headers={}, sent="", status=status, challenge=challenge)
    assert exchange.outcome == outcome


def test_serve_keeps_everything_up_and_its_curl_lines_work() -> None:
    out, answers = io.StringIO(), []

    def try_the_lines() -> None:
        lines = out.getvalue().partition("Try:")[2].strip().splitlines()
        assert len(lines) == 5
        answers.append(_shell(lines))

    assert run_demo(serve=True, out=out, wait=try_the_lines) == 0
    assert re.findall(r"HTTP/1.1 (\d+)", answers[0]) == ["200", "200", "401", "401"]
    assert answers[0].count('realm="users"') == 2


def test_serve_ends_with_ctrl_c() -> None:
    me = threading.get_ident()

    def press() -> None:
        frame = sys._current_frames()[me]
        while frame.f_code.co_name != "_until_interrupted" or frame.f_lineno < frame.f_code.co_firstlineno + 2:
            time.sleep(0.001)
            frame = sys._current_frames()[me]
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run_demo(serve=True, out=io.StringIO())


def _shell(lines: list[str]) -> str:
    curl, bash = shutil.which("curl"), shutil.which("bash")
    assert curl is not None
    assert bash is not None
    done = subprocess.run([bash, "-ec", "\n".join(lines)], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_without_the_servers_the_demo_names_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "bearer_guard.cli._apps", raising=False)
    monkeypatch.delattr("bearer_guard.cli._apps", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["demo"]) == 2
    assert capsys.readouterr() == (
        "",
        "the demo needs Starlette, Flask, uvicorn and waitress: pip install 'bearer-guard[demo]'\n",
    )


class Interrupting(io.StringIO):
    def write(self, text: str) -> int:
        if "Ctrl-C" in text:
            raise KeyboardInterrupt
        return super().write(text)


def test_an_interrupt_ends_the_command_with_130_and_everything_is_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Interrupting()
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["demo", "--serve"]) == 130
    assert capsys.readouterr().err == "\nended by Ctrl-C\n"
    port = re.search(r"issuer: http://127.0.0.1:(\d+)", out.getvalue())
    assert port is not None
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(("127.0.0.1", int(port[1])))


def test_requests_that_wait_for_a_thread_of_the_demo_are_not_told_of(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    servers: list[Any] = []

    def noted(*arguments: Any, **options: Any) -> Any:
        servers.append(create_server(*arguments, **options))
        return servers[-1]

    monkeypatch.setattr(_apps, "create_server", noted)
    with _apps.under_waitress(lambda environ, start_response: []):
        (server,) = servers
        server.task_dispatcher.queue_logger.warning("Task queue depth is %d", 1)
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []


def test_ctrl_c_ends_the_real_command_cleanly() -> None:
    command = [sys.executable, "-W", "error", "-m", "bearer_guard", "demo", "--serve"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(PYTHONUNBUFFERED="1")
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line.startswith("curl"):
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "\nended by Ctrl-C\n"


def test_python_m_bearer_guard_is_the_command() -> None:
    command = [sys.executable, "-m", "bearer_guard", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment())
    assert done.stdout.startswith("bearer-guard ")


def test_the_main_module_runs_main_with_the_processs_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bearer-guard", "--version"])
    monkeypatch.delitem(sys.modules, "bearer_guard.__main__", raising=False)
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("bearer_guard.__main__")
    assert ended.value.code == 0


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["demo", "--serve", "--json"]])
def test_a_command_line_that_makes_no_sense_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: bearer-guard" in capsys.readouterr().err
