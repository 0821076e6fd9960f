"""A real HTTP server on loopback that answers as told and counts what it is asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Mapping[str, str], bytes]


class Loopback(ThreadingHTTPServer):
    """Answers each path in `pages` with a status, header fields and a body, or lets a callable write the answer.

    It looks every `poll` seconds whether it has been closed.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, context: ssl.SSLContext | None = None, *, poll: float = 0.01) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._lock = threading.Lock()
        self.requests: list[str] = []
        self.pages: dict[str, Reply | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.server_address[1]}"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self._thread = threading.Thread(target=self.serve_forever, args=(poll,), daemon=True)
        self._thread.start()

    def page(self, path: str, content: Any, status: int = 200, **fields: str) -> str:
        """Answer `path` with `content` (bytes as they are, else JSON) from now on; its URL."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in fields.items()},
        }
        self.pages[path] = (status, headers, body)
        return self.url + path

    def seen(self, path: str) -> None:
        with self._lock:
            self.requests.append(path)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(5)

    def __enter__(self) -> Loopback:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    server: Loopback

    def do_GET(self) -> None:
        self.server.seen(self.path)
        page = self.server.pages.get(self.path, (404, {}, b""))
        if callable(page):
            return page(self)
        status, headers, body = page
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    do_POST = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        """Silent."""
