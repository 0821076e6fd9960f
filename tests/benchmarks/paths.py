"""The paths whose instructions are counted: run by `tests.benchmarks.instructions` under valgrind, never by itself.

Every path is a batch of operations on tokens and keys that are the same in every run. The process yields its processor
between batches, which is where valgrind ends one count and begins the next; then it prints the names of the paths.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from tests.benchmarks import speed

if os.environ.get("BEARER_GUARD_PLAIN"):
    speed.leave_out()

from bearer_guard import (
    Guard,
    JWTVerifier,
    MultiIssuer,
    SharedSecret,
    StaticJWKSet,
    asgi,
    wsgi,
)
from tests.benchmarks.material import ALGORITHMS, AUDIENCE, ISSUER, Material
from tests.benchmarks.refused import refusals
from tests.benchmarks.requests import asgi_batch, wsgi_batch

NOW = 1_800_000_000
TOKENS = 20

Batch = Callable[[], object]


class Path(NamedTuple):
    """Something to count: a batch, and the names of what it does not count for, its floor."""

    batch: Batch
    floor: tuple[str, ...] = ()
    counts: bool = True


def paths() -> dict[str, Path]:
    materials = {algorithm: Material(algorithm, TOKENS, now=NOW, fixed=True) for algorithm in ALGORITHMS}
    payloads = [json.dumps(materials["HS256"].claims(number)).encode() for number in range(TOKENS)]
    found = {"json.loads": Path(lambda: [json.loads(payload) for payload in payloads], counts=False)}
    for algorithm, material in materials.items():
        raw = f"{algorithm} check and json.loads"
        found[raw] = Path(material.raw(), counts=False)
        found[f"{algorithm} cold"] = Path(_verifying(material), (raw,))
    material = materials["HS256"]
    tokens, octets = material.tokens, [token.encode() for token in material.tokens]
    digest, raw = "SHA-256", "HS256 check and json.loads"
    found[digest] = Path(lambda: [sha256(token).digest() for token in octets], counts=False)
    found["hit"] = Path(_verifying(material, cache_size=100), (digest,))
    found["hit, one of several issuers"] = Path(_verifying_of_several(material, cache_size=100), (digest,))
    cold, warm = Guard(_verifier(material)), Guard(_verifier(material, cache_size=100))
    for kind, batch, middleware in (
        ("ASGI", asgi_batch, asgi.BearerMiddleware),
        ("WSGI", wsgi_batch, wsgi.BearerMiddleware),
    ):
        found[f"bare {kind}"] = Path(batch(None, tokens), counts=False)
        found[f"{kind} cold"] = Path(batch(partial(middleware, guard=cold), tokens), (f"bare {kind}", raw))
        found[f"{kind} warm"] = Path(batch(partial(middleware, guard=warm), tokens), (f"bare {kind}", digest))
    rs256 = materials["RS256"]
    below = {"expired": ("RS256 check and json.loads",)}
    for name, batch in refusals(rs256, TOKENS).items():
        found[f"refused: {name}"] = Path(batch, below.get(name, ()))
    return found


def _verifier(material: Material, **options: Any) -> JWTVerifier:
    keys = (
        SharedSecret(material.private_key)
        if material.algorithm == "HS256"
        else StaticJWKSet({"keys": [material.jwk()]})
    )
    algorithms = [material.algorithm]
    return JWTVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, algorithms=algorithms, clock=lambda: NOW, **options)


def _verifying(material: Material, **options: Any) -> Batch:
    verify, tokens = _verifier(material, **options).verify, material.tokens
    return lambda: [verify(token) for token in tokens]


def _verifying_of_several(material: Material, **options: Any) -> Batch:
    verify, tokens = MultiIssuer(_verifier(material, **options)).verify, material.tokens
    return lambda: [verify(token) for token in tokens]


def main() -> None:
    found = paths()
    for path in found.values():
        for _ in range(3):  # the interpreter specializes what it runs
            path.batch()
    gc.collect()
    gc.freeze()
    gc.disable()
    os.sched_yield()
    for path in found.values():
        path.batch()
        os.sched_yield()
        path.batch()
        path.batch()
        os.sched_yield()
    print(json.dumps([[name, TOKENS, path.floor, path.counts] for name, path in found.items()]))


if __name__ == "__main__":
    main()
