"""How client secrets are kept and compared (RFC 6749 §2.3.1, §10.10).

One that is made here has 256 random bits: a salted SHA-256 of it is enough, because nobody can try them all. One that
is brought from outside may have less, so it is kept as scrypt, whose cost is the point; that cost is paid in at most
two threads of their own, so that strangers who present secrets cannot take the machine.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from .._flow import Flow, Join
from .._guessable import guessable
from .._process import PerProcess

Scheme: TypeAlias = Literal["sha256", "scrypt"]

_SALT_OCTETS: Final = 16
_AT_ONCE: Final = 2
_WAITING: Final = 64
_PATIENCE: Final = 10.0
_SPELLED: Final = re.compile(r"(sha256|scrypt):([0-9a-f]{32}):([0-9a-f]{64}|[0-9a-f]{128})")
_DIGEST_OCTETS: Final = {"sha256": 32, "scrypt": 64}


class Busy(Exception):
    """More brought secrets wait to be compared than anybody should wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretHash:
    """A secret as it is kept; `text` spells it for a file, and `from_text` reads that."""

    scheme: Scheme
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def matches(self, presented: bytes) -> bool:
        """Whether `presented` is the secret, in a time that does not depend on how nearly."""
        return hmac.compare_digest(_digest(self.scheme, self.salt, presented), self.digest)

    @property
    def text(self) -> str:
        return f"{self.scheme}:{self.salt.hex()}:{self.digest.hex()}"

    @classmethod
    def from_text(cls, text: object) -> SecretHash:
        """The hash that `text` spells. Raises ValueError, whose message does not repeat it."""
        spelled = _SPELLED.fullmatch(text) if isinstance(text, str) else None
        if spelled is None or len(spelled[3]) != 2 * _DIGEST_OCTETS[spelled[1]]:
            raise ValueError("not a hash of a secret as `bearer-guard issuer add-client` writes it")
        scheme: Scheme = "scrypt" if spelled[1] == "scrypt" else "sha256"
        return cls(scheme=scheme, salt=bytes.fromhex(spelled[2]), digest=bytes.fromhex(spelled[3]))


def made() -> tuple[str, SecretHash]:
    """A new secret of 256 random bits, and how it is kept."""
    secret = secrets.token_urlsafe(32)
    return secret, _hashed("sha256", secret)


def brought(secret: str) -> SecretHash:
    """How a secret from elsewhere is kept. Takes some 50 ms on purpose."""
    return _hashed("scrypt", secret)


def octets_of(text: str) -> bytes:
    """`text` in octets: whatever arrives has some, and none of them is an exception."""
    return text.encode("utf-8", "surrogatepass")


def secret_problem(secret: object) -> str | None:
    """Why a client's secret must not be brought in, or None; the sentence holds nothing of it."""
    if not isinstance(secret, str) or not secret:
        return "secret must be a text that is not empty"
    if guessable(octets_of(secret)):
        return "secret is short or looks made by a person, so it can be guessed: leave it out and one is made"
    return None


def _hashed(scheme: Scheme, secret: str) -> SecretHash:
    salt = secrets.token_bytes(_SALT_OCTETS)
    return SecretHash(scheme=scheme, salt=salt, digest=_digest(scheme, salt, octets_of(secret)))


def _digest(scheme: str, salt: bytes, secret: bytes) -> bytes:
    if scheme == "sha256":
        return hashlib.sha256(salt + secret).digest()
    return hashlib.scrypt(secret, salt=salt, n=2**14, r=8, p=1)  # 16 MiB


class _Threads:
    """The two threads of one process, which start when they are first needed, and how many secrets they have to do."""

    def __init__(self) -> None:
        self.lock: Final = threading.Lock()
        self.waiting = 0
        self.executor: Final = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="client-secret")


class SlowComparisons:
    """Compares brought secrets in two threads, anew in a forked child."""

    def __init__(self) -> None:
        self._threads: Final = PerProcess(lambda _: _Threads())

    def matches(self, expected: SecretHash, presented: bytes) -> Flow[bool]:
        """`SecretHash.matches` as a flow that never holds up an event loop. Raises Busy."""
        outcome: list[bool] = []

        def compare() -> None:
            try:
                outcome.append(expected.matches(presented))
            except (MemoryError, ValueError):  # there is no room for it now: nobody was compared
                pass

        yield Join(self._submit(compare), time.monotonic() + _PATIENCE)
        if not outcome:
            raise Busy
        return outcome[0]

    def _submit(self, compare: Callable[[], None]) -> Future[None]:
        threads = self._threads.here()
        with threads.lock:
            if threads.waiting >= _WAITING:
                raise Busy
            threads.waiting += 1
            future: Future[None] = threads.executor.submit(compare)

        def done(_: Future[None]) -> None:
            with threads.lock:
                threads.waiting -= 1

        future.add_done_callback(done)
        return future
