"""The published fault table: every row of it is shown by tests that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.documents import tables, text_of
from tests.faults.rows import CASES

TABLE = "docs/reference/fault-table.md"


def _tests(path: Path) -> Iterator[tuple[str, str]]:
    """The tests in a module: each name, with its text."""
    source = path.read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_source_segment(source, node) or ""


TESTS = {name: text for path in Path(__file__).parent.glob("test_*.py") for name, text in _tests(path)}
SERVED = re.compile(
    r"\b(?:scene|warm|found|secure|provider): |\bProvider\(|\bserving\(|\bWorkers\(|\bcreate_server\(|\bfull_queue\("
)
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


BESIDE_A_LOOP = {
    "cold start under 200 concurrent requests": "a cold start a rotation and a large set cost the loop nothing",
    "500, HTML, `{}`, `[]`, 100 MB, gzip bomb, slow drip, connection reset, hangs, redirects; after warm": (
        "a refresh that fails beside requests costs the loop nothing"
    ),
    "the same, cold": "a cold start that fails costs the loop nothing",
    "a waiting caller cancelled": "callers that are cancelled cost the loop nothing",
    "fork after construction and while a fetch is under way": "a forked child costs its loop nothing",
    "clock stepping back": "a clock that steps costs the loop nothing",
    "certificate of another authority, expired, or for another host": "tls costs the loop nothing",
    "a proxy that refuses": "a proxy costs the loop nothing",
    "discovery issuer mismatch": "discovery in trouble costs the loop nothing",
    "metadata that is gone, wrong, endless or late": "discovery in trouble costs the loop nothing",
    "metadata that leads to plain http": "metadata that leads to plain http costs the loop nothing",
    "introspection endpoint down": "introspection in trouble costs the loop nothing",
    "slow or hanging": "introspection in trouble costs the loop nothing",
    "401, 500, 429, a redirect": "introspection in trouble costs the loop nothing",
    "non-JSON, 100 MB, gzip bomb, reset": "introspection in trouble costs the loop nothing",
}
"""The rows that have a test of their own beside an event loop; all others are played from `tests.faults.rows`."""


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


def test_every_row_is_played_beside_an_event_loop() -> None:
    troubles = [row[0] for row in tables(TABLE, "trouble")]
    above = set(troubles[: troubles.index("any of the above beside an event loop")])
    assert above == ({case.row for case in CASES} & set(above)) | set(BESIDE_A_LOOP)
    missing = set(BESIDE_A_LOOP.values()) - {name.removeprefix("test_").replace("_", " ") for name in TESTS}
    assert not missing


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
