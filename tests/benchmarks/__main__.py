"""`python -m tests.benchmarks [ROUNDS]`: measures, prints and writes docs/performance-tables.md.

`BEARER_GUARD_PLAIN=1` leaves pybase64 out, as if the extra `speed` were not installed.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

if os.environ.get("BEARER_GUARD_PLAIN"):
    sys.modules["pybase64"] = None  # type: ignore[assignment]

from tests.benchmarks import threads, tokens


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 41
    warnings.simplefilter("ignore")
    parts = [f"# Speed tables\n\n{tokens.environment()}"]
    measured = (
        tokens.cold,
        tokens.warm,
        tokens.requests,
        tokens.refused_cheaply,
        tokens.growth,
        threads.threads,
    )
    for section in (measure(rounds) for measure in measured):
        for part in section:
            print(part, flush=True)
            parts.append(part)
    for part in (*tokens.flood(), *tokens.memory()):
        print(part)
        parts.append(part)
    name = "performance-tables-plain.md" if os.environ.get("BEARER_GUARD_PLAIN") else "performance-tables.md"
    Path("docs", name).write_text("\n".join(parts), encoding="utf-8")


main()
