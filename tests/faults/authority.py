"""A private certificate authority, and servers' certificates that it made: good ones, and wrong ones of each kind."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.tokens import private_key

DAY = timedelta(days=1)


class Authority:
    """Makes certificates whose keys and files are in `folder`; `number` tells authorities of one name apart."""

    def __init__(self, folder: Path, number: int = 0) -> None:
        self._folder = folder
        self._number = number
        self._key = private_key("P-256", 100 + number)
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a private authority")])
        builder = self._builder(self._name, self._key.public_key(), datetime.now(UTC) + DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        )
        usage |= {"key_cert_sign": True, "crl_sign": True, "encipher_only": False, "decipher_only": False}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())

    def trust(self) -> ssl.SSLContext:
        """What a client needs that trusts this authority and nobody else."""
        pem = self._certificate.public_bytes(Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def file(self) -> Path:
        """Its own certificate, in a file."""
        path = self._folder / f"authority-{self._number}.pem"
        path.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        return path

    def server(self, name: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
        """What a server needs whose certificate is for `name`."""
        key = private_key("P-256", 200)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a server")])
        builder = self._builder(subject, key.public_key(), datetime.now(UTC) + (-DAY if expired else DAY))
        names: x509.GeneralName = x509.DNSName(name)
        if name[0].isdigit():
            names = x509.IPAddress(ip_address(name))
        builder = builder.add_extension(x509.SubjectAlternativeName([names]), critical=False)
        signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(signed_by, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        path = self._folder / f"{name}-{self._number}-{expired}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _builder(self, subject: x509.Name, key: object, until: datetime) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        builder = builder.public_key(key).serial_number(x509.random_serial_number())  # type: ignore[arg-type]
        builder = builder.not_valid_before(until - 10 * DAY).not_valid_after(until)
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)  # type: ignore[arg-type]
