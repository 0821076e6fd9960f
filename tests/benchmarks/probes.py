"""What a contender leaves unchecked, found out and not asserted: a good token, spoiled in one way at a time (RS256).

A contender is asked with keys and settings of its own table; a probe counts as refused when anything but a verified
token comes of it, a key that it will not take included.
"""

from __future__ import annotations

import json
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bearer_guard._jose import public_jwk
from tests.benchmarks.material import KID, Material

WEAK_KEY = "RSA-1024"
MEANING: dict[str, str] = {
    "dup": "the payload says `sub` twice, with two values (RFC 7519 §4 lets a parser take the last one or refuse)",
    "pad": "`=` is appended to the signature (RFC 7515 §2: base64url without padding)",
    "bits": "spare bits of the signature's last character are set (RFC 4648 §3.5): one token, several spellings",
    "NaN": "the payload holds `NaN`, which is not JSON (RFC 8259 §6)",
    "exp": "there is no `exp`",
    "nbf": "`nbf` lies an hour ahead",
    "aud": "`aud` names another API",
    "iss": "`iss` names another issuer",
    "crit": "`crit` names an extension that nobody here knows (RFC 7515 §4.1.11)",
    WEAK_KEY: "the key has 1,024 bits (RFC 7518 §3.3: at least 2,048)",
    "typ": "`typ` says `logout+jwt`: another kind of token (RFC 8725 §3.11, §3.12)",
}


def jwk_of(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    return {**public_jwk(key.public_key()), "kid": KID, "alg": "RS256", "use": "sig"}


def signed(key: rsa.RSAPrivateKey, header: Mapping[str, Any], payload: str) -> str:
    """A token of exactly this payload."""
    parts = [json.dumps(header).encode(), payload.encode()]
    signing_input = b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = key.sign(signing_input, padding.PKCS1v15(), hashes.SHA256())
    return (signing_input + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


def spoiled(key: rsa.RSAPrivateKey, claims: Mapping[str, Any]) -> dict[str, str]:
    """One token for each probe, all of them signed by `key`; none for a weak key, which is a key's fault."""
    header = {"alg": "RS256", "typ": "at+jwt", "kid": KID}
    good = json.dumps(claims)

    def without(name: str) -> str:
        return json.dumps({other: value for other, value in claims.items() if other != name})

    token = signed(key, header, good)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return {
        "dup": signed(key, header, good[:-1] + ', "sub": "someone-else"}'),
        "pad": token + "==",
        "bits": token[:-1] + alphabet[alphabet.index(token[-1]) + 1],
        "NaN": signed(key, header, good[:-1] + ', "level": NaN}'),
        "exp": signed(key, header, without("exp")),
        "nbf": signed(key, header, json.dumps({**claims, "nbf": int(time.time()) + 3600})),
        "aud": signed(key, header, json.dumps({**claims, "aud": "https://other.example.com"})),
        "iss": signed(key, header, json.dumps({**claims, "iss": "https://other.example.com/"})),
        "crit": signed(key, {**header, "crit": ["x-unknown"], "x-unknown": True}, good),
        "typ": signed(key, {**header, "typ": "logout+jwt"}, good),
    }


def weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


def accepted_by(accepts: Callable[[str], bool], tokens: Mapping[str, str]) -> list[str]:
    """Which of the tokens a contender takes."""
    return [name for name, token in tokens.items() if accepts(token)]


def verifies(verify: Callable[[str], Any]) -> Callable[[str], bool]:
    """Whether a token verifies, as a yes or no."""

    def accepts(token: str) -> bool:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                verify(token)
        except BaseException as failure:  # a Rust panic is none of Exception, and a refusal none the less
            if isinstance(failure, KeyboardInterrupt | SystemExit):
                raise
            return False
        return True

    return accepts


def unchecked(make: Callable[[rsa.RSAPrivateKey], Callable[[str], bool]], material: Material) -> list[str]:
    """The probes that the contender of `make`, which takes the key to be trusted, lets pass.

    Raises ValueError for one that refuses the good token, or takes one that expired an hour ago.
    """
    strong: rsa.RSAPrivateKey = material.private_key
    claims = material.claims(0)
    accepts = make(strong)
    header = {"alg": "RS256", "typ": "at+jwt", "kid": KID}
    if not accepts(signed(strong, header, json.dumps(claims))):
        raise ValueError("refuses the good token")
    if accepts(signed(strong, header, json.dumps({**claims, "exp": int(time.time()) - 3600}))):
        raise ValueError("accepts a token that expired an hour ago")
    passed = accepted_by(accepts, spoiled(strong, claims))
    weak = weak_key()
    try:
        if make(weak)(signed(weak, header, json.dumps(claims))):
            passed.append(WEAK_KEY)
    except Exception:
        pass  # the key itself is refused
    return in_order(passed)


def in_order(probes: Iterable[str]) -> list[str]:
    given = set(probes)
    return [name for name in MEANING if name in given]
