"""Section `tokens`: what a token costs that nobody has seen before, and what each contender leaves unchecked meanwhile."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import probes
from tests.benchmarks.contenders import CONTENDERS, Verify, line_up, release
from tests.benchmarks.material import ALGORITHMS, Material
from tests.benchmarks.paired import Batch, cells, figure, table, times_of

RAW = "signature check and json.loads"


def measure(rounds: int) -> dict[str, Any]:
    """Microseconds and ratios by algorithm and contender, and the probes that each contender lets pass."""
    passed, left_out = leniency()
    algorithms = {}
    for algorithm in ALGORITHMS:
        figures, missing = _figures(algorithm, rounds, set(passed))
        algorithms[algorithm] = figures
        left_out |= {f"{name}, {algorithm}": reason for name, reason in missing.items() if name in passed}
    return {"algorithms": algorithms, "unchecked": passed, "left_out": left_out}


def leniency() -> tuple[dict[str, list[str]], dict[str, str]]:
    """The probes that each contender lets pass, and who could not be asked."""
    material = Material("RS256", 1)
    ready, left_out = line_up("RS256", material.public_key, material.jwk(), material.tokens[0])
    passed: dict[str, list[str]] = {}
    for name in ready:
        make = CONTENDERS[name]

        def trusting(key: Any, make: Any = make) -> Any:
            return probes.verifies(make("RS256", key.public_key(), probes.jwk_of(key)))

        try:
            passed[name] = probes.unchecked(trusting, material)
        except ValueError as failure:
            left_out[name] = str(failure)
    return passed, left_out


def _figures(algorithm: str, rounds: int, wanted: set[str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    material = Material(algorithm)
    jwk = None if algorithm == "HS256" else material.jwk()
    ready, left_out = line_up(algorithm, material.public_key, jwk, material.tokens[0])
    batches: dict[str, Batch] = {RAW: material.raw()}
    batches |= {name: _batch(verify, material.tokens) for name, verify in ready.items() if name in wanted}
    times = times_of(batches, operations=len(material.tokens), rounds=rounds)
    figures = [{"name": name, **figure(times[name], times[RAW])} for name in batches]
    for entry in figures:
        entry["version"] = "" if entry["name"] == RAW else release(entry["name"])
    return sorted(figures, key=lambda entry: entry["ratio"]["median"]), left_out


def _batch(verify: Verify, tokens: list[str]) -> Batch:
    def batch() -> None:
        for token in tokens:
            verify(token)

    return batch


def render(record: dict[str, Any]) -> str:
    """The tables of this section in Markdown."""
    unchecked: dict[str, list[str]] = record["unchecked"]
    parts = []
    head = ["who", "version", "µs a token", "x RAW", "quartiles", "leaves unchecked"]
    for algorithm, figures in record["algorithms"].items():
        rows = [
            [entry["name"], entry["version"], *cells(entry), _gaps(unchecked.get(entry["name"]))] for entry in figures
        ]
        parts.append(f"### {algorithm}, every token new\n\n{table(head, rows)}")
    parts.append(f"### Who is ahead of us, and what that leaves out\n\n{ahead(record)}")
    parts.append(f"### What was probed\n\n{probe_table(unchecked)}")
    if record["left_out"]:
        lines = [f"- {name}: {reason}." for name, reason in record["left_out"].items()]
        parts.append("Left out:\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def ahead(record: dict[str, Any]) -> str:
    """A sentence for each algorithm on which somebody is faster than we are, with what they let pass."""
    lines = []
    for algorithm, figures in record["algorithms"].items():
        names = [entry["name"] for entry in figures]
        own = next((entry for entry in figures if entry["name"] == "bearer_guard"), None)
        if own is None:
            continue
        faster = [
            f"{entry['name']} takes {entry['ratio']['median'] / own['ratio']['median']:.2f} of our time and lets pass "
            f"{_gaps(record['unchecked'].get(entry['name']))}"
            for entry in figures[: names.index("bearer_guard")]
            if entry["name"] != RAW and not entry["name"].startswith("bearer_guard")
        ]
        lines.append(f"- {algorithm}: {'; '.join(faster) or 'nobody'}.")
    return "\n".join(lines) + "\n"


def probe_table(unchecked: dict[str, list[str]]) -> str:
    """Who refused what, and what each probe is."""
    rows = [
        [name, *("**taken**" if probe in passed else "refused" for probe in probes.MEANING)]
        for name, passed in unchecked.items()
    ]
    meaning = "\n".join(f"- `{name}`: {text}." for name, text in probes.MEANING.items())
    return f"{meaning}\n\n{table(['who', *probes.MEANING], rows)}"


def _gaps(passed: list[str] | None) -> str:
    if passed is None:
        return ""
    return ", ".join(passed) or "nothing of these"
