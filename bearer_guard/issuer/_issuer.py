"""An issuer of access tokens without a socket: one `respond` from a request to a response, in both colours.

Client credentials at the token endpoints, introspection (RFC 7662), revocation (RFC 7009), the JWK Set with cache
headers (RFC 7517 §5), metadata at the two well-known places (RFC 8414 §3, OpenID Connect Discovery §4). Adapters carry
requests to it; nothing that they do is a decision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from .._errors import raise_problems
from .._flow import Call, Flow, arun, run
from .._io import IO
from .._urls import url_problem
from ._authentication import authenticated
from ._clients import Clients
from ._dialects import STANDARD, Dialect, TokenRequestRefused
from ._documents import document
from ._grant import Grant, JWTFormat
from ._keys import KeyRing
from ._messages import IssuerRequest, IssuerResponse, without_body
from ._refusals import by_status, refusal
from ._store import Client, StoreFailed, TokenRecord, digest_of
from ._token_endpoint import answer, posted
from ._token_request import Credentials
from ._tokens import access_token_claims, header_for

JWKS_PATH: Final = "/.well-known/jwks.json"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
OPENID_PATH: Final = "/.well-known/openid-configuration"

_Route = Callable[[IssuerRequest, float], Flow[IssuerResponse]]


class Issuer:
    """An issuer: its identifier, keys, clients and token endpoints. Safe to share between threads and event loops.

    `identifier` is the `iss` of its tokens, compared by everybody exactly. `url` is where it is reached, by default the
    identifier itself. `clients` bring the store in which everything is kept. `jwks_max_age` is in seconds; `clock`
    returns NumericDates. Raises ConfigurationError for a URL that nobody could fetch safely, or for two token endpoints
    on one path.

    Checked: a client's credentials, with a brake on guessing, its grant type, scopes and resources.
    """

    def __init__(
        self,
        identifier: str,
        *,
        url: str | None = None,
        keys: KeyRing | None = None,
        clients: Clients | None = None,
        dialects: Sequence[Dialect] = (STANDARD,),
        jwks_max_age: int = 600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.identifier = identifier
        self.url = (identifier if url is None else url).rstrip("/")
        raise_problems("Issuer", _problems(self.url, dialects, jwks_max_age))
        self.keys = KeyRing() if keys is None else keys
        self.clients = Clients(clock=clock) if clients is None else clients
        self.store = self.clients.store
        self._dialects = tuple(dialects)
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
        return {
            "issuer": self.identifier,
            "token_endpoint": self.token_endpoints[0],
            "token_endpoint_auth_methods_supported": self._dialects[0].authentication_methods,
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "jwks_uri": self.jwks_uri,
        }

    def respond(self, request: IssuerRequest) -> IssuerResponse:
        """The response to `request`, whatever it is: a malformed one gets a 4xx and raises nothing."""
        return run(self._exchange(request), IO)

    async def arespond(self, request: IssuerRequest) -> IssuerResponse:
        """`respond` from a coroutine, under asyncio or trio; what waits or computes long does so in a thread."""
        return await arun(self._exchange(request), IO)

    def token(self, client: Client, audience: Iterable[str], scope: str) -> str:
        """A new access token for `client`; whether it may have it was decided before."""
        dialect = self._dialects[0]
        return self._token(self._grant(dialect, self._clock(), client, audience, scope), dialect)

    def _exchange(self, request: IssuerRequest) -> Flow[IssuerResponse]:
        if not self.store.blocking:
            return (yield from self._response(request))
        response: IssuerResponse = yield Call(lambda: run(self._response(request), IO), None)
        return response

    def _response(self, request: IssuerRequest) -> Flow[IssuerResponse]:
        now = self._clock()
        route = self._routes.get(request.path)
        try:
            if route is None:
                response = by_status(404, request, self._dialects[0], now)
            else:
                response = yield from route(request, now)
        except StoreFailed:
            response = by_status(503, request, self._dialects[0], now)
        return without_body(response) if request.method == "HEAD" else response

    def _make_routes(self) -> Iterable[tuple[str, _Route]]:
        prefix = urlsplit(self.url).path
        for dialect in self._dialects:
            yield prefix + dialect.path, self._token_route(dialect)
        yield prefix + JWKS_PATH, lambda request, now: self._document(request, self.keys.jwks())
        metadata: _Route = lambda request, now: self._document(request, self.metadata())  # noqa: E731
        yield METADATA_PATH + prefix, metadata  # between host and path: RFC 8414 §3.1
        yield prefix + OPENID_PATH, metadata

    def _document(self, request: IssuerRequest, content: dict[str, Any]) -> Flow[IssuerResponse]:
        return document(request, content, self._max_age)
        yield  # a flow, though it never waits

    def _token_route(self, dialect: Dialect) -> _Route:
        def route(request: IssuerRequest, now: float) -> Flow[IssuerResponse]:
            def authenticate(credentials: Credentials) -> Flow[Client]:
                return authenticated(credentials, self.clients, self.identifier, now)

            def make_grant(client: Client, audience: Iterable[str], scope: str) -> Grant:
                return self._grant(dialect, now, client, audience, scope)

            early = posted(request, dialect, now)
            if early is not None:
                return early
            try:
                return (
                    yield from answer(
                        request, dialect, authenticate, make_grant, lambda grant: self._token(grant, dialect)
                    )
                )
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
            key=self.keys.current,
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


def _problems(url: str, dialects: Sequence[Dialect], jwks_max_age: int) -> Iterable[str]:
    if problem := url_problem(url):
        yield f"url {problem}"
    elif "?" in url:
        yield "url must not hold a query"
    if not dialects:
        yield "dialects must hold at least one Dialect"
    if len({dialect.path for dialect in dialects}) < len(dialects):
        yield "dialects must have a path each"
    if any(not dialect.path.startswith("/") for dialect in dialects):
        yield "a dialect's path must begin with /"
    if jwks_max_age < 0:
        yield "jwks_max_age must not be negative"
