"""An issuer of access tokens without a socket: one `respond` from a request to a response, in both colours.

Client credentials at the token endpoints, introspection (RFC 7662), revocation (RFC 7009), the JWK Set with cache
headers (RFC 7517 §5), metadata at the two well-known places (RFC 8414 §3, OpenID Connect Discovery §4). Adapters carry
requests to it; nothing that they do is a decision.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from .._errors import AuthorityUnavailable, raise_problems
from .._flow import Call, Flow, arun, run
from .._io import IO
from .._urls import url_problem
from ._authentication import authenticated
from ._client import Client
from ._clients import Clients
from ._dialects import STANDARD, Dialect, TokenRequestRefused
from ._documents import document
from ._grant import Grant, JWTFormat
from ._inspection import Authenticate, Inspection
from ._keys import KeyRing
from ._messages import IssuerRequest, IssuerResponse, without_body
from ._metadata import (
    INTROSPECTION_PATH,
    JWKS_PATH,
    METADATA_PATH,
    OPENID_PATH,
    OWN_PATHS,
    REVOCATION_PATH,
    issuer_metadata,
)
from ._off_loop import in_threads
from ._refusals import by_status, refusal
from ._signing_key import SigningKey
from ._store import Store, StoreFailed, TokenRecord, digest_of
from ._token_endpoint import answer
from ._token_request import Credentials
from ._tokens import access_token_claims, header_for

_logger: Final = logging.getLogger("bearer_guard")
_Route = Callable[[IssuerRequest, float], Flow[IssuerResponse]]
_ClientRoute = Callable[[IssuerRequest, Authenticate, float], Flow[IssuerResponse]]


class Issuer:
    """An issuer: its identifier, keys, clients and token endpoints. Safe to share between threads and event loops.

    `identifier` is the `iss` of its tokens, compared by everybody exactly. `url` is where it is reached, by default the
    identifier itself. `store` is where tokens, keys and clients are kept, by default in memory; `clients` bring their
    own, and `keys` may. `jwks_max_age` is how many seconds others may keep the key set; `clock` returns NumericDates.
    Raises ConfigurationError for a URL that nobody could fetch safely, for two endpoints on one path, and for a key set
    that could be kept for longer than a new key is published before it signs.

    Checked: a client's credentials, with a brake on guessing, its grant type, scopes and resources.
    """

    def __init__(
        self,
        identifier: str,
        *,
        url: str | None = None,
        keys: KeyRing | None = None,
        clients: Clients | None = None,
        store: Store | None = None,
        dialects: Sequence[Dialect] = (STANDARD,),
        jwks_max_age: int = 600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.identifier: str = identifier
        self.url: str = (identifier if url is None else url).rstrip("/")
        problems = [*_problems(self.url, dialects, jwks_max_age, keys)]
        if store is not None and clients is not None and clients.store is not store:
            problems.append("clients bring the store that they are kept in: leave store out")
        raise_problems("Issuer", problems)
        self.clients: Clients = Clients(store, clock=clock) if clients is None else clients
        self.store: Store = self.clients.store
        self.keys: KeyRing = _keys(self.store, jwks_max_age, clock) if keys is None else keys
        self._dialects = tuple(dialects)
        self._inspection = Inspection(identifier, self.store, self.keys, self._dialects, clock)
        self._max_age = jwks_max_age
        self._clock = clock
        self._routes = dict(self._make_routes())

    @property
    def jwks_uri(self) -> str:
        """Where the JWK Set is."""
        return self.url + JWKS_PATH

    @property
    def token_endpoints(self) -> tuple[str, ...]:
        """Where tokens are asked for, one URL per dialect."""
        return tuple(self.url + dialect.path for dialect in self._dialects)

    def metadata(self) -> dict[str, Any]:
        """The metadata of RFC 8414 §2, fit for the OpenID Connect place too."""
        return issuer_metadata(self.identifier, self.url, self._dialects[0])

    def rotate(self) -> SigningKey:
        """Publish a new key now, which signs once everybody has it; the old one stays until its last token has expired.

        For a key that somebody else has read, there is `keys.rotate(keep_old=False)`.
        """
        return self.keys.rotate(ahead=self.keys.publish_ahead)

    def respond(self, request: IssuerRequest) -> IssuerResponse:
        """The response to `request`, whatever it is: a malformed one gets a 4xx and raises nothing."""
        return run(self._exchange(request), IO)

    async def arespond(self, request: IssuerRequest) -> IssuerResponse:
        """`respond` from a coroutine, under asyncio or trio; what waits or computes long does so in a thread."""
        return await arun(self._exchange(request), IO)

    def token(self, client: Client, audience: Iterable[str], scope: str) -> str:
        """A new access token for `client`; whether it may have it was decided before. May wait for a disk."""
        if self.keys.due:
            self.keys.tend()
        dialect = self._dialects[0]
        return self._token(self._grant(dialect, self._clock(), client, audience, scope), dialect)

    def _exchange(self, request: IssuerRequest) -> Flow[IssuerResponse]:
        flow = self._response(request)
        return in_threads(flow) if self.store.blocking or self.keys.blocking else flow

    def _response(self, request: IssuerRequest) -> Flow[IssuerResponse]:
        now = self._clock()
        route = self._routes.get(request.path)
        try:
            if route is None:
                response = by_status(404, request, self._dialects[0], now)
            else:
                if self.keys.due:
                    yield Call(self.keys.tend, None)  # it may make a key, which takes long
                response = yield from route(request, now)
        except (StoreFailed, AuthorityUnavailable) as failure:
            _logger.error("the issuer's store: %s", failure)
            response = by_status(503, request, self._dialects[0], now)
        return without_body(response) if request.method == "HEAD" else response

    def _make_routes(self) -> Iterable[tuple[str, _Route]]:
        prefix = urlsplit(self.url).path
        for dialect in self._dialects:
            yield prefix + dialect.path, self._token_route(dialect)
        yield prefix + INTROSPECTION_PATH, self._client_route(STANDARD, self._inspection.introspected)
        yield prefix + REVOCATION_PATH, self._client_route(STANDARD, self._inspection.revoked)
        yield prefix + JWKS_PATH, lambda request, now: self._document(request, self.keys.jwks())
        metadata: _Route = lambda request, now: self._document(request, self.metadata())  # noqa: E731
        yield METADATA_PATH + prefix, metadata  # between host and path: RFC 8414 §3.1
        yield prefix + OPENID_PATH, metadata

    def _document(self, request: IssuerRequest, content: dict[str, Any]) -> Flow[IssuerResponse]:
        return document(request, content, self._max_age)
        yield  # a flow, though it never waits

    def _token_route(self, dialect: Dialect) -> _Route:
        def respond(request: IssuerRequest, authenticate: Authenticate, now: float) -> Flow[IssuerResponse]:
            def make_grant(client: Client, audience: Iterable[str], scope: str) -> Grant:
                return self._grant(dialect, now, client, audience, scope)

            return answer(request, dialect, authenticate, make_grant, lambda grant: self._token(grant, dialect))

        return self._client_route(dialect, respond)

    def _client_route(self, dialect: Dialect, respond: _ClientRoute) -> _Route:
        def route(request: IssuerRequest, now: float) -> Flow[IssuerResponse]:
            def authenticate(credentials: Credentials) -> Flow[Client]:
                return authenticated(credentials, self.clients, self.identifier, now)

            try:
                return (yield from respond(request, authenticate, now))
            except TokenRequestRefused as refused:
                return refusal(refused, request, dialect, now)

        return route

    def _grant(self, dialect: Dialect, now: float, client: Client, audience: Iterable[str], scope: str) -> Grant:
        header = dialect.token.header if isinstance(dialect.token, JWTFormat) else header_for
        return Grant(
            issuer=self.identifier,
            client=client,
            audience=tuple(audience),
            scope=scope,
            now=now,
            keys=self.keys,
            header=header,
        )

    def _token(self, grant: Grant, dialect: Dialect) -> str:
        if isinstance(dialect.token, JWTFormat):
            return grant.sign(dialect.token.claims(grant))
        token = dialect.token.make()
        claims = access_token_claims(
            issuer=grant.issuer,
            audience=grant.audience,
            client_id=grant.client.client_id,
            scope=grant.scope,
            issued_at=grant.issued_at,
            lifetime=grant.lifetime,
        )
        record = TokenRecord(client_id=grant.client.client_id, expires_at=claims["exp"], claims=claims)
        self.store.add_token(digest_of(token), record, grant.now)
        return token


def _keys(store: Store, jwks_max_age: int, clock: Callable[[], float]) -> KeyRing:
    return KeyRing(store=store, publish_ahead=max(900.0, 1.5 * jwks_max_age), clock=clock)


def _problems(url: str, dialects: Sequence[Dialect], jwks_max_age: int, keys: KeyRing | None) -> Iterable[str]:
    if problem := url_problem(url):
        yield f"url {problem}"
    elif "?" in url:
        yield "url must not hold a query"
    if not dialects:
        yield "dialects must hold at least one Dialect"
    paths = [dialect.path for dialect in dialects]
    if len(set(paths)) < len(paths) or not OWN_PATHS.isdisjoint(paths):
        yield "dialects must have a path each, and none of the issuer's own"
    if jwks_max_age < 0:
        yield "jwks_max_age must not be negative"
    if keys is not None and jwks_max_age > keys.publish_ahead:
        yield "jwks_max_age must not exceed publish_ahead of keys, or others would miss a new key"
