"""README.md and the documents say what is so: every Python block runs, every command and every table is checked."""

from __future__ import annotations

import inspect
import itertools
import os
import re
import shlex
import subprocess
import sys
import tomllib
from typing import Any, get_args

import pytest
from starlette.testclient import TestClient

import bearer_guard
from bearer_guard import _errors
from bearer_guard.testing import LocalIssuer

from .documents import DOCUMENTS, ROOT, anchors, blocks, headings, links, run, shell_lines, tables, text_of

API = "https://api.example.com"
SETUP = ["python -m pip install -e '.[demo]' && bearer-guard demo", "python -m pip install -e '.[test]' && pytest"]
ADAPTERS = ("starlette", "flask", "werkzeug", "asgi", "wsgi")
every_document = pytest.mark.parametrize("document", DOCUMENTS)


def is_a_test_module(document: str) -> bool:
    return any("import pytest" in block.text for block in blocks(document, "python"))


# --- blocks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if not is_a_test_module(name)])
def test_every_python_block_runs_and_prints_what_the_document_shows(document: str) -> None:
    _, called = run(document)
    defined = sum(len(re.findall(r"^(?:async )?def test_", block.text, re.M)) for block in blocks(document, "python"))
    assert called == defined


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if is_a_test_module(name)])
def test_documents_that_import_pytest_are_test_modules_that_pass(document: str, tmp_path: Any) -> None:
    module = tmp_path / "test_document.py"
    module.write_text("\n\n".join(block.text for block in blocks(document, "python")), encoding="utf-8")
    options = ["-q", "-p", "no:cacheprovider", "-p", "bearer_guard.pytest_plugin", "-p", "anyio", "-W", "error"]
    command = [sys.executable, "-m", "pytest", *options, str(module)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # Loading the plugins of everything that is installed takes longer than the tests.
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed in ", done.stdout, re.M), done.stdout


@every_document
def test_every_block_is_of_a_language_that_is_checked(document: str) -> None:
    assert {block.language for block in blocks(document)} <= {"python", "text", "sh"}


@every_document
def test_every_relative_link_leads_to_a_file_and_a_heading_of_it(document: str) -> None:
    for target in links(document):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        found = (ROOT / document).parent / path if path else ROOT / document
        assert found.exists(), target
        if fragment:
            assert fragment in anchors(found.resolve().relative_to(ROOT).as_posix()), target


# --- commands ------------------------------------------------------------------------------------------------------


def test_the_two_set_up_commands_are_those_that_ci_runs_as_they_are_written() -> None:
    assert [line for line in shell_lines("README.md") if "pip install" in line] == SETUP
    script = (ROOT / ".ci/run").read_text()
    assert 'grep -F -- "python -m pip install -e \'.[$1]\'" "$here/README.md"' in script
    for extra in ("test", "demo"):
        # What `grep` finds must be the command and nothing else: one line of README.md.
        prefix = f"python -m pip install -e '.[{extra}]'"
        assert [line for line in text_of("README.md").splitlines() if prefix in line] == [
            command for command in SETUP if prefix in command
        ]
        assert f"{extra}_command=$(readme_command {extra})" in script
        assert f'bash -c "${extra}_command"' in script


@every_document
def test_every_shell_line_is_a_command_that_works_here(document: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    script = (ROOT / ".ci/run").read_text()
    for line in shell_lines(document):
        if line in SETUP:
            continue
        words = shlex.split(line)
        if line.startswith("python -m pip install "):
            extra = re.fullmatch(r"python -m pip install -e '\.\[(\w+)\]'", line)
            assert extra is not None, line
            assert extra[1] in extras, line
        elif words[:2] == ["python", "-c"]:
            assert subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=True).stdout
        elif words[0] == "python":
            assert words[1].startswith("examples/"), line
            assert (ROOT / words[1]).exists(), line
        elif words[0] == ".ci/run":
            assert os.access(ROOT / ".ci/run", os.X_OK)
        elif words[0] == "pytest":
            assert all((ROOT / word).exists() for word in words[1:] if not word.startswith("-")), line
        elif words[0] == "bearer-guard":
            command = itertools.takewhile(lambda word: not word.startswith("-"), words[1:])
            shown = subprocess.run(
                [sys.executable, "-m", "bearer_guard", *command, "--help"], capture_output=True, text=True, check=True
            )
            assert all(word in shown.stdout for word in words[2:] if word.startswith("-")), line
        else:
            assert re.search(rf'^    step "[^"]*" {re.escape(line)}$', script, re.M), line


# --- what README.md says -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def readme() -> dict[str, Any]:
    return run("README.md")[0]


def callers(issuer: LocalIssuer) -> dict[str, dict[str, str]]:
    """The header fields of a request for each row of README's table."""
    return {
        "no token": {},
        "a malformed `Authorization` field": {"Authorization": "Bearer a,b"},
        "a token that is expired, forged, or for another API": issuer.authorization(aud="https://other.example"),
        "a good token without the scope": issuer.authorization(scope="write:users"),
        "a token that nobody can judge at the moment": issuer.authorization(scope="read:users"),
    }


def test_callers_see_the_statuses_and_challenges_of_the_table(readme: dict[str, Any]) -> None:
    issuer = LocalIssuer(API)
    headers = callers(issuer)
    rows = list(tables("README.md", "request"))
    assert [row[0] for row in rows] == list(headers)
    for client in (TestClient(readme["app"]), readme["flask_app"].test_client()):
        for name, status, challenge in rows:
            with issuer.override(readme["guard"]):
                trouble = issuer.outage() if status == "503" else None
                response = client.get("/v1/user-status", headers=headers[name])
                if trouble is not None:
                    trouble.end()
            assert response.status_code == int(status), name
            if status == "503":
                assert "www-authenticate" not in response.headers
                assert int(response.headers["retry-after"]) >= 1
            else:
                shown = re.escape(challenge.strip("`")).replace(r"\.\.\.", ".+")
                assert re.fullmatch(shown, response.headers["www-authenticate"]), response.headers["www-authenticate"]


def test_both_applications_of_the_readme_let_the_scope_in_and_leave_health_open(readme: dict[str, Any]) -> None:
    issuer = LocalIssuer(API)
    for client in (TestClient(readme["app"]), readme["flask_app"].test_client()):
        assert client.get("/health").status_code == 200
        with issuer.override(readme["guard"]):
            assert client.get("/v1/user-status", headers=issuer.authorization(scope="read:users")).status_code == 200


def test_a_page_can_read_the_refusals_of_the_application_for_browsers(readme: dict[str, Any]) -> None:
    client = TestClient(readme["app_for_browsers"])
    refused = client.get("/v1/user-status", headers={"Origin": "https://app.example.com"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example.com"
    assert refused.headers["access-control-expose-headers"] == "WWW-Authenticate"


def test_the_readme_says_in_three_sentences_what_the_package_is() -> None:
    first = text_of("README.md").split("\n\n")[1]
    assert len(re.findall(r"[.!?](?=\s|$)", first)) == 3


# --- the documents beside it ---------------------------------------------------------------------------------------


def test_the_pages_of_all_adapters_have_the_same_headings() -> None:
    pages = {adapter: headings(f"docs/how-to/{adapter}.md") for adapter in ADAPTERS}
    assert len(set(map(tuple, pages.values()))) == 1, pages


def test_every_document_is_reached_from_the_index() -> None:
    reached, waiting = set[str](), ["README.md", "docs/index.md"]
    while waiting:
        document = waiting.pop()
        if document in reached:
            continue
        reached.add(document)
        for target in links(document):
            path = ((ROOT / document).parent / target.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.is_relative_to(ROOT) and path.exists():
                waiting.append(path.relative_to(ROOT).as_posix())
    assert reached == set(DOCUMENTS)


def error_classes() -> dict[str, type[BaseException]]:
    exported = {name: getattr(bearer_guard, name) for name in bearer_guard.__all__}
    return {
        name: value
        for name, value in exported.items()
        if isinstance(value, type) and issubclass(value, bearer_guard.BearerGuardError)
    }


def test_the_reference_of_errors_lists_each_class_with_its_status_code_and_description() -> None:
    listed = {row[0].strip("`"): row[1:] for row in tables("docs/reference/errors.md", "class")}
    refused = {name: value for name, value in error_classes().items() if getattr(value, "description", None)}
    assert listed.keys() == refused.keys()
    for name, value in refused.items():
        kind: Any = value
        code = "" if kind.error is None else f"`{kind.error}`"
        assert listed[name][:3] == [str(kind.status), code, kind.description], name


def test_the_reference_of_errors_lists_each_reason() -> None:
    listed = [row[0].strip("`") for row in tables("docs/reference/errors.md", "reason")]
    assert sorted(listed) == sorted(get_args(_errors.Reason))
    assert len(listed) == len(set(listed))


def test_the_reference_of_errors_lists_every_other_class_too() -> None:
    listed = {row[0].strip("`") for row in tables("docs/reference/errors.md", "base or fault")}
    assert listed == {name for name, value in error_classes().items() if not getattr(value, "description", None)}


def signature_of(name: str) -> inspect.Signature:
    module, _, attribute = name.rpartition(".")
    owner: Any = sys.modules[f"bearer_guard.{module}"] if module else bearer_guard
    found = getattr(owner, attribute)
    return inspect.signature(found)


CONSTRUCTORS = [
    name
    for name in bearer_guard.__all__
    if isinstance(getattr(bearer_guard, name), type)
    and not issubclass(getattr(bearer_guard, name), (BaseException, bearer_guard.Refusal))
    and name not in ("Verifier", "AccessToken", "IncomingRequest", "ErrorBody")
]


def shown_parameters(constructor: str) -> list[tuple[str, str]]:
    """(name, default) of each parameter that the reference lists below the heading of this constructor."""
    text = text_of("docs/reference/parameters.md")
    section = re.search(rf"^## `{constructor}`\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert section is not None, f"no heading for {constructor}"
    return [(row[1], row[2]) for row in re.finditer(r"^\| `\*?(\w+)` \| ([^|]*) \|", section[1], re.M)]


@pytest.mark.parametrize("constructor", CONSTRUCTORS)
def test_the_reference_of_parameters_lists_each_with_its_default(constructor: str) -> None:
    expected: list[tuple[str, str]] = []
    for parameter in signature_of(constructor).parameters.values():
        if parameter.name.startswith("_"):
            continue
        default: Any = parameter.default
        if default is inspect.Parameter.empty or repr(default) == "<required>":
            shown = "required" if parameter.kind is not inspect.Parameter.VAR_POSITIONAL else "one or more"
        elif callable(default):
            shown = f"`{getattr(default, '__qualname__', default)}`"
            module = getattr(default, "__module__", None) or ""
            shown = f"`{module}.{default.__name__}`" if module == "time" else shown
        else:
            shown = f"`{default!r}`"
        expected.append((parameter.name, shown))
    assert shown_parameters(constructor) == expected
