"""Where the public test vectors and the providers' published documents are: data that tests read and the project does
not carry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def vectors(name: str) -> Path:
    """The file or folder `name` of the vectors.

    Looked for in the folder that BEARER_GUARD_VECTORS names, else in ../shared/vectors beside the repository. Where it
    is missing, the calling test is skipped and says so; with CI set in the environment it fails.
    """
    return _found(f"test vectors {name}", name, "vectors", "BEARER_GUARD_VECTORS")


def provider_document(pattern: str) -> str:
    """The text of the provider's document whose file name fits `pattern`.

    Looked for in the folder that BEARER_GUARD_PROVIDERS names, else in ../shared/providers, and missed like vectors.
    """
    folder = _found("provider documents", "", "providers", "BEARER_GUARD_PROVIDERS")
    (path,) = folder.glob(pattern)
    return path.read_text(encoding="utf-8")


def _found(what: str, name: str, folder: str, variable: str) -> Path:
    named = os.environ.get(variable)
    path = (Path(named) if named else Path(__file__).parents[2] / "shared" / folder) / name
    if not path.exists():
        reason = f"no {what}: put them into ../shared/{folder} or name their folder in {variable}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
