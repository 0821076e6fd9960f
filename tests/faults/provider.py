"""An identity provider on a raw loopback socket that behaves as badly as it is told, and counts what it is asked.

`answers[path]` says what a path answers: an `Answer`, or a callable that is handed the connection and may write
anything, slowly, in part, or not at all. `gate` holds every answer back until the test opens it; nothing sleeps.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

PATIENCE = 20.0
"""Seconds after which a test that waits for something is wrong."""


@dataclass(frozen=True)
class Asked:
    """A request as it came: its line, its header fields by names in lower case, and its body."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Answer:
    """A whole answer with a true Content-Length."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def octets(self) -> bytes:
        fields = {"Content-Type": "application/json", "Content-Length": str(len(self.body)), **self.headers}
        return head(self.status, fields) + self.body


Behaviour: TypeAlias = "Answer | Callable[[socket.socket, Asked], None]"


def head(status: int, fields: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Some Phrase", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def document(content: Any, status: int = 200, **fields: str) -> Answer:
    """JSON with these header fields, underscores for hyphens."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return Answer(json.dumps(content).encode(), status, headers)


def long_fields(body: bytes) -> Answer:
    """As many octets of header fields as Python's HTTP client takes without complaint."""
    return Answer(body, headers={f"X-{number}": "x" * 65_000 for number in range(95)})


def tagged(content: Any, etag: str, **fields: str) -> Callable[[socket.socket, Asked], None]:
    """The document under an entity tag, and 304 to whoever has it."""

    def answer(connection: socket.socket, asked: Asked) -> None:
        full = document(content, ETag=etag, **fields)
        known = asked.headers.get("if-none-match") == etag
        connection.sendall(Answer(b"", 304, full.headers).octets() if known else full.octets())

    return answer


def huge(connection: socket.socket, asked: Asked) -> None:
    """100 MB, whose length is told only by their end."""
    del asked
    connection.sendall(head(200, {"Content-Type": "application/json"}) + b'{"keys": [')
    block = b" " * 1_000_000
    for _ in range(100):
        connection.sendall(block)


def gzip_bomb(connection: socket.socket, asked: Asked) -> None:
    """100 MB of spaces in 100 kB."""
    del asked
    connection.sendall(Answer(bomb(), headers={"Content-Encoding": "gzip"}).octets())


@cache
def bomb() -> bytes:
    """Made once, and that takes a third of a second: before anything that is timed."""
    return gzip.compress(b'{"keys": [' + b" " * 100_000_000, 6)


def unannounced_gzip(connection: socket.socket, asked: Asked) -> None:
    """The same, said to be JSON."""
    del asked
    connection.sendall(Answer(bomb()).octets())


def reset(connection: socket.socket, asked: Asked) -> None:
    """A TCP reset in the middle of the header."""
    del asked
    connection.sendall(b"HTTP/1.1 200 O")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(connection: socket.socket, asked: Asked) -> None:
    """The connection closes without a word."""


def broken_off(connection: socket.socket, asked: Asked) -> None:
    """Half of what Content-Length promises."""
    del asked
    connection.sendall(head(200, {"Content-Type": "application/json", "Content-Length": "1000"}) + b'{"keys": []}')


def bad_chunks(connection: socket.socket, asked: Asked) -> None:
    """A chunked body whose chunks have no size."""
    del asked
    connection.sendall(head(200, {"Transfer-Encoding": "chunked"}) + b"zz\r\n{}\r\n0\r\n\r\n")


def not_http(connection: socket.socket, asked: Asked) -> None:
    del asked
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")


class Provider:
    """Listens on a free port of 127.0.0.1 until `close`; a thread for each connection, one request in each."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self.answers: dict[str, Behaviour] = {}
        self.asked: list[Asked] = []
        self.refused = 0
        self.gate = threading.Event()
        self.gate.set()
        self.closing = threading.Event()
        self._count = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True, name="provider").start()

    def serve(self, path: str, behaviour: Behaviour) -> str:
        """Answer `path` so from now on; its URL."""
        self.answers[path] = behaviour
        return self.url + path

    def count(self, path: str) -> int:
        return sum(asked.target == path for asked in self.asked)

    def wait_for(self, number: int, path: str | None = None) -> None:
        """Until so many requests have come, to `path` or to any."""
        with self._count:
            came = lambda: len(self.asked) if path is None else self.count(path)  # noqa: E731
            assert self._count.wait_for(lambda: came() >= number, PATIENCE), "nobody asked"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Answer nothing inside this block; at its end, what is waiting is answered."""
        self.gate.clear()
        try:
            yield
        finally:
            self.gate.set()

    def hang(self, connection: socket.socket, asked: Asked) -> None:
        """A behaviour: say nothing until the test is over, or the other side goes."""
        del asked
        self._until_closed(connection)

    def half_a_header(self, connection: socket.socket, asked: Asked) -> None:
        """A behaviour: begin well, then hang."""
        del asked
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Never")
        self._until_closed(connection)

    def drip(self, octets: bytes, every: float = 0.02) -> Callable[[socket.socket, Asked], None]:
        """A behaviour: one octet at a time, until the test is over."""

        def answer(connection: socket.socket, asked: Asked) -> None:
            del asked
            for octet in octets:
                connection.sendall(bytes([octet]))
                if self.closing.wait(every):
                    return

        return answer

    def close(self) -> None:
        self.closing.set()
        self.gate.set()
        stop_listening(self._listener)

    def __enter__(self) -> Provider:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _until_closed(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        while not self.closing.is_set():
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            asked = read_request(connection)
            with self._count:
                self.asked.append(asked)
                self._count.notify_all()
            self.gate.wait(PATIENCE)
            behaviour = self.answers.get(asked.target, Answer(b"{}", 404))
            if isinstance(behaviour, Answer):
                connection.sendall(behaviour.octets())
            else:
                behaviour(connection, asked)
        except (OSError, ValueError):
            self.refused += 1  # whoever hangs up, or does not trust the certificate
        finally:
            connection.close()


def read_request(connection: socket.socket) -> Asked:
    """A whole request: with octets left unread, closing the connection would be a reset."""
    head, body = read_head(connection)
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = request_line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += more_from(connection)
    return Asked(method, target, headers, body)


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """The request line with the header fields, and what came behind them."""
    octets = b""
    while b"\r\n\r\n" not in octets:
        octets += more_from(connection)
    head, _, rest = octets.partition(b"\r\n\r\n")
    return head, rest


@contextmanager
def full_queue() -> Iterator[str]:
    """The URL of a listener that accepts nobody, and whose queue is full: Linux then drops whoever knocks."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):  # more than the queue holds
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def stop_listening(listener: socket.socket) -> None:
    """Close, and wake the thread that accepts: what it waits for would be accepted once more."""
    try:
        listener.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # not everywhere can a listener be shut down, nor twice anywhere
    listener.close()


def more_from(connection: socket.socket) -> bytes:
    more = connection.recv(65536)
    if not more:
        raise ValueError("the client is gone")
    return more
