"""Whether octets may be the shared secret of HS256, HS384 or HS512 (RFC 7518 §3.2, RFC 8725 §3.1, RFC 8725bis §3.5).

In this order: not empty; not shorter than the hash; not a file; not a key or certificate; not a published example; not
something that a person could have made up. What it cannot know is whether a random secret is kept secret.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from ._guessable import guessable
from ._keyforms import key_form, spellings

_OCTETS: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
_LONGEST: Final = 16384
_FIX: Final = "make one with: python -c 'import secrets; print(secrets.token_urlsafe({octets}))'"

# SHA-256 of secrets that look random and stand in documents that everybody copies from.
_PUBLISHED: Final = frozenset(
    {
        "c8ecc9361a05e285f04c26f9572131a6deab07e9e2b865053c6f75a4d8bd2b32",  # RFC 7515, appendix A.1
        "73ec74458059c70cae3f0ade8663fe0da1dc4b114ed8cdac75364140b4458a4c",  # RFC 7520, section 3.5
        "4d0f8dec4515d07a611c502f22adb95c854d943d6122fb8f96c9503b42356bac",  # FastAPI's tutorial
    }
)


def secret_problem(secret: bytes, algorithm: str) -> str | None:
    """Why `secret` must not be used with `algorithm` (HS256, HS384 or HS512) and what to do instead, or None.

    The sentence never holds the secret or a part of it, so that it may be logged. Checked are the secret as it stands
    and what it spells in hexadecimal or base64. Not checked: whether it is on a list of leaked secrets, and whether it
    is a public key in a form that looks random (a bare RSA modulus, a compressed point, an Ed25519 key). Takes less
    than 50 ms. Raises KeyError for another algorithm.
    """
    octets = _OCTETS[algorithm]
    fix = _FIX.format(octets=octets)
    if not secret:
        return f"the secret is empty: anybody could sign; {fix}"
    if len(secret) < octets:
        return f"the secret has {len(secret)} octets, but {algorithm} needs at least {octets} (RFC 7518 §3.2); {fix}"
    if len(secret) > _LONGEST:
        return f"the secret has {len(secret)} octets: more than {_LONGEST} are a file, not a secret; {fix}"
    if form := key_form(secret):
        return (
            f"the secret is {form}, not a secret: whoever has read it could sign; verify with the public key through "
            f"StaticJWKSet or RemoteJWKSet instead, or {fix}"
        )
    spelled = list(spellings(secret))
    if any(map(_is_published, spelled)):
        return f"the secret is an example from published documentation, which attackers try first; {fix}"
    # Encoding adds no strength, and takes none away: what is judged is the innermost text.
    if guessable(next(filter(_is_text, reversed(spelled)), secret)):
        return f"the secret looks made by a person (words, patterns, keys or repetition), so it can be guessed; {fix}"
    return None


def _is_published(spelling: bytes) -> bool:
    # Django marks the keys that it writes into a new project's settings, and with them into its repository.
    if spelling.startswith(b"django-insecure-"):
        return True
    # As it is too: octets that hexadecimal stands for may begin with what looks like white space.
    return any(hashlib.sha256(octets).hexdigest() in _PUBLISHED for octets in (spelling, spelling.strip()))


def _is_text(spelling: bytes) -> bool:
    try:
        return re.fullmatch(r"[^\x00-\x08\x0e-\x1f\x7f]+", spelling.decode("utf-8")) is not None
    except UnicodeError:
        return False
