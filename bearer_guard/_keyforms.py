"""Whether octets spell a key, a certificate or a token: material that must never become an HMAC secret (RFC 8725 §3.1).

A public key is public. Whoever configures one as a shared secret lets everybody sign, which is the algorithm confusion
of 2015 in all its later spellings. Recognised: PEM in any dress, DER (public and private keys, certificates, requests,
PKCS#7, #8 and #12), OpenSSH lines and blobs, RFC 4716 files, JWK and JWK Sets, tokens, uncompressed points, and
hexadecimal or base64 of all these. Not recognised, because they cannot be told from random octets: a bare RSA modulus,
a compressed point and the octets of an Ed25519, X25519 or ML-DSA key.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator
from typing import Any, Final

_DEPTH: Final = 4
_PEM: Final = re.compile(rb"----[- ]BEGIN [A-Z0-9 ]+", re.IGNORECASE)
_MEMBER: Final = re.compile(rb"\bkty[\"'\\]*\s*:")
_SSH_NAMES: Final = rb"ssh-(?:rsa|dss|ed25519|ed448)|ecdsa-sha2-[a-z0-9-]+|sk-(?:ssh|ecdsa)-[a-z0-9@.-]+"
_SSH_LINE: Final = re.compile(rb"(?:^|\s)(?:" + _SSH_NAMES + rb")(?:-cert-v01@openssh\.com)?\s+AAAA", re.MULTILINE)
_SSH_BLOB: Final = re.compile(rb"\x00\x00\x00[\x00-\x40](?:" + _SSH_NAMES + rb")|openssh-key-v1\x00")
# Object identifiers: RSA Security and X9.62, EdDSA, SECG, TeleTrusT's Brainpool curves, NIST's ML-DSA.
_OBJECT: Final = re.compile(rb"\x06[\x03-\x0b](?:\x2a\x86\x48|\x2b\x65|\x2b\x81\x04|\x2b\x24\x03|\x60\x86\x48\x01\x65)")
_POINT_OCTETS: Final = {64: ("SECP256R1", "SECP256K1", "BrainpoolP256R1"), 96: ("SECP384R1", "BrainpoolP384R1"),
                        132: ("SECP521R1",), 128: ("BrainpoolP512R1",)}  # fmt: skip


def key_form(octets: bytes) -> str | None:
    """What kind of key material `octets` are, in words for a message, or None."""
    for spelling in spellings(octets):
        if found := _form(spelling):
            return found
    return None


def spellings(octets: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    """`octets`, and what they decode to where all of them are hexadecimal, base64 or UTF-16, repeatedly."""
    yield octets
    if depth == 0:
        return
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            yield from spellings(octets.decode("utf-16").encode(), depth - 1)
        except UnicodeError:
            pass
    text = re.sub(rb"\\[nrt]|[\s\"']", b"", octets.removeprefix(b"\xef\xbb\xbf"))
    text = text.removeprefix(b"base64:")
    digits = text.replace(b":", b"").removeprefix(b"0x")
    if len(digits) >= 16 and re.fullmatch(rb"(?:[0-9A-Fa-f]{2})+", digits):
        yield from spellings(bytes.fromhex(digits.decode()), depth - 1)
    if len(text) >= 16 and re.fullmatch(rb"[A-Za-z0-9+/_-]+={0,2}", text):
        standard = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        try:
            yield from spellings(binascii.a2b_base64(standard + b"=" * (-len(standard) % 4)), depth - 1)
        except binascii.Error:
            pass


def _form(octets: bytes) -> str | None:
    octets = octets.removeprefix(b"\xef\xbb\xbf")
    if _PEM.search(octets):
        return "a key or certificate in PEM"
    if _SSH_LINE.search(octets) or _SSH_BLOB.match(octets):
        return "a key in OpenSSH's format"
    if _MEMBER.search(octets) or _holds_key(_parsed(octets), _DEPTH * 4):
        return "a JSON Web Key or a set of them"
    if _is_token(octets.strip()):
        return "a JSON Web Token or the beginning of one"
    if _is_der(octets):
        return "a key or certificate in DER"
    if any(map(_is_point, _undressed(octets))):
        return "a point on an elliptic curve, which is a public key"
    return None


def _parsed(octets: bytes) -> Any:
    if not octets.lstrip().startswith((b"{", b"[", b'"')):
        return None
    try:
        return json.loads(octets)
    except (ValueError, RecursionError):
        return None


def _holds_key(value: Any, depth: int) -> bool:
    """Whether a JSON value is a key or holds one. Its strings are looked into too: escapes hide from a search."""
    if depth == 0:
        return False
    if isinstance(value, dict):
        return "kty" in value or any(_holds_key(member, depth - 1) for member in value.values())
    if isinstance(value, list):
        return any(_holds_key(member, depth - 1) for member in value)
    return (
        isinstance(value, str)
        and len(value) >= 32
        and bool(
            _PEM.search(value.encode("utf-8", "replace"))
            or _holds_key(_parsed(value.encode("utf-8", "replace")), depth - 1)
        )
    )


def _is_token(octets: bytes) -> bool:
    head = octets.split(b".", 1)[0]
    if not head.startswith(b"eyJ") or not re.fullmatch(rb"[A-Za-z0-9_-]+", head):
        return False
    try:
        header = binascii.a2b_base64(head.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(head) % 4))
    except binascii.Error:
        return False
    return header[:2] == b'{"' and b'":' in header


def _is_der(octets: bytes) -> bool:
    """Whether `octets` begin a DER SEQUENCE that soon names a key's algorithm, or are one that loads as a key."""
    octets = octets.lstrip() if octets[:1].isspace() else octets
    if octets[:1] == b"\x30" and _OBJECT.search(octets, 0, 64):
        return True  # the beginning of one is as public as the whole
    body, length = _sequence_body(octets)
    if not length or octets[length:].strip(b" \t\r\n\0"):
        return False
    octets = octets[:length]
    return bool(_OBJECT.search(octets)) or body.startswith(b"\x02\x01\x03\x30") or _loads(octets)


