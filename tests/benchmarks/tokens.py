"""What is cheap: a token that is remembered, also in a flood of others, and one that is refused at once."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Callable, Iterator, MutableMapping
from hashlib import sha256
from itertools import accumulate
from typing import Any

from cachetools import LFUCache, LRUCache

from bearer_guard._cache import Entry, TokenCache
from bearer_guard._jwks import KeySet
from tests.benchmarks.contenders import ours
from tests.benchmarks.material import ALGORITHMS, Material
from tests.benchmarks.measure import interleaved, table
from tests.benchmarks.refused import refusals

RAW = "signature check and json.loads"


def warm(rounds: int) -> Iterator[str]:
    """A hit in the verified-token cache, beside one SHA-256 of the token."""
    rows = []
    for algorithm in ALGORITHMS:
        material = Material(algorithm)
        jwk = None if algorithm == "HS256" else material.jwk()
        verify = ours(algorithm, material.public_key, jwk, cache_size=10_000)
        octets = [token.encode() for token in material.tokens]
        contenders: dict[str, Callable[[], object]] = {
            "SHA-256": lambda octets=octets: [sha256(token).digest() for token in octets],  # type: ignore[misc]
            "hit": _batch(verify, material.tokens),
            "cold": _batch(ours(algorithm, material.public_key, jwk), material.tokens),
        }
        figures = interleaved(contenders, yardstick="SHA-256", operations=len(octets), rounds=rounds)
        cells = figures["hit"].cells()
        rows.append([algorithm, *cells, f"{figures['cold'].microseconds / figures['hit'].microseconds:.0f}"])
    head = ["algorithm", "us a hit", "x SHA-256 of the token", "quartiles", "times faster than cold"]
    yield "### The verified-token cache\n\n" + table(head, rows)


def refused_cheaply(rounds: int) -> Iterator[str]:
    """What a refusal costs that needs no signature check, beside RAW for RS256."""
    material = Material("RS256")
    contenders: dict[str, Callable[[], object]] = {RAW: material.raw()}
    cases = refusals(material, len(material.tokens))
    contenders |= cases
    figures = interleaved(contenders, yardstick=RAW, operations=len(material.tokens), rounds=rounds)
    rows = [[name, *figures[name].cells()] for name in cases]
    yield "### Refusals\n\n" + table(["token", "us", "x RAW (RS256)", "quartiles"], rows)


def flood() -> Iterator[str]:
    """How often a token in use is found, Zipf-distributed, while nine in ten requests bring one that never comes again."""
    rows = []
    for places, working in ((1_000, 500), (1_000, 1_000), (1_000, 5_000), (10_000, 5_000)):
        ours_, recent, cachetools_ = (
            _hit_rate(ask, working, 60 * places + 200_000)
            for ask in (
                _asking(TokenCache(places)),
                _asking_mapping(LRUCache(places)),
                _asking_mapping(LFUCache(places)),
            )
        )
        rows.append([f"{places:,}", f"{working:,}", f"{ours_:.2f}", f"{recent:.2f}", f"{cachetools_:.2f}"])
    head = ["places", "tokens in use", "found", "by the least recently used", "by the least frequently used"]
    yield "### The cache under a flood of one-off tokens\n\n" + table(head, rows)


def _hit_rate(ask: Callable[[str], bool], working: int, requests: int) -> float:
    chance = random.Random(7)
    weights = list(accumulate(1 / (rank + 1) for rank in range(working)))
    hits = counted = 0
    for turn in range(requests):
        if chance.random() < 0.9:
            ask(f"once {turn}")
            continue
        found = ask(f"used {bisect(weights, chance.random() * weights[-1])}")
        if turn > requests // 2:
            counted, hits = counted + 1, hits + found
    return hits / counted


def _asking(cache: TokenCache) -> Callable[[str], bool]:
    keys = KeySet(())

    def ask(token: str) -> bool:
        if cache.find(token, keys, 0.0) is not None:
            return True
        cache.keep(token, Entry((b"", frozenset(), None), (0.0, 1.0), keys))
        return False

    return ask


def _asking_mapping(mapping: MutableMapping[str, bool]) -> Callable[[str], bool]:
    def ask(token: str) -> bool:
        if mapping.get(token):
            return True
        mapping[token] = True
        return False

    return ask


def _batch(verify: Callable[[str], Any], tokens: list[str]) -> Callable[[], None]:
    def batch() -> None:
        for token in tokens:
            verify(token)

    return batch
