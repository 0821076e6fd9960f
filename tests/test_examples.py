"""The examples run by themselves: the servers answer the curl lines that they print, the others print what they show."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
PROVIDERS = {
    "sqr_b2b": 4,
    "alternative_payments": 3,
    "screening_eagle": 3,
    "orocommerce": 4,
    "sqr_oauth_token": 3,
}
SERVERS = {"starlette_app": 4, "flask_app": 3, "werkzeug_app": 2, "wsgi_app": 2, "asgi_app": 2, **PROVIDERS}
"""How many curl lines each prints."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def curl(line: str, **variables: str) -> Answer:
    """What the server answers to the request that a printed curl line stands for."""
    for name, value in variables.items():
        line = line.replace(f"${name}", value)
    words = iter(shlex.split(line)[1:])
    method, url, headers, body = "", "", dict[str, str](), None
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            field, _, value = next(words).partition(": ")
            headers[field] = value
        elif word == "-u":
            headers["Authorization"] = "Basic " + base64.b64encode(next(words).encode()).decode()
        elif word == "-d":
            body = next(words)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif word != "-i":
            url = word
    parts = urlsplit(url)
    assert parts.hostname == "127.0.0.1"
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
    try:
        connection.request(method or ("POST" if body else "GET"), parts.path, body, headers)
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())
    finally:
        connection.close()


@contextmanager
def served(example: str) -> Iterator[list[str]]:
    """The curl lines of a running example, which an interrupt ends."""
    program = [sys.executable, "-W", "error", f"examples/{example}.py"]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _ in range(SERVERS[example])]
            assert all(line.startswith("curl ") for line in lines), (lines, process.poll() and process.communicate())
            yield lines
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
        assert process.returncode == 0, "Ctrl-C is the way to end an example, and no error"


def shown(example: str) -> str:
    program = [sys.executable, "-W", "error", f"examples/{example}.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # whatever else is installed would take seconds to load
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_example_is_tested() -> None:
    others = {"custom_verifier", "multi_issuer", "test_a_protected_handler"}
    assert set(EXAMPLES) == set(SERVERS) | others


@pytest.mark.parametrize("example", ["starlette_app", "flask_app"])
def test_an_api_behind_an_identity_provider_takes_the_tokens_that_it_gives(example: str) -> None:
    with served(example) as lines:
        *health, refused, granted, admitted = lines
        for line in health:
            assert curl(line).json() == {"status": "up"}
        answer = curl(refused)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="users"')
        token = curl(granted).json()["access_token"]
        assert curl(admitted, TOKEN=token).json()["status"] == "active"
        assert curl(admitted, TOKEN=token[:-8] + "AAAAAAAA").status == 401


@pytest.mark.parametrize("example", ["werkzeug_app", "wsgi_app", "asgi_app"])
def test_an_api_with_a_local_issuer_takes_its_tokens(example: str) -> None:
    with served(example) as (refused, admitted):
        answer = curl(refused)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="users"')
        assert curl(admitted).json()["asked_by"] == "local-user"


@pytest.mark.parametrize("example", PROVIDERS)
def test_a_provider_grants_and_takes_tokens_by_the_curl_lines_of_its_document(example: str) -> None:
    with served(example) as lines:
        token = ""
        for line in lines:
            answer = curl(line, TOKEN=token)
            if " -d " in line:
                token = answer.json()["access_token"]
            else:
                assert answer.status == (200 if "$TOKEN" in line else 401)


def test_providers_can_be_imported_from_anywhere(tmp_path: Path) -> None:
    program = f"""
import importlib.util
for example in {list(PROVIDERS)}:
    spec = importlib.util.spec_from_file_location("some_name", {str(ROOT / "examples")!r} + f"/{{example}}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.asgi_app) and callable(module.wsgi_app)
    names = [name for name in vars(module) if name.endswith(("CLIENT_ID", "CLIENT_SECRET"))]
    assert all(type(getattr(module, name)) is str for name in names)
    print(*sorted(names))
"""
    command = [sys.executable, "-W", "error", "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    one, other = "CLIENT_ID CLIENT_SECRET", "STOREFRONT_CLIENT_ID STOREFRONT_CLIENT_SECRET"
    found = dict(zip(PROVIDERS, done.stdout.splitlines(), strict=True))
    assert found == {name: f"{one} {other}" if name == "orocommerce" else one for name in PROVIDERS}


def test_flask_hooks_see_the_refusals() -> None:
    with served("flask_app") as lines:
        assert curl(lines[0]).headers["access-control-allow-origin"] == "https://app.example.com"


def test_verifiers_of_ones_own_decide_beside_those_of_the_package() -> None:
    outcomes = [line.partition(":")[2].strip() for line in shown("custom_verifier").splitlines()]
    assert outcomes == ["200 reporting", "403 insufficient_scope", "401 inactive", "200 local-user", "401 expired"]


def test_each_issuer_is_judged_by_its_own_keys_alone() -> None:
    outcomes = [re.sub(r"^.*?:  *", "", line) for line in shown("multi_issuer").splitlines()]
    assert outcomes == [
        "200 by https://staff.example.com",
        "200 by https://partners.example.com",
        "401 untrusted_issuer",
        "401 unknown_key",
    ]


def test_the_tests_of_a_protected_handler_pass() -> None:
    assert re.search(r"^\d{3} passed in ", shown("test_a_protected_handler"), re.MULTILINE)
