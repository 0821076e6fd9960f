"""How the provider answers one request: well, or in one of the bad ways by their names in the tables."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

JSON = "application/json"
BOMB_MEGABYTES = 100


@dataclass(frozen=True)
class Exchange:
    """One request: its connection, the good answer to it, where a redirection leads, and when to hang up at last."""

    connection: socket.socket
    body: bytes
    elsewhere: str
    closing: threading.Event


Behaviour = Callable[[Exchange], None]


def _answer(status: int, body: bytes, media_type: str = JSON, *fields: str) -> bytes:
    return _head(status, media_type, f"Content-Length: {len(body)}", *fields) + body


def _head(status: int, media_type: str, *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {media_type}", "Connection: close", *fields, "", ""]
    return "\r\n".join(lines).encode()


def _well(exchange: Exchange) -> None:
    exchange.connection.sendall(_answer(200, exchange.body))


def _fixed(octets: bytes) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        exchange.connection.sendall(octets)

    return behave


def _elsewhere(exchange: Exchange) -> None:
    """For requests that a redirection is told for; the others are answered well."""
    if not exchange.elsewhere:
        return _well(exchange)
    return exchange.connection.sendall(_answer(302, b"", "text/plain", f"Location: {exchange.elsewhere}"))


def _bomb(exchange: Exchange) -> None:
    """Valid JSON that is 100 MB of white space, in about 100 kB."""
    exchange.connection.sendall(_answer(200, bomb(), JSON, "Content-Encoding: gzip"))


@cache
def bomb() -> bytes:
    return gzip.compress(b'{"keys": [' + b" " * (BOMB_MEGABYTES * 1_000_000) + b"]}", 6)


def _large(exchange: Exchange) -> None:
    """The same as it is, and its length is not told before: it ends with the connection."""
    exchange.connection.sendall(_head(200, JSON) + b'{"keys": [')
    space = b" " * 1_000_000
    for _ in range(BOMB_MEGABYTES):
        exchange.connection.sendall(space)
    exchange.connection.sendall(b"]}")


def _drip(exchange: Exchange) -> None:
    """A good answer, an octet every fifth of a second."""
    exchange.connection.sendall(_answer(200, exchange.body)[: -len(exchange.body)])
    for octet in exchange.body:
        exchange.connection.sendall(bytes([octet]))
        if exchange.closing.wait(0.2):
            return


def _reset(exchange: Exchange) -> None:
    connection = exchange.connection
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(connection, ssl.SSLSocket):  # close() of it would say goodbye first
        socket.socket(fileno=connection.detach()).close()


def _hang(exchange: Exchange) -> None:
    exchange.closing.wait()


_PAGE = b"<!doctype html><title>Maintenance</title><p>We are back soon."
BEHAVIOURS: dict[str, Behaviour] = {
    "well": _well,
    "500": _fixed(_answer(500, b"Internal Server Error", "text/plain")),
    "503": _fixed(_answer(503, b"Service Unavailable", "text/plain")),
    "401": _fixed(_answer(401, b"Unauthorized", "text/plain", 'WWW-Authenticate: Basic realm="clients"')),
    "429": _fixed(_answer(429, b"Too Many Requests", "text/plain", "Retry-After: 30")),
    "302": _elsewhere,
    "HTML": _fixed(_answer(200, _PAGE, "text/html")),
    "{}": _fixed(_answer(200, b"{}")),
    "[]": _fixed(_answer(200, b"[]")),
    "gzip bomb": _bomb,
    "100 MB": _large,
    "slow drip": _drip,
    "reset": _reset,
    "hang": _hang,
}
