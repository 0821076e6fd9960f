"""TLS over a wire of any kind (RFC 8446): what the context says is verified, and the wire's deadline holds throughout.

The octets go through memory and not through a socket that `ssl` makes of another one: libraries that replace sockets
(gevent) do so at any time, and a context that was made before does not take theirs.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Final, Protocol, TypeVar

P = TypeVar("P")
T = TypeVar("T")

_RECORDS: Final = 32 * 1024

UNFORKED: Final = Lock()
"""Hold it around every call of OpenSSL: forks of this process wait meanwhile.

OpenSSL has locks of its own for the whole process. One that a thread holds while another thread forks stays locked in
the child, where no TLS handshake ends any more. No call here waits for anything: the octets go through memory.
"""
getattr(os, "register_at_fork", lambda **_: None)(  # not everywhere are there forks
    before=UNFORKED.acquire, after_in_parent=UNFORKED.release, after_in_child=UNFORKED.release
)


class Wire(Protocol):
    """What carries octets, and raises OSError when it does so no longer."""

    def sendall(self, octets: bytes, /) -> None: ...
    def recv_into(self, buffer: memoryview, /) -> int: ...


class TLSWire:
    """A client's end of a TLS connection to `host` over `wire`. Raises OSError: an `ssl.SSLError` is one."""

    def __init__(self, wire: Wire, context: ssl.SSLContext, host: str) -> None:
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with UNFORKED:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host.encode("ascii"))
        self._done(lambda _: self._tls.do_handshake(), None)

    def sendall(self, octets: bytes, /) -> None:
        left = memoryview(octets)
        while left:
            left = left[self._done(self._tls.write, left) :]

    def recv_into(self, buffer: memoryview, /) -> int:
        """How many octets came; 0 at the end, also where the other side just hung up: lengths tell who broke off."""
        try:
            octets = self._done(self._tls.read, len(buffer))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return 0
        buffer[: len(octets)] = octets
        return len(octets)

    def _done(self, operation: Callable[[P], T], argument: P) -> T:
        while True:
            try:
                with UNFORKED:
                    result = operation(argument)
            except ssl.SSLWantReadError:
                self._send_pending()
            except ssl.SSLError:
                with suppress(OSError):
                    self._send_pending()  # the alert that says why
                raise
            else:
                self._send_pending()
                return result
            records = bytearray(_RECORDS)
            if came := self._wire.recv_into(memoryview(records)):
                self._incoming.write(memoryview(records)[:came])
            else:
                self._incoming.write_eof()

    def _send_pending(self) -> None:
        if self._outgoing.pending:
            self._wire.sendall(self._outgoing.read())
