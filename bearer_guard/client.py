"""A client's access token, asked for with its own credentials and kept fresh (RFC 6749 §4.4).

    client = TokenClient("https://id.example.com/oauth2/token", client_id="reports", client_secret=secret)
    requests.get(url, headers=client.authorization())          # or: await client.aauthorization()

One `TokenClient` is one endpoint, client, scope and resource: two of them never share a token (RFC 8707).
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast, get_args

from ._client_auth import ClientAuthentication, Secret, authentication_problems
from ._errors import ConfigurationError, duration_problems, raise_problems
from ._flow import Transport, arun, run
from ._grant import Body, Grant
from ._io import IO
from ._refused_grant import TokenRequestFailed
from ._renewal import Renewal
from ._scopes import requirement
from ._transport import HTTPTransport, transport_problems
from ._urls import url_problem

__all__ = ["TokenClient", "TokenRequestFailed"]

_METHODS: Final = ("basic", "basic_raw", "post", "private_key_jwt")
_OWN: Final = frozenset(
    {"grant_type", "scope", "resource", "client_id", "client_secret", "client_assertion", "client_assertion_type"}
)
# absolute-URI = scheme ":" hier-part [ "?" query ]                                               RFC 3986 §4.3
_ABSOLUTE_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")


class TokenClient:
    """Obtains a token by the client credentials grant, keeps it, and renews it before it expires.

    `token_endpoint` is an https URL (http on loopback). `auth` says how the client proves who it is: `basic`
    (url-encoded), `basic_raw` (not, for servers that do not decode), `post` (in the body), or `private_key_jwt` with
    `private_key`, a PEM text, and `issuer` as the audience of its assertions. `client_secret` may be a callable.
    `body` is `form` or, for servers that want it so, `json`. `scope` and `resource` are one string or several, `extra`
    more parameters, such as an `audience`.

    The token is renewed `renew_before` seconds before its end, at half its life at the latest, by a thread of its own:
    nobody waits while there is a good one, and while renewing fails it serves until its end. Without `expires_in` it
    counts as good for `assumed_lifetime` seconds. However many callers there are, one request is under way at a time;
    after failures the next one waits, from 1 s up to 30 s. `timeout` is a total deadline in seconds of real time,
    `clock` counts everything else. `transport` needs a `send` that any thread may call.

    Checked: status, `token_type` is bearer, the token's alphabet and length (16 KiB), `expires_in` is a number above 0,
    up to 2³¹-1, or its digits; redirects are not followed. Not checked: what the token says, which is not read.
    Raises ConfigurationError. Safe to share between threads, event loops and both colours.
    """

    def __init__(
        self,
        token_endpoint: str,
        *,
        client_id: str,
        client_secret: Secret | None = None,
        auth: str = "basic",
        scope: str | Iterable[str] | None = None,
        resource: str | Sequence[str] | None = None,
        private_key: str | bytes | None = None,
        algorithm: str | None = None,
        issuer: str | None = None,
        body: Body = "form",
        extra: Mapping[str, str] | None = None,
        renew_before: float = 60.0,
        assumed_lifetime: float = 300.0,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        unsafe_http: bool = False,
        transport: Transport | None = None,
    ) -> None:
        credentials: dict[str, Any] = {
            "method": auth,
            "client_id": client_id,
            "client_secret": client_secret,
            "private_key": private_key,
            "algorithm": algorithm,
            "assertion_audience": issuer,
        }
        problem = url_problem(token_endpoint, unsafe_http=unsafe_http)
        problems = [f"token_endpoint {problem}"] if problem else []
        if auth in _METHODS:
            problems += authentication_problems(**credentials)
        else:
            problems.append(f"auth must be one of {', '.join(_METHODS)}")
        scopes = [scope] if isinstance(scope, str) else list(scope or ())
        resources = [resource] if isinstance(resource, str) else list(resource or ())
        problems += [*_scope_problems(scopes), *_resource_problems(resources), *_extra_problems(extra)]
        problems += duration_problems({"timeout": timeout})
        problems += duration_problems({"renew_before": renew_before, "assumed_lifetime": assumed_lifetime}, zero=True)
        if assumed_lifetime == 0:
            problems.append("assumed_lifetime must be greater than 0 seconds")
        if body not in get_args(Body):
            problems.append(f"body must be one of {', '.join(get_args(Body))}")
        if not callable(clock):
            problems.append("clock must be a callable that returns seconds, such as time.monotonic")
        problems += transport_problems(transport, ssl_context, proxy)
        try:
            transport = transport or HTTPTransport(ssl_context=ssl_context, proxy=proxy)
        except ConfigurationError as error:
            problems += error.problems
        raise_problems("TokenClient", problems)
        self.token_endpoint: Final = token_endpoint
        self.client_id: Final = client_id
        parameters = {**(extra or {}), **({"scope": " ".join(scopes)} if scopes else {})}
        grant = Grant(
            token_endpoint,
            cast("Transport", transport),
            ClientAuthentication(**credentials),
            body=body,
            parameters=parameters,
            resources=resources,
            wall_clock=time.time,
        )
        self._renewal: Final = Renewal(
            token_endpoint,
            grant.ask,
            renew_before=renew_before,
            assumed_lifetime=assumed_lifetime,
            timeout=timeout,
            clock=clock,
        )

    def token(self) -> str:
        """The access token to send now. Raises TokenRequestFailed or AuthorityUnavailable when there is none."""
        return run(self._renewal.current(), IO)

    async def atoken(self) -> str:
        """`token` from a coroutine, under asyncio or trio; suspends only when there is no good token at hand."""
        return await arun(self._renewal.current(), IO)

    def authorization(self) -> dict[str, str]:
        """The header field that presents the token (RFC 6750 §2.1)."""
        return {"Authorization": f"Bearer {self.token()}"}

    async def aauthorization(self) -> dict[str, str]:
        """`authorization` from a coroutine."""
        return {"Authorization": f"Bearer {await self.atoken()}"}

    def invalidate(self, token: str) -> bool:
        """Say that an API refused `token` with a 401, so that the next caller gets a fresh one; whether that is tried.

        A token is renewed once on this account, and at most two are within 30 s: an API that refuses everything does
        not make a storm at the token endpoint. While renewing fails, the token serves on, for APIs that do take it.
        """
        return self._renewal.refused(token)

    def __repr__(self) -> str:
        return f"TokenClient({self.token_endpoint!r}, client_id={self.client_id!r})"


def _scope_problems(scopes: Iterable[object]) -> Iterable[str]:
    for name in [name for scope in scopes for name in (scope.split(" ") if isinstance(scope, str) else [scope])]:
        try:
            sound = isinstance(name, str) and requirement(name) is not None
        except ConfigurationError:
            sound = False
        if not sound:
            yield f"scope {name!r} is not one (RFC 6749 §3.3): give names with single spaces between, or a list of them"


def _resource_problems(resources: Iterable[object]) -> Iterable[str]:
    for resource in resources:
        # An absolute URI without a fragment.                                                        RFC 8707 §2
        if not (isinstance(resource, str) and _ABSOLUTE_URI.fullmatch(resource)):
            yield f"resource {resource!r} is not an absolute URI without a fragment (RFC 8707 §2)"


def _extra_problems(extra: object) -> Iterable[str]:
    if extra is None:
        return
    if not isinstance(extra, Mapping) or not all(
        isinstance(name, str) and isinstance(value, str) for name, value in extra.items()
    ):
        yield "extra must map names of parameters to strings"
    elif taken := _OWN & extra.keys():
        yield f"extra must not hold {', '.join(sorted(taken))}: there are parameters of TokenClient for that"
