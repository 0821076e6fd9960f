"""`python -m tests.benchmarks [SECTION ...] [--quick] [--into FOLDER]`: measures, prints and writes.

Without a section, all of them: tokens, cache, requests, servers, growth, introspection, issuance; `report` measures
nothing and writes the document and the plots anew. Figures are kept in tests/benchmarks/figures.json, section by
section; docs/performance.md and docs/plots/ are made of them. `--quick` measures a few rounds to see whether everything
works, and writes nothing unless `--into` names a folder for the document, the plots and the figures. What must be
installed is in tests/benchmarks/requirements.txt, and `wrk` for `servers`.

`BEARER_GUARD_PLAIN=1` measures as if the extra `speed` were not installed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import speed

if os.environ.get("BEARER_GUARD_PLAIN"):
    speed.leave_out()

from tests.benchmarks import cold, growth, in_process, introspection, record, report, servers, threads, tokens
from tests.benchmarks.paired import table

Measured = tuple[dict[str, Any], int]


def measure_tokens(quick: bool) -> Measured:
    rounds = 5 if quick else 31
    return cold.measure(rounds), rounds


def measure_cache(quick: bool) -> Measured:
    rounds = 5 if quick else 31
    parts = [*tokens.warm(rounds), *tokens.flood(), *tokens.refused_cheaply(rounds)]
    return {"text": "\n".join(parts)}, rounds


def measure_threads(quick: bool) -> Measured:
    rounds = 3 if quick else 11
    return {"text": "\n".join(threads.threads(rounds))}, rounds


def measure_requests(quick: bool) -> Measured:
    rounds = 5 if quick else 31
    return in_process.measure(rounds), rounds


def measure_servers(quick: bool) -> Measured:
    rounds, seconds = (1 if quick else 5), 1
    return servers.measure(rounds, seconds), rounds


def measure_growth(quick: bool) -> Measured:
    rounds = 3 if quick else 21
    return growth.measure(rounds, 10_000 if quick else 1_000_000), rounds


def measure_introspection(quick: bool) -> Measured:
    rounds = 1 if quick else 3
    return introspection.measure(rounds, 0.3 if quick else 0.7, 2_000), rounds


def measure_issuance(quick: bool) -> Measured | None:
    """The issuer's cost per token, where that program is there: `issuance.costs(rounds)` has the rows."""
    if importlib.util.find_spec("tests.benchmarks.issuance") is None:
        return None
    rounds = 5 if quick else 21
    module: Any = importlib.import_module("tests.benchmarks.issuance")
    head = ["key", "what", "µs a token", "x the signature", "quartiles"]
    return {"text": table(head, module.costs(rounds))}, rounds


SECTIONS: dict[str, Callable[[bool], Measured | None]] = {
    "tokens": measure_tokens,
    "cache": measure_cache,
    "threads": measure_threads,
    "requests": measure_requests,
    "servers": measure_servers,
    "growth": measure_growth,
    "introspection": measure_introspection,
    "issuance": measure_issuance,
}


def main(arguments: list[str] | None = None) -> None:
    chosen = _arguments(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped, too
    warnings.simplefilter("ignore")
    figures = record.FIGURES if chosen.into == Path("docs") else Path(chosen.into or ".", "figures.json")
    kept = record.load(figures) if chosen.into else {}
    for name in [] if chosen.sections == ["report"] else chosen.sections or list(SECTIONS):
        begun = time.monotonic()
        measured = SECTIONS[name](chosen.quick)
        if measured is None:
            print(f"## {name}: there is no program for it yet\n", flush=True)
            continue
        kept[name] = record.section(measured[0], rounds=measured[1], quick=chosen.quick)
        print(f"## {name}\n\n{report.RENDERERS[name](measured[0])}", flush=True)
        print(f"({name}: {time.monotonic() - begun:.0f} s)\n", flush=True)
        if chosen.into:
            chosen.into.mkdir(parents=True, exist_ok=True)
            record.save({name: kept[name] for name in SECTIONS if name in kept}, figures)
    if chosen.into:
        write(record.load(figures), chosen.into)


def write(kept: record.Record, folder: Path) -> None:
    """The document, and the plots where matplotlib is installed."""
    (folder / "performance.md").write_text(report.document(kept), encoding="utf-8")
    if importlib.util.find_spec("matplotlib") is None:
        print("matplotlib is not installed: the plots are as they were")
        return
    from tests.benchmarks import plots

    for path in plots.draw(kept, folder / "plots"):
        print(f"wrote {path}")


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measures, prints and writes.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}, or report")
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see whether everything works")
    parser.add_argument("--into", type=Path, help="the folder to write to (docs, with --quick none)")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.sections) - {*SECTIONS, "report"}:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    if chosen.into is None and not chosen.quick:
        chosen.into = Path("docs")
    return chosen


if __name__ == "__main__":
    main()
