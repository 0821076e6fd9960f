"""What can be wrong with a token before its claims count: serialization, header, key and signature.

RFC 7515 §4.1, §5.2, §7.1, RFC 8725 §2 and §3; the published attacks on other libraries are among them.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .._strict import b64url_decode, b64url_encode
from ..issuer import SigningKey
from ..issuer._tokens import json_octets
from .encoding import ABSENT, changed, encode

Named = Iterator[tuple[str, str]]
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Bench:
    """Where wrong tokens are made: good claims, a good header, the issuer's key and a stranger's."""

    def __init__(self, claims: Mapping[str, Any], header: Mapping[str, Any], key: SigningKey) -> None:
        self.claims = claims
        self.header = header
        self.key = key
        self.stranger = SigningKey.generate(key.algorithm)

    def token(self, headers: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token with these differences, signed with the issuer's key."""
        return encode(changed(self.header, headers or {}), changed(self.claims, claims), self.key)

    def under(self, key: SigningKey | Callable[[bytes], bytes], **headers: Any) -> str:
        """A token with good claims and these differences in the header, signed with `key`."""
        return encode(changed(self.header, headers), self.claims, key)


def broken_headers(bench: Bench) -> Named:
    """Headers that must be refused although, where that is possible, the issuer's own key signed them."""
    wrong: dict[str, dict[str, Any]] = {
        "alg-absent": {"alg": ABSENT},
        "alg-is-array": {"alg": [bench.key.algorithm]},
        "alg-is-number": {"alg": 1},
        "alg-is-null": {"alg": None},
        "alg-in-other-case": {"alg": bench.key.algorithm.swapcase()},
        "alg-with-space": {"alg": bench.key.algorithm + " "},
        "alg-unknown": {"alg": "XS256"},
        "alg-of-another-family": {"alg": "ES384" if bench.key.algorithm == "RS256" else "RS256"},
        "typ-is-number": {"typ": 1},
        "typ-is-null": {"typ": None},
        "typ-empty": {"typ": ""},
        "typ-unknown": {"typ": "something+jwt"},
        "typ-with-space": {"typ": "at+jwt "},
        "kid-is-number": {"kid": 1},
        "kid-is-null": {"kid": None},
        "kid-is-array": {"kid": [bench.key.kid]},
        "crit-empty": {"crit": []},
        "crit-unknown": {"crit": ["x"], "x": 1},
        "crit-registered": {"crit": ["alg"]},
        "crit-is-string": {"crit": "exp"},
        "crit-b64": {"crit": ["b64"], "b64": True},
        "b64-false": {"b64": False},
        "zip": {"zip": "DEF"},
        "nested": {"cty": "JWT"},
    }
    for name, headers in wrong.items():
        yield name, bench.token(headers)
    for alg in ("none", "None", "NONE", "nOnE", "none "):
        slug = alg.replace(" ", "-space")
        yield f"alg-{slug}-{'mixed' if alg == 'nOnE' else 'plain'}", bench.under(lambda _: b"", alg=alg)
    yield "alg-none-signed", bench.under(bench.key, alg="none")
    if bench.key.public_jwk is not None:
        yield from _confused(bench, bench.key.public_jwk)


def _confused(bench: Bench, public: Mapping[str, Any]) -> Named:
    yield "unknown-kid", bench.token({"kid": "no-such-key"})
    yield "kid-is-path", bench.token({"kid": "../../dev/null"})
    yield "kid-empty", bench.token({"kid": ""})
    jwk_json = json.dumps(dict(public)).encode()
    # The public key taken for a secret: whoever can read the JWK Set could sign.                   RFC 8725 §2.1
    for name, secret in {"jwk": jwk_json, "nothing": b"", "kid": bench.key.kid.encode()}.items():
        yield f"hmac-by-{name}", bench.under(_hmac(secret), alg="HS256")


