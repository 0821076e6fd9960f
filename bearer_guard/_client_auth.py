"""How a client proves who it is at an endpoint of the authorization server (RFC 6749 §2.3.1, RFC 7523 §2.2).

One method at a time, as configured, never two. What is sent is made anew for every request, so that an assertion is
never used twice; secrets stay out of `repr`.
"""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar, get_args
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ._errors import AuthorityUnavailable
from ._flow import ExchangeFailed, Flow
from ._jose import ASYMMETRIC, UnusableKey, load_jwk, public_jwk, sign
from ._jws import compact
from ._workers import Workers

Method: TypeAlias = Literal["basic", "basic_raw", "post", "private_key_jwt", "bearer", "none"]
METHODS: Final[tuple[str, ...]] = get_args(Method)

Secret: TypeAlias = str | Callable[[], str]

T = TypeVar("T")

_TOO_LATE: Final = "was not done in time"
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFETIME: Final = 60
_WITH_SECRET: Final = ("basic", "basic_raw", "post", "bearer")
# token68 of RFC 9110 §11.2: whatever is sent as a bearer token, this client's own included
TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class Presented(NamedTuple):
    """What a request carries as proof of who makes it; `hidden` are the texts that nothing may repeat."""

    headers: dict[str, str]
    form: dict[str, str]
    hidden: tuple[str, ...]


class ClientAuthentication:
    """A client's credentials and the one method by which it presents them.

    `basic` url-encodes both halves as RFC 6749 §2.3.1 wants, `basic_raw` does not, for servers that do not decode them;
    `post` puts them into the form; `bearer` sends the secret as a bearer token; `private_key_jwt` signs an assertion
    for `assertion_audience`, the authorization server's issuer identifier, with `private_key`, a PEM text.
    `client_secret` may be a callable that fetches it, asked for each request. That, and signing, is done in a worker
    thread: neither holds an event loop up, or a caller beyond its deadline. Use `authentication_problems` before
    constructing.
    """

    def __init__(
        self,
        *,
        method: str,
        client_id: str | None,
        client_secret: Secret | None = None,
        private_key: str | bytes | None = None,
        algorithm: str | None = None,
        assertion_audience: str | None = None,
    ) -> None:
        self.method = method
        self.client_id = client_id
        self._secret = client_secret
        self._audience = assertion_audience
        self._workers: Final = Workers()
        self._key: tuple[Any, str] | None = None
        if private_key is not None:
            self._key = _signing_key(private_key, algorithm)

    def present(self, form: Mapping[str, str], now: float, deadline: float) -> Flow[Presented]:
        """The header fields and the form of a request that this client makes at `now` (a NumericDate).

        Raises AuthorityUnavailable when a callable brings no secret that can be sent, before `deadline` (real time).
        """
        fields = dict(form)
        if self.method in _WITH_SECRET:
            secret = yield from self._fetched(deadline)
            return self._with_secret(secret, fields)
        if self._key is not None:
            assertion = yield from self._done(partial(self._assertion, *self._key, now), deadline, "signing")
            fields |= {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}
            return Presented({}, fields, (assertion,))
        if self.client_id is not None:
            fields |= {"client_id": self.client_id}
        return Presented({}, fields, ())

    def _with_secret(self, secret: str, fields: dict[str, str]) -> Presented:
        if self.method == "bearer":
            return Presented({"Authorization": f"Bearer {secret}"}, fields, (secret,))
        if self.method == "post":
            fields |= {"client_id": str(self.client_id), "client_secret": secret}
            return Presented({}, fields, (secret, quote_plus(secret)))
        halves = (str(self.client_id), secret)
        if self.method == "basic":
            halves = (quote_plus(halves[0]), quote_plus(halves[1]))
        credentials = b64encode(":".join(halves).encode()).decode("ascii")
        return Presented({"Authorization": f"Basic {credentials}"}, fields, (credentials, secret, halves[1]))

    def _fetched(self, deadline: float) -> Flow[str]:
        if not callable(self._secret):
            return str(self._secret)
        fetch = self._secret
        (secret,) = yield from self._done(lambda: (fetch(),), deadline, "client_secret: the callable")
        if problem := _secret_problem(self.method, secret):
            raise AuthorityUnavailable(f"client_secret: the callable returned what {problem}")
        return str(secret)

    def _done(self, act: Callable[[], T], deadline: float, what: str) -> Flow[T]:
        def named() -> T:
            try:
                return act()
            except Exception as failure:
                raise ExchangeFailed(f"raised {type(failure).__name__}") from failure

        try:
            return (yield from self._workers.outcome(named, deadline))
        except ExchangeFailed as failure:
            raise AuthorityUnavailable(f"{what} {_TOO_LATE if failure.__cause__ is None else failure}") from failure

    def _assertion(self, key: Any, algorithm: str, now: float) -> str:
        header = {"alg": algorithm, "typ": "client-authentication+jwt"}
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self._audience,
            "jti": secrets.token_urlsafe(16),
            "iat": int(now),
            "exp": int(now) + _ASSERTION_LIFETIME,
        }
        return compact(
            json.dumps(header).encode(), json.dumps(claims).encode(), lambda octets: sign(algorithm, key, octets)
        )

    def __repr__(self) -> str:
        return f"ClientAuthentication(method={self.method!r}, client_id={self.client_id!r})"


