"""An issuer of access tokens without a socket: one `respond` from a request to a response.

Client credentials at the token endpoints, the JWK Set with cache headers (RFC 7517 §5), metadata at the two well-known
places (RFC 8414 §3, OpenID Connect Discovery §4). Adapters carry requests to it; nothing that they do is a decision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from .._errors import raise_problems
from .._urls import url_problem
from ._clients import Client, Clients
from ._dialects import STANDARD, Dialect
from ._keys import KeyRing
from ._messages import IssuerRequest, IssuerResponse, json_response, without_body
from ._token_endpoint import answer
from ._tokens import access_token_claims, header_for, signed

JWKS_PATH: Final = "/.well-known/jwks.json"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
OPENID_PATH: Final = "/.well-known/openid-configuration"

_Route = Callable[[IssuerRequest], IssuerResponse]


class Issuer:
    """An issuer: its identifier, keys, clients and token endpoints. Safe to share between threads and event loops.

    `identifier` is the `iss` of its tokens, compared by everybody exactly. `url` is where it is reached, by default the
    identifier itself. `jwks_max_age` is in seconds; `clock` returns NumericDates. Raises ConfigurationError for a URL
    that nobody could fetch safely, or for two token endpoints on one path.

    Checked: a client's credentials, grant type, scopes and resources. Not done: limits on the number of attempts.
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
        self.url: str = (identifier if url is None else url).rstrip("/")
        raise_problems("Issuer", _problems(self.url, dialects, jwks_max_age))
        self.keys: KeyRing = KeyRing() if keys is None else keys
        self.clients: Clients = Clients() if clients is None else clients
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
        route = self._routes.get(request.path)
        if route is None:
            response = json_response(404, {"error": "not_found"}, ("cache-control", "no-store"))
        else:
            response = route(request)
        return without_body(response) if request.method == "HEAD" else response

    def token(self, client: Client, audience: Iterable[str], scope: str) -> str:
        """A new access token for `client`; whether it may have it was decided before."""
        key = self.keys.current
        claims = access_token_claims(
            issuer=self.identifier,
            audience=audience,
            client_id=client.client_id,
            scope=scope,
            issued_at=int(self._clock()),
            lifetime=client.token_lifetime,
        )
        return signed(header_for(key), claims, key)

    def _make_routes(self) -> Iterable[tuple[str, _Route]]:
        prefix = urlsplit(self.url).path
        for dialect in self._dialects:
            yield prefix + dialect.path, self._token_route(dialect)
        yield prefix + JWKS_PATH, self._jwks
        yield METADATA_PATH + prefix, self._metadata  # between host and path: RFC 8414 §3.1
        yield prefix + OPENID_PATH, self._metadata

    def _token_route(self, dialect: Dialect) -> _Route:
        return lambda request: answer(request, dialect, self.clients, self.token)

    def _jwks(self, request: IssuerRequest) -> IssuerResponse:
        return self._document(request, self.keys.jwks())

    def _metadata(self, request: IssuerRequest) -> IssuerResponse:
        return self._document(request, self.metadata())

    def _document(self, request: IssuerRequest, content: dict[str, Any]) -> IssuerResponse:
        if request.method not in ("GET", "HEAD"):
            return json_response(405, {"error": "method_not_allowed"}, ("allow", "GET, HEAD"))
        response = json_response(200, content, ("cache-control", f"public, max-age={self._max_age}"))
        etag = f'"{sha256(response.body).hexdigest()[:32]}"'
        headers = (*response.headers, ("etag", etag))
        if _names(request.values("if-none-match"), etag):
            kept = tuple(field for field in headers if not field[0].startswith("content-"))
            return IssuerResponse(status=304, headers=kept, body=b"")
        return IssuerResponse(status=200, headers=headers, body=response.body)


def _names(fields: Sequence[str], etag: str) -> bool:
    # If-None-Match = "*" / #entity-tag, compared weakly: RFC 9110 §13.1.2
    tags = [tag.strip().removeprefix("W/") for tag in ",".join(fields).split(",")]
    return etag in tags or "*" in tags


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