def broken_signatures(bench: Bench) -> Named:
    """Tokens that nobody signed, that somebody else signed, or that were changed after they had been signed."""
    header, payload, signature = bench.token().split(".")
    octets = b64url_decode(signature.encode())
    other = bench.token(sub="somebody-else").split(".")
    for name, wrong in {
        "empty": b"",
        "zero": bytes(len(octets)),
        "first-bit": bytes([octets[0] ^ 0x80]) + octets[1:],
        "last-bit": octets[:-1] + bytes([octets[-1] ^ 1]),
        "cut-short": octets[:-1],
        "too-long": octets + b"\0",
    }.items():
        yield f"signature-{name}", f"{header}.{payload}.{_text(wrong)}"
    yield "signature-of-another-token", f"{header}.{payload}.{other[2]}"
    yield "payload-changed", f"{header}.{other[1]}.{signature}"
    yield "header-changed", f"{_text(json_octets({**bench.header, 'x': 1}))}.{payload}.{signature}"
    yield "wrong-key", bench.under(bench.stranger)
    yield "wrong-key-without-kid", bench.under(bench.stranger, kid=ABSENT)
    yield "wrong-key-under-unknown-kid", bench.under(bench.stranger, kid="no-such-key")
    yield "key-in-jku", bench.under(bench.stranger, jku="https://attacker.example/jwks.json")
    yield "key-in-x5u", bench.under(bench.stranger, x5u="https://attacker.example/certificate.pem")
    if bench.stranger.public_jwk is not None:
        jwk = dict(bench.stranger.public_jwk)
        yield "key-in-header", bench.under(bench.stranger, jwk=jwk, kid=bench.stranger.kid)
        yield "key-in-header-under-known-kid", bench.under(bench.stranger, jwk=jwk)
    if bench.key.algorithm.startswith("ES"):
        half = len(octets) // 2
        r, s = int.from_bytes(octets[:half], "big"), int.from_bytes(octets[half:], "big")
        yield "signature-in-der", f"{header}.{payload}.{_text(encode_dss_signature(r, s))}"
    yield from _respelled(header, payload, signature)
    yield from _not_json(bench)


def _respelled(header: str, payload: str, signature: str) -> Named:
    jwe_header = _text(b'{"alg":"dir","enc":"A256GCM"}')
    yield from {
        "one-segment": header,
        "two-segments": f"{header}.{payload}",
        "four-segments": f"{header}.{payload}.{signature}.{signature}",
        "jwe-shaped": f"{jwe_header}..{_text(bytes(12))}.{payload}.{_text(bytes(16))}",
        "no-header": f".{payload}.{signature}",
        "no-payload": f"{header}..{signature}",
        "only-dots": "..",
        "opaque": "8xLOxBtZp8",
        "padded": f"{header}.{payload}.{signature}=",
        "not-base64": f"{header}.{payload}.{signature}~",
        "json-serialization": _text(json_octets({"protected": header, "payload": payload, "signature": signature})),
        "not-canonical": f"{header}.{payload}.{_loose(signature)}",
    }.items()


def _not_json(bench: Bench) -> Named:
    claims, header = json_octets(bench.claims), json_octets(bench.header)
    for name, payload in {
        "array": b'["x"]',
        "string": b'"x"',
        "null": b"null",
        "number": b"1",
        "empty-object": b"{}",
        "empty": b"",
        "not-json": b"sub=local-user",
        "two-values": claims + b"{}",
        "duplicate-member": claims[:-1] + b',"sub":"admin"}',
        "nan": claims[:-1] + b',"x":NaN}',
        "infinite": claims[:-1] + b',"x":1e400}',
        "many-digits": claims[:-1] + b',"x":' + b"9" * 5000 + b"}",
        "deep": claims[:-1] + b',"x":' + b"[" * 1000 + b"]" * 1000 + b"}",
        "byte-order-mark": b"\xef\xbb\xbf" + claims,
        "utf-16": claims.decode().encode("utf-16"),
        "not-utf-8": claims[:-1] + b',"x":"\xff"}',
        "lone-surrogate": claims[:-1] + b',"x":"\\ud800"}',
    }.items():
        yield f"payload-{name}", encode(bench.header, payload, bench.key)
    for name, wrong in {
        "array": b'["x"]',
        "duplicate-member": header[:-1] + b',"alg":"none"}',
        "utf-16": header.decode().encode("utf-16"),
        "not-json": b"alg=none",
    }.items():
        yield f"header-{name}", encode(wrong, bench.claims, bench.key)


def broken_serializations(bench: Bench) -> Named:
    """What is not even a token68 (RFC 9110 §11.2)."""
    header, payload, signature = bench.token().split(".")
    yield "padded-header", f"{header}=.{payload}.{signature}"
    yield "padded-payload", f"{header}.{payload}==.{signature}"
    yield "raw-json", json.dumps({"payload": payload, "signatures": [{"signature": signature}]})
    yield "foreign-character", f"{header}.{payload}?.{signature}"


def _hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signing_input: hmac.new(secret, signing_input, sha256).digest()


def _loose(signature: str) -> str:
    # The same octets for a lenient decoder: an unused bit of the last character set, or a stray character appended.
    return signature[:-1] + _ALPHABET[_ALPHABET.index(signature[-1]) + 1] if len(signature) % 4 else signature + "A"


def _text(octets: bytes) -> str:
    return b64url_encode(octets).decode()
