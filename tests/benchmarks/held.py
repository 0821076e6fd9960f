"""`python -m tests.benchmarks.held ENTRIES`: a verified-token cache of that size, filled and asked; prints JSON.

Fills a cache with ENTRIES tokens, each presented twice, as a token in use is. What the process grew by is what the
entries take, in resident memory (Linux). Hits are timed over tokens drawn from all of them, beside one SHA-256 of each.
"""

from __future__ import annotations

import gc
import hmac
import json
import os
import random
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from bearer_guard import JWTVerifier, SharedSecret
from tests.benchmarks.material import AUDIENCE, ISSUER, Material
from tests.benchmarks.paired import Batch, figure, times_of

ASKED = 10_000
ROUNDS = 15


def tokens(material: Material, count: int) -> Iterator[str]:
    """Distinct HS256 tokens, put together quickly: only the `jti` is another."""
    header = material.tokens[0].partition(".")[0]
    payload = json.dumps(material.claims(0), separators=(",", ":"))
    number = f"{0:012d}"
    before, _, after = payload.partition(number)
    for place in range(count):
        octets = f"{before}{place:012d}{after}".encode()
        signing_input = f"{header}.{urlsafe_b64encode(octets).rstrip(b'=').decode()}"
        tag = hmac.digest(material.private_key, signing_input.encode(), "sha256")
        yield f"{signing_input}.{urlsafe_b64encode(tag).rstrip(b'=').decode()}"


def main(entries: int) -> None:
    material = Material("HS256", 1)
    keys = SharedSecret(material.private_key)
    settings: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": keys, "algorithms": ["HS256"]}
    verify = JWTVerifier(**settings, cache_size=2 * entries).verify
    verify_anew = JWTVerifier(**settings).verify
    wanted = set(random.Random(1).sample(range(entries), min(entries, ASKED)))
    verify(material.tokens[0])
    gc.collect()
    before = _resident()
    asked = []
    for place, token in enumerate(tokens(material, entries)):
        verify(token)
        verify(token)
        if place in wanted:
            asked.append(token)
    gc.collect()
    after = _resident()
    grown = None if before is None or after is None else after - before - sum(map(sys.getsizeof, asked))
    random.Random(2).shuffle(asked)
    octets = [token.encode() for token in asked]
    repeat = max(1, 1_000 // len(asked))
    batches: dict[str, Batch] = {
        "cold": lambda: [verify_anew(token) for _ in range(repeat) for token in asked],
        "hit": lambda: [verify(token) for _ in range(repeat) for token in asked],
        "SHA-256": lambda: [sha256(token).digest() for _ in range(repeat) for token in octets],
    }
    times = times_of(batches, operations=repeat * len(asked), rounds=ROUNDS)
    found = figure(times["hit"], times["SHA-256"])
    large = entries >= 10_000  # below that, the memory of a process grows in steps that are too coarse
    found |= {"entries": entries, "bytes": grown / entries if large and grown else None}
    print(json.dumps({**found, "cold": figure(times["cold"], times["SHA-256"])["microseconds"]}))


def _resident() -> int | None:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if statm.exists() else None


if __name__ == "__main__":
    main(int(sys.argv[1]))
