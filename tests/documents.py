"""The project's Markdown documents, taken apart into fenced blocks, tables and links, and their Python blocks run.

The blocks of a document are run from top to bottom. Each sees the names of those before it, and its own names do not
reach back: a handler at the top keeps the `requires` that it was written with. The tests that a block defines are called.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.is_file()
)

_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block: its language, its text and the line of the document that the text begins on."""

    language: str
    text: str
    line: int


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, language: str | None = None) -> list[Block]:
    """The fenced blocks of a document, or those of one language, in order."""
    text = text_of(document)
    found = [Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1) for match in _FENCE.finditer(text)]
    return [block for block in found if language in (None, block.language)]


def shell_lines(document: str) -> list[str]:
    """The commands in a document's shell blocks."""
    return [line for block in blocks(document, "sh") for line in block.text.splitlines() if line.strip()]


def links(document: str) -> list[str]:
    """The targets of a document's links, code left aside."""
    return _LINK.findall(_FENCE.sub("", text_of(document)))


def anchors(document: str) -> set[str]:
    """The fragments that the headings of a document make."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", text_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def headings(document: str) -> list[str]:
    """The second-level headings of a document."""
    return re.findall(r"^## (.*)$", _FENCE.sub("", text_of(document)), re.MULTILINE)


def tables(document: str, first_header: str) -> Iterator[list[str]]:
    """The rows of every table of a document whose first column is called `first_header`, as lists of cells."""
    inside = False
    for line in text_of(document).splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells[0] == first_header:
            inside = True
        elif inside and set(cells[0]) != {"-"}:
            yield cells


def run(document: str) -> tuple[dict[str, Any], int]:
    """Run the Python blocks of a document and the tests in them; the names in the end, and how many tests there were.

    A `text` block after a Python block is what that one prints, character for character.
    """
    names: dict[str, Any] = {"__name__": "document"}
    called = 0
    printed: str | None = None
    for block in blocks(document):
        if block.language == "text":
            assert printed is not None, f"{document}:{block.line}: a text block follows no Python block"
            assert printed == block.text, f"{document}:{block.line}: printed instead:\n{printed}"
        printed = None
        if block.language == "python":
            names = dict(names)
            before = set(names)
            # Line numbers of tracebacks are those of the document.
            code = compile("\n" * (block.line - 1) + block.text, str(ROOT / document), "exec", dont_inherit=True)
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(code, names)
            printed = output.getvalue()
            for name in names.keys() - before:
                if name.startswith("test_"):
                    called += 1
                    result = names[name]()
                    if inspect.iscoroutine(result):
                        asyncio.run(result)
    return names, called
