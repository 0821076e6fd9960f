"""The keys that an issuer publishes at a URL, given or discovered (RFC 7517 §5, RFC 8414).

What an attempt does, from the request to a set of usable keys; when attempts are made and who waits is in `_refresh`.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar, cast

from ._attempts import Attempt, Fetched, FetchFailed
from ._discovery import MetadataRefused, discover, issuer_problem
from ._errors import ConfigurationError, duration_problems, raise_problems
from ._flow import ExchangeFailed, Flow, Request, Response, Send, Transport, run
from ._freshness import fresh_for, retry_after
from ._held import Held, compare
from ._io import IO
from ._jose import ASYMMETRIC
from ._jwks import KeySet, load_jwks
from ._refresh import RefreshedKeys
from ._strict import json_object
from ._transport import HTTPTransport, transport_problems
from ._urls import url_problem

T = TypeVar("T", bound="RemoteJWKSet")

# Compared by identity: an age that is given, also this one, counts as it is and outranks what the server says.
_DEFAULT_MAX_AGE: Final = float("600")
_NOT_JSON: Final = frozenset({"text/html", "application/xhtml+xml", "text/xml", "application/xml", "text/css"})
_LOOK_AGAIN: Final = 3600.0
_ETAG: Final = re.compile(r'(?:W/)?"[!\x23-\x7e\x80-\xff]{0,256}"')  # RFC 9110 §8.8.3, and no longer than is sensible


class _Origin(NamedTuple):
    """Where keys came from: their URL, their entity tag, when metadata named that URL, and the age that was told."""

    url: str
    etag: str | None
    looked_up_at: float
    age: float = _DEFAULT_MAX_AGE


class RemoteJWKSet(RefreshedKeys):
    """The public keys that an issuer publishes as a JWK Set, fetched when first needed and kept fresh.

    `url` must be https (http on loopback, or anywhere with `unsafe_http=True`). `max_age` is for how many seconds keys
    are fresh; by default what the answer's `Cache-Control` says, within 60 s and 1 h, else 10 minutes. `stale_if_error`
    is for how long past that age the last good keys serve while the issuer cannot be reached. An unknown kid makes at
    most two refetches in `cooldown` seconds. `timeout` is the total deadline of an attempt, in seconds of real time;
    `clock` counts everything else. `ssl_context`, `proxy` and `transport` say how exchanges are made.

    Checked: status, media type, size (256 KiB), number of keys (100), each key by itself. Not checked: a certificate
    chain in the keys (`x5c`), and any signature over the set: the TLS connection vouches for it.
    Raises ConfigurationError while constructing, nothing while nothing is verified.
    """

    def __init__(
        self,
        url: str,
        *,
        max_age: float = _DEFAULT_MAX_AGE,
        stale_if_error: float = 3600.0,
        cooldown: float = 30.0,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        unsafe_http: bool = False,
        transport: Transport | None = None,
        _issuer: str | None = None,
    ) -> None:
        problems: list[str] = []
        if _issuer is None and (problem := url_problem(url, unsafe_http=unsafe_http)):
            problems.append(f"url {problem}")
        elif _issuer is not None and (problem := issuer_problem(_issuer, unsafe_http=unsafe_http)):
            problems.append(problem)
        durations = {"max_age": max_age, "stale_if_error": stale_if_error, "cooldown": cooldown, "timeout": timeout}
        problems += duration_problems(durations)
        problems += transport_problems(transport, ssl_context, proxy)
        if not callable(clock):
            problems.append("clock must be a callable that returns seconds")
        try:
            self._transport: Transport = transport or HTTPTransport(ssl_context=ssl_context, proxy=proxy)
        except ConfigurationError as error:
            problems += error.problems
        raise_problems("RemoteJWKSet", problems)
        super().__init__(
            name=_issuer or url,
            algorithms=ASYMMETRIC,
            stale_if_error=stale_if_error,
            cooldown=cooldown,
            timeout=timeout,
            clock=clock,
        )
        self._issuer = _issuer
        self._url = url
        self._unsafe_http = unsafe_http
        self._max_age = max_age
        self._first_place = 0

    @classmethod
    def discover(cls: type[T], issuer: str, **options: Any) -> T:
        """The keys of `issuer`, whose metadata says where they are (RFC 8414, OpenID Connect Discovery).

        Takes the options of the class. The metadata's `issuer` must equal `issuer` exactly. Where the keys are is
        looked up again after a failure, when a token names a key that is not there, and by the first refresh that
        comes an hour after the last time.
        """
        return cls(issuer, **options, _issuer="" if issuer is None else issuer)

    def _fetch(self, held: Held | None, attempt: Attempt) -> Fetched:
        try:
            return run(self._exchanges(held, attempt), IO)
        except ExchangeFailed as failure:
            raise FetchFailed(str(failure)) from failure

    def _exchanges(self, held: Held | None, attempt: Attempt) -> Flow[Fetched]:
        known = None if held is None else cast("_Origin", held.origin)
        if self._issuer is None:
            known = known or _Origin(self._url, None, 0.0)
            known = known._replace(etag=None) if attempt.after_failure else known
            return (yield from self._jwks(known, attempt.deadline))
        if known is None or attempt.after_failure:
            known = yield from self._looked_up_again(known, attempt.deadline)
        fetched = yield from self._jwks(known, attempt.deadline)
        if held is None or not self._may_have_moved(held, known, fetched, attempt):
            return fetched
        try:  # with half of the time: what was fetched must not come too late, and keys that moved can still be fetched
            origin = yield from self._looked_up(time.monotonic() + _left(attempt.deadline) / 2)
        except MetadataRefused:
            return fetched  # an answer, and one that is not to be used: the keys are where they were
        except (ExchangeFailed, FetchFailed):
            if attempt.spends:  # nobody knows whether the key that a token names is somewhere else now
                raise
            return fetched
        if origin.url != known.url:
            return (yield from self._jwks(origin, attempt.deadline))
        return fetched._replace(origin=cast("_Origin", fetched.origin)._replace(looked_up_at=origin.looked_up_at))

    def _may_have_moved(self, held: Held, known: _Origin, fetched: Fetched, attempt: Attempt) -> bool:
        """Whether nothing new is where the keys were, and either a token expects a new key or it has been long."""
        since = self._clock() - known.looked_up_at
        return not compare(held, fetched).new and (attempt.spends or not 0 <= since < _LOOK_AGAIN)

    def _looked_up(self, deadline: float, first: int = 0) -> Flow[_Origin]:
        assert self._issuer is not None  # noqa: S101 - only for those that were made by discover()
        url = yield from discover(self._issuer, self._transport, deadline, unsafe_http=self._unsafe_http, first=first)
        return _Origin(url, None, self._clock())

    def _looked_up_again(self, known: _Origin | None, deadline: float) -> Flow[_Origin]:
        if known is None:
            # The place that is asked first has most of the time: after a failure, another one.
            first, self._first_place = self._first_place, self._first_place + 1
            found = yield from self._looked_up(deadline, first)
            self._first_place = first
            return found
        try:  # with half of the time, so that the place known from before can still be asked
            return (yield from self._looked_up(time.monotonic() + _left(deadline) / 2))
        except MetadataRefused:
            raise
        except (ExchangeFailed, FetchFailed):
            return known._replace(etag=None)

    def _jwks(self, origin: _Origin, deadline: float) -> Flow[Fetched]:
        headers = {"Accept": "application/jwk-set+json, application/json"}
        if origin.etag is not None:
            headers["If-None-Match"] = origin.etag
        request = Request(method="GET", url=origin.url, headers=headers, timeout=_left(deadline))
        response: Response = yield Send(request, self._transport)
        age = self._max_age
        unchanged = response.status == 304 and origin.etag is not None
        if age is _DEFAULT_MAX_AGE:  # a 304 that says nothing leaves what was told before: RFC 9111 §4.3.4
            age = fresh_for(response.headers, datetime.now(UTC), otherwise=origin.age if unchanged else age)
        if unchanged:
            return Fetched(None, age, origin._replace(age=age))
        return Fetched(_read(response), age, origin._replace(etag=_etag(response.headers), age=age))


def _etag(headers: Mapping[str, str]) -> str | None:
    etag = headers.get("etag", "")
    return etag if _ETAG.fullmatch(etag) else None


def _read(response: Response) -> KeySet:
    if response.status != 200:
        now = datetime.now(UTC)
        raise FetchFailed(f"status {response.status}", retry_after=retry_after(response.headers, now))
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() in _NOT_JSON:
        raise FetchFailed("the answer is not JSON by its media type")
    try:
        return load_jwks(json_object(response.body))
    except ValueError as error:
        raise FetchFailed(str(error)) from None


def _left(deadline: float) -> float:
    return max(0.001, deadline - time.monotonic())
