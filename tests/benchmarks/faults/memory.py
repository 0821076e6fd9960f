"""The memory of a process: how much it holds, and the most that it held since it last asked.

What `resource` calls the maximum begins, in a process that was started by a larger one, with that one's: on Linux the
kernel's own peak is taken instead, which can be put back.
"""

from __future__ import annotations

import resource
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Begin the peak anew with what is held now, where the system can do that."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        pass


def peak() -> float:
    """The most that was resident at once, in MB."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
