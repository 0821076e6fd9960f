"""One authentication challenge and its spelling in WWW-Authenticate (RFC 6750 §3, RFC 9110 §11.6.1).

Every value is written as a quoted-string and refused at construction when it holds a character that the Bearer scheme
does not allow there, so that no configured text can bend a response header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ._errors import ConfigurationError

# error, error_description: %x20-21 / %x23-5B / %x5D-7E, and realm is held to the same               RFC 6750 §3
_SAFE = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]*")
_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_NAME = re.compile(_TOKEN)
# auth-param = token BWS "=" BWS ( token / quoted-string )                                            RFC 9110 §11.2
_PARAM = re.compile(rf'[ \t]*({_TOKEN})[ \t]*=[ \t]*(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")[ \t]*')
_SCHEME = re.compile(rf"[ \t]*({_TOKEN})(?:[ ]+|[ \t]*(?:,|$))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A challenge: its scheme and its parameters, each at most once, in the order in which they are sent."""

    scheme: str = "Bearer"
    params: Mapping[str, str]

    def __post_init__(self) -> None:
        problems = [
            f"challenge: {name} may hold printable ASCII without quotes and backslashes only (RFC 6750 §3)"
            for name, value in self.params.items()
            if not (_NAME.fullmatch(name) and _SAFE.fullmatch(value))
        ]
        if not _NAME.fullmatch(self.scheme):
            problems.append("challenge: the scheme must be a token (RFC 9110 §11.1)")
        if self.scheme.lower() == "bearer" and not self.params:
            problems.append("challenge: at least one parameter is needed, such as realm (RFC 6750 §3)")
        if problems:
            raise ConfigurationError(*problems)
        object.__setattr__(self, "params", MappingProxyType(dict(self.params)))

    def __str__(self) -> str:
        """The value of one WWW-Authenticate field line."""
        return f"{self.scheme} " + ", ".join(f'{name}="{value}"' for name, value in self.params.items())


def parse_challenges(value: str) -> tuple[Challenge, ...]:
    """The challenges in one WWW-Authenticate value; parameter names in lower case. Raises ValueError when malformed."""
    challenges: list[Challenge] = []
    position = 0
    while position < len(value):
        scheme = _SCHEME.match(value, position)
        if scheme is None:
            raise ValueError(f"no authentication scheme at offset {position}")
        position = scheme.end()
        params, position = _params(value, position)
        challenges.append(Challenge(scheme=scheme[1], params=params))
    return tuple(challenges)


def _params(value: str, position: int) -> tuple[dict[str, str], int]:
    params: dict[str, str] = {}
    while found := _PARAM.match(value, position):
        name = found[1].lower()
        if name in params:
            raise ValueError(f"parameter repeated at offset {position}")
        params[name] = found[2] if found[2] is not None else re.sub(r"\\(.)", r"\1", found[3])
        position = found.end()
        if position < len(value):
            if value[position] != ",":
                raise ValueError(f"a comma is missing at offset {position}")
            position += 1
    return params, position
