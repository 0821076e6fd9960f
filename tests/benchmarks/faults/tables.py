"""The cells of the tables: what the rounds found, ranges where they differ, and a table either way round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.benchmarks.faults.rows import NUMBER, Row, is_bad, is_not_applicable
from tests.benchmarks.faults.run import Results


def shown(values: Sequence[str | float]) -> str:
    """What several rounds found: the one thing, a range where only numbers differ, or everything."""
    if all(is_not_applicable(value) for value in values):
        return "n/a"
    texts = [value if isinstance(value, str) else f"{value:g}" for value in values]
    if len({NUMBER.sub("#", text) for text in texts}) > 1:
        return " / ".join(dict.fromkeys(texts))
    columns = zip(*(NUMBER.findall(text) for text in texts), strict=True)
    ranges = iter([_range(column) for column in columns])
    return NUMBER.sub(lambda _: next(ranges), texts[0])


def _range(numbers: Sequence[str]) -> str:
    low, high = min(numbers, key=float), max(numbers, key=float)
    return low if float(low) == float(high) else f"{low}-{high}"


def _cell(results: Results, name: str, row: Row) -> str:
    values = results.found.get(name, {}).get(row.name)
    if not values:
        return "?"
    text = shown(values)
    return f"**{text}**" if is_bad(values, row) else text


def across(results: Results, present: Mapping[str, str], rows: Sequence[Row]) -> str:
    """A column for each contender."""
    head = ["", *present.values()]
    return table(head, ([row.says, *(_cell(results, name, row) for name in present)] for row in rows))


def down(results: Results, present: Mapping[str, str], rows: Sequence[Row], titles: Sequence[str] = ()) -> str:
    """A line for each contender, and these titles of the columns if the rows' own are too long."""
    lines = ([title, *(_cell(results, name, row) for row in rows)] for name, title in present.items())
    return table(["", *(titles or [row.says for row in rows])], lines)


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines))
