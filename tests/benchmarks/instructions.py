"""`python -m tests.benchmarks.instructions [--check | --record]`: what each path costs, counted in instructions.

Seconds depend on what else a machine does; the number of instructions does not. Valgrind's callgrind counts them in one
process, for a batch and for twice the batch, so that whatever is done once cancels. A path is told by what it takes
beyond its floor (the signature check and `json.loads`, one SHA-256, the bare application), in units of one `json.loads`
of the same payload in the same run, so that another build of the interpreter or of a library below changes little. `--record` writes the figures of this interpreter to instructions.json beside this file; `--check` fails, with
exit status 1, where a path takes more than was recorded, beyond the tolerance. Without valgrind nothing is counted, and
that is a failure (exit status 2) where the environment variable `CI` says that it should have been there.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import speed
from tests.benchmarks.measure import table

TOLERANCE = 0.05
"""Of a recorded figure; a hundredth of the unit is always allowed."""

RECORD = Path(__file__).with_suffix(".json")
UNIT = "json.loads"


def interpreter() -> str:
    """What figures are recorded for: counts of one interpreter say nothing about another."""
    extra = "speed" if speed.is_there() and not os.environ.get("BEARER_GUARD_PLAIN") else "plain"
    version = ".".join(platform.python_version_tuple()[:2])
    return f"{platform.python_implementation()} {version}, {platform.machine()}, {extra}"


class Count(NamedTuple):
    """Instructions for one operation of a path, and how many of them are its own: beyond its floor, in units."""

    instructions: float
    own: float | None


def count() -> dict[str, Count]:
    """What valgrind counts for every path, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["setarch", "-R"] if shutil.which("setarch") else []
        command += ["valgrind", "--tool=callgrind", "--dump-before=sched_yield"]
        command += [f"--callgrind-out-file={folder}/counts", sys.executable, "-m", "tests.benchmarks.paths"]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        worker = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if worker.returncode:
            sys.exit(f"the paths could not be counted:\n{worker.stdout}{worker.stderr}")
        parts = sorted(Path(folder).glob("counts.*"), key=lambda part: int(part.suffix[1:]))
        totals = [_total(part) for part in parts]
    # A part ends where the worker yields: what was before, then for each path one batch and two.
    taken: dict[str, float] = {}
    own: dict[str, float | None] = {}
    for position, (name, operations, floor, counts) in enumerate(json.loads(worker.stdout)):
        taken[name] = (totals[2 + 2 * position] - totals[1 + 2 * position]) / operations
        beyond = taken[name] - sum(taken[below] for below in floor)
        own[name] = round(beyond / taken[UNIT], 3) if counts else None
    return {name: Count(taken[name], own[name]) for name in taken}


def _total(part: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", part.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    assert found is not None, part
    return int(found[1])


def regressions(found: dict[str, float], recorded: dict[str, float]) -> dict[str, bool]:
    """Whether each path takes more than was recorded, beyond the tolerance; one that is not recorded does."""
    return {
        name: name not in recorded or taken > recorded[name] + max(recorded[name] * TOLERANCE, 0.01)
        for name, taken in found.items()
    }


def main(arguments: list[str]) -> int:
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: no instructions were counted")
        return 2 if os.environ.get("CI") else 0
    who = interpreter()
    records: dict[str, dict[str, float]] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    counts = count()
    found = {name: path.own for name, path in counts.items() if path.own is not None}
    recorded = records.get(who, {})
    slower = regressions(found, recorded)
    rows = [
        [
            name,
            f"{counts[name].instructions:,.0f}",
            f"{taken:.3f}",
            f"{recorded[name]:.3f}" if name in recorded else "-",
        ]
        for name, taken in found.items()
    ]
    print(f"{who}; one {UNIT} of the payload: {counts[UNIT].instructions:,.0f} instructions\n")
    print(table(["path", "instructions", f"own, x {UNIT}", "recorded"], rows))
    if "--record" in arguments:
        records[who] = found
        RECORD.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    elif "--check" in arguments:
        if not recorded:
            print(f"nothing is recorded for {who}: run with --record")
            return 0
        for name in (name for name, worse in slower.items() if worse):
            print(f"more than recorded: {name}")
        return int(any(slower.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
