"""A local issuer over HTTP on loopback, with clients that can ask it for tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..issuer import Clients, Issuer
from ..issuer._loopback import LoopbackServer


class LocalServer:
    """A `LocalIssuer` over HTTP on loopback, from the moment that `serve()` returns it until `close()`.

    `token_endpoint` speaks RFC 6749, `json_token_endpoint` takes a JSON body; `client_id` and `client_secret` are good
    at both. `requests` are the paths asked for, in the order of arrival.
    """

    def __init__(
        self,
        *,
        audience: str,
        scopes: str | Iterable[str],
        gate: Callable[[], bool],
        make_issuer: Callable[[str, Clients], Issuer],
        on_close: Callable[[], None],
    ) -> None:
        self._audience = audience
        self._clients = Clients()
        self._on_close = on_close
        self.client_id: str
        self.client_secret: str
        self.client_id, self.client_secret = self.add_client(scopes)
        self._http = LoopbackServer(gate)
        self.url: str = self._http.url
        self.requests: list[str] = self._http.requests
        self.issuer: Issuer = make_issuer(self.url, self._clients)
        self.jwks_uri: str = self.issuer.jwks_uri
        self.token_endpoint: str
        self.json_token_endpoint: str
        self.token_endpoint, self.json_token_endpoint = self.issuer.token_endpoints
        self._http.start(self.issuer.respond)

    def add_client(
        self, scopes: str | Iterable[str] = (), *, audience: str | None = None, token_lifetime: int = 3600
    ) -> tuple[str, str]:
        """The identifier and the secret of a new client that may have `scopes`, for this API or another `audience`."""
        client, secret = self._clients.add(
            audience=audience or self._audience, scopes=scopes, token_lifetime=token_lifetime
        )
        return client.client_id, secret

    def listen(self, up: bool) -> None:
        """Take connections, or refuse them; the port stays the same."""
        (self._http.listen if up else self._http.refuse)()

    def close(self) -> None:
        """Stop to answer, for good. The `LocalIssuer` is what it was before."""
        self._http.close()
        self._on_close()

    def __enter__(self) -> LocalServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LocalServer({self.url!r})"
