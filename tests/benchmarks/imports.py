"""`python -m tests.benchmarks.imports`: what `import bearer_guard` costs, in fresh interpreters, beside what is below it.

Prints and records, in imports.txt beside this file, the median time and the number of modules that an import adds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS = 15
IMPORTS = {
    "nothing": "pass",
    "cryptography, the key types": "from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa",
    "jwt": "import jwt",
    "bearer_guard": "import bearer_guard",
    "bearer_guard.starlette": "import bearer_guard.starlette",
    "bearer_guard.flask": "import bearer_guard.flask",
}
PROGRAM = """
import sys, time
before, begun = len(sys.modules), time.perf_counter()
{statement}
print((time.perf_counter() - begun) * 1000, len(sys.modules) - before)
"""


def measure(statement: str) -> tuple[float, int]:
    """Milliseconds and modules of one import in a fresh interpreter."""
    program = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    milliseconds, modules = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
    return float(milliseconds), int(modules)


def main() -> None:
    measured: dict[str, list[tuple[float, int]]] = {name: [] for name in IMPORTS}
    for _ in range(ROUNDS):
        for name, statement in IMPORTS.items():
            measured[name].append(measure(statement))
    lines = [f"CPython {sys.version.split()[0]}, {ROUNDS} interleaved rounds, median", ""]
    lines += [
        f"{name:<30} {statistics.median(time for time, _ in runs):7.1f} ms {runs[0][1]:5d} modules"
        for name, runs in measured.items()
    ]
    record = "\n".join(lines) + "\n"
    print(record, end="")
    Path(__file__).with_suffix(".txt").write_text(record, encoding="utf-8")


if __name__ == "__main__":
    main()