def _sequence_body(octets: bytes) -> tuple[bytes, int]:
    """The content of the SEQUENCE that `octets` begin with, and the octets it takes in all; 0 if it is none."""
    if len(octets) < 8 or octets[0] != 0x30:
        return b"", 0
    if octets[1] < 0x80:
        start, size = 2, octets[1]
    else:
        start = 2 + (octets[1] & 0x7F)
        size = int.from_bytes(octets[2:start], "big") if start <= 6 else len(octets)
    return (octets[start : start + size], start + size) if start + size <= len(octets) else (b"", 0)


def _loads(octets: bytes) -> bool:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    for load in (
        serialization.load_der_public_key,
        lambda data: serialization.load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True),
        x509.load_der_x509_certificate,
        x509.load_der_x509_csr,
    ):
        try:
            load(octets)
        except (TypeError, UnsupportedAlgorithm):  # encrypted, or of a kind unknown here: a key nevertheless
            return True  # pragma: no cover - such keys are told by their structure before; this is the second line
        except Exception:  # noqa: S112 - not this kind
            continue
        return True
    return False


def _undressed(octets: bytes) -> Iterator[bytes]:
    """What is left of `octets` when any of the white space around them is taken for no part of them."""
    ahead = len(octets) - len(octets.lstrip())
    behind = len(octets) - len(octets.rstrip())
    for start in range(min(ahead, 8) + 1):
        for end in range(min(behind, 8) + 1):
            yield octets[start : len(octets) - end]


def _is_point(octets: bytes) -> bool:
    """Whether `octets` are x||y of a point, with or without the leading 4 (SEC 1 §2.3.3), that is on a curve."""
    point = octets if len(octets) % 2 and octets[:1] == b"\x04" else b"\x04" + octets
    names = _POINT_OCTETS.get(len(point) - 1, ())
    if not names:
        return False
    from cryptography.hazmat.primitives.asymmetric import ec

    for name in names:
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(getattr(ec, name)(), point)
        except Exception:  # noqa: S112 - not on this curve, or a curve unknown here
            continue
        return True
    return False
