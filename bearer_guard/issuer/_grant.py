"""What a token request was granted, and the kinds of token that a grant can become (RFC 9068 §2, RFC 6749 §1.4)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._claims import ScopeClaims
from .._errors import raise_problems
from ._client import Client
from ._keys import KeyRing
from ._signing_key import SigningKey
from ._tokens import access_token_claims, header_for, signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A token request that was granted: everything that a token or an answer can be made of.

    `now` is the moment as the issuer's clock gave it, fraction included. Nothing of it came from the request unchecked.
    """

    issuer: str
    client: Client
    audience: tuple[str, ...]
    scope: str
    now: float
    keys: KeyRing = field(repr=False)
    header: Callable[[SigningKey], Mapping[str, Any]] = header_for

    @property
    def issued_at(self) -> int:
        """`now` in whole seconds."""
        return int(self.now)

    @property
    def lifetime(self) -> int:
        """Seconds that the token is good for."""
        return self.client.token_lifetime

    @property
    def key(self) -> SigningKey:
        """The issuer's current key."""
        return self.keys.current

    def sign(self, claims: Mapping[str, Any]) -> str:
        """`claims` as a JWT under the issuer's current key, for tokens that go beside the access token too.

        The key stays published until `exp`, and for `lifetime` at least. May wait for a disk.
        """
        ends = claims.get("exp")
        until = max(self.now + self.lifetime, ends if isinstance(ends, int | float) else 0.0)
        key = self.keys.key_until(until)
        return signed(self.header(key), claims, key)


def rfc9068_claims(grant: Grant) -> Mapping[str, Any]:
    """The claims of RFC 9068 §2.2: the client is the subject, times are whole seconds."""
    return access_token_claims(
        issuer=grant.issuer,
        audience=grant.audience,
        client_id=grant.client.client_id,
        scope=grant.scope,
        issued_at=grant.issued_at,
        lifetime=grant.lifetime,
    )


def plain_header(key: SigningKey) -> dict[str, Any]:
    """`alg` and `typ: JWT` and no more, as providers send that do not know RFC 9068 and publish no key set."""
    return {"alg": key.algorithm, "typ": "JWT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JWTFormat:
    """Access tokens that are JWTs: `claims` makes what they say, `header` the JOSE header from the signing key.

    `validate` is what a guard of these tokens uses to tell them from other JWTs of the same issuer; introspection and
    revocation use it too. `identified` says whether the claims have `iss`, and `scope_claims` where the scopes are, as
    for a `JWTVerifier`; introspection tells them in `scope`. `client_claim` names the client that the token was issued
    to: that one alone may revoke it, and see it without being told so.
    """

    claims: Callable[[Grant], Mapping[str, Any]] = rfc9068_claims
    header: Callable[[SigningKey], Mapping[str, Any]] = header_for
    validate: Callable[[Mapping[str, Any]], object] | None = None
    identified: bool = True
    scope_claims: ScopeClaims = ("scope", "scp")
    client_claim: str = "client_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaqueFormat:
    """Access tokens that are random and say nothing: `octets` of randomness, at least 16, spelled in hexadecimal."""

    octets: int = 32

    def __post_init__(self) -> None:
        raise_problems("OpaqueFormat", [] if self.octets >= 16 else ["octets must be at least 16: tokens are guessed"])

    def make(self) -> str:
        """A new token."""
        return secrets.token_hex(self.octets)