def authentication_problems(
    *,
    method: object,
    client_id: object,
    client_secret: object,
    private_key: object,
    algorithm: object,
    assertion_audience: object,
) -> Iterable[str]:
    """What is wrong with these parameters of a ClientAuthentication, one sentence that names the fix for each."""
    if method not in METHODS:
        yield f"auth must be one of {', '.join(METHODS)}"
        return
    if method not in ("bearer", "none") and not (isinstance(client_id, str) and client_id):
        yield f"auth={method!r} needs client_id"
    elif client_id is not None and not _encodable(str(client_id)):
        yield "client_id must be text that UTF-8 can spell"
    elif method == "basic_raw" and ":" in str(client_id):
        yield 'auth="basic_raw" cannot carry a client_id with a colon (RFC 7617 §2): use auth="basic"'
    if method not in _WITH_SECRET:
        if client_secret is not None:
            yield f"client_secret does not go with auth={method!r}: a client proves itself in one way"
    elif not callable(client_secret) and (problem := _secret_problem(str(method), client_secret)):
        yield f"auth={method!r} needs a client_secret, a string or a callable that returns one; this one {problem}"
    if method == "private_key_jwt":
        yield from _key_problems(private_key, algorithm, assertion_audience)
    elif private_key is not None or algorithm is not None:
        yield 'private_key and algorithm go with auth="private_key_jwt"'


def _secret_problem(method: str, secret: object) -> str | None:
    """Why a secret cannot be sent by `method`, or None; the answer holds nothing of it."""
    if not isinstance(secret, str) or not secret:
        return "is no text" if secret is not None else "is missing"
    if method == "bearer" and not TOKEN68.fullmatch(secret):
        return "is no bearer token (RFC 9110 §11.2)"
    return None if _encodable(secret) else "is not text that UTF-8 can spell"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _key_problems(private_key: object, algorithm: object, assertion_audience: object) -> Iterable[str]:
    if not (isinstance(assertion_audience, str) and assertion_audience):
        yield 'auth="private_key_jwt" needs issuer, the audience of its assertions (RFC 7523bis)'
    if not isinstance(private_key, str | bytes):
        yield 'auth="private_key_jwt" needs private_key, a PEM text'
        return
    try:
        _signing_key(private_key, algorithm)
    except UnusableKey as error:
        yield f"private_key: {error}"


def _signing_key(pem: str | bytes, algorithm: object) -> tuple[Any, str]:
    try:
        key = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, password=None)
    except Exception:
        raise UnusableKey("not an unencrypted PEM private key") from None
    jwk = public_jwk(key.public_key())
    fitting = load_jwk(jwk).possible
    if algorithm is None:
        algorithm = next((name for name in ("ES256", "RS256", "Ed25519") if name in fitting), min(fitting))
    if not isinstance(algorithm, str) or algorithm not in fitting & ASYMMETRIC:
        raise UnusableKey(f"the algorithm does not fit: choose from {', '.join(sorted(fitting))}")
    return key, algorithm
