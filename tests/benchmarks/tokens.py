"""How long a token takes: every contender on every new token, beside the bare signature check and `json.loads`."""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from bearer_guard import BearerGuardError
from bearer_guard.testing import LocalIssuer
from tests.benchmarks.contenders import available, ours
from tests.benchmarks.material import ALGORITHMS, AUDIENCE, ISSUER, Material
from tests.benchmarks.measure import interleaved, table

RAW = "signature check and json.loads"


def cold(rounds: int) -> Iterator[str]:
    """One table an algorithm: each token is new to the verifier."""
    refused = refusals()
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


def refused_cheaply(rounds: int) -> Iterator[str]:
    """What a refusal costs that needs no signature check, beside RAW for RS256."""
    material = Material("RS256")
    verify = ours("RS256", material.public_key, material.jwk())
    stranger = Material("RS256", 1).tokens[0].replace(".", "~", 1)
    wrong = {
        "over-long token (64 KiB)": "a" * 65_536,
        "dots (16 KiB)": "." * 16_384,
        "another alphabet": stranger,
        "unknown algorithm": "eyJhbGciOiJub25lIn0." + material.tokens[0].split(".", 1)[1],
    }
    contenders: dict[str, Callable[[], object]] = {RAW: material.raw()}
    contenders |= {name: _refusing(verify, token, len(material.tokens)) for name, token in wrong.items()}
    figures = interleaved(contenders, yardstick=RAW, operations=len(material.tokens), rounds=rounds)
    rows = [[name, *figures[name].cells()] for name in wrong]
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


def memory() -> Iterator[str]:
    """What an entry of the verified-token cache takes, by tracemalloc."""
    count = 20_000
    material = Material("HS256", 1)
    verify = ours("HS256", material.public_key, None, cache_size=10 * count)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(count):
        verify(material.token(number))
    gc.collect()
    taken = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    payload = len(material.tokens[0].split(".")[1]) * 3 // 4
    yield f"### Memory\n\nAn entry takes {taken:.0f} bytes at {count:,} entries, for a payload of {payload} bytes.\n"


def refusals() -> dict[str, str]:
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


def _refusing(verify: Callable[[str], Any], token: str, count: int) -> Callable[[], None]:
    def batch() -> None:
        for _ in range(count):
            try:
                verify(token)
            except BearerGuardError:
                continue
            raise AssertionError("accepted")

    return batch


def environment() -> str:
    """What the figures were measured on, without a name of the machine."""
    from importlib.metadata import version

    libraries = ", ".join(f"{name} {version(name)}" for name in ("bearer-guard", "cryptography", "pyjwt"))
    speed = "with" if "pybase64" in sys.modules else "without"
    return f"CPython {sys.version.split()[0]}, {libraries}, {speed} pybase64, {time.strftime('%Y-%m-%d')}.\n"
