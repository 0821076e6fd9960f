"""An identity provider on 127.0.0.1 that answers well or badly, as told, and counts what it is asked.

A thread for each connection and one request in each; every answer says `Connection: close`, so that no client finds a
pooled connection dead. It sends no Cache-Control: each client's keys are as old as that client thinks they may be.
"""

from __future__ import annotations

import atexit
import gzip
import ipaddress
import json
import shutil
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

METADATA = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
JSON = "application/json"
BOMB_MEGABYTES = 100


class Provider:
    """Serves `keys` at every path but those of metadata, until `close`. `how` names one of BEHAVIOURS."""

    def __init__(self, *, secure: bool = False, issuer_suffix: str = "", jwks_path: str = "/jwks") -> None:
        self._context = server_context() if secure else None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"{'https' if secure else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.issuer = self.url + issuer_suffix
        self.jwks_uri = self.url + jwks_path
        self.keys: list[dict[str, Any]] = []
        self.how = "well"
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
        if not path.startswith(METADATA):
            return {"keys": self.keys}
        return {
            "issuer": self.issuer,
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
            with self._lock:
                self._asked["metadata" if path.startswith(METADATA) else "keys"] += 1
            if self.delay:
                time.sleep(self.delay)
            BEHAVIOURS[self.how](self, connection, path)
        except (OSError, ValueError):
            pass  # whoever hangs up
        finally:
            connection.close()


def _read_path(connection: socket.socket) -> str:
    octets = b""
    while b"\r\n\r\n" not in octets:
        more = connection.recv(65536)
        if not more:
            raise ValueError("the client is gone")
        octets += more
    return octets.split(b" ", 2)[1].decode("ascii")


def _answer(status: int, body: bytes, media_type: str = JSON, *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Connection: close", *fields, "", ""]).encode() + body


def _well(provider: Provider, connection: socket.socket, path: str) -> None:
    connection.sendall(_answer(200, json.dumps(provider.documents(path)).encode()))


def _fixed(octets: bytes) -> Callable[[Provider, socket.socket, str], None]:
    def behave(provider: Provider, connection: socket.socket, path: str) -> None:
        del provider, path
        connection.sendall(octets)

    return behave


def _bomb(provider: Provider, connection: socket.socket, path: str) -> None:
    """Valid JSON that is 100 MB of white space, in about 100 kB."""
    del provider, path
    connection.sendall(_answer(200, bomb(), JSON, "Content-Encoding: gzip"))


@cache
def bomb() -> bytes:
    return gzip.compress(b'{"keys": [' + b" " * (BOMB_MEGABYTES * 1_000_000) + b"]}", 6)


def _drip(provider: Provider, connection: socket.socket, path: str) -> None:
    """A good answer, an octet every fifth of a second."""
    body = json.dumps(provider.documents(path)).encode()
    connection.sendall(_answer(200, body)[: -len(body)])
    for octet in body:
        connection.sendall(bytes([octet]))
        if provider.closing.wait(0.2):
            return


def _reset(provider: Provider, connection: socket.socket, path: str) -> None:
    del provider, path
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(connection, ssl.SSLSocket):  # close() of it would say goodbye first
        socket.socket(fileno=connection.detach()).close()


def _hang(provider: Provider, connection: socket.socket, path: str) -> None:
    del connection, path
    provider.closing.wait()


_PAGE = b"<!doctype html><title>Maintenance</title><p>We are back soon."
BEHAVIOURS: dict[str, Callable[[Provider, socket.socket, str], None]] = {
    "well": _well,
    "500": _fixed(_answer(500, b"Internal Server Error", "text/plain")),
    "503": _fixed(_answer(503, b"Service Unavailable", "text/plain")),
    "429": _fixed(_answer(429, b"Too Many Requests", "text/plain", "Retry-After: 30")),
    "HTML": _fixed(_answer(200, _PAGE, "text/html")),
    "{}": _fixed(_answer(200, b"{}")),
    "gzip bomb": _bomb,
    "slow drip": _drip,
    "reset": _reset,
    "hang": _hang,
}


@cache
def authority() -> tuple[Path, Path]:
    """Files of a local certificate authority and of what the server needs: its certificate and key, for 127.0.0.1."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    now = datetime.now(UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a local test authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])

    def certificate(subject: x509.Name, public_key: Any, extensions: dict[Any, bool]) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(root_name).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
        for extension, critical in extensions.items():
            builder = builder.add_extension(extension, critical)
        return builder.sign(root_key, hashes.SHA256())

    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = certificate(
        root_name,
        root_key.public_key(),
        {
            x509.BasicConstraints(ca=True, path_length=0): True,
            x509.KeyUsage(
                digital_signature=False, key_cert_sign=True, crl_sign=True, decipher_only=False, **usage
            ): True,
            identifier: False,
        },
    )
    leaf = certificate(
        name,
        key.public_key(),
        {
            x509.BasicConstraints(ca=False, path_length=None): True,
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]): False,
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]): False,
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier): False,
        },
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "authority.pem").write_bytes(root.public_bytes(pem))
    private = key.private_bytes(pem, form, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(leaf.public_bytes(pem) + private)
    return folder / "authority.pem", folder / "server.pem"


@cache
def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority()[1])
    return context
