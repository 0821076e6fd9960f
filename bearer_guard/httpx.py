"""httpx2: exchanges over pooled connections, and requests that carry a client's token (extra `httpx`).

`HTTPXTransport` serves introspection, keys and token requests in place of one connection each; `BearerAuth` puts a
`TokenClient`'s token on the requests of an `httpx2.Client` or `AsyncClient`, to the origins that may see it alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable
from typing import Any, Final

import httpx2

from ._errors import ConfigurationError, raise_problems
from ._httpx_transport import HTTPXTransport
from ._urls import endpoint, is_loopback, url_problem
from .client import TokenClient

__all__ = ["BearerAuth", "HTTPXTransport"]


class BearerAuth(httpx2.Auth):
    """Authentication of an httpx2 client by a `TokenClient`: `httpx2.Client(auth=BearerAuth(tokens))`.

    The token goes to `origins`, such as `"https://api.example.com"`, and nowhere else; without `origins`, to the origin
    of the first request and nowhere else. Requests to other origins pass as they are, and redirects to another origin
    carry no token. Origins must be https (http on loopback, or anywhere with `unsafe_http=True`).

    An answer 401 to a token that was sent makes for one more try with a fresh token, if there is one to be had and the
    request's body can be sent again (a stream's cannot); see `TokenClient.invalidate` for how often that happens.
    Raises ConfigurationError; what `TokenClient.token` raises reaches whoever made the request.
    """

    def __init__(
        self, token_client: TokenClient, *, origins: str | Iterable[str] | None = None, unsafe_http: bool = False
    ) -> None:
        given: object = token_client
        named = None if origins is None else [origins] if isinstance(origins, str) else list(origins)
        problems = [] if isinstance(given, TokenClient) else ["token_client must be a TokenClient"]
        problems += _origin_problems(named, unsafe_http=unsafe_http)
        raise_problems("BearerAuth", problems)
        self._tokens: Final = token_client
        self._unsafe_http: Final = unsafe_http
        self._open_to: dict[str, frozenset[httpx2.Origin]] = {}
        if named is not None:
            self._open_to["origins"] = frozenset(httpx2.URL(origin).origin for origin in named)

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        steps = self._steps(request)
        try:
            step = next(steps)
            while True:
                step = steps.send(self._tokens.token() if step is None else (yield step))
        except StopIteration:
            return

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        steps = self._steps(request)
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._tokens.atoken() if step is None else (yield step))
        except StopIteration:
            return

    def _steps(self, request: httpx2.Request) -> Generator[httpx2.Request | None, Any, None]:
        """What is done about `request`, in either colour: None asks for a token, a request for its response."""
        if not self._may_see(request.url):
            yield request
            return
        token: str = yield None
        request.headers["Authorization"] = f"Bearer {token}"
        response: httpx2.Response = yield request
        # A redirect may have led elsewhere, without the token: then it is not the token that was refused.
        presented = response.request.headers.get("Authorization") == f"Bearer {token}"
        if response.status_code != 401 or not presented or not self._tokens.invalidate(token):
            return
        if not isinstance(request.stream, httpx2.ByteStream):
            return
        fresh: str = yield None
        if fresh != token:
            request.headers["Authorization"] = f"Bearer {fresh}"
            yield request

    def _may_see(self, url: httpx2.URL) -> bool:
        if url.is_relative_url:
            return False
        origin = url.origin
        if "origins" not in self._open_to:
            if not (origin.scheme in ("https", "wss") or self._unsafe_http or is_loopback(origin.host)):
                raise ConfigurationError(
                    f"BearerAuth: {origin.scheme}://{origin.host} would get the token in the clear: use https, "
                    "or say unsafe_http=True"
                )
            self._open_to.setdefault("origins", frozenset({origin}))  # the first one, also among several at once
        return origin in self._open_to["origins"]

    def __repr__(self) -> str:
        return f"BearerAuth({self._tokens!r})"


def _origin_problems(origins: Iterable[object] | None, *, unsafe_http: bool) -> list[str]:
    if origins is None:
        return []
    problems: list[str] = []
    for origin in origins:
        if problem := url_problem(origin, unsafe_http=unsafe_http):
            problems.append(f"origin {origin!r} {problem}")
        elif endpoint(str(origin)).target != "/":
            problems.append(f"origin {origin!r} must end after the host and the port")
    return problems if problems or origins else ["origins is empty: name one, or leave it out"]
