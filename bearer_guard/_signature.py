"""Whether a signature is one of a source's keys, and when the source is asked again for others (RFC 7515 §5.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ._errors import AuthorityUnavailable, BadSignature, InvalidToken, UnknownKey
from ._flow import Flow
from ._jwks import KeySet
from ._jws import CompactJWS
from ._keys import KeySource


class SignatureCheck:
    """The signatures that the keys of one source make, by the algorithms that an operator allows.

    `algorithms` None stands for what the keys are for. Raises nothing while constructing.
    """

    def __init__(self, keys: KeySource, algorithms: Sequence[str] | None) -> None:
        self.keys: Final = keys
        self._algorithms: Final = keys.algorithms if algorithms is None else frozenset(algorithms)
        self._listed: Final = algorithms is not None
        self._allowed: Final = f"allowed: {', '.join(sorted(self._algorithms))}"
        self._unverified: Final = f"no key of {keys.name} that fits verifies it"

    def check_algorithm(self, jws: CompactJWS) -> None:
        """Raise InvalidToken unless the header names an algorithm that is allowed."""
        if jws.header.algorithm not in self._algorithms:
            raise InvalidToken(self._allowed, reason="algorithm_not_allowed")

    def keys_that_verify(
        self,
        jws: CompactJWS,
        tried: KeySet | None,
        now: float,
        before_fetching: Callable[[CompactJWS], None],
        before_refetching: Callable[[CompactJWS, float], None],
    ) -> Flow[KeySet]:
        """Keys one of which verifies the signature of `jws`; those that were current, if any, were `tried` in vain.

        Raises BadSignature, UnknownKey or AuthorityUnavailable. `before_fetching` raises for a token that is not worth
        bringing any keys for, `before_refetching` for one that is not worth spending the refetch budget on.
        """
        jws.signature()  # no keys are asked for on account of what is none
        arrival = self.keys.arrival()
        keys = tried
        if keys is None:
            before_fetching(jws)
            keys = yield from self.keys.obtain()
            if self.verified(jws, keys):
                return keys
            self.check_refetch(jws, keys, now, before_refetching)
        while True:
            before_refetching(jws, now)
            keys = yield from self._others(jws, keys, arrival)
            if self.verified(jws, keys):
                return keys

    def check_refetch(
        self, jws: CompactJWS, seen: KeySet, now: float, before_refetching: Callable[[CompactJWS, float], None]
    ) -> None:
        """Raise as `keys_that_verify` would, where no keys but `seen`, which do not verify `jws`, are to be had now."""
        refusal = self.keys.refusal(seen)
        if refusal is None:
            return
        outage = isinstance(refusal, AuthorityUnavailable)
        if outage:  # which makes no token better that would be refused anyway
            jws.signature()
            before_refetching(jws, now)
        if self._is_bad_signature(jws, seen, outage):
            raise BadSignature(self._unverified)
        try:
            raise refusal
        finally:
            del refusal  # else it, its traceback and this frame are a cycle, and wait for the garbage collector

    def verified(self, jws: CompactJWS, keys: KeySet) -> bool:
        """Whether one of `keys` that fits the header verifies the signature."""
        algorithm, kid, _ = jws.header
        for check in keys.checks(algorithm, kid, listed=self._listed, proven=not jws.new_header):
            if check(jws.signing_input, jws.signature()):
                return True
        return False

    def _others(self, jws: CompactJWS, seen: KeySet, arrival: int) -> Flow[KeySet]:
        try:
            return (yield from self.keys.missing(arrival, lambda keys: keys is not seen))
        except (UnknownKey, AuthorityUnavailable) as refusal:
            if self._is_bad_signature(jws, seen, isinstance(refusal, AuthorityUnavailable)):
                raise BadSignature(self._unverified) from None
            raise

    def _is_bad_signature(self, jws: CompactJWS, seen: KeySet, outage: bool) -> bool:
        """Whether the key of `jws` is told from its header and known, so that its signature is what is wrong.

        Without a name it may be a new one, which nobody can tell in an outage; a new key under an old name is rare, and
        a forgery is none the less a forgery while the issuer is down.
        """
        kid = jws.header.kid
        return seen.names(kid) if outage else seen.knows(kid)
