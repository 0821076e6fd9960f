"""`python -m tests.benchmarks.faults`: see the package."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tests.benchmarks.faults.contenders import NAMES
from tests.benchmarks.faults.report import document
from tests.benchmarks.faults.run import measure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.faults")
    parser.add_argument("--python", action="append", default=[], help="an interpreter that has peers; may be repeated")
    parser.add_argument("--only", action="append", choices=NAMES, help="a contender; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", type=Path, default=Path("docs/fault-comparison.md"))
    given = parser.parse_args()
    begun = time.monotonic()
    results = measure(given.only or NAMES, given.python, given.rounds)
    given.to.write_text(document(results, given.rounds), encoding="utf-8")
    for trouble in results.troubles:
        print(trouble)
    for name, reason in results.absent.items():
        print(f"{name} is missing: {reason}")
    print(f"{given.to} written after {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
