"""The interface between a guard and whatever decides about one token, in the colours that its author wrote.

A verifier author overrides `verify` or `averify` (or both) and returns an `AccessToken` or raises: an `AccessDenied`
refuses the token, `AuthorityUnavailable` says that nobody could be asked, and any other exception propagates: it never
admits and never becomes a 401.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Any, ClassVar, Final, Protocol, TypedDict

from ._flow import Begun, Call, Flow, arun, run
from ._io import IO
from ._token import AccessToken

_DECIDES: Final = frozenset({"_begin", "_flow"})
"""One of these is what a verifier of this package overrides: the decision itself, written once for both colours."""


class SourceStatus(TypedDict):
    """What a guard knows about one source of keys or answers, fit to be sent as JSON; times in seconds."""

    source: str
    state: str
    age: float | None
    next_refresh: float | None
    last_error: str | None
    skipped: list[str]
    fetches: dict[str, int]


class Source(Protocol):
    """What a verifier depends on and a guard reports: a source of keys, or an endpoint that is asked.

    `rouse` begins what a request would begin now, and waits for nothing; `warming` waits.
    """

    def status(self) -> SourceStatus: ...
    def rouse(self) -> None: ...
    def warming(self) -> Flow[None]: ...


class Verifier:
    """Decides about one token. Override `verify`, or `averify`, or both.

    A verifier with `verify` alone works everywhere: under ASGI it runs in a worker thread. One with `averify` alone
    works under ASGI only. Return an `AccessToken`, whose `confirmation` the guard then judges; raise an `AccessDenied`
    to refuse.
    """

    _blocking: ClassVar[bool] = False
    _coroutine: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._blocking = cls._coroutine = False
        # Mixins too: whatever stands before the flow must be asked.
        for base in takewhile(lambda base: not _DECIDES & base.__dict__.keys(), cls.__mro__):
            cls._blocking = cls._blocking or "verify" in base.__dict__
            cls._coroutine = cls._coroutine or "averify" in base.__dict__

    def verify(self, token: str) -> AccessToken:
        """What `token` says, from blocking code. Raises AccessDenied or AuthorityUnavailable."""
        if self._coroutine and not self._blocking:
            return run(verification(self, token), IO)
        begun = self._known(token) or self._begin(token)
        return begun if isinstance(begun, AccessToken) else run(begun, IO)

    async def averify(self, token: str) -> AccessToken:
        """What `token` says, from a coroutine. Raises AccessDenied or AuthorityUnavailable."""
        if self._blocking and not self._coroutine:
            return await arun(verification(self, token), IO)
        begun = self._known(token) or self._begin(token)
        return begun if isinstance(begun, AccessToken) else await arun(begun, IO)

    def _known(self, token: str) -> AccessToken | None:
        """What is remembered of this very text and still holds. Raises as `verify` where house rules now refuse it."""
        del token
        return None

    def _begin(self, token: str) -> Begun[AccessToken]:
        """The decision about a token that is not known, taken at once where nothing has to be waited for."""
        return self._flow(token)

    def _flow(self, token: str) -> Flow[AccessToken]:
        """The decision of a verifier of this package, written once for both colours."""
        raise TypeError(f"{type(self).__name__} must override verify or averify")

    def _parts(self) -> Iterable[Verifier]:
        """The verifiers that this one hands tokens to."""
        return ()

    def _sources(self) -> Iterable[Source]:
        """What this verifier and its parts depend on."""
        return [source for part in self._parts() for source in part._sources()]


def known(verifier: Verifier, token: str) -> AccessToken | None:
    """What `verifier` remembers of `token`; nothing where methods that a subclass overrides have to be asked."""
    return None if verifier._blocking or verifier._coroutine else verifier._known(token)


def begin(verifier: Verifier, token: str) -> Begun[AccessToken]:
    """The decision of `verifier` on a token that is not `known`: its own, or a call of what a subclass overrides."""
    return verification(verifier, token) if verifier._blocking or verifier._coroutine else verifier._begin(token)


def verification(verifier: Verifier, token: str) -> Flow[AccessToken]:
    """The flow that calls the methods which the class of `verifier` overrides."""
    result = yield Call(
        (lambda: verifier.verify(token)) if verifier._blocking else None,
        (lambda: verifier.averify(token)) if verifier._coroutine else None,
    )
    if not isinstance(result, AccessToken):
        raise TypeError(f"{type(verifier).__name__} returned {type(result).__name__}, not an AccessToken")
    return result


def overrides(verifier: Verifier) -> bool:
    """Whether the class of `verifier` overrides `verify` or `averify`, which must then be called."""
    return verifier._blocking or verifier._coroutine


def works(verifier: Verifier) -> bool:
    """Whether `verifier` decides anything at all: one that overrides nothing is a mistake."""
    kind = type(verifier)
    return overrides(verifier) or kind._flow is not Verifier._flow or kind._begin is not Verifier._begin


def is_async_only(verifier: Verifier) -> bool:
    """Whether `verifier` can be driven from a coroutine only."""
    return (verifier._coroutine and not verifier._blocking) or any(map(is_async_only, verifier._parts()))
