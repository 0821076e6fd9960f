"""Checked by mypy and pyright, never run: the types of the public API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_type

from bearer_guard import (
    AccessDenied,
    AccessToken,
    AuthorityUnavailable,
    ErrorBody,
    Guard,
    IncomingRequest,
    InvalidClaim,
    JWTVerifier,
    Refusal,
    RemoteJWKSet,
    StaticJWKSet,
    Verifier,
)


class Lookup(Verifier):
    def verify(self, token: str) -> AccessToken:
        return AccessToken(subject=token, scopes=["read:users"])


class AsyncLookup(Verifier):
    async def averify(self, token: str) -> AccessToken:
        return AccessToken(subject=token)


def house_rules(claims: Mapping[str, Any]) -> None:
    if claims.get("tenant") != "eu":
        raise InvalidClaim("tenant")


def body(error: AccessDenied | AuthorityUnavailable, request: IncomingRequest) -> ErrorBody:
    return ErrorBody(content={"message": error.description, "path": request.path})


def blocking(guard: Guard, request: IncomingRequest) -> None:
    token = guard.check(request, "read:users")
    assert_type(token, AccessToken | None)
    if token is not None:
        assert_type(token.scopes, frozenset[str])
        assert_type(token.audience, tuple[str, ...])
        assert_type(token.claims, Mapping[str, Any])
        token.subject = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert_type(guard.refusal(AuthorityUnavailable(), request), Refusal)


async def asynchronous(guard: Guard, request: IncomingRequest) -> None:
    assert_type(await guard.acheck(request), AccessToken | None)
    await guard.awarm()


def constructions() -> None:
    Guard(Lookup(), error_body=body)
    Guard(AsyncLookup(), optional=True)
    keys = RemoteJWKSet.discover("https://id.example.com", timeout=2.0)
    assert_type(keys, RemoteJWKSet)
    assert_type(StaticJWKSet.from_pem(b""), StaticJWKSet)
    JWTVerifier(issuer=None, audience=None, keys=keys, validate=house_rules, types=["at+jwt", None])
    JWTVerifier(issuer="https://id.example.com", audience={"a", "b"}, scope_claims=lambda claims: claims["roles"])
    JWTVerifier(issuer=1, audience="a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
