"""How long a token takes: every contender on every new token, beside the bare signature check and `json.loads`."""

from __future__ import annotations

import gc
import random
import sys
import time
import tracemalloc
import warnings
from bisect import bisect
from collections.abc import Callable, Iterator, MutableMapping
from functools import partial
from hashlib import sha256
from itertools import accumulate
from typing import Any

from cachetools import LFUCache, LRUCache

from bearer_guard import Guard, JWTVerifier, StaticJWKSet, asgi, wsgi
from bearer_guard._cache import Entry, TokenCache
from bearer_guard._jwks import KeySet
from bearer_guard.testing import LocalIssuer
from tests.benchmarks.contenders import available, ours
from tests.benchmarks.material import ALGORITHMS, AUDIENCE, ISSUER, Material
from tests.benchmarks.measure import interleaved, table
from tests.benchmarks.refused import refusals
from tests.benchmarks.requests import asgi_batch, wsgi_batch

RAW = "signature check and json.loads"


def cold(rounds: int) -> Iterator[str]:
    """One table an algorithm: each token is new to the verifier."""
    refused = tokens_refused()
    for algorithm in ALGORITHMS:
        material = Material(algorithm)
        jwk = None if algorithm == "HS256" else material.jwk()
        contenders: dict[str, Callable[[], object]] = {RAW: material.raw()}
        versions = {RAW: ""}
        for name, release, verify in available(algorithm, material.public_key, jwk, material.tokens[0]):
            contenders[name] = _batch(verify, material.tokens)
            versions[name] = release
        figures = interleaved(contenders, yardstick=RAW, operations=len(material.tokens), rounds=rounds)
        rows = [
            [name, versions[name], *figure.cells(), refused.get(name, "")]
            for name, figure in sorted(figures.items(), key=lambda item: item[1].ratio)
        ]
        head = ["who", "version", "us a token", "x RAW", "quartiles", "wrong tokens refused"]
        yield f"### {algorithm}, every token new\n\n" + table(head, rows)


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


def requests(rounds: int) -> Iterator[str]:
    """What the middleware adds to a bare application in process, every token new or none, beside RAW for RS256."""
    material = Material("RS256")
    tokens = material.tokens
    cold, warm = (
        Guard(
            JWTVerifier(
                issuer=ISSUER, audience=AUDIENCE, keys=StaticJWKSet({"keys": [material.jwk()]}), cache_size=cache_size
            )
        )
        for cache_size in (0, 10_000)
    )
    contenders: dict[str, Callable[[], object]] = {RAW: material.raw()}
    for kind, batch, middleware in (
        ("ASGI", asgi_batch, asgi.BearerMiddleware),
        ("WSGI", wsgi_batch, wsgi.BearerMiddleware),
    ):
        contenders[f"{kind}, bare"] = batch(None, tokens)
        contenders[f"{kind}, every token new"] = batch(partial(middleware, guard=cold), tokens)
        contenders[f"{kind}, every token known"] = batch(partial(middleware, guard=warm), tokens)
    figures = interleaved(contenders, yardstick=RAW, operations=len(tokens), rounds=rounds)
    rows = []
    for name, figure in figures.items():
        bare = figures.get(name.partition(",")[0] + ", bare")
        if bare is not None and bare is not figure:
            added = figure.microseconds - bare.microseconds
            rows.append([name, f"{figure.microseconds:.1f}", f"{added:.1f}", f"{figure.ratio - bare.ratio:.2f}"])
    yield "### The middleware\n\n" + table(["request", "us a request", "us added", "added, x RAW (RS256)"], rows)


def refused_cheaply(rounds: int) -> Iterator[str]:
    """What a refusal costs that needs no signature check, beside RAW for RS256."""
    material = Material("RS256")
    contenders: dict[str, Callable[[], object]] = {RAW: material.raw()}
    cases = refusals(material, len(material.tokens))
    contenders |= cases
    figures = interleaved(contenders, yardstick=RAW, operations=len(material.tokens), rounds=rounds)
    rows = [[name, *figures[name].cells()] for name in cases]
    yield "### Refusals\n\n" + table(["token", "us", "x RAW (RS256)", "quartiles"], rows)


def growth(rounds: int) -> Iterator[str]:
    """Payloads of 0.7 to 9 KB, beside RAW on the same tokens."""
    rows = []
    for filling in (0, 1_000, 4_000, 8_000):
        material = Material("ES256", 100, filling)
        verify = ours("ES256", material.public_key, material.jwk())
        contenders = {RAW: material.raw(), "ours": _batch(verify, material.tokens)}
        figures = interleaved(contenders, yardstick=RAW, operations=100, rounds=rounds)
        rows.append([str(len(material.tokens[0])), *figures["ours"].cells()])
    yield "### Longer tokens (ES256)\n\n" + table(["characters", "us a token", "x RAW", "quartiles"], rows)


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


def memory() -> Iterator[str]:
    """What an entry of the verified-token cache takes, by tracemalloc."""
    count = 100_000
    material = Material("HS256", 1)
    verify = ours("HS256", material.public_key, None, cache_size=count)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(count + count // 10):  # some have to leave
        verify(material.token(number))
    gc.collect()
    taken = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    payload = len(material.tokens[0].split(".")[1]) * 3 // 4
    yield f"### Memory\n\nAn entry takes {taken:.0f} bytes at {count:,} entries, for a payload of {payload} bytes.\n"


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


def tokens_refused() -> dict[str, str]:
    """How many of LocalIssuer's wrong tokens each contender refuses (ES256); what only a guard can see is left out."""
    issuer = LocalIssuer(AUDIENCE, issuer=ISSUER)
    key = issuer.key
    jwk = dict(key.public_jwk or {})
    public = key._material.public_key()
    wrong = [b.authorization.removeprefix("Bearer ") for b in issuer.broken_tokens() if b.status == 401 and b.error]
    return {
        name: f"{sum(_refuses(verify, token) for token in wrong)} of {len(wrong)}"
        for name, _, verify in available("ES256", public, jwk, issuer.token())
    }


def _refuses(verify: Callable[[str], Any], token: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verify(token)
    except Exception:
        return True
    return False


def _batch(verify: Callable[[str], Any], tokens: list[str]) -> Callable[[], None]:
    def batch() -> None:
        for token in tokens:
            verify(token)

    return batch


def environment() -> str:
    """What the figures were measured on, without a name of the machine."""
    from importlib.metadata import version

    libraries = ", ".join(f"{name} {version(name)}" for name in ("bearer-guard", "cryptography", "pyjwt"))
    speed = "with" if "pybase64" in sys.modules else "without"
    return f"CPython {sys.version.split()[0]}, {libraries}, {speed} pybase64, {time.strftime('%Y-%m-%d')}.\n"
