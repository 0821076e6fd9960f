"""HTTP exchanges over the standard library, with a deadline that is real (RFC 9110).

The one module below the adapters that opens a socket. The time left is set before every read, so that an answer
which drips in does not outlive its deadline; redirects are not followed, nothing is inflated, no environment variable is read.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from typing import Any, Final

from ._errors import ConfigurationError
from ._flow import ExchangeFailed, Request, Response
from ._urls import Endpoint, endpoint, url_problem
from ._version import VERSION

USER_AGENT: Final = f"bearer_guard/{VERSION}"
CONNECT_TIMEOUT: Final = 2.0
_CHUNK: Final = 16 * 1024


class HTTPTransport:
    """Makes each exchange over a connection of its own.

    TLS certificates are verified against the platform's trust, or as `ssl_context` says. `proxy` is the http URL of a
    proxy, used for every exchange; https goes through it by CONNECT (RFC 9110 §9.3.6).
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, proxy: str | None = None) -> None:
        problems: list[str] = []
        given: object = ssl_context
        if not isinstance(given, ssl.SSLContext | None):
            problems.append("ssl_context must be an ssl.SSLContext")
        if proxy is not None and (problem := url_problem(proxy, unsafe_http=True)):
            problems.append(f"proxy {problem.replace('https', 'http')}")
        elif proxy is not None and not proxy.startswith("http:"):
            problems.append("proxy must be an http URL")
        if problems:
            raise ConfigurationError(*problems)
        self._ssl_context = ssl_context
        self._proxy = None if proxy is None else endpoint(proxy)

    def send(self, request: Request) -> Response:
        """The answer to `request`, whatever its status. Raises ExchangeFailed when there is none in time."""
        deadline = time.monotonic() + request.timeout
        target = endpoint(request.url)
        connection = _Connection(target, self._proxy, deadline, self._context() if target.secure else None)
        try:
            return _exchange(connection, request, target, proxied=self._proxy is not None and not target.secure)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise ExchangeFailed(_describe(failure)) from failure
        finally:
            connection.hang_up()

    def _context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
        return self._ssl_context


def _exchange(connection: _Connection, request: Request, target: Endpoint, *, proxied: bool) -> Response:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close", **request.headers}
    connection.request(request.method, request.url if proxied else target.target, request.body, headers)
    answer = connection.getresponse()
    fields = {name.lower(): value for name, value in answer.getheaders()}
    if fields.get("content-encoding", "identity").lower() != "identity":
        raise ExchangeFailed("the answer is compressed, which was not asked for")
    body = io.BytesIO()
    while chunk := answer.read(_CHUNK):
        body.write(chunk)
        if body.tell() > request.limit:
            raise ExchangeFailed(f"the answer is larger than {request.limit} bytes")
    return Response(status=answer.status, headers=fields, body=body.getvalue())


def _describe(failure: Exception) -> str:
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"TLS certificate not trusted: {failure.verify_message}"
    if isinstance(failure, TimeoutError):
        return "no complete answer in time"
    if isinstance(failure, OSError) and failure.strerror:
        return f"{type(failure).__name__}: {failure.strerror}"
    return type(failure).__name__


class _Connection(http.client.HTTPConnection):
    """One connection to one endpoint, every operation of which ends before a deadline."""

    sock: Any

    def __init__(
        self, target: Endpoint, proxy: Endpoint | None, deadline: float, context: ssl.SSLContext | None
    ) -> None:
        first = proxy or target
        super().__init__(first.host, first.port)
        self._target = target
        self._deadline = deadline
        self._context = context
        self._opened: socket.socket | None = None
        if proxy is not None and target.secure:
            self.set_tunnel(target.host, target.port)

    def connect(self) -> None:
        left = _left(self._deadline)
        plain = socket.create_connection((self.host, self.port), min(left, CONNECT_TIMEOUT))
        self._opened = plain
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = _DeadlineSocket(plain, self._deadline)
        if self._context is None:
            return
        if self.host != self._target.host or self.port != self._target.port:
            self._tunnel()  # type: ignore[attr-defined]  # http.client has no public name for it
        plain.settimeout(_left(self._deadline))
        self._opened = self._context.wrap_socket(plain, server_hostname=self._target.host)
        self.sock = _DeadlineSocket(self._opened, self._deadline)

    def hang_up(self) -> None:
        self.close()
        if self._opened is not None:
            self._opened.close()


class _DeadlineSocket:
    """What http.client uses of a socket, with the time left set before each operation."""

    def __init__(self, wrapped: socket.socket, deadline: float) -> None:
        self._wrapped = wrapped
        self._deadline = deadline

    def sendall(self, octets: bytes) -> None:
        self._wrapped.settimeout(_left(self._deadline))
        self._wrapped.sendall(octets)

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode
        return io.BufferedReader(_DeadlineReader(self._wrapped, self._deadline))

    def close(self) -> None:
        """Nothing yet: http.client closes its socket while the answer is still being read."""


class _DeadlineReader(io.RawIOBase):
    def __init__(self, wrapped: socket.socket, deadline: float) -> None:
        self._wrapped = wrapped
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wrapped.settimeout(_left(self._deadline))
        return self._wrapped.recv_into(buffer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
