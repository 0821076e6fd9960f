"""The guard: from a request to an AccessToken or a refusal (RFC 6750 §2.1, §3).

The decision is one flow for both colours. A guard refuses by default: only a verifier's AccessToken admits, a
sender-constrained token is never taken for a plain bearer token (RFC 7800 §3.1), and every refusal is logged with its
reason and configured values, never with anything from the token.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable
from typing import Final, TypedDict

from ._challenge import Challenge
from ._credentials import bearer_credentials, check_token68
from ._errors import (
    AccessDenied,
    AuthorityUnavailable,
    ConfigurationError,
    InsufficientScope,
    InvalidClaim,
    InvalidToken,
    MissingToken,
    Refused,
    raise_problems,
)
from ._flow import Begun, Flow, arun, run
from ._http import ErrorBodyOf, IncomingRequest, Refusal, oauth_error
from ._io import IO
from ._scopes import Requirement, requirement
from ._token import AccessToken
from ._verifier import SourceStatus, Verifier, begin, known, works

_logger: Final = logging.getLogger("bearer_guard")
_LONGEST_WAIT: Final = 86_400.0


class GuardStatus(TypedDict):
    """`ready` is whether every source can answer right now; see `SourceStatus` for a source."""

    ready: bool
    sources: list[SourceStatus]


class Guard:
    """Who may call: one object for every application and route that shares a policy. Safe to share between threads,
    event loops and both colours.

    `verifier` decides about the token. `realm` names the protection space in challenges (RFC 9110 §11.5). With
    `optional=True` a request that presents no bearer token passes as anonymous; one with a wrong token never does.
    `error_body` makes the body of a refusal; its status and challenge are not negotiable.

    Checked: the Authorization field, the token (by `verifier`), `cnf` and the scopes given to `check`. Not checked: the
    path, the method, and whether the token's subject may do what it asks for.
    """

    def __init__(
        self,
        verifier: Verifier,
        *,
        realm: str = "api",
        optional: bool = False,
        error_body: ErrorBodyOf = oauth_error,
    ) -> None:
        raise_problems("Guard", _problems(verifier, realm, optional, error_body))
        self._verifier = verifier
        self._realm = realm
        self._optional = optional
        self._error_body = error_body

    def check(self, request: IncomingRequest, required: str | Requirement | None = None) -> AccessToken | None:
        """The request's verified token; None only when there is none and the guard is optional.

        `required` is a scope, `all_of(...)` or `any_of(...)`. Raises AccessDenied or AuthorityUnavailable.
        """
        try:
            begun = self.begin(request, requirement(required))
            return begun if begun is None or isinstance(begun, AccessToken) else run(begun, IO)
        except Refused as refused:
            self._report(refused)
            refused.reported = True
            raise

    async def acheck(self, request: IncomingRequest, required: str | Requirement | None = None) -> AccessToken | None:
        """`check` from a coroutine, under asyncio or trio; suspends only when something has to be fetched."""
        try:
            begun = self.begin(request, requirement(required))
            return begun if begun is None or isinstance(begun, AccessToken) else await arun(begun, IO)
        except Refused as refused:
            self._report(refused)
            refused.reported = True
            raise

    def begin(self, request: IncomingRequest, required: Requirement | None) -> Begun[AccessToken | None]:
        """The decision of `check` and `acheck`, which is taken at once where nothing has to be waited for."""
        token = self._presented(request)
        if token is None:
            return None
        verifier = self._verifier
        found: Begun[AccessToken] | None = known(verifier, token)
        if found is None:
            try:
                found = begin(verifier, token)
            except InvalidToken:
                check_token68(token)  # what is malformed is a bad request, whatever else is wrong with it
                raise
        if isinstance(found, AccessToken):
            return self._admitted(found, required)
        check_token68(token)  # before anything is fetched, or anybody asked, on its account
        return self._awaited(found, required)

    def _presented(self, request: IncomingRequest) -> str | None:
        try:
            token = bearer_credentials(request.values("authorization"))
        except MissingToken:
            if not self._optional:
                raise
            return None
        if token is None and not self._optional:
            raise MissingToken("no Authorization field")
        return token

    def _awaited(self, flow: Flow[AccessToken], required: Requirement | None) -> Flow[AccessToken]:
        return self._admitted((yield from flow), required)

    def _admitted(self, token: AccessToken, required: Requirement | None) -> AccessToken:
        if token.confirmation is not None:
            raise InvalidClaim("cnf", "a sender-constrained token was presented as a plain bearer token")
        self.authorize(token, required)
        return token

    def authorize(self, token: AccessToken, required: Requirement | None) -> None:
        """Raise InsufficientScope unless the scopes of this verified token meet `required`."""
        if required is not None and not required.allows(token.scopes):
            raise InsufficientScope(required.named)

    def refusal(self, error: AccessDenied | AuthorityUnavailable, request: IncomingRequest) -> Refusal:
        """The response to a refused request: never cacheable, without body for HEAD, logged once."""
        if error.reported:
            error.reported = False  # by check, this time; a verifier may raise the same exception again
        else:
            self._report(error)
        body = self._error_body(error, request)
        content = json.dumps(dict(body.content), separators=(",", ":")).encode()
        headers = [
            ("content-type", body.media_type),
            ("content-length", str(len(content))),
            ("cache-control", "no-store"),
        ]
        if isinstance(error, AccessDenied):
            headers.insert(0, ("www-authenticate", str(self._challenge(error))))
        else:
            headers.insert(0, ("retry-after", str(math.ceil(min(max(1.0, error.retry_after), _LONGEST_WAIT)))))
        return Refusal(status=error.status, headers=tuple(headers), body=b"" if request.method == "HEAD" else content)

    def status(self) -> GuardStatus:
        """What the guard knows about its sources: states, ages, last errors, skipped keys. Fetches nothing."""
        sources = [source.status() for source in self._verifier._sources()]
        return {"ready": all(source["state"] != "unavailable" for source in sources), "sources": sources}

    def warm(self, *, wait: bool = True) -> None:
        """Fetch what the first requests would wait for. Raises AuthorityUnavailable when a source stays empty.

        With `wait=False` the fetches that a request would begin now are only begun, which raises nothing and may be
        done on an event loop.
        """
        if wait:
            run(self._warming(), IO)
        else:
            self._rouse()

    async def awarm(self) -> None:
        """`warm` from a coroutine."""
        await arun(self._warming(), IO)

    def _warming(self) -> Flow[None]:
        first: AuthorityUnavailable | None = None
        self._rouse()  # all of them at once, so that nobody waits for one after the other
        for source in self._verifier._sources():
            try:
                yield from source.warming()
            except AuthorityUnavailable as unavailable:  # the others are warmed all the same
                first = first or unavailable
        if first is not None:
            raise first

    def _rouse(self) -> None:
        for source in self._verifier._sources():
            source.rouse()

    def _challenge(self, error: AccessDenied) -> Challenge:
        params = {"realm": self._realm}
        if error.error is not None:
            params |= {"error": error.error, "error_description": error.description}
        if isinstance(error, InsufficientScope) and error.required:
            params["scope"] = " ".join(error.required)
        return Challenge(params=params)

    def _report(self, refused: Refused) -> None:
        _logger.info("refused with %d, %s", refused.status, refused)


def _problems(verifier: object, realm: object, optional: object, error_body: object) -> Iterable[str]:
    if not isinstance(verifier, Verifier):
        yield "verifier must be a Verifier, such as JWTVerifier(issuer=..., audience=...)"
    elif not works(verifier):
        yield f"{type(verifier).__name__} must override verify or averify"
    if not isinstance(realm, str):
        yield "realm must be a string"
    else:
        try:
            Challenge(params={"realm": realm})
        except ConfigurationError:
            yield "realm may hold printable ASCII without quotes and backslashes only (RFC 6750 §3)"
    if not isinstance(optional, bool):
        yield "optional must be True or False"
    if not callable(error_body):
        yield "error_body must be a callable of (error, request) that returns an ErrorBody"
