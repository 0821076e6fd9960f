"""Why a shared secret must not be used for HMAC signatures (RFC 7518 §3.2)."""

from __future__ import annotations


def secret_problem(secret: bytes, algorithm: str) -> str | None:
    """A sentence that says why `secret` must not be used with `algorithm`, or None."""
    octets = int(algorithm[2:]) // 8
    if len(secret) < octets:
        return f"{algorithm} needs a secret of at least {octets} octets: use secrets.token_bytes({octets})"
    return None
