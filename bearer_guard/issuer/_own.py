"""Verification by the issuer itself, for APIs that live in one process with it (RFC 6750 §2.1).

`IssuerKeys` are the keys that a JWTVerifier of its tokens goes by, rotation included; `StoreVerifier` looks opaque
tokens up in the issuer's store, where they are by their hash alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import Final

from .._claims import ClaimRules, scopes_of
from .._credentials import MAX_TOKEN_LENGTH
from .._errors import AuthorityUnavailable, InactiveToken, MalformedToken, UnknownKey, raise_problems
from .._flow import Call, Flow
from .._jose import VerificationKey, load_jwk, secret_key
from .._jwks import KeySet
from .._keys import KeySource
from .._policy import REQUIRED, audience_problems
from .._token import AccessToken
from .._verifier import SourceStatus, Verifier
from ._keys import KeyRing
from ._signing_key import SigningKey
from ._store import Store, StoreFailed, TokenRecord, digest_of


class IssuerKeys(KeySource):
    """The keys of an issuer in the same process, or on the same store: what it signs with counts at once.

    What another process withdraws counts 1 s longer. A key that is not known is looked for in the store.
    """

    def __init__(self, ring: KeyRing) -> None:
        self.name: str = "the issuer's own keys"
        self.algorithms: frozenset[str] = frozenset(key.algorithm for key in ring.keys)
        self._ring = ring
        self._loaded: tuple[tuple[SigningKey, ...], KeySet] | None = None

    def current(self) -> KeySet:
        keys = self._ring.keys
        loaded = self._loaded
        if loaded is None or loaded[0] is not keys:
            loaded = keys, KeySet(tuple(map(_verification_key, keys)))
            self._loaded = loaded
        return loaded[1]

    def obtain(self) -> Flow[KeySet]:
        return self.current()
        yield  # a flow, though it never waits

    def missing(self, arrival: int, found: Callable[[KeySet], bool]) -> Flow[KeySet]:
        if self._ring.blocking:
            try:
                yield Call(self._ring.look, None)
            except StoreFailed as failure:
                raise AuthorityUnavailable(f"the store of keys: {failure}") from failure
            keys = self.current()
            if found(keys):
                return keys
        raise UnknownKey("none of the issuer's own keys fits")

    def status(self) -> SourceStatus:
        return {
            "source": self.name,
            "state": "fresh",
            "age": None,
            "next_refresh": None,
            "last_error": None,
            "skipped": [],
            "fetches": {},
        }

    def __repr__(self) -> str:
        return "IssuerKeys()"


def _verification_key(key: SigningKey) -> VerificationKey:
    return secret_key(key.secret, key.algorithm) if key.public_jwk is None else load_jwk(dict(key.public_jwk))


class StoreVerifier(Verifier):
    """Verifies opaque tokens by looking them up in the store of the issuer that made them.

    `audience` is compared with what the token was issued for: a string or a container that answers `in`. `clock`
    returns NumericDates. Checked: that the token was issued, is not revoked, has not expired and is for this API. A
    store that fails is AuthorityUnavailable, never a refused token.
    """

    def __init__(
        self,
        store: Store,
        *,
        audience: str | Container[str] = REQUIRED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        raise_problems("StoreVerifier", list(audience_problems(audience)))
        self._store: Final = store
        self._clock: Final = clock
        self._rules: Final = ClaimRules(
            issuer=None, audience=audience, leeway=0.0, required=(), max_token_age=None, validate=None
        )

    def _flow(self, token: str) -> Flow[AccessToken]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise MalformedToken(f"token longer than {MAX_TOKEN_LENGTH} characters", reason="token_too_long")
        now = self._clock()
        digest = digest_of(token)

        def find() -> TokenRecord | None:
            return self._store.token(digest, now)

        try:
            record = (yield Call(find, None)) if self._store.blocking else find()
        except StoreFailed as failure:
            raise AuthorityUnavailable(f"the token store: {failure}") from failure
        if record is None:
            raise InactiveToken("not in the issuer's store")
        claims = dict(record.claims)
        self._rules.check({name: value for name, value in claims.items() if name != "iss"}, now)
        return AccessToken.from_claims(claims, scopes_of(claims, ("scope",)))

    def __repr__(self) -> str:
        return "StoreVerifier()"
