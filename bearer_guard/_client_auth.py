"""How a client proves who it is at an endpoint of the authorization server (RFC 6749 §2.3.1, RFC 7523 §2.2).

One method at a time, as configured, never two. What is sent is made anew for every request, so that an assertion is
never used twice; secrets stay out of `repr`.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ._jose import ASYMMETRIC, UnusableKey, load_jwk, public_jwk, sign
from ._jws import compact

Method: TypeAlias = Literal["basic", "basic_raw", "post", "private_key_jwt", "bearer", "none"]
METHODS: Final[tuple[str, ...]] = get_args(Method)

Secret: TypeAlias = str | Callable[[], str]

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFETIME: Final = 60


class ClientAuthentication:
    """A client's credentials and the one method by which it presents them.

    `basic` url-encodes both halves as RFC 6749 §2.3.1 wants, `basic_raw` does not, for servers that do not decode them;
    `post` puts them into the form; `bearer` sends the secret as a bearer token; `private_key_jwt` signs an assertion
    for `assertion_audience`, the authorization server's issuer identifier, with `private_key`, a PEM text.
    `client_secret` may be a callable that fetches it. Use `problems` before constructing.
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
        self._key: tuple[Any, str] | None = None
        if private_key is not None:
            self._key = _signing_key(private_key, algorithm)

    def present(self, form: Mapping[str, str], now: float) -> tuple[dict[str, str], dict[str, str]]:
        """The header fields and the form of a request that this client makes at `now` (a NumericDate)."""
        fields = dict(form)
        if self.method in ("basic", "basic_raw"):
            return {"Authorization": self._basic()}, fields
        if self.method == "bearer":
            return {"Authorization": f"Bearer {self.secret()}"}, fields
        if self.method == "post":
            fields |= {"client_id": str(self.client_id), "client_secret": self.secret()}
        elif self.method == "private_key_jwt":
            fields |= {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": self._assertion(now)}
        elif self.client_id is not None:
            fields |= {"client_id": self.client_id}
        return {}, fields

    def secret(self) -> str:
        """The client secret, fetched where it is a callable."""
        return self._secret() if callable(self._secret) else str(self._secret)

    def _basic(self) -> str:
        halves = (str(self.client_id), self.secret())
        if self.method == "basic":
            halves = (quote_plus(halves[0]), quote_plus(halves[1]))
        return "Basic " + b64encode(":".join(halves).encode()).decode("ascii")

    def _assertion(self, now: float) -> str:
        if self._key is None:
            raise TypeError("private_key_jwt needs a private key")
        key, algorithm = self._key
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
    if method in ("basic", "basic_raw", "post", "bearer") and not (
        callable(client_secret) or (isinstance(client_secret, str) and client_secret)
    ):
        yield f"auth={method!r} needs client_secret, a string or a callable that returns one"
    if method != "private_key_jwt":
        if private_key is not None:
            yield 'private_key goes with auth="private_key_jwt"'
        return
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
