"""A JWK set made ready, and the choice of keys in it (RFC 7517 §5, RFC 7515 §4.1.4).

One unusable member never takes the others down: it is left out and its reason kept. Several keys may fit a header; each
is tried, up to a bound, and never the first alone.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

from ._checks import Check
from ._jose import UnusableKey, VerificationKey, load_jwk

MAX_KEYS: Final = 100
MAX_TRIED: Final = 4


class SkippedKey(NamedTuple):
    """A member of a set that is not used, and why; `position` counts from 0. Neither holds a value from the set."""

    position: int
    reason: str

    def __str__(self) -> str:
        return f"key {self.position}: {self.reason}"


class KeySet:
    """Keys that are current together. Immutable: what a source brings anew is another object."""

    __slots__ = ("_by_kid", "_checks", "_without_kid", "document", "keys", "skipped")

    def __init__(
        self, keys: tuple[VerificationKey, ...], *, skipped: tuple[SkippedKey, ...] = (), document: object = None
    ) -> None:
        self.keys: tuple[VerificationKey, ...] = keys
        self.skipped: tuple[SkippedKey, ...] = skipped
        self.document: object = document
        self._by_kid: dict[str, list[VerificationKey]] = {}
        for key in keys:
            if key.kid is not None:
                self._by_kid.setdefault(key.kid, []).append(key)
        self._without_kid = [key for key in keys if key.kid is None]
        self._checks: dict[tuple[str, str | None, bool], list[Check]] = {}

    def knows(self, kid: str | None) -> bool:
        """Whether `kid` can be a name of a key here: a token without one names every key, and so it is with the set."""
        return kid is None or kid in self._by_kid or not self._by_kid

    def names(self, kid: str | None) -> bool:
        """Whether `kid` is the name of a key here."""
        return kid in self._by_kid

    def fitting(self, algorithm: str, kid: str | None, *, listed: bool) -> list[VerificationKey]:
        """The keys to try for a header, at most MAX_TRIED: those of its kid, else those that have no name."""
        named = self.keys if kid is None else self._by_kid.get(kid, self._without_kid)
        if not named:
            return []
        return [key for key in named if key.fits(algorithm, listed=listed)][:MAX_TRIED]

    def checks(self, algorithm: str, kid: str | None, *, listed: bool, proven: bool = False) -> list[Check]:
        """The checks by `algorithm` of the keys to try. `proven` says that a token with such a header was verified."""
        wanted = algorithm, kid, listed
        checks = self._checks.get(wanted)
        if checks is None:
            checks = [key.checks[algorithm] for key in self.fitting(algorithm, kid, listed=listed)]
            if proven or (checks and (kid is None or kid in self._by_kid)):
                self._checks[wanted] = checks  # what a stranger makes up takes no room
        return checks

    def __repr__(self) -> str:
        return f"KeySet({len(self.keys)} keys, {len(self.skipped)} skipped)"


def load_jwks(document: object) -> KeySet:
    """The keys of a JWK Set (RFC 7517 §5). Raises ValueError when it is no set or holds no usable key."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a JSON object with an array called keys")
    members = cast("list[Any]", document["keys"])
    if len(members) > MAX_KEYS:
        raise ValueError(f"more than {MAX_KEYS} keys")
    keys: list[VerificationKey] = []
    skipped: list[SkippedKey] = []
    for position, member in enumerate(members):
        try:
            keys.append(load_jwk(member))
        except UnusableKey as error:
            skipped.append(SkippedKey(position, str(error)))
    if not keys:
        reasons = "; ".join(map(str, skipped))
        raise ValueError(f"no usable key ({reasons})" if reasons else "no usable key")
    return KeySet(tuple(keys), skipped=tuple(skipped), document=document)
