"""The keys of an issuer: which of them signs, how it is replaced, and until when the others stay published.

A key is published before it signs, so that whoever caches the key set has it by then, and stays published until the
last token that it signed has expired. What is kept in a store decides, so that worker processes which share one agree:
a new key is added after the one that it was planned after or not at all; no token goes out before the store knows for
how long its key is needed; and a key is dropped only where the store says that nobody needs it any more.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from .._errors import raise_problems
from ._memory_store import MemoryStore
from ._signing_key import SigningKey
from ._store import Store, StoredKey, StoreFailed

_SLACK: Final = 600.0
"""Seconds that a key is kept beyond what one token needs, so that few tokens have to wait for the store."""
_FRESH: Final = 1.0
"""Seconds of real time that a store on a disk is not asked again which keys there are."""


class _Held(NamedTuple):
    stored: StoredKey
    key: SigningKey


class KeyRing:
    """The keys of an issuer: one that signs, and those that are published beside it. Safe to share between threads.

    They are kept in `store`, by default in memory; where it has keys already, these go on. `publish_ahead` is how many
    seconds a planned key is published before it signs; `overlap` how many a replaced one stays after its last token has
    expired, for guards that have some leeway. With `rotate_every` seconds a key that has signed for so long is replaced
    when the next token is issued. `key` is one that was brought; without it one for `algorithm` is made where there is
    none. `clock` returns NumericDates and should be the issuer's. Raises ConfigurationError.
    """

    def __init__(
        self,
        algorithm: str = "ES256",
        *,
        key: SigningKey | None = None,
        store: Store | None = None,
        publish_ahead: float = 900.0,
        overlap: float = 300.0,
        rotate_every: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        raise_problems("KeyRing", _problems(publish_ahead, overlap, rotate_every, key))
        self.publish_ahead: Final = publish_ahead
        self._algorithm = algorithm if key is None else key.algorithm
        self._store: Final[Store] = MemoryStore() if store is None else store
        self._overlap = overlap
        self._every = rotate_every
        self._clock = clock
        self._tending = 0
        self._seen_at = -math.inf
        self._ring: tuple[_Held, ...] = ()
        self._published: tuple[SigningKey, ...] = ()
        self._begin(key)

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return _signing(self._seen(), self._clock()).key

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """Every key whose tokens are good, the newest first; the same tuple as long as they are the same."""
        return self._listed(self._seen())

    def key_until(self, until: float) -> SigningKey:
        """The key to sign a token with that is good until `until`, published for so long. May wait for a disk."""
        now = self._clock()
        ring = self._seen()
        while True:
            signing = _signing(ring, now)
            if signing.stored.needed_until >= until or self._store.need_key(signing.key.kid, until + _SLACK):
                if signing.stored.needed_until < until:
                    self._seen_at = -math.inf  # so that the next one sees what was kept
                return signing.key
            ring = self._seen(anew=True)  # it was withdrawn meanwhile, in another process

    @property
    def due(self) -> bool:
        """Whether `tend` would do anything."""
        ring, now = self._seen(), self._clock()
        return self._replacing(ring, now) or bool(self._over(ring, now))

    def tend(self) -> None:
        """Plan the next key, and drop those that nobody needs, where it is time to. May take long: it makes keys."""
        if self._tending == os.getpid():  # another thread is about to; a forked child has no such thread
            return
        self._tending = os.getpid()
        try:
            ring, now = self._seen(anew=True), self._clock()
            for held in self._over(ring, now):
                self._store.drop_key(held.key.kid, held.stored.needed_until)
            if self._replacing(ring, now):
                begins = max(now + self.publish_ahead, ring[0].stored.signs_from + (self._every or 0.0))
                self._plan(SigningKey.generate(self._algorithm), ring[0].key.kid, begins)
            self._seen(anew=True)
        finally:
            self._tending = 0

    def rotate(self, *, keep_old: bool = True, ahead: float = 0.0) -> SigningKey:
        """Sign with a new key, from `ahead` seconds on; without `keep_old` every other key is withdrawn at once.

        Other processes that share the store follow at their next look, at most 1 s later.
        """
        return self._add(SigningKey.generate(self._algorithm), ahead, keep_old=keep_old)

    def withdraw_old(self) -> None:
        """Keep the key that signs and no other: the overlap of a rotation is over."""
        self._drop_all_but(self.current.kid)

    def jwks(self) -> dict[str, Any]:
        """The JWK Set to publish: public keys alone, never a secret. Asks the store, whatever was seen before."""
        listed = self._listed(self._seen(anew=True))
        return {"keys": [dict(key.public_jwk) for key in listed if key.public_jwk is not None]}

    def look(self) -> None:
        """Ask the store again which keys there are."""
        self._seen(anew=True)

    @property
    def blocking(self) -> bool:
        """Whether looking may wait for a disk."""
        return self._store.blocking

    def _begin(self, key: SigningKey | None) -> None:
        ring = self._seen(anew=True)
        if key is None and ring and ring[0].key.algorithm == self._algorithm:
            return
        if key is not None and any(held.stored.material == key.octets for held in ring):
            return
        new = key or SigningKey.generate(self._algorithm)
        # Another algorithm or key than before is published ahead like any other; where another process was faster, its
        # key is as good.
        self._plan(new, ring[0].key.kid if ring else None, self._clock() + (self.publish_ahead if ring else 0.0))
        self._seen(anew=True, made=new)

    def _seen(self, *, anew: bool = False, made: SigningKey | None = None) -> tuple[_Held, ...]:
        moment = time.monotonic()
        if anew or not self._store.blocking or not 0 <= moment - self._seen_at < _FRESH:
            self._seen_at = moment
            try:
                stored = self._store.keys()
            except StoreFailed:
                if anew or not self._ring:
                    raise
                return self._ring  # whoever verifies goes on with what was seen; who signs has to reach the store
            known = {held.key.kid: held.key for held in self._ring} | ({made.kid: made} if made else {})
            if stored != tuple(held.stored for held in self._ring):
                self._ring = tuple(_Held(one, known.get(one.kid) or _restored(one)) for one in stored)
        return self._ring

    def _listed(self, ring: tuple[_Held, ...]) -> tuple[SigningKey, ...]:
        now = self._clock()
        over = {held.key.kid for held in self._over(ring, now)}
        listed = tuple(held.key for held in ring if held.key.kid not in over)
        if listed != self._published:
            self._published = listed
        return self._published

    def _over(self, ring: tuple[_Held, ...], now: float) -> tuple[_Held, ...]:
        """The keys that signed before the one that does, and that nobody needs any more."""
        signing = _signing(ring, now)
        replaced = ring[ring.index(signing) + 1 :]
        since = signing.stored.signs_from
        return tuple(held for held in replaced if max(since, held.stored.needed_until) + self._overlap <= now)

    def _replacing(self, ring: tuple[_Held, ...], now: float) -> bool:
        return self._every is not None and now + self.publish_ahead >= ring[0].stored.signs_from + self._every

    def _plan(self, key: SigningKey, after: str | None, signs_from: float) -> bool:
        stored = StoredKey(kid=key.kid, algorithm=key.algorithm, material=key.octets, signs_from=signs_from)
        return self._store.add_key(stored, after)

    def _add(self, key: SigningKey, ahead: float, *, keep_old: bool) -> SigningKey:
        while not self._plan(key, self._seen(anew=True)[0].key.kid, self._clock() + ahead):
            pass  # another thread or process was faster: after its key, then
        self._seen(anew=True, made=key)
        if not keep_old:
            self._drop_all_but(key.kid)
        return key

    def _drop_all_but(self, kid: str) -> None:
        for held in self._seen(anew=True):
            if held.key.kid != kid:
                self._store.drop_key(held.key.kid, math.inf)
        self._seen(anew=True)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(held.key.kid for held in self._ring)})"


def _signing(ring: tuple[_Held, ...], now: float) -> _Held:
    """The newest key whose time has come; the oldest where a clock stepped back before all of them."""
    return next((held for held in ring if held.stored.signs_from <= now), ring[-1])


def _restored(stored: StoredKey) -> SigningKey:
    try:
        return SigningKey.restored(stored.material, algorithm=stored.algorithm, kid=stored.kid)
    except Exception as error:
        raise StoreFailed(f"a key that was kept cannot be read: {type(error).__name__}") from None


def _problems(ahead: float, overlap: float, every: float | None, key: SigningKey | None) -> Iterable[str]:
    if not 0 <= ahead < math.inf:
        yield "publish_ahead must be a number of seconds, not negative"
    if not overlap >= 0:
        yield "overlap must be a number of seconds, not negative"
    if every is not None and not ahead < every < math.inf:
        yield "rotate_every must be longer than publish_ahead, or a key would never sign"
    if every is not None and key is not None:
        yield "rotate_every makes keys: leave it out beside a key that is brought"
