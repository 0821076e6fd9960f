"""What was measured, kept in figures.json beside this file, section by section, with what it was measured on."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypedDict

from tests.benchmarks import speed

FIGURES = Path(__file__).with_name("figures.json")
LIBRARIES = ("bearer-guard", "cryptography", "PyJWT", *speed.LIBRARIES, "httpx2", "uvicorn", "httptools", "uvloop")


class Section(TypedDict):
    """One section's figures, when and on what they were measured, and how often."""

    date: str
    environment: dict[str, Any]
    rounds: int
    quick: bool
    figures: dict[str, Any]


Record = dict[str, Section]


def section(figures: dict[str, Any], *, rounds: int, quick: bool) -> Section:
    """Figures as they came, under today's date and this machine's description."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "environment": environment(),
        "rounds": rounds,
        "quick": quick,
        "figures": figures,
    }


def environment() -> dict[str, Any]:
    """The machine and the libraries, without a name or a path of it."""
    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    for name in speed.LIBRARIES:
        if sys.modules.get(name, ...) is None:
            libraries.pop(name, None)
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": _system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": libraries,
    }


def load(path: Path = FIGURES) -> Record:
    """What was kept; nothing where there is no file yet."""
    if not path.exists():
        return {}
    kept: Record = json.loads(path.read_text(encoding="utf-8"))
    return kept


def save(record: Record, path: Path = FIGURES) -> None:
    """Keep `record`, numbers rounded to what they mean, so that a new run changes few lines."""
    path.write_text(json.dumps(_rounded(record), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*: (.*)$", cpuinfo.read_text(), re.M)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
