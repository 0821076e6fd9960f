"""A real forward proxy on loopback: tunnels by CONNECT, and plain http by the whole URL (RFC 9110 §9.3.6, RFC 9112 §3.2.2)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.faults.provider import PATIENCE, read_head, stop_listening


class ForwardProxy:
    """Listens on a free port of 127.0.0.1 until the end of its `with` block, and notes each request line.

    `names` says on which local port a host that nobody else knows is served.
    """

    def __init__(self, names: Mapping[str, int] | None = None, *, refuses: bool = False) -> None:
        self.lines: list[str] = []
        self._names = names or {}
        self._refuses = refuses
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()

    def __enter__(self) -> ForwardProxy:
        return self

    def __exit__(self, *_: object) -> None:
        stop_listening(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with connection:
            try:
                head, rest = read_head(connection)
                request_line, _, fields = head.partition(b"\r\n")
                self.lines.append(request_line.decode("ascii"))
                if self._refuses:
                    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                    return
                method, target, version = self.lines[-1].split(" ")
                parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
                with self._onward(parts.hostname or "", parts.port) as onward:
                    if method == "CONNECT":
                        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    else:
                        origin = f"{method} {parts.path or '/'} {version}\r\n".encode("ascii")
                        onward.sendall(origin + fields + b"\r\n\r\n" + rest)
                    back = threading.Thread(target=_relay, args=(connection, onward), daemon=True)
                    back.start()
                    _relay(onward, connection)
            except (OSError, ValueError):
                return

    def _onward(self, host: str, port: int | None) -> socket.socket:
        known = self._names.get(host)
        return socket.create_connection(("127.0.0.1", known) if known else (host, port or 80), PATIENCE)


def _relay(source: socket.socket, sink: socket.socket) -> None:
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
