"""An issuer over HTTP on the loopback interface, which can stop to listen and come back on the same port.

For tests, demonstrations and development: one connection per request, a thread for each, nothing encrypted.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import unquote

from ._chunked import read_chunked
from ._messages import IssuerRequest
from ._mount import Respond, body_length, read_bounded

_logger: Final = logging.getLogger("bearer_guard")
HOST: Final = "127.0.0.1"
_POLL: Final = 0.01


class LoopbackServer:
    """Serves `respond` on a free port of 127.0.0.1 from `start` until `close`.

    `gate` is asked once a request has arrived, in its thread: False closes the connection without an answer. `requests`
    holds the path of every request, in the order of arrival.
    """

    def __init__(self, gate: Callable[[], bool] = lambda: True) -> None:
        self.requests: list[str] = []
        self._gate = gate
        self._respond: Respond
        self._listener: _Listener | None = None
        self._lock = threading.Lock()
        # Bound and never listening: it holds the port while nobody listens, so that connections are refused meanwhile.
        self._placeholder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        _share_port(self._placeholder)
        self._placeholder.bind((HOST, 0))
        self.port: int = self._placeholder.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"

    def start(self, respond: Respond) -> None:
        """Begin to answer as `respond` does."""
        self._respond = respond
        self.listen()

    def listen(self) -> None:
        """Take connections, again on the same port after `refuse`."""
        with self._lock:
            if self._listener is None:
                self._listener = _Listener(self._handler())

    def refuse(self) -> None:
        """Close the listening socket: connections are refused from now on."""
        with self._lock:
            if self._listener is not None:
                self._listener.close()
                self._listener = None

    def close(self) -> None:
        """Stop for good and give the port back."""
        self.refuse()
        self._placeholder.close()

    def _handler(self) -> type[_Handler]:
        server = self

        class Handler(_Handler):
            def answer(self) -> None:
                path = unquote(self.path.partition("?")[0], errors="replace")
                server.requests.append(path)
                if "transfer-encoding" in self.headers:
                    body = read_chunked(self.rfile)
                else:
                    body = read_bounded(self.rfile.read, body_length(self.headers.get("content-length")))
                request = IssuerRequest(self.command, path, self.headers.items(), body)
                if not server._gate():
                    return
                response = server._respond(request)
                self.send_response(response.status)
                for name, value in response.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(response.body)

        Handler.port = self.port
        return Handler


class _Handler(BaseHTTPRequestHandler):
    port: int
    timeout = 10.0  # seconds that a client may be silent

    def answer(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.answer()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        del format, args  # a token request may not be logged, and a test wants no lines on stderr


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    allow_reuse_port = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[_Handler]) -> None:
        super().__init__((HOST, handler.port), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL,), name="local-issuer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        _logger.debug("a connection to the local issuer broke", exc_info=True)


def _share_port(sock: socket.socket) -> None:
    names = ("SO_REUSEADDR", "SO_REUSEPORT")
    for option in [getattr(socket, name) for name in names if hasattr(socket, name)]:
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
