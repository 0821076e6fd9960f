"""The guard of the contract suite, in one place: replace `TableVerifier` and `OUTCOMES` to run it over other tokens."""

from __future__ import annotations

from typing import Any

from bearer_guard import (
    AccessToken,
    AuthorityUnavailable,
    BadSignature,
    ExpiredToken,
    Guard,
    InactiveToken,
    InvalidClaim,
    InvalidToken,
    MalformedToken,
    TokenNotYetValid,
    UnknownKey,
    UntrustedIssuer,
    Verifier,
)

ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"
CONFIGURED = (ISSUER, AUDIENCE, "kid-2026-a", "resource-server-secret")
"""Values that only the log may hold."""

OPAQUE = "Kz~8mX+K/1E=="
LONG = "L" * 6400
"""A token of the size that ML-DSA-65 makes."""

_DETAIL = " ".join(CONFIGURED)


def _token(*scopes: str, **members: Any) -> AccessToken:
    return AccessToken(subject="u1", client_id="c1", issuer=ISSUER, audience=AUDIENCE, scopes=scopes, **members)


OUTCOMES: dict[str, AccessToken | Exception] = {
    "good": _token("read"),
    OPAQUE: _token("read"),
    LONG: _token("read"),
    "writer": _token("write"),
    "has-a": _token("a"),
    "has-ab": _token("a", "b"),
    "bound": _token("read", confirmation={"jkt": "thumbprint"}),
    "expired": ExpiredToken(_DETAIL),
    "early": TokenNotYetValid(_DETAIL),
    "malformed": MalformedToken(_DETAIL),
    "foreign": UntrustedIssuer(_DETAIL),
    "unknown-key": UnknownKey(_DETAIL),
    "forged": BadSignature(_DETAIL),
    "other-audience": InvalidClaim("aud", _DETAIL),
    "revoked": InactiveToken(_DETAIL),
    "outage": AuthorityUnavailable(_DETAIL, retry_after=6.2),
    "crash": RuntimeError("a bug in a verifier"),
}

INVALID = tuple(name for name, outcome in OUTCOMES.items() if isinstance(outcome, InvalidToken))


class TableVerifier(Verifier):
    """Looks tokens up in `OUTCOMES`; in both colours, so that no row waits for a thread."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def verify(self, token: str) -> AccessToken:
        self.asked.append(token)
        outcome = OUTCOMES.get(token)
        if isinstance(outcome, AccessToken):
            return outcome
        if isinstance(outcome, InvalidClaim):
            raise InvalidClaim(outcome.claim, outcome.detail)
        if isinstance(outcome, AuthorityUnavailable):
            raise AuthorityUnavailable(outcome.detail, retry_after=outcome.retry_after)
        raise InvalidToken(_DETAIL) if outcome is None else type(outcome)(*outcome.args)

    async def averify(self, token: str) -> AccessToken:
        return self.verify(token)


class SyncVerifier(Verifier):
    """`verify` alone."""

    def verify(self, token: str) -> AccessToken:
        return TableVerifier().verify(token)


class AsyncVerifier(Verifier):
    """`averify` alone."""

    async def averify(self, token: str) -> AccessToken:
        return TableVerifier().verify(token)


def guard(verifier: Verifier | None = None, **options: Any) -> Guard:
    """A guard with the realm `users`."""
    return Guard(verifier or TableVerifier(), realm="users", **options)
