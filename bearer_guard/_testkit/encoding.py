"""Tokens of any header and any claims: the issuer's own serialization, with nothing of its care."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from .._jws import compact
from ..issuer import SigningKey
from ..issuer._tokens import json_octets


class _Absent(Enum):
    ABSENT = "ABSENT"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent.ABSENT
"""In the place of a claim or a header parameter: leave it out."""


def changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`members` with `changes` made; ABSENT takes a member away."""
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


def encode(
    header: Mapping[str, Any] | bytes,
    claims: Mapping[str, Any] | bytes,
    key: SigningKey | Callable[[bytes], bytes],
) -> str:
    """A compact JWS of `header` and `claims` signed with `key`, however wrong it is.

    Bytes are taken as they are, so that what is no JSON can be signed too; a callable makes the signature itself.
    """
    return compact(
        header if isinstance(header, bytes) else json_octets(header),
        claims if isinstance(claims, bytes) else json_octets(claims),
        key.sign if isinstance(key, SigningKey) else key,
    )
