"""Names of tests that are the same in every process, so that workers that share the tests agree on them."""

from __future__ import annotations

import re


def named(value: object) -> str:
    """`str(value)` without the addresses at which objects happen to lie."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(value))
