"""Signature checks made ready: everything that does not depend on the token is done once, when the key is loaded.

A check answers yes or no. Whatever the arithmetic below raises means no. A signature has one length: there is no second
spelling of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hmac import HMAC

Check: TypeAlias = Callable[[bytes, bytes], bool]
"""Of a signing input and a signature: whether the signature is the key's."""

_HASHES: Final = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_HASHING: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
# DigestInfo up to the digest: its one encoding in DER.                                         RFC 8017 §9.2, note 1
_DIGEST_INFO: Final = {
    "256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


def prepare(algorithm: str, material: Any) -> Check:
    """The check of one algorithm with one key, which fit each other."""
    family = algorithm[:2]
    if family == "HS":
        return _hmac(material, _HASHES[algorithm[2:]])
    if family == "ES":
        return _ecdsa(material, algorithm[2:5])
    if family == "RS":
        return _rsa_pkcs1(material, algorithm[2:])
    if family == "PS":
        return _rsa_pss(material, _HASHES[algorithm[2:]])
    return _whole_message(material)


def _hmac(secret: bytes, digest: hashes.HashAlgorithm) -> Check:
    copy_of_keyed = HMAC(secret, digest).copy  # the standard library's takes half as long again, and compares apart

    def check(signing_input: bytes, signature: bytes) -> bool:
        computed = copy_of_keyed()
        computed.update(signing_input)
        try:
            computed.verify(signature)  # in constant time
        except Exception:
            return False
        return True

    return check


def _ecdsa(key: ec.EllipticCurvePublicKey, bits: str) -> Check:
    half = (key.curve.key_size + 7) // 8
    hashing, scheme = _HASHING[bits], ec.ECDSA(Prehashed(_HASHES[bits]))
    der = _der_of(half)

    def check(signing_input: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * half:  # R and S in full length, never DER: RFC 7518 §3.4
            return False
        try:
            key.verify(der(signature[:half], signature[half:]), hashing(signing_input).digest(), scheme)
        except Exception:
            return False
        return True

    return check


def _der_of(half: int) -> Callable[[bytes, bytes], bytes]:
    """What makes the Ecdsa-Sig-Value (RFC 3279 §2.2.3), which OpenSSL asks for, of R and S of `half` octets each."""
    # Nearly all begin with an octet that is not zero. Then an INTEGER is those octets, after a zero where the first bit
    # is set; and to have the four beginnings of a signature ready takes a fifth of the time that an encoder takes.
    integers = bytes([0x02, half]), bytes([0x02, half + 1, 0])
    signatures = [[bytes([0x30, len(r + s) + 2 * half]) + r for s in integers] for r in integers]
    in_short = 2 * half + 6 < 0x80  # else the length takes another octet

    def der(r: bytes, s: bytes) -> bytes:
        if in_short and r[0] and s[0]:
            signed = s[0] >> 7
            return signatures[r[0] >> 7][signed] + r + integers[signed] + s
        return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))

    return der


def _rsa_pkcs1(key: rsa.RSAPublicKey, bits: str) -> Check:
    """What was signed is compared with what should have been, and nothing of it is parsed: RFC 8017 §8.2.2.

    OpenSSL takes off the padding and checks all of it. `verify` takes a tenth longer, since it looks up the hash each
    time, and lets go of the interpreter lock, which a busy thread may then keep for its whole turn.
    """
    length = (key.key_size + 7) // 8
    recover, padded = key.recover_data_from_signature, padding.PKCS1v15()
    hashing, digest_info = _HASHING[bits], _DIGEST_INFO[bits]

    def check(signing_input: bytes, signature: bytes) -> bool:
        if len(signature) != length:
            return False
        try:
            return recover(signature, padded, None) == digest_info + hashing(signing_input).digest()
        except Exception:
            return False

    return check


def _rsa_pss(key: rsa.RSAPublicKey, digest: hashes.HashAlgorithm) -> Check:
    length = (key.key_size + 7) // 8
    scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)  # the salt is as long as the hash: RFC 7518 §3.5

    def check(signing_input: bytes, signature: bytes) -> bool:
        if len(signature) != length:  # `verify` takes one that is shorter by a zero: RFC 8017 §8.1.2, step 1
            return False
        try:
            key.verify(signature, signing_input, scheme, digest)
        except Exception:
            return False
        return True

    return check


def _whole_message(key: Any) -> Check:
    """EdDSA (RFC 8037) and ML-DSA (RFC 9964), which hash by themselves."""

    def check(signing_input: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, signing_input)
        except Exception:
            return False
        return True

    return check
