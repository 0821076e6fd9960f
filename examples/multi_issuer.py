"""Tokens of two issuers behind one guard: each is judged by its own issuer's keys and rules alone."""

from __future__ import annotations

from bearer_guard import AccessDenied, Guard, IncomingRequest, MultiIssuer
from bearer_guard.testing import LocalIssuer

API = "https://api.example.com"

staff = LocalIssuer(API, issuer="https://staff.example.com")
partners = LocalIssuer(API, issuer="https://partners.example.com", algorithm="RS256")
stranger = LocalIssuer(API, issuer="https://stranger.example.com")

# In production: MultiIssuer(JWTVerifier(issuer="https://staff.example.com", audience=API), JWTVerifier(...))
guard = Guard(MultiIssuer(staff.verifier(profile="rfc9068"), partners.verifier(algorithms=["RS256"])))


def outcome(token: str) -> str:
    request = IncomingRequest("GET", "/v1/user-status", {"Authorization": f"Bearer {token}"})
    try:
        found = guard.check(request)
    except AccessDenied as denied:
        return f"{denied.status} {denied.reason}"
    return f"200 by {found.issuer}" if found else "200 anonymous"


def main() -> None:
    print("staff:                           ", outcome(staff.token()))
    print("a partner:                       ", outcome(partners.token()))
    print("a stranger:                      ", outcome(stranger.token()))
    print("a partner's key, the staff's iss:", outcome(partners.token(iss=staff.issuer)))


if __name__ == "__main__":
    main()
