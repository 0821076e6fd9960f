"""Exchanges over the connections of an httpx2 client, which are kept and used again (RFC 9112 §9.3).

What a transport promises holds whatever the client does by itself: a real deadline, a bound on the answer, no redirect,
nothing inflated, and nothing sent along that the request does not say.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterable
from typing import Final

import anyio
import httpx2

from ._errors import raise_problems
from ._flow import ExchangeFailed, Flow, Request, Response, arun, run
from ._io import IO
from ._transport import CONNECT_TIMEOUT, USER_AGENT
from ._workers import Workers, left

_FAILURES: Final = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)


class HTTPXTransport:
    """A transport whose connections are kept and used again: `IntrospectionVerifier(..., transport=HTTPXTransport())`.

    `client` is an `httpx2.Client`, by default one that reads no environment variable; exchanges run in threads, from
    either colour, and are bound to no event loop. With `async_client`, an `httpx2.AsyncClient`, coroutines use that
    one instead: it belongs to the event loop that first uses it. Of given clients the connections, TLS settings and
    proxies are used; their authentication, cookies, default headers, base URL and redirects are not. Close what you
    gave; `close` closes what was made here.

    The deadline of a request is real: its caller goes on when it has passed, whatever drips in. Answers that are
    compressed or too large are refused while they are read. Raises ConfigurationError.
    """

    def __init__(self, client: httpx2.Client | None = None, async_client: httpx2.AsyncClient | None = None) -> None:
        raise_problems("HTTPXTransport", _client_problems(client, async_client))
        self._given: Final = client
        self._async_client: Final = async_client
        self._own: dict[int, httpx2.Client] = {}  # by process: connections must not be shared across a fork
        self._workers: Final = Workers()

    def send(self, request: Request) -> Response:
        """The answer to `request`, whatever its status. Raises ExchangeFailed when there is none in time."""
        return run(self._in_thread(request), IO)

    async def asend(self, request: Request) -> Response:
        """`send` from a coroutine."""
        if self._async_client is None:
            return await arun(self._in_thread(request), IO)
        try:
            with anyio.fail_after(request.timeout):
                return await _aexchange(self._async_client, request)
        except TimeoutError:
            raise ExchangeFailed("no complete answer in time") from None
        except _FAILURES as failure:
            raise ExchangeFailed(_describe(failure)) from failure

    def close(self) -> None:
        """Close the connections of the client that was made here, where none was given."""
        client = self._own.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def __enter__(self) -> HTTPXTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _in_thread(self, request: Request) -> Flow[Response]:
        deadline = time.monotonic() + request.timeout
        return self._workers.outcome(lambda: _exchange(self._client(), request, deadline), deadline)

    def _client(self) -> httpx2.Client:
        if self._given is not None:
            return self._given
        pid = os.getpid()
        return self._own.get(pid) or self._own.setdefault(pid, httpx2.Client(trust_env=False))


def _client_problems(client: object, async_client: object) -> Iterable[str]:
    if client is not None and not isinstance(client, httpx2.Client):
        yield "client must be an httpx2.Client"
    if async_client is not None and not isinstance(async_client, httpx2.AsyncClient):
        yield "async_client must be an httpx2.AsyncClient"
    elif async_client is not None and client is None:
        yield "give client as well: keys and tokens are fetched in threads of their own, whatever the colour"


def _exchange(client: httpx2.Client, request: Request, deadline: float) -> Response:
    try:
        response = client.send(_outgoing(request, left(deadline)), auth=None, follow_redirects=False, stream=True)
        answer = _Answer(response, request.limit)
        try:
            for chunk in response.iter_raw() if answer.problem is None else ():
                answer.take(chunk)
                if answer.problem is not None:
                    break
                left(deadline)
        finally:
            response.close()
    except _FAILURES as failure:
        raise ExchangeFailed(_describe(failure)) from failure
    return answer.complete()


async def _aexchange(client: httpx2.AsyncClient, request: Request) -> Response:
    response = await client.send(_outgoing(request, request.timeout), auth=None, follow_redirects=False, stream=True)
    answer = _Answer(response, request.limit)
    try:
        if answer.problem is None:
            async for chunk in response.aiter_raw():
                answer.take(chunk)
                if answer.problem is not None:
                    # Not left by `break`: for trio, generators that nobody exhausts are loose ends. These find the
                    # connection closed, and end.
                    await response.aclose()
    except httpx2.HTTPError:
        if answer.problem is None:
            raise
    finally:
        await response.aclose()
    return answer.complete()


def _outgoing(request: Request, timeout: float) -> httpx2.Request:
    # Made here and not by the client, whose cookies, parameters and default headers would come along.
    return httpx2.Request(
        request.method,
        request.url,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **request.headers},
        content=request.body,
        extensions={"timeout": httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)).as_dict()},
    )


class _Answer:
    """What has been read of an answer, within its bound; `problem` says why there is nothing more to read."""

    def __init__(self, response: httpx2.Response, limit: int) -> None:
        self.problem: str | None = None
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            self.problem = "the answer is compressed, which was not asked for"
        self._response = response
        self._limit = limit
        self._body = bytearray()

    def take(self, chunk: bytes) -> None:
        if len(self._body) + len(chunk) > self._limit:
            self.problem = f"the answer is larger than {self._limit} bytes"
        else:
            self._body += chunk

    def complete(self) -> Response:
        """The answer as it was read. Raises ExchangeFailed when there was a problem."""
        if self.problem is not None:
            raise ExchangeFailed(self.problem)
        headers = {name.lower(): value for name, value in self._response.headers.items()}
        return Response(status=self._response.status_code, headers=headers, body=bytes(self._body))


def _describe(failure: BaseException) -> str:
    if isinstance(failure, httpx2.TimeoutException):
        return "no complete answer in time"
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS certificate not trusted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return type(failure).__name__  # its text may quote what was sent
