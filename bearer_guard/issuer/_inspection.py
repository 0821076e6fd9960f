"""What an issuer says about its tokens, and how it takes them back: introspection (RFC 7662), revocation (RFC 7009).

Both ask who the caller is, and both know opaque tokens and JWTs. A caller sees its own tokens and those for audiences
that it may introspect; of every other one it learns what it learns of one that does not exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from .._claims import scopes_of
from .._errors import InvalidToken
from .._flow import Flow
from .._jws import looks_like_jws, media_type
from .._token import AccessToken
from .._verifier import begin
from .._verifiers import JWTVerifier
from ._client import Client
from ._dialects import Dialect, TokenRequestRefused
from ._grant import JWTFormat
from ._keys import KeyRing
from ._messages import IssuerRequest, IssuerResponse, json_response
from ._own import IssuerKeys
from ._refusals import NO_STORE
from ._store import Store, digest_of
from ._token_request import Credentials, posted

_DIALECT: Final = Dialect(required=("token",))
# RFC 7662 §2.2 beside `active`, `scope` and `token_type`
_TOLD: Final = ("client_id", "username", "exp", "iat", "nbf", "sub", "aud", "iss", "jti")

Authenticate: TypeAlias = Callable[[Credentials], Flow[Client]]


class _AnyAudience:
    def __contains__(self, name: object) -> bool:
        return True


class Found(NamedTuple):
    """A token of this issuer that is good: its claims and scopes, the client that it was issued to, and where it is
    kept if it is opaque.
    """

    claims: Mapping[str, Any]
    scopes: frozenset[str]
    owner: object
    digest: bytes | None

    @property
    def audience(self) -> Sequence[Any]:
        named = self.claims.get("aud", ())
        return (named,) if isinstance(named, str) else named


class Inspection:
    """The tokens that an issuer has given out, by its store and its keys."""

    def __init__(
        self, identifier: str, store: Store, keys: KeyRing, dialects: Sequence[Dialect], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._keys = keys
        self._token_type = dialects[0].token_type
        self._verifiers = [
            (_verifier(identifier, keys, dialect.token, clock), dialect.token.client_claim)
            for dialect in dialects
            if isinstance(dialect.token, JWTFormat)
        ]

    def introspected(self, request: IssuerRequest, authenticate: Authenticate, now: float) -> Flow[IssuerResponse]:
        """The answer of the introspection endpoint. Raises TokenRequestRefused."""
        caller, token = yield from self._asked(request, authenticate)
        found = yield from self._found(token, now)
        if found is None or not _may_see(caller, found):
            return json_response(200, {"active": False}, *NO_STORE)
        told = {name: found.claims[name] for name in _TOLD if name in found.claims}
        scope = " ".join(sorted(found.scopes))
        members = {"active": True, "token_type": self._token_type, **told}
        return json_response(200, {**members, "scope": scope} if scope else members, *NO_STORE)

    def revoked(self, request: IssuerRequest, authenticate: Authenticate, now: float) -> Flow[IssuerResponse]:
        """The answer of the revocation endpoint. Raises TokenRequestRefused."""
        caller, token = yield from self._asked(request, authenticate)
        found = yield from self._found(token, now)
        if found is not None:
            self._revoke(caller, found, now)
        return json_response(200, {}, *NO_STORE)  # also where there is no such token: RFC 7009 §2.2

    def _revoke(self, caller: Client, found: Found, now: float) -> None:
        if found.owner != caller.client_id:
            raise TokenRequestRefused("invalid_grant", "The token was issued to another client.")
        if found.digest is not None:
            self._store.remove_token(found.digest)
        elif "jti" in found.claims:
            self._store.use_once("revoked", found.claims["jti"], math.ceil(found.claims["exp"]), now)
        else:
            raise TokenRequestRefused("unsupported_token_type", "Tokens without jti cannot be revoked.")

    def _asked(self, request: IssuerRequest, authenticate: Authenticate) -> Flow[tuple[Client, str]]:
        asked = posted(request, _DIALECT)
        caller = yield from authenticate(asked.credentials)
        return caller, asked.parameters["token"]  # token_type_hint is no more than a hint: RFC 7009 §2.1

    def _found(self, token: str, now: float) -> Flow[Found | None]:
        if not looks_like_jws(token):
            digest = digest_of(token)
            record = self._store.token(digest, now)
            if record is None:
                return None
            return Found(record.claims, scopes_of(record.claims, ("scope",)), record.client_id, digest)
        for verifier, client_claim in self._verifiers:
            try:
                begun = begin(verifier, token)
                access_token = begun if isinstance(begun, AccessToken) else (yield from begun)
            except InvalidToken:
                continue
            claims = access_token.claims
            revoked = self._store.used("revoked", claims.get("jti", ""), now)
            return None if revoked else Found(claims, access_token.scopes, claims.get(client_claim), None)
        return None


def _may_see(caller: Client, found: Found) -> bool:
    return found.owner == caller.client_id or not set(caller.introspects).isdisjoint(found.audience)


def _verifier(identifier: str, keys: KeyRing, token: JWTFormat, clock: Callable[[], float]) -> JWTVerifier:
    typ = token.header(keys.current).get("typ")
    return JWTVerifier(
        issuer=identifier if token.identified else None,
        audience=_AnyAudience(),
        keys=IssuerKeys(keys),
        types=[None if typ is None else media_type(typ)],
        leeway=0,
        scope_claims=token.scope_claims,
        validate=token.validate,
        clock=clock,
    )
