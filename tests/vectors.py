"""Where the public test vectors are: data that tests read and the project does not carry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def vectors(name: str) -> Path:
    """The file or folder `name` of the vectors.

    Looked for in the folder that BEARER_GUARD_VECTORS names, else in ../shared/vectors beside the repository. Where it
    is missing, the calling test is skipped and says so; with CI set in the environment it fails.
    """
    named = os.environ.get("BEARER_GUARD_VECTORS")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "vectors"
    path = folder / name
    if not path.exists():
        reason = f"no test vectors {name}: put them into ../shared/vectors or name their folder in BEARER_GUARD_VECTORS"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
