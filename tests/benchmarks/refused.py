"""Tokens of strangers, and one that is late: what it costs to say no."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bearer_guard import AccessDenied, AuthorityUnavailable, JWTVerifier, RemoteJWKSet
from bearer_guard._flow import Request, Response
from bearer_guard._jws import compact
from tests.benchmarks.material import AUDIENCE, ISSUER, Material


def refusals(material: Material, count: int) -> dict[str, Callable[[], object]]:
    """Batches of `count` refusals; all but the last need no arithmetic. `material` is of RS256."""
    remote = RemoteJWKSet("https://id.example.com/jwks", clock=lambda: 0.0, transport=_Publishing(material.jwk()))
    options: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": remote}
    verifier = JWTVerifier(**options, clock=lambda: material.now)
    late = JWTVerifier(**options, clock=lambda: material.now + 100_000)
    good = material.tokens[0]
    verifier.verify(good)
    stranger = _with_header(material, alg="RS256", typ="at+jwt", kid="another")
    for _ in range(3):  # now the budget of refetches is spent, and the clock stands still
        _refused(verifier, stranger)
    cases = {
        "over-long token": (verifier, "a" * 65_536),
        "unknown kid, inside the cool-down": (verifier, stranger),
        "another alphabet": (verifier, good.replace(".", "~", 1)),
        "dots": (verifier, "." * 16_384),
        "another algorithm": (verifier, _with_header(material, alg="none")),
        "expired": (late, good),
    }
    return {name: _refusing(*case, count) for name, case in cases.items()}


def _with_header(material: Material, **members: str) -> str:
    header, payload = (json.dumps(part, separators=(",", ":")).encode() for part in (members, material.claims(0)))
    return compact(header, payload, lambda _: bytes(256))


class _Publishing:
    """A transport that answers every request with the same key set."""

    def __init__(self, jwk: dict[str, Any]) -> None:
        self._body = json.dumps({"keys": [jwk]}).encode()

    def send(self, request: Request) -> Response:
        return Response(status=200, headers={"content-type": "application/jwk-set+json"}, body=self._body)


def _refused(verifier: JWTVerifier, token: str) -> None:
    try:
        verifier.verify(token)
    except (AccessDenied, AuthorityUnavailable):
        return
    raise AssertionError("accepted")


def _refusing(verifier: JWTVerifier, token: str, count: int) -> Callable[[], object]:
    def batch() -> None:
        for _ in range(count):
            _refused(verifier, token)

    return batch
