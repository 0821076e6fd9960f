"""The published fault table: every row of it is shown by tests that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.documents import tables, text_of

TABLE = "docs/reference/fault-table.md"


def _tests(path: Path) -> Iterator[tuple[str, str]]:
    """The tests in a module: each name, with its text."""
    source = path.read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_source_segment(source, node) or ""


TESTS = {name: text for path in Path(__file__).parent.glob("test_*.py") for name, text in _tests(path)}
SERVED = re.compile(r"\b(?:scene|warm|found|secure|provider): |\bProvider\(|\bserving\(|\bWorkers\(|\bcreate_server\(")
REPLACED = re.compile(r"def (?:send|_fetch)\(self")
WRAPPED = re.compile(r"\btransport\.send\(")


def on_a_socket(text: str) -> bool:
    """Whether a test has a server, and asks it."""
    return bool(SERVED.search(text)) and (not REPLACED.search(text) or bool(WRAPPED.search(text)))


ROWS = (
    *("cold start under 200 concurrent requests", "rotation under load", "rotation inside the cool-down"),
    *("1,000 random kids, provider up", "1,000 random kids, provider down, answering 500 or 429"),
    "500, HTML, `{}`, `[]`, 100 MB, gzip bomb, slow drip, connection reset, hangs, redirects; after warm",
    *("the same, cold", "provider down past stale bound", "removed key", "same kid with a new key"),
    *("one unusable key among good ones", "discovery issuer mismatch", "a waiting caller cancelled"),
    *("fork after construction and while a fetch is under way", "clock stepping back"),
    *("introspection endpoint down", "slow or hanging", "401, 500, 429, a redirect"),
    *("non-JSON, 100 MB, gzip bomb, reset", "any of the above beside an event loop"),
)
"""What no edition of the table may lose."""


def rows() -> Iterator[tuple[str, list[str]]]:
    """(trouble or rule, the tests that show it)."""
    for first in ("trouble", "rule"):
        for row in tables(TABLE, first):
            yield row[0], ["test_" + sentence.replace(" ", "_") for sentence in row[-1].split("; ")]


def test_every_row_is_shown_by_tests_that_exist() -> None:
    missing = [(row, name) for row, names in rows() for name in names if name not in TESTS]
    assert not missing


def test_the_table_has_every_row_that_was_promised() -> None:
    assert set(ROWS) <= {row for row, _ in rows()}
    for machine in ("test_state_machine.py", "test_introspection_state_machine.py"):
        assert f"tests/faults/{machine}" in text_of(TABLE)


def test_the_eleven_rules_of_a_fetch_are_in_their_order() -> None:
    numbers = [match[1] for row in tables(TABLE, "rule") if (match := re.match(r"(\d+)\. ", row[0]))]
    assert numbers == [str(number) for number in range(1, 12)]


def test_the_tests_without_a_socket_are_those_that_the_page_names() -> None:
    section = text_of(TABLE).partition("## Without a socket")[2]
    named = {
        "test_" + item.replace(" ", "_") for item in re.findall(r"^- ([a-z0-9 ]+?)(?: \(|$)", section, re.MULTILINE)
    }
    assert named == {name for _, names in rows() for name in names if not on_a_socket(TESTS[name])}


def test_every_module_of_fault_tests_is_in_the_table() -> None:
    shown = {name for _, names in rows() for name in names}
    for path in Path(__file__).parent.glob("test_*.py"):
        names = {name for name, _ in _tests(path)}
        others = {"test_fault_table.py", "test_issuer_store.py"}  # the table is about guards, not about issuers
        assert not names or names & shown or path.name in others, path.name
