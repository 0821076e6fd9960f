"""Verifiers of one's own: opaque keys looked up in a table, and beside them JWTs, routed by a token's shape."""

from __future__ import annotations

import secrets
from hashlib import sha256

from bearer_guard import AccessDenied, AccessToken, Guard, InactiveToken, IncomingRequest, Router, Verifier
from bearer_guard.testing import LocalIssuer

API = "https://api.example.com"


class ApiKeys(Verifier):
    """Keys that this API gave out itself. The table holds hashes, so that nobody who reads it can use them."""

    def __init__(self) -> None:
        self._known: dict[bytes, AccessToken] = {}

    def issue(self, client_id: str, scopes: list[str]) -> str:
        key = secrets.token_urlsafe(32)
        self._known[sha256(key.encode()).digest()] = AccessToken(client_id=client_id, scopes=scopes)
        return key

    def verify(self, token: str) -> AccessToken:
        known = self._known.get(sha256(token.encode()).digest())
        if known is None:
            raise InactiveToken("no such key")
        return known


def outcome(guard: Guard, token: str, scope: str) -> str:
    request = IncomingRequest("GET", "/v1/user-status", {"Authorization": f"Bearer {token}"})
    try:
        found = guard.check(request, scope)
    except AccessDenied as denied:
        return f"{denied.status} {denied.reason}"
    return f"200 {found.identity if found else 'anonymous'}"


def main() -> None:
    keys, issuer = ApiKeys(), LocalIssuer(API)
    guard = Guard(Router(jwt=issuer.verifier(), opaque=keys))
    key = keys.issue("reporting", ["read:users"])
    print("a key of ours:      ", outcome(guard, key, "read:users"))
    print("without the scope:  ", outcome(guard, key, "write:users"))
    print("an invented key:    ", outcome(guard, secrets.token_urlsafe(32), "read:users"))
    print("a JWT:              ", outcome(guard, issuer.token(scope="read:users"), "read:users"))
    print("an expired JWT:     ", outcome(guard, issuer.token(scope="read:users", expires_in=-60), "read:users"))


if __name__ == "__main__":
    main()
