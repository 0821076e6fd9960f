"""What a route requires of a token's scopes: all of, any of, nested as needed (RFC 6749 §3.3, RFC 6750 §3).

Scopes are compared exactly and case-sensitively, as members of a set. An empty list of conditions is a mistake, never
"allow".
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from ._errors import SCOPE_TOKEN, ConfigurationError


class Requirement:
    """A condition on the scopes of a token, built by `all_of` and `any_of`."""

    __slots__ = ("_plain", "conditions", "every")

    conditions: tuple[str | Requirement, ...]
    every: bool

    def __init__(self, conditions: tuple[str | Requirement, ...], *, every: bool) -> None:
        self.conditions = conditions
        self.every = every
        self._plain = frozenset(condition for condition in conditions if isinstance(condition, str))

    def allows(self, scopes: AbstractSet[str]) -> bool:
        """Whether a token with exactly these scopes meets the requirement."""
        nested = [condition for condition in self.conditions if isinstance(condition, Requirement)]
        if self.every:
            return self._plain <= scopes and all(condition.allows(scopes) for condition in nested)
        return not self._plain.isdisjoint(scopes) or any(condition.allows(scopes) for condition in nested)

    @property
    def named(self) -> tuple[str, ...]:
        """The scopes to ask for so that the requirement is met: all of `all_of`, the first alternative of `any_of`."""
        chosen = self.conditions if self.every else self.conditions[:1]
        names: list[str] = []
        for condition in chosen:
            names += [condition] if isinstance(condition, str) else condition.named
        return tuple(dict.fromkeys(names))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Requirement):
            return NotImplemented
        return (self.every, self.conditions) == (other.every, other.conditions)

    def __hash__(self) -> int:
        return hash((self.every, self.conditions))

    def __repr__(self) -> str:
        return f"{'all_of' if self.every else 'any_of'}({', '.join(map(repr, self.conditions))})"


def all_of(*conditions: str | Requirement) -> Requirement:
    """Every one of the conditions. Raises ConfigurationError for none at all or for what is not one scope."""
    return Requirement(_checked("all_of", conditions), every=True)


def any_of(*conditions: str | Requirement) -> Requirement:
    """At least one of the conditions; a 403 names the first. Raises ConfigurationError as `all_of` does."""
    return Requirement(_checked("any_of", conditions), every=False)


def requirement(conditions: str | Requirement | None) -> Requirement | None:
    """The Requirement that one scope, a Requirement or None stands for."""
    if conditions is None or isinstance(conditions, Requirement):
        return conditions
    return all_of(conditions)


def _checked(owner: str, conditions: tuple[Any, ...]) -> tuple[str | Requirement, ...]:
    problems = [problem for condition in conditions if (problem := _problem(condition))]
    if not conditions:
        problems.append("no condition given: name at least one scope")
    if problems:
        raise ConfigurationError(*(f"{owner}: {problem}" for problem in problems))
    return conditions


def _problem(condition: object) -> str | None:
    if isinstance(condition, Requirement):
        return None
    if not isinstance(condition, str):
        return f"{type(condition).__name__} is not a condition: give scope names, any_of(...) or all_of(...)"
    if " " in condition:
        return f"{condition!r} holds a space: give each scope as a string of its own"
    if not SCOPE_TOKEN.fullmatch(condition):
        return f"{condition!r} is not a scope (RFC 6749 §3.3): use printable ASCII without quotes and backslashes"
    return None
