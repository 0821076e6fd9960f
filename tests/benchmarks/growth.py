"""Section `growth`: what a token costs as payloads, key sets, numbers of issuers and caches grow."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from bearer_guard import JWTVerifier, MultiIssuer, StaticJWKSet
from tests.benchmarks.contenders import CONTENDERS, OURS, Verify
from tests.benchmarks.material import AUDIENCE, ISSUER, KID, Material
from tests.benchmarks.paired import Batch, cells, figure, ratio_cells, table, times_of

COUNT = 60
PAYLOADS = (150, 300, 700, 1_500, 3_000, 5_000, 8_000)
KEYS = (1, 3, 10, 30, 100)
ISSUERS = (1, 10, 100, 1_000)
ENTRIES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
PEERS = (OURS, "PyJWT")
RAW = "raw"


def measure(rounds: int, most_entries: int) -> dict[str, Any]:
    """Figures by what grows, and how far; caches up to `most_entries`."""
    return {
        "payload": [{"octets": octets, **payload(octets, rounds)} for octets in PAYLOADS],
        "keys": [{"keys": number, **keys(number, rounds)} for number in KEYS],
        "issuers": [{"issuers": number, **issuers(number, rounds)} for number in ISSUERS],
        "cache": [cache(entries) for entries in ENTRIES if entries <= most_entries],
    }


class Sized(Material):
    """RS256 tokens whose payload has exactly so many octets: a few claims, then all, then a long one."""

    def __init__(self, octets: int, count: int = COUNT) -> None:
        self._octets = octets
        super().__init__("RS256", count)

    def claims(self, number: int, filling: int = 0) -> dict[str, Any]:
        claims = super().claims(number, 0)
        if self._octets < 600:
            claims = {name: claims[name] for name in ("iss", "exp")} | {"aud": AUDIENCE, "jti": f"{number:03d}"}
        claims["tenant"] = ""
        bare = len(json.dumps(claims, separators=(",", ":")))
        return {**claims, "tenant": "x" * (self._octets - bare)}


def payload(octets: int, rounds: int) -> dict[str, Any]:
    """Ours and PyJWT on payloads of one size, beside RAW on the same tokens."""
    material = Sized(octets)
    batches: dict[str, Batch] = {RAW: material.raw()}
    for name in PEERS:
        batches[name] = _batch(CONTENDERS[name]("RS256", material.public_key, material.jwk()), material.tokens)
    times = times_of(batches, operations=COUNT, rounds=rounds)
    return {"characters": len(material.tokens[0]), **{name: figure(times[name], times[RAW]) for name in PEERS}}


def keys(number: int, rounds: int) -> dict[str, Any]:
    """Ours with `number` keys in the set, the last of which signed (ES256)."""
    material = Material("ES256", COUNT)
    others = [{**Material("ES256", 0).jwk(), "kid": f"other-{place}"} for place in range(number - 1)]
    verifier = JWTVerifier(
        issuer=ISSUER, audience=AUDIENCE, keys=StaticJWKSet({"keys": [*others, material.jwk()]}), algorithms=["ES256"]
    )
    batches = {RAW: material.raw(), OURS: _batch(verifier.verify, material.tokens)}
    times = times_of(batches, operations=COUNT, rounds=rounds)
    return {OURS: figure(times[OURS], times[RAW])}


class Issued(Material):
    """RS256 tokens of many issuers in turn, who share a key."""

    def __init__(self, number: int) -> None:
        self._order = random.Random(number).choices(range(number), k=COUNT)
        super().__init__("RS256", COUNT)

    def claims(self, number: int, filling: int = 0) -> dict[str, Any]:
        return {**super().claims(number, filling), "iss": f"{ISSUER}/{self._order[number]}"}


def issuers(number: int, rounds: int) -> dict[str, Any]:
    """A MultiIssuer of `number` issuers, whose tokens come in a random order."""
    material = Issued(number)
    source = StaticJWKSet({"keys": [material.jwk()]})
    verifier = MultiIssuer(
        *(
            JWTVerifier(issuer=f"{ISSUER}/{place}", audience=AUDIENCE, keys=source, algorithms=["RS256"])
            for place in range(number)
        )
    )
    batches = {RAW: material.raw(), OURS: _batch(verifier.verify, material.tokens)}
    times = times_of(batches, operations=COUNT, rounds=rounds)
    return {OURS: figure(times[OURS], times[RAW])}


def cache(entries: int) -> dict[str, Any]:
    """A verified-token cache of so many entries, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.held", str(entries)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def _batch(verify: Verify, tokens: Sequence[str]) -> Batch:
    def batch() -> None:
        for token in tokens:
            verify(token)

    return batch


def render(record: dict[str, Any]) -> str:
    """The tables of this section in Markdown."""
    rows = [
        [f"{row['octets']:,}", f"{row['characters']:,}", *cells(row[OURS]), *cells(row["PyJWT"])]
        for row in record["payload"]
    ]
    head = ["payload, bytes", "token, characters", "µs a token", "x RAW", "quartiles"]
    parts = ["### Payload (RS256)\n", table([*head, "PyJWT, µs", "x RAW", "quartiles"], rows)]
    for title, name, what in (
        (f"Keys in the set (ES256; `{KID}` is the last)", "keys", "keys"),
        ("Issuers of a MultiIssuer (RS256)", "issuers", "issuers"),
    ):
        rows = [[f"{row[name]:,}", *cells(row[OURS])] for row in record[name]]
        parts += [f"### {title}\n", table([what, "µs a token", "x RAW", "quartiles"], rows)]
    rows = []
    for row in record["cache"]:
        octets = "" if row["bytes"] is None else f"{row['bytes']:,.0f}"
        hit = [f"{row['microseconds']:.2f}", *ratio_cells(row["ratio"])]
        rows.append([f"{row['entries']:,}", *hit, f"{row['cold']:.1f}", octets])
    head = ["entries", "µs a hit", "x SHA-256 of the token", "quartiles", "µs without", "bytes an entry"]
    return "\n".join([*parts, "### The verified-token cache (HS256)\n", table(head, rows)])
