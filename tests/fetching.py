"""How tests send a request through an httpx2 client whose authentication is `BearerAuth`, in each colour."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import httpx2
import trio

from bearer_guard.httpx import BearerAuth

TRUST = ssl.create_default_context()
"""Made once: making one takes 20 ms."""

Fetching = Callable[..., httpx2.Response]


def run_asyncio(function: Any, *arguments: Any) -> Any:
    return asyncio.run(function(*arguments))


def fetch_blocking(auth: BearerAuth, method: str, url: str, **options: Any) -> httpx2.Response:
    follow = options.pop("follow_redirects", False)
    with httpx2.Client(auth=auth, trust_env=False, verify=TRUST, follow_redirects=follow) as client:
        return client.request(method, url, **options)


def fetch_in(run: Callable[..., Any]) -> Fetching:
    async def fetch(auth: BearerAuth, method: str, url: str, options: dict[str, Any]) -> httpx2.Response:
        follow = options.pop("follow_redirects", False)
        if "content" in options and not isinstance(options["content"], bytes):
            options["content"] = _as_async(options["content"])
        async with httpx2.AsyncClient(auth=auth, trust_env=False, verify=TRUST, follow_redirects=follow) as client:
            return await client.request(method, url, **options)

    return lambda auth, method, url, **options: run(fetch, auth, method, url, options)


async def _as_async(chunks: Any) -> Any:
    for chunk in chunks:
        yield chunk


FETCHING: dict[str, Fetching] = {
    "blocking": fetch_blocking,
    "asyncio": fetch_in(run_asyncio),
    "trio": fetch_in(trio.run),
}
