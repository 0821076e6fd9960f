"""The last good keys, and for how long they count (RFC 9111 §4.2.4, RFC 5861 §4).

Fresh until about 80 % of their age, then refreshed while they serve; past their age they serve while nobody can be
asked, up to a bound. A clock that steps back makes a refresh due and never makes keys last longer than that bound.
"""

from __future__ import annotations

import json
import random
from typing import Any, Final, NamedTuple, cast

from ._attempts import Fetched
from ._jwks import KeySet

_REFRESH_AT: Final = 0.8
_IDENTITY: Final = ("kid", "kty", "alg", "crv", "x", "y", "n", "e", "pub")
"""What makes one key another to whoever checks signatures; whatever else a JWK says may change with every answer."""


class Held(NamedTuple):
    """Keys with their times: replaced as a whole, so that readers need no lock. `members` tells content apart."""

    keys: KeySet
    members: frozenset[object]
    origin: object
    fetched_at: float
    age: float
    refresh_at: float
    lasts: float

    def __repr__(self) -> str:  # not of `members`: they may be secrets
        return f"Held({self.keys!r}, fetched_at={self.fetched_at}, age={self.age})"

    def usable(self, now: float) -> bool:
        """Whether the keys may serve at all."""
        return now - self.fetched_at < self.lasts

    def stale(self, now: float) -> bool:
        """Whether the keys are past their age, or nobody can tell: the clock has stepped back since they came."""
        since = now - self.fetched_at
        return not 0 <= since < self.age or self.refresh_at <= self.fetched_at

    def fresh_until(self, now: float) -> float:
        """Seconds until a refresh is due; 0 where one is, as after a step back of the clock."""
        return max(0.0, self.refresh_at - now) if self.fetched_at <= now else 0.0

    def forgotten(self, now: float, ended_at: float | None) -> bool:
        """Whether nobody asked for long: no attempt has ended since the keys went stale, and twice the age is over."""
        if now - self.fetched_at <= 2 * self.age:
            return False
        return ended_at is None or ended_at < self.fetched_at + self.age

    def rebased(self, now: float) -> Held:
        """The same keys on a clock that has stepped back: a refresh is due, and the bound counts from now."""
        return self._replace(fetched_at=now, refresh_at=now)


class Brought(NamedTuple):
    """What an attempt brought, compared with what was held; made before any lock is taken.

    `added` and `dropped` are the keys that came and went, as hashes: secrets are not kept longer than they serve.
    """

    fetched: Fetched
    keys: KeySet
    members: frozenset[object]
    new: bool = False
    added: frozenset[int] = frozenset()
    dropped: frozenset[int] = frozenset()

    def __repr__(self) -> str:
        return f"Brought({self.keys!r}, new={self.new})"

    def held(self, now: float, stale_if_error: float) -> Held:
        """These keys as those held from `now` on. The jitter spreads the refreshes of many processes."""
        age = self.fetched.age
        refresh_at = now + _REFRESH_AT * age * (1 - random.random() / 10)  # noqa: S311 - guards nothing
        return Held(self.keys, self.members, self.fetched.origin, now, age, refresh_at, age + stale_if_error)


def compare(held: Held | None, fetched: Fetched) -> Brought:
    """What is new. Equal content keeps the key-set object, in whatever order it came: what hangs on it lives on.

    Raises ValueError for "not modified" where nothing is held.
    """
    if fetched.keys is None:
        if held is None:
            raise ValueError("not modified, though nothing is held")
        return Brought(fetched, held.keys, held.members)
    members = members_of(fetched.keys)
    if held is not None and members == held.members:
        return Brought(fetched, held.keys, held.members)
    before = frozenset[int]() if held is None else _identities(held.keys)
    after = _identities(fetched.keys)
    return Brought(fetched, fetched.keys, members, True, after - before, before - after)


def members_of(keys: KeySet) -> frozenset[object]:
    """What a key set was made of, free of order: the JWKs as text, or the secrets."""
    document = keys.document
    if not isinstance(document, dict):
        return frozenset(cast("list[object]", document))
    jwks = cast("dict[str, list[Any]]", document)["keys"]
    return frozenset(json.dumps(jwk, sort_keys=True) for jwk in jwks)


def _identities(keys: KeySet) -> frozenset[int]:
    """The usable keys of a set, each as the hash of what tells it from others."""
    document = keys.document
    if not isinstance(document, dict):
        return frozenset(map(hash, cast("list[object]", document)))
    jwks = cast("dict[str, list[Any]]", document)["keys"]
    skipped = {key.position for key in keys.skipped}
    usable = (jwk for position, jwk in enumerate(jwks) if position not in skipped)
    return frozenset(hash(json.dumps([jwk.get(name) for name in _IDENTITY])) for jwk in usable)
