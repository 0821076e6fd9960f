"""Sockets as `_transport` uses them: operations end before a deadline, header sections before they are too long."""

from __future__ import annotations

import io
import math
import time
from typing import TYPE_CHECKING, Any, Final

from ._flow import ExchangeFailed
from ._tls import Wire

if TYPE_CHECKING:
    import socket

MAX_HEADERS: Final = 64 * 1024
"""Octets of an answer's header section; http.client's own limit is a hundred times that."""


class DeadlineWire:
    """A socket, with the time left set before each operation."""

    def __init__(self, wrapped: socket.socket, deadline: float) -> None:
        self._wrapped = wrapped
        self._deadline = deadline

    def sendall(self, octets: bytes, /) -> None:
        self._wrapped.settimeout(left(self._deadline))
        self._wrapped.sendall(octets)

    def recv_into(self, buffer: memoryview, /) -> int:
        self._wrapped.settimeout(left(self._deadline))
        return self._wrapped.recv_into(buffer)


class WireSocket:
    """What http.client uses of a socket, over a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._reader = _Reader(wire)
        self.sendall = wire.sendall

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode
        return io.BufferedReader(self._reader)

    def past_headers(self) -> None:
        """The rest is the body, whose length is looked after where it is read."""
        self._reader.left = math.inf

    def close(self) -> None:
        """Nothing yet: http.client closes its socket while the answer is still being read."""


class _Reader(io.RawIOBase):
    """Reads from a wire: first a header section, of which so much is `left` to be read."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.left: float = MAX_HEADERS + io.DEFAULT_BUFFER_SIZE  # what is read ahead is part of the body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        received = self._wire.recv_into(buffer)
        self.left -= received
        if self.left < 0:
            raise ExchangeFailed(f"the answer's header fields are longer than {MAX_HEADERS} bytes")
        return received


def left(deadline: float) -> float:
    """Seconds until `deadline` (real time). Raises TimeoutError when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds
