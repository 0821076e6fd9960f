"""What type checkers see of the public API: the files of tests/typing, by mypy and by pyright."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "checker",
    [
        ["mypy", "--strict", "--cache-dir", "{cache}", "tests/typing/core.py", "tests/typing/decorators.py"],
        ["pyright", "--pythonpath", sys.executable, "tests/typing/core.py", "tests/typing/decorators.py"],
    ],
    ids=["mypy", "pyright"],
)
def test_the_public_types_are_as_written_down(checker: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", *(part.format(cache=tmp_path) for part in checker)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
