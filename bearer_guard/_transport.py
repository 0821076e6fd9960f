"""HTTP exchanges over the standard library, with a deadline that is real (RFC 9110).

The one module below the adapters that opens a socket. The time left is set before every operation, so that an answer
which drips in does not outlive its deadline; redirects are not followed, nothing is inflated, no environment variable
is read.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

from ._errors import ConfigurationError
from ._flow import ExchangeFailed, Request, Response
from ._tls import UNFORKED, TLSWire
from ._urls import Endpoint, endpoint, url_problem
from ._version import VERSION
from ._wire import DeadlineWire, WireSocket, left

USER_AGENT: Final = f"bearer-guard/{VERSION}"
CONNECT_TIMEOUT: Final = 2.0
_CHUNK: Final = 16 * 1024


def transport_problems(transport: object, ssl_context: object, proxy: object) -> list[str]:
    """What is wrong with a transport that was given, and with what was given beside it."""
    if transport is None:
        return []
    problems: list[str] = []
    if not callable(getattr(transport, "send", None)):
        problems.append("transport must have a method send(request) (bearer_guard.transport.Transport)")
    if ssl_context is not None or proxy is not None:
        problems.append("give ssl_context and proxy to the transport, or give no transport")
    return problems


class HTTPTransport:
    """Makes each exchange over a connection of its own.

    TLS certificates are verified against the platform's trust, or as `ssl_context` says. `proxy` is the http URL of a
    proxy, used for every exchange; https goes through it by CONNECT (RFC 9110 §9.3.6).
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, proxy: str | None = None) -> None:
        problems: list[str] = []
        given: object = ssl_context
        if given is not None and not hasattr(given, "wrap_bio"):  # its class is replaced where sockets are (gevent)
            problems.append("ssl_context must be an ssl.SSLContext")
        if proxy is not None and "@" in str(proxy):
            problems.append("proxy must not hold user information: where it wants credentials, give a transport")
        elif proxy is not None and (problem := url_problem(proxy, unsafe_http=True)):
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
            with UNFORKED:
                self._ssl_context = ssl.create_default_context()
        return self._ssl_context


def _exchange(connection: _Connection, request: Request, target: Endpoint, *, proxied: bool) -> Response:
    usual_port = 443 if target.secure else 80
    headers = {
        "Host": _authority(target) if target.port != usual_port else _bracketed(target.host),
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "Connection": "close",
        **request.headers,
    }
    connection.request(request.method, request.url if proxied else target.target, request.body, headers)
    answer = connection.getresponse()
    try:
        connection.past_headers()
        fields: dict[str, str] = {}
        for name, value in answer.getheaders():  # RFC 9110 §5.3: repeated fields are one list
            fields[name.lower()] = f"{fields[name.lower()]}, {value}" if name.lower() in fields else value
        if fields.get("content-encoding", "identity").lower() != "identity":
            raise ExchangeFailed("the answer is compressed, which was not asked for")
        return Response(status=answer.status, headers=fields, body=_body(answer, request.limit))
    finally:
        answer.close()


def _body(answer: http.client.HTTPResponse, limit: int) -> bytes:
    body = io.BytesIO()
    while (answer.length or 0) <= limit and body.tell() <= limit and (chunk := answer.read(_CHUNK)):
        body.write(chunk)
    if (answer.length or 0) > limit or body.tell() > limit:
        raise ExchangeFailed(f"the answer is larger than {limit} bytes")
    if answer.length:  # http.client takes what came for the whole
        raise ExchangeFailed("the answer broke off")
    return body.getvalue()


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
    past_headers: Callable[[], None]

    def __init__(
        self, target: Endpoint, proxy: Endpoint | None, deadline: float, context: ssl.SSLContext | None
    ) -> None:
        first = proxy or target
        super().__init__(first.host, first.port)
        self._target = target
        self._tunnels = proxy is not None and target.secure
        self._deadline = deadline
        self._context = context
        self._opened: socket.socket | None = None

    def connect(self) -> None:
        self._opened = _dial(self.host, self.port, self._deadline)
        wire = DeadlineWire(self._opened, self._deadline)
        self.sock = WireSocket(wire)
        if self._context is not None:
            if self._tunnels:
                self._ask_proxy()
            self.sock = WireSocket(TLSWire(wire, self._context, self._target.host))
        self.past_headers = self.sock.past_headers  # http.client forgets a socket that it is to close

    def hang_up(self) -> None:
        self.close()
        if self._opened is not None:
            self._opened.close()

    def _ask_proxy(self) -> None:
        # Not http.client's tunnel: it spells an IPv6 address wrongly, and keeps its name to itself.
        authority = _authority(self._target)
        lines = (f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", f"User-Agent: {USER_AGENT}", "", "")
        self.sock.sendall("\r\n".join(lines).encode("ascii"))
        answer = http.client.HTTPResponse(self.sock, method="CONNECT")
        try:
            answer.begin()
            if not 200 <= answer.status < 300:
                raise ExchangeFailed(f"the proxy answered CONNECT with status {answer.status}")
        finally:
            answer.close()


def _dial(host: str, port: int, deadline: float) -> socket.socket:
    """A connection to one of the host's addresses, tried in order: each has its own time, all of them the deadline."""
    failure = OSError("no address")
    # As octets: text would be encoded by a codec that Python imports here, and a fork in the middle of that leaves the
    # child without it for ever.
    for family, kind, protocol, _, address in socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM):
        attempt = socket.socket(family, kind, protocol)
        try:
            attempt.settimeout(min(left(deadline), CONNECT_TIMEOUT))
            attempt.connect(address)
            attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as problem:
            attempt.close()
            failure = problem
        else:
            return attempt
    raise failure


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _authority(target: Endpoint) -> str:
    return f"{_bracketed(target.host)}:{target.port}"
