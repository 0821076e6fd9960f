"""Secrets that issuer and API share, for HMAC signatures (RFC 7518 §3.2).

A secret is a type of its own: it verifies its one algorithm, and no public key is ever taken for one (RFC 8725 §3.1).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from ._attempts import Attempt, Fetched, FetchFailed
from ._errors import AuthorityUnavailable, UnknownKey, duration_problems, raise_problems
from ._flow import Flow
from ._held import Held
from ._jose import SYMMETRIC, UnusableKey, secret_key
from ._jwks import KeySet
from ._keys import FixedKeys, KeySource
from ._refresh import RefreshedKeys
from ._secrets import secret_problem
from ._verifier import SourceStatus

Secret: TypeAlias = str | bytes | Callable[[], str | bytes]

MAX_SECRETS: Final = 4


class SharedSecret(KeySource):
    """One secret for HMAC signatures, or several while one replaces another.

    A secret is bytes, text (its UTF-8 octets) or a callable that fetches either, for instance from a vault: it is
    called in a thread of its own when first needed, again every `max_age` seconds, and when a signature does not
    verify; while it fails, the last good secret serves for `stale_if_error` seconds, then requests are answered 503.
    After `timeout` seconds nobody waits for it any more, but nothing can end it: let it have a time-out of its own.
    `algorithm` is HS256, HS384 or HS512; a secret needs as many octets as the hash has: `secrets.token_bytes(32)`.

    Checked: length, published examples, low entropy, and keys or certificates given by mistake. Raises
    ConfigurationError for a value given; a callable that returns such a secret never verifies anything.
    """

    def __init__(
        self,
        *secrets: Secret,
        algorithm: str = "HS256",
        max_age: float = 600.0,
        stale_if_error: float = 3600.0,
        cooldown: float = 30.0,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        durations = {"max_age": max_age, "stale_if_error": stale_if_error, "cooldown": cooldown, "timeout": timeout}
        raise_problems("SharedSecret", [*_problems(secrets, algorithm), *duration_problems(durations)])
        self.name: str = "shared secret"
        self.algorithms: frozenset[str] = frozenset({algorithm})
        self._source: KeySource
        if any(callable(secret) for secret in secrets):
            limits = {"stale_if_error": stale_if_error, "cooldown": cooldown, "timeout": timeout}
            self._source = _FetchedSecrets(secrets, algorithm, max_age, clock, limits)
        else:
            self._source = FixedKeys(_load(secrets, algorithm), name=self.name, algorithms=self.algorithms)

    def current(self) -> KeySet | None:
        return self._source.current()

    def arrival(self) -> int:
        return self._source.arrival()

    def obtain(self) -> Flow[KeySet]:
        return self._source.obtain()

    def missing(self, arrival: int, found: Callable[[KeySet], bool]) -> Flow[KeySet]:
        return self._source.missing(arrival, found)

    def refusal(self, seen: KeySet) -> UnknownKey | AuthorityUnavailable | None:
        return self._source.refusal(seen)

    def rouse(self) -> None:
        self._source.rouse()

    def status(self) -> SourceStatus:
        return self._source.status()

    def __repr__(self) -> str:
        return f"SharedSecret(algorithm={next(iter(self.algorithms))!r})"


class _FetchedSecrets(RefreshedKeys):
    def __init__(
        self,
        secrets: Sequence[Secret],
        algorithm: str,
        max_age: float,
        clock: Callable[[], float],
        limits: Mapping[str, float],
    ) -> None:
        super().__init__(name="shared secret", algorithms=frozenset({algorithm}), clock=clock, **limits)
        self._secrets = secrets
        self._algorithm = algorithm
        self._max_age = max_age

    def _fetch(self, held: Held | None, attempt: Attempt) -> Fetched:
        try:
            return Fetched(_load(self._secrets, self._algorithm), self._max_age)
        except UnusableKey as error:
            raise FetchFailed(str(error)) from None


def _load(secrets: Sequence[Secret], algorithm: str) -> KeySet:
    values = [_octets(secret() if callable(secret) else secret) for secret in secrets]
    for value in values:
        if problem := _weakness(value, algorithm):
            raise UnusableKey(problem)
    return KeySet(tuple(secret_key(value, algorithm) for value in values), document=values)


def _problems(secrets: tuple[object, ...], algorithm: object) -> list[str]:
    if not isinstance(algorithm, str) or algorithm not in SYMMETRIC:
        return [f"algorithm must be one of {', '.join(sorted(SYMMETRIC))}"]
    problems: list[str] = []
    if not 0 < len(secrets) <= MAX_SECRETS:
        problems.append(f"give one secret, or up to {MAX_SECRETS} during a rotation")
    for secret in secrets:
        if callable(secret):
            continue
        if not isinstance(secret, str | bytes):
            problems.append("a secret must be str, bytes or a callable that returns one")
        elif problem := _weakness(_octets(secret), algorithm):
            problems.append(problem)
    return problems


def _weakness(secret: bytes, algorithm: str) -> str | None:
    if problem := secret_problem(secret, algorithm):
        return problem
    try:
        secret_key(secret, algorithm)
    except UnusableKey as error:  # pragma: no cover - PyJWT's own check, which ours has gone beyond
        return str(error)
    return None


def _octets(secret: object) -> bytes:
    if isinstance(secret, str):
        return secret.encode()
    if isinstance(secret, bytes):
        return secret
    raise UnusableKey("the callable returned neither str nor bytes")
