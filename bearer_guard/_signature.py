"""Whether a signature is one of a source's keys, and when the source is asked again for others (RFC 7515 §5.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ._errors import BadSignature, InvalidToken
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

    def check_algorithm(self, jws: CompactJWS) -> None:
        """Raise InvalidToken unless the header names an algorithm that is allowed."""
        if jws.header.algorithm not in self._algorithms:
            raise InvalidToken(f"allowed: {', '.join(sorted(self._algorithms))}", reason="algorithm_not_allowed")

    def keys_that_verify(
        self,
        jws: CompactJWS,
        tried: KeySet | None,
        before_fetching: Callable[[], None],
        before_refetching: Callable[[], None],
    ) -> Flow[KeySet]:
        """Keys one of which verifies the signature of `jws`; those that were current, if any, have been `tried`.

        Raises BadSignature, UnknownKey or AuthorityUnavailable. `before_fetching` raises for a token that is not worth
        bringing any keys for, `before_refetching` for one that is not worth spending the refetch budget on.
        """
        arrival = self.keys.arrival()
        keys = tried
        if keys is None:
            before_fetching()
            keys = yield from self.keys.obtain()
        while keys is tried or not self.verified(jws, keys):
            if self.keys.can_refetch():
                before_refetching()
            keys = yield from self._others(jws, keys, arrival)
        return keys

    def verified(self, jws: CompactJWS, keys: KeySet) -> bool:
        """Whether one of `keys` that fits the header verifies the signature."""
        algorithm, kid, _ = jws.header
        for key in keys.fitting(algorithm, kid, listed=self._listed):
            if key.checks[algorithm](jws.signing_input, jws.signature):
                return True
        return False

    def _others(self, jws: CompactJWS, seen: KeySet, arrival: int) -> Flow[KeySet]:
        if not seen.knows(jws.header.kid):
            return (yield from self.keys.missing(arrival, lambda keys: keys is not seen))
        newer = yield from self.keys.newer(arrival, seen)
        if newer is None:
            raise BadSignature(f"no key of {self.keys.name} that fits verifies it")
        return newer
