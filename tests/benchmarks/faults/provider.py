"""An identity provider on 127.0.0.1 that answers well or badly, as told, and counts what it is asked.

A thread for each connection and one request in each; every answer says `Connection: close`, so that no client finds a
pooled connection dead. It sends no Cache-Control: each client's keys are as old as that client thinks they may be.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from typing import Any

from tests.benchmarks.faults.authority import server_context
from tests.benchmarks.faults.behaviours import BEHAVIOURS, Exchange

METADATA = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
INTROSPECTION = "/introspect"


class Provider:
    """Serves `keys` at every path but those of metadata and introspection, until `close`.

    `how` names one of BEHAVIOURS, and `elsewhere` is where a redirection of the keys leads. `named` is the issuer that
    the metadata name, and `introspected` the answer to every introspection.
    """

    def __init__(self, *, secure: bool = False, issuer_suffix: str = "", jwks_path: str = "/jwks") -> None:
        self._context = server_context() if secure else None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"{'https' if secure else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.issuer = self.named = self.url + issuer_suffix
        self.jwks_uri = self.url + jwks_path
        self.introspection = self.url + INTROSPECTION
        self.keys: list[dict[str, Any]] = []
        self.introspected: dict[str, Any] = {"active": False}
        self.how = "well"
        self.elsewhere = ""
        self.delay = 0.0
        self.closing = threading.Event()
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True, name="provider").start()

    @property
    def fetches(self) -> int:
        """Requests for the keys, or for the metadata where there were more of those: they failed before the keys."""
        with self._lock:
            return max(self._asked.values(), default=0)

    def close(self) -> None:
        self.closing.set()
        self._listener.close()

    def documents(self, path: str) -> Any:
        if path == INTROSPECTION:
            return self.introspected
        if not path.startswith(METADATA):
            return {"keys": self.keys}
        return {
            "issuer": self.named,
            "jwks_uri": self.jwks_uri,
            "authorization_endpoint": self.url + "/authorize",
            "token_endpoint": self.url + "/token",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            path = _read_path(connection)
            of_metadata = path.startswith(METADATA)
            with self._lock:
                self._asked["metadata" if of_metadata else "keys"] += 1
            if self.delay:
                time.sleep(self.delay)
            body = json.dumps(self.documents(path)).encode()
            elsewhere = "" if of_metadata else self.elsewhere
            BEHAVIOURS[self.how](Exchange(connection, body, elsewhere, self.closing))
        except (OSError, ValueError):
            pass  # whoever hangs up
        finally:
            connection.close()


def _read_path(connection: socket.socket) -> str:
    """The path of the request, which is read to its end: a connection closed before would be reset."""
    octets = b""
    while b"\r\n\r\n" not in octets:
        octets += _more(connection)
    head, _, body = octets.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            while len(body) < int(value):
                body += _more(connection)
    return head.split(b" ", 2)[1].decode("ascii")


def _more(connection: socket.socket) -> bytes:
    octets = connection.recv(65536)
    if not octets:
        raise ValueError("the client is gone")
    return octets
