"""Section `introspection`: answers a second about opaque tokens, by transport and number in flight.

The endpoint is a process of its own on loopback (uvicorn, connections kept), every token is new and nothing is cached,
so that each costs an exchange. The yardstick is httpx2 itself, posting the same form over kept connections.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from bearer_guard import AuthorityUnavailable, IntrospectionVerifier
from tests.benchmarks.material import AUDIENCE
from tests.benchmarks.paired import rate_cells, spread_of_few, table
from tests.benchmarks.servers import answers, free_port, stop
from tests.endpoint import loopback_certificate

IN_FLIGHT = (1, 16, 256)
Ask = Callable[[str], Awaitable[object]]
YARDSTICK = "httpx2.AsyncClient alone"


async def endpoint(scope: Any, receive: Any, send: Any) -> None:
    """An introspection endpoint that finds every token active (RFC 7662 §2.2), after the client has said who it is."""
    while (await receive()).get("more_body"):
        pass
    authorized = any(name == b"authorization" for name, _ in scope["headers"])
    answer = {"active": True, "aud": AUDIENCE, "exp": int(time.time()) + 600, "scope": "read:users", "sub": "u-1"}
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200 if authorized else 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def measure(rounds: int, seconds: float, most: int) -> dict[str, Any]:
    """Answers a second and latencies, by TLS or not, transport and number in flight; at most `most` tokens a turn."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        certificate = loopback_certificate(Path(folder, "certificate.pem"))
        for name, given in (("https", certificate), ("http", None)):
            with _serving(given) as url:
                figures[name] = asyncio.run(_measure(url, given, rounds, seconds, most))
    return {"figures": figures, "seconds": seconds, "rounds": rounds}


async def _measure(url: str, certificate: Path | None, rounds: int, seconds: float, most: int) -> list[dict[str, Any]]:
    context = None if certificate is None else ssl.create_default_context(cafile=str(certificate))
    async with contextlib.AsyncExitStack() as stack:
        asks: dict[tuple[int, str], Ask] = {}
        for number in IN_FLIGHT:
            for name, ask in (await _asks(stack, url, context, number)).items():
                asks[number, name] = ask
        seen: dict[tuple[int, str], list[dict[str, float]]] = {place: [] for place in asks}
        order, shuffle = list(asks), random.Random(1).shuffle
        for turn in range(rounds + 1):
            shuffle(order)
            for place in order:
                found = await ask_in_turn(asks[place], place[0], seconds if turn else 0.2, most)
                if turn:  # the first time around opens connections
                    seen[place].append(found)
    return [{"in_flight": place[0], "name": place[1], **_summary(found)} for place, found in seen.items()]


async def _asks(
    stack: contextlib.AsyncExitStack, url: str, context: ssl.SSLContext | None, in_flight: int
) -> dict[str, Ask]:
    """Each way to ask, with a pool of its own that has room for so many connections."""
    import httpx2

    from bearer_guard.httpx import HTTPXTransport

    def verifier(**options: Any) -> Ask:
        return IntrospectionVerifier(
            endpoint=url, audience=AUDIENCE, client_id="api", client_secret="s3cret", cache_size=0, **options
        ).averify

    settings: dict[str, Any] = {"verify": True if context is None else context, "trust_env": False}
    settings["limits"] = httpx2.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    settings["timeout"] = 10
    bare = await stack.enter_async_context(httpx2.AsyncClient(**settings))
    async_client = await stack.enter_async_context(httpx2.AsyncClient(**settings))
    client = stack.enter_context(httpx2.Client(**settings))
    headers = {"Authorization": "Basic " + base64.b64encode(b"api:s3cret").decode(), "Accept": "application/json"}

    async def post(token: str) -> object:
        form = {"token": token, "token_type_hint": "access_token"}
        try:
            answer = await bare.post(url, data=form, headers=headers)
        except httpx2.HTTPError as failure:
            raise AuthorityUnavailable("no answer", retry_after=1) from failure
        return answer.json()["active"]

    return {
        YARDSTICK: post,
        "default: a connection each": verifier(ssl_context=context),
        "HTTPXTransport(client)": verifier(transport=HTTPXTransport(client)),
        "HTTPXTransport(client, async_client)": verifier(transport=HTTPXTransport(client, async_client)),
    }


async def ask_in_turn(ask: Ask, in_flight: int, seconds: float, most: int) -> dict[str, float]:
    """`in_flight` tasks that ask one token after another."""
    latencies: list[float] = []
    failures = 0
    begun = time.perf_counter()
    left = iter(range(most))

    async def work() -> None:
        nonlocal failures
        for number in left:
            asked = time.perf_counter()
            if asked - begun > seconds:
                return
            try:
                await ask(f"opaque-{begun}-{number}")
            except AuthorityUnavailable:
                failures += 1
            else:
                latencies.append(time.perf_counter() - asked)

    await asyncio.gather(*(work() for _ in range(in_flight)))
    cuts = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else [0.0] * 99
    rate = len(latencies) / (time.perf_counter() - begun)
    return {"rate": rate, "p50": cuts[49] * 1000, "p99": cuts[98] * 1000, "failures": failures}


def _summary(found: list[dict[str, float]]) -> dict[str, Any]:
    return {
        "rate": spread_of_few([one["rate"] for one in found]),
        "p50": statistics.median(one["p50"] for one in found),
        "p99": statistics.median(one["p99"] for one in found),
        "failures": sum(one["failures"] for one in found),
    }


@contextlib.contextmanager
def _serving(certificate: Path | None) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
    command += ["--timeout-keep-alive", "120"]  # longer than a contender waits for its turn
    command += ["--log-level", "critical", "--lifespan", "off", "tests.benchmarks.introspection:endpoint"]
    if certificate is not None:
        command += ["--ssl-certfile", str(certificate)]
    process = subprocess.Popen(command)
    try:
        if not answers(port, process, certificate):
            raise RuntimeError("the introspection endpoint did not start: is uvicorn installed?")
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{port}/introspect"
    finally:
        stop(process)


def render(record: dict[str, Any]) -> str:
    """The table of this section in Markdown."""
    return "\n".join(
        f"### {'Over TLS' if name == 'https' else 'In the clear'}\n\n{_table(figures)}"
        for name, figures in record["figures"].items()
    )


def _table(figures: list[dict[str, Any]]) -> str:
    rows = []
    for entry in figures:
        times = [f"{entry['p50']:.1f}", f"{entry['p99']:.1f}", f"{entry['failures']:,.0f}"]
        rows.append([str(entry["in_flight"]), entry["name"], *rate_cells(entry["rate"]), *times])
    head = ["in flight", "transport", "answers/s", "quartiles", "p50 ms", "p99 ms", "given up (503)"]
    return table(head, rows)
