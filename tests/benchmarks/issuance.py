"""`python -m tests.benchmarks.issuance [REQUESTS]`: what a token costs beside its signature, and an issuer under load.

Load: 64 concurrent clients ask a real server (uvicorn, in a process of its own) for 10,000 tokens; counted are statuses
and distinct `jti`, watched is the resident memory of the server. Cost: `respond` beside the signature alone, in turn,
round by round, compared within the round; tracemalloc says what 10,000 tokens leave behind.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bearer_guard._strict import b64url_decode
from bearer_guard.issuer import (
    STANDARD,
    Dialect,
    Issuer,
    IssuerRequest,
    KeyRing,
    MemoryStore,
    OpaqueFormat,
    SQLiteStore,
    Store,
)
from tests.benchmarks.measure import Batch, interleaved, table

ROOT = Path(__file__).resolve().parents[2]
API = "https://api.example.com"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Load:
    """What a run under load has shown; memory is resident, in MiB, after a first tenth and at the end (Linux)."""

    statuses: dict[int, int]
    distinct: int
    seconds: float
    slowest: float
    memory: tuple[float, float]


@contextmanager
def served(*arguments: str) -> Iterator[tuple[int, str, int]]:
    """`bearer-guard issuer serve` in a process of its own: its port, its client's credentials as a form, its id."""
    command = [sys.executable, "-m", "bearer_guard", "issuer", "serve", "--port", "0", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        printed = "".join(server.stdout.readline() for _ in range(4))
        found = re.search(r'-u "(.*):(.*)" .* http://127\.0\.0\.1:(\d+)/', printed)
        assert found is not None, printed
        members = {"grant_type": "client_credentials", "client_id": found[1], "client_secret": found[2]}
        try:
            yield int(found[3]), urlencode(members), server.pid
        finally:
            server.terminate()
            server.communicate(timeout=60)


def under_load(requests: int, clients: int) -> Load:
    """`requests` token requests from `clients` threads, each with a connection of its own that it keeps."""
    statuses: list[int] = []
    names: list[str] = []
    times: list[float] = []
    memory: list[float] = []
    waiting = threading.Semaphore(requests)
    with served() as (port, form, pid):

        def ask() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            while waiting.acquire(blocking=False):
                begun = time.perf_counter()
                connection.request("POST", STANDARD.path, form, FORM)
                answer = connection.getresponse()
                body = answer.read()
                times.append(time.perf_counter() - begun)
                statuses.append(answer.status)
                names.append(json.loads(b64url_decode(json.loads(body)["access_token"].split(".")[1].encode()))["jti"])
                if len(names) == requests // 10:
                    memory.append(_resident(pid))
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begun
        memory.append(_resident(pid))
    return Load(dict(Counter(statuses)), len(set(names)), seconds, max(times), (memory[0], memory[-1]))


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"^VmRSS:\s+(\d+) kB", status.read_text(), re.M) if status.exists() else None
    return int(found[1]) / 1024 if found else float("nan")


def asking(store: Store, algorithm: str, dialect: Dialect, count: int) -> tuple[Issuer, Batch]:
    """An issuer, and a batch of `count` token requests to its `respond`."""
    issuer = Issuer("https://id.example.com", keys=KeyRing(algorithm, store=store), store=store, dialects=[dialect])
    client, secret = issuer.clients.add(audience=API, scopes="read write")
    members = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": secret}
    request = IssuerRequest("POST", dialect.path, FORM, urlencode(members).encode())

    def batch() -> None:
        for _ in range(count):
            assert issuer.respond(request).status == 200

    return issuer, batch


def costs(rounds: int = 21, count: int = 20) -> list[list[str]]:
    """Rows: what is asked for; microseconds; the ratio to the signature alone, median and quartiles."""
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for algorithm in ("ES256", "RS256", "HS256"):
            contenders: dict[str, Batch] = {}
            issuer, contenders["JWT, in memory"] = asking(MemoryStore(), algorithm, STANDARD, count)
            kept = SQLiteStore(Path(folder, f"{algorithm}.db"))
            contenders["JWT, SQLite"] = asking(kept, algorithm, STANDARD, count)[1]
            if algorithm == "ES256":
                opaque = Dialect(token=OpaqueFormat())
                contenders["opaque, in memory"] = asking(MemoryStore(), algorithm, opaque, count)[1]
                kept = SQLiteStore(Path(folder, "opaque.db"))
                contenders["opaque, SQLite, on the disk"] = asking(kept, algorithm, opaque, count)[1]
            key = issuer.keys.current
            contenders["the signature alone"] = lambda key=key: [key.sign(b"x" * 400) for _ in range(count)]
            figures = interleaved(contenders, yardstick="the signature alone", operations=count, rounds=rounds)
            rows += [[algorithm, name, *figure.cells()] for name, figure in figures.items()]
    return rows


def left_behind(tokens: int) -> float:
    """KiB that are still allocated after `tokens` JWTs more than after the first hundred."""
    _, first = asking(MemoryStore(), "ES256", STANDARD, 100)
    first()
    tracemalloc.start()
    try:
        first()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(tokens // 100):
            first()
        return (tracemalloc.get_traced_memory()[0] - before) / 1024
    finally:
        tracemalloc.stop()


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    load = under_load(requests, 64)
    print(f"{sum(load.statuses.values())} requests from 64 clients in {load.seconds:.1f} s: statuses {load.statuses},")
    print(f"{load.distinct} distinct jti, the slowest answer {load.slowest * 1000:.0f} ms,")
    print(
        f"resident memory of the server {load.memory[0]:.1f} MiB after a tenth, {load.memory[1]:.1f} MiB at the end\n"
    )
    print(table(["key", "what", "us", "ratio", "quartiles"], costs()))
    runs = [left_behind(requests) for _ in range(3)]
    print(f"left behind by {requests} JWTs: {statistics.median(runs):.1f} KiB")


if __name__ == "__main__":
    main()
