"""What the demo prints: a transcript as it goes along and a table at the end, or one JSON document for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TextIO

from ._exchange import Exchange, shown_headers

_STYLES: Final = {"title": "1;36", "good": "32", "bad": "1;31", "faint": "2", "plain": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: what was asked, of whom, what was expected and what was seen."""

    step: str
    who: str
    expected: str
    seen: str

    @property
    def agrees(self) -> bool:
        return self.expected == self.seen


class Transcript:
    """Collects rows and exchanges, and writes them to `out` as text; nothing as it goes along where `quiet`."""

    def __init__(self, out: TextIO, *, colour: bool, quiet: bool) -> None:
        self.rows: list[Row] = []
        self._exchanges: list[dict[str, Any]] = []
        self._out = out
        self._colour = colour
        self._quiet = quiet
        self._step = ""

    def step(self, title: str, *notes: str) -> None:
        """Begin a step of the demo."""
        self._step = title
        self._write(f"\n{title}", "title")
        for note in notes:
            self._write(f"  {note}", "faint")

    def exchange(self, who: str, expected: str, exchange: Exchange) -> None:
        """Show an exchange and compare its outcome with the expected one."""
        self._exchanges.append({"step": self._step, "who": who, **exchange.as_json()})
        self._write(f"  {who}: POST {exchange.url}")
        for name, value in shown_headers(exchange.headers).items():
            self._write(f"    > {name}: {value}", "faint")
        self._write(f"    > {exchange.sent}", "faint")
        self._compare(Row(step=self._step, who=who, expected=expected, seen=exchange.outcome), "<")
        if exchange.challenge is not None:
            self._write(f"    < WWW-Authenticate: {exchange.challenge}")
        if exchange.body:
            self._write(f"    < {exchange.body}")

    def compare(self, who: str, expected: str, seen: str) -> None:
        """Note what was expected and what was seen of something that is no exchange."""
        self._compare(Row(step=self._step, who=who, expected=expected, seen=seen), f"{who}:")

    def _compare(self, row: Row, mark: str) -> None:
        self.rows.append(row)
        self._write(f"    {mark} {row.seen}" + ("" if row.agrees else f"   (expected: {row.expected})"), _mood(row))

    @property
    def agrees(self) -> bool:
        """Whether everything was as expected, and there was something to expect."""
        return bool(self.rows) and all(row.agrees for row in self.rows)

    def table(self, seconds: float) -> None:
        """The table of all rows, and the verdict."""
        titles = Row(step="step", who="who", expected="expected", seen="seen")
        columns = [(row.step, row.who, row.expected, row.seen) for row in (titles, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
        self._write("")
        self._write(_line(columns[0], widths), "title")
        for row, cells in zip(self.rows, columns[1:], strict=True):
            self._write(f"{_line(cells, widths)}  {'ok' if row.agrees else 'DIFFERS'}", _mood(row))
        wrong = sum(not row.agrees for row in self.rows)
        verdict = f"{wrong} of {len(self.rows)} differ" if wrong else f"all {len(self.rows)} as expected"
        self._write(f"\n{verdict}, {seconds:.1f} s", "bad" if wrong else "good")

    def document(self, seconds: float) -> None:
        """Everything as one JSON document."""
        rows = [
            {"step": row.step, "who": row.who, "expected": row.expected, "seen": row.seen, "ok": row.agrees}
            for row in self.rows
        ]
        content = {"ok": self.agrees, "seconds": round(seconds, 2), "checks": rows, "exchanges": self._exchanges}
        print(json.dumps(content, indent=2), file=self._out, flush=True)

    def say(self, *lines: str) -> None:
        """Lines outside every step."""
        for line in lines:
            self._write(line)

    def _write(self, line: str, style: str = "plain") -> None:
        if self._quiet:
            return
        code = _STYLES[style]
        print(f"\x1b[{code}m{line}\x1b[0m" if self._colour and code else line, file=self._out, flush=True)


def _mood(row: Row) -> str:
    return "good" if row.agrees else "bad"


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
