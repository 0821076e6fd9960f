"""A real endpoint of an authorization server on loopback: keeps every request and answers as a test says."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.loopback import Loopback, Reply
from tests.tokens import private_key


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The parameters of its form, none of which may be repeated."""
        parameters = parse_qs(self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        assert all(len(values) == 1 for values in parameters.values())
        return {name: values[0] for name, values in parameters.items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def reply(content: Any, status: int = 200, **fields: str) -> Reply:
    """An answer: bytes as they are, else JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in fields.items()}}
    return status, headers, body


class Endpoint(Loopback):
    """Answers `self.endpoint` with `answer`: a reply, or a callable that makes one of an `Asked`, in its own thread."""

    def __init__(self, answer: Reply | Callable[[Asked], Reply] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.asked: list[Asked] = []
        self.answer: Reply | Callable[[Asked], Reply] = answer or reply({})
        self.endpoint = self.url + "/e"
        self.pages["/e"] = self._respond
        self._arrived = threading.Condition()

    def wait_for_requests(self, number: int) -> None:
        """Return when this many requests have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.asked) >= number, 60)

    def close(self) -> None:
        """Stop to listen, soon: the server looks every 10 ms whether it is to stop, and no test has to wait for that."""
        threading.Thread(target=super().close).start()

    def _respond(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        asked = Asked(handler.command, handler.path, headers, handler.rfile.read(length))
        with self._arrived:
            self.asked.append(asked)
            self._arrived.notify_all()
        answer = self.answer
        status, fields, body = answer(asked) if callable(answer) else answer
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **fields}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


def loopback_certificate(path: Path, name: str = "loopback") -> Path:
    """Write a certificate for 127.0.0.1 that vouches for itself, and its key, to `path`."""
    key, now = private_key("P-256"), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    return path


def server_context(certificate: Path, *, clients: Path | None = None) -> ssl.SSLContext:
    """What a TLS server with this certificate needs; it asks for certificates that `clients` vouches for, if given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context
