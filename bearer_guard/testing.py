"""A local issuer for tests: real keys, real signatures, no network (RFC 9068, RFC 7517).

`LocalIssuer` is a thin face of `bearer_guard.issuer`. It makes good tokens, and tokens that are wrong in every way that
a guard must notice; its verifiers ask it for keys as they would ask a real provider, so that a rotation, an outage and
a slow answer can be had in a unit test.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

from ._errors import ConfigurationError
from ._guard import Guard
from ._keys import KeySource
from ._remote import RemoteJWKSet
from ._shared_secret import MAX_SECRETS, SharedSecret
from ._testkit.broken import BrokenToken, broken_tokens
from ._testkit.encoding import ABSENT, changed, encode
from ._testkit.line import InProcess, Line, Trouble
from ._testkit.server import LocalServer
from ._urls import url_problem
from ._verifiers import JWTVerifier
from .issuer import JSON_BODY, STANDARD, Clients, Issuer, IssuerRequest, IssuerResponse, KeyRing, SigningKey
from .issuer._tokens import access_token_claims, header_for

__all__ = ["LocalIssuer", "LocalServer", "BrokenToken", "Trouble", "ABSENT", "encode"]

_URL: Final = "https://issuer.example"


class LocalIssuer:
    """An issuer of real tokens for the API `audience`, in this process. Safe to share between threads.

    `issuer` is the `iss` of its tokens; by default `https://issuer.example`, while `serve()` answers the URL there.
    `algorithm` is any that the package verifies; `clock` returns NumericDates and is what its verifiers go by too.
    Tokens speak for the user `local-user` through the client `local-client` unless told otherwise.
    """

    def __init__(
        self,
        audience: str,
        *,
        issuer: str | None = None,
        algorithm: str = "ES256",
        subject: str = "local-user",
        client_id: str = "local-client",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.audience = audience
        self._identifier = issuer
        self._subject = subject
        self._client_id = client_id
        self._clock = clock
        self._ring = KeyRing(algorithm, overlap=math.inf, clock=clock)
        self._server: LocalServer | None = None
        self._core = self._at(_URL if issuer is None or url_problem(issuer) else issuer)
        self._line = Line(self._line_changed)
        self.transport: InProcess = InProcess(self._line, self.respond)

    @property
    def issuer(self) -> str:
        """The issuer identifier, exactly as tokens carry it."""
        return self._core.identifier

    @property
    def key(self) -> SigningKey:
        """The key that signs at present."""
        return self._ring.current

    def jwks(self) -> dict[str, Any]:
        """The JWK Set that is published at present."""
        return self._ring.jwks()

    def respond(self, request: IssuerRequest) -> IssuerResponse:
        """The issuer's answer to an HTTP request: `ASGIApp(issuer.respond)` mounts it, `serve()` listens."""
        return self._core.respond(request)

    def token(
        self,
        *,
        scope: str | Iterable[str] = "",
        expires_in: float = 300,
        headers: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A signed access token (RFC 9068) that expires in `expires_in` seconds, or expired that long ago if negative.

        `claims` and `headers` replace what would be there, and ABSENT removes it; nothing is checked.
        """
        key = self.key  # read once: another thread may rotate
        return encode(changed(header_for(key), headers or {}), self.claims(scope, expires_in, **claims), key)

    def claims(self, scope: str | Iterable[str] = "", expires_in: float = 300, **claims: Any) -> dict[str, Any]:
        """The claims that `token` would sign."""
        good = access_token_claims(
            issuer=self.issuer,
            audience=self.audience,
            client_id=self._client_id,
            subject=self._subject,
            scope=scope if isinstance(scope, str) else " ".join(scope),
            issued_at=int(self._clock()),
            lifetime=expires_in,
        )
        return changed(good, claims)

    def authorization(
        self,
        *,
        scope: str | Iterable[str] = "",
        expires_in: float = 300,
        headers: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> dict[str, str]:
        """The header field of a request that presents `token(...)`."""
        token = self.token(scope=scope, expires_in=expires_in, headers=headers, **claims)
        return {"Authorization": f"Bearer {token}"}

    def keys(self) -> KeySource:
        """A new source of this issuer's keys: the life cycle of a real one, without socket and cool-down."""
        if self.key.public_jwk is None:
            secrets = [self._secret_number(number) for number in range(MAX_SECRETS)]
            return SharedSecret(*secrets, algorithm=self.key.algorithm, cooldown=0.0)
        return RemoteJWKSet(self._core.jwks_uri, cooldown=0.0, transport=self.transport)

    def verifier(self, **parameters: Any) -> JWTVerifier:
        """A verifier of this issuer's tokens, by its keys and its clock and without leeway.

        Every parameter of `JWTVerifier` may be given and comes first.
        """
        defaults = {"issuer": self.issuer, "audience": self.audience, "leeway": 0.0, "clock": self._clock}
        if "keys" not in parameters:
            defaults["keys"] = self.keys()
        return JWTVerifier(**{**defaults, **parameters})

    def rotate(self, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on. The previous ones stay published; with `keep_old=False` they do not."""
        self._ring.rotate(keep_old=keep_old)

    def outage(self) -> Trouble:
        """Be out of reach from now on, until `restore()`, or until the end of the `with` block that this may open.

        Verifiers keep what they hold, as with a real provider; on a served issuer, connections are refused.
        """
        return self._line.begin(delay=None)

    def slow(self, seconds: float) -> Trouble:
        """Take `seconds` of real time for each answer from now on, with an end like that of `outage()`."""
        return self._line.begin(delay=seconds)

    def restore(self) -> None:
        """End every outage and slowness."""
        self._line.clear()

    @contextmanager
    def override(self, guard: Guard, **parameters: Any) -> Iterator[Guard]:
        """Make `guard`, and no other, verify by this issuer until the end of the block, in both colours.

        `parameters` are those of `verifier()`. Blocks may be nested, each within another.
        """
        before = guard._verifier
        guard._verifier = self.verifier(**parameters)
        try:
            yield guard
        finally:
            guard._verifier = before

    def broken_tokens(
        self, *, scope: str | Iterable[str] = "", profile: Literal["jwt", "rfc9068"] = "jwt"
    ) -> Iterator[BrokenToken]:
        """Every way a token can be wrong, with the answer that a guard by `verifier(profile=profile)` must give.

        `scope` is what the route requires: the tokens carry it, so that nothing but their defect refuses them, and one
        more that lacks it is to be answered with 403. What only an introspection endpoint knows is not among them.
        """
        granted = scope if isinstance(scope, str) else " ".join(scope)
        key = self.key
        return broken_tokens(self.claims(granted), header_for(key), key, profile)

    def serve(self, *, scopes: str | Iterable[str] = ()) -> LocalServer:
        """Answer over HTTP on a free port of the loopback interface, until `close()` or the end of the `with` block.

        The server has a client, with `client_id` and `client_secret`, that may have `scopes`. Make verifiers after
        this: the issuer identifier, unless it was given, is the server's URL as long as it runs.
        """
        if self._server is not None:
            raise ConfigurationError("LocalIssuer.serve: it is served already: close that server first")
        before = self._core

        def closed() -> None:
            if self._server is server:
                self._server, self._core = None, before

        server = LocalServer(
            audience=self.audience, scopes=scopes, gate=self._line.passes, make_issuer=self._at, on_close=closed
        )
        self._server, self._core = server, server.issuer
        return server

    def _at(self, url: str, clients: Clients | None = None) -> Issuer:
        return Issuer(
            self._identifier or url,
            url=url,
            keys=self._ring,
            clients=clients,
            dialects=(STANDARD, JSON_BODY),
            clock=self._clock,
        )

    def _line_changed(self, up: bool) -> None:
        if self._server is not None:
            self._server.listen(up)

    def _secret_number(self, number: int) -> Callable[[], bytes]:
        def fetch() -> bytes:
            if number == 0 and not self._line.passes():
                raise OSError("the local issuer is down")
            keys = self._ring.keys
            return keys[min(number, len(keys) - 1)].secret

        return fetch

    def __repr__(self) -> str:
        return f"LocalIssuer(audience={self.audience!r}, issuer={self.issuer!r}, algorithm={self.key.algorithm!r})"
