"""docs/performance.md from its template and what was measured: `{{tokens}}` is replaced by that section's tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import cold, growth, in_process, introspection, servers, speed
from tests.benchmarks.record import Record, Section

TEMPLATE = Path(__file__).with_name("performance.template.md")


def text(figures: dict[str, Any]) -> str:
    """A section that is kept as it was printed."""
    printed: str = figures["text"]
    return printed


RENDERERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "tokens": cold.render,
    "cache": text,
    "threads": text,
    "requests": in_process.render,
    "servers": servers.render,
    "growth": growth.render,
    "introspection": introspection.render,
    "issuance": text,
}
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def document(record: Record, template: str | None = None) -> str:
    """The whole page. A section that was not measured says so."""
    page = TEMPLATE.read_text(encoding="utf-8") if template is None else template

    def fill(place: re.Match[str]) -> str:
        name = place[1]
        if name == "machine":
            return machine(record)
        if name not in record:
            return "Not measured yet."
        return f"{caption(record, name)}\n\n{RENDERERS[name](record[name]['figures']).strip()}"

    return _PLACE.sub(fill, page)


def machine(record: Record) -> str:
    """The machines and libraries of the sections, each said once."""
    lines = []
    for environment, names in _by_environment(record):
        which = "" if len(names) == len(record) else f" ({', '.join(names)})"
        libraries = ", ".join(f"{name} {release}" for name, release in environment["libraries"].items())
        without = "".join(f", without {name}" for name in speed.LIBRARIES if name not in environment["libraries"])
        cores = f"{environment['cores']} core{'s' if environment['cores'] != 1 else ''}"
        lines.append(
            f"- {environment['processor']}, {cores}, {environment['system']}, {environment['python']}{which}; "
            f"{libraries}{without}."
        )
    return "\n".join(lines) or "Nothing has been measured yet."


def caption(record: Record, name: str) -> str:
    """When and how often a section was measured."""
    section: Section = record[name]
    quick = ", a quick run whose figures say little" if section["quick"] else ""
    return f"Measured on {section['date']}, {section['rounds']} rounds{quick}."


def _by_environment(record: Record) -> list[tuple[dict[str, Any], list[str]]]:
    found: list[tuple[dict[str, Any], list[str]]] = []
    for name, section in record.items():
        for environment, names in found:
            if environment == section["environment"]:
                names.append(name)
                break
        else:
            found.append((section["environment"], [name]))
    return found
