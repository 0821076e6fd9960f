"""Every way in which an access token can be wrong, as a table of Authorization fields and the answers they deserve.

Wrong credentials (RFC 6750 §2.1), wrong claims (RFC 7519 §4.1, RFC 9068 §2.2, §4) and other kinds of token (RFC 8725
§3.12) are here; what is wrong with the serialization, the header or the signature is in `broken_jose`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .._credentials import MAX_TOKEN_LENGTH
from ..issuer import SigningKey
from .broken_jose import Bench, broken_headers, broken_serializations, broken_signatures
from .encoding import ABSENT

_FAR: Final = 86_400
"""Seconds. Beyond every leeway that a verifier may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenToken:
    """An Authorization field that a guard must refuse, and how: the status and the `error` of the challenge.

    `name` is unique and fit for a test's id; `error` is None where the challenge must not have one.
    """

    name: str
    authorization: str = field(repr=False)
    status: int = 401
    error: str | None = "invalid_token"


def broken_tokens(
    claims: Mapping[str, Any], header: Mapping[str, Any], key: SigningKey, profile: str
) -> Iterator[BrokenToken]:
    """The table, made from good claims and a good header."""
    bench = Bench(claims, header, key)
    yield from _credentials(bench.token())
    for name, token in _tokens(bench, profile):
        yield BrokenToken(name=name, authorization=f"Bearer {token}")
    for name, token in broken_serializations(bench):
        # A token68 has "=" at its end only and no braces: these do not get past the grammar of credentials.
        yield BrokenToken(name=name, authorization=f"Bearer {token}", status=400, error="invalid_request")
    if "scope" in claims:
        token = bench.token(scope=ABSENT)
        yield BrokenToken(name="lacks-scope", authorization=f"Bearer {token}", status=403, error="insufficient_scope")


def _credentials(good: str) -> Iterator[BrokenToken]:
    for name, value in {"other-scheme": "Basic Zm9vOmJhcg==", "scheme-with-suffix": f"BearerX {good}"}.items():
        yield BrokenToken(name=name, authorization=value, error=None)
    for name, value in {
        "no-token": "Bearer",
        "tab-before-token": f"Bearer\t{good}",
        "two-tokens": f"Bearer {good} {good}",
        "two-fields-joined": f"Bearer {good}, Bearer {good}",
        "quoted-token": f'Bearer "{good}"',
        "too-long": f"Bearer {good}{'A' * MAX_TOKEN_LENGTH}",
    }.items():
        yield BrokenToken(name=name, authorization=value, status=400, error="invalid_request")


def _tokens(bench: Bench, profile: str) -> Iterator[tuple[str, str]]:
    yield from broken_headers(bench)
    yield from broken_signatures(bench)
    for name, changes in {
        **_times(bench.claims),
        **_identities(bench.claims),
        **_types(),
        **_confirmations(),
        **(_absent("iss", "aud", "exp") if profile == "jwt" else _absent(*_RFC9068)),
    }.items():
        yield name, bench.token(**changes)
    for name, (typ, other) in _KINDS.items():
        yield name, bench.token({"typ": typ}, **other)
    # OpenID Connect Core §2: an ID token is for the client, and says so by its audience and its hashes.
    yield "id-token", bench.token({"typ": "JWT"}, aud=bench.claims["client_id"], scope=ABSENT, **_ID_TOKEN)
    if profile != "jwt":
        yield "typ-jwt", bench.token({"typ": "JWT"})
        yield "typ-absent", bench.token({"typ": ABSENT})


_RFC9068: Final = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
_ID_TOKEN: Final = {"client_id": ABSENT, "nonce": "n-0S6", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ", "auth_time": 1}
_KINDS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "id-token-for-this-api": ("JWT", _ID_TOKEN),
    "typ-id-token": ("id_token+jwt", {}),
    "typ-refresh-token": ("refresh+jwt", {}),
    "typ-logout-token": ("logout+jwt", {}),
    "logout-token": ("JWT", {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
    "typ-security-event": ("secevent+jwt", {}),
    "typ-dpop-proof": ("dpop+jwt", {}),
    "dpop-proof": ("JWT", {"htm": "GET", "htu": "https://api.example.com/"}),
    "typ-client-assertion": ("client-authentication+jwt", {}),
    "typ-introspection-response": ("token-introspection+jwt", {}),
    "introspection-response": ("JWT", {"token_introspection": {"active": True}}),
    "typ-status-list": ("statuslist+jwt", {}),
}


def _times(claims: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    now = claims["iat"]
    return {
        "expired": {"iat": now - 2 * _FAR, "exp": now - _FAR},
        "nbf-in-the-future": {"nbf": now + _FAR, "exp": now + 2 * _FAR},
        "iat-in-the-future": {"iat": now + _FAR, "exp": now + 2 * _FAR},
    }


def _identities(claims: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    issuer, audience = claims["iss"], claims["aud"]
    return {
        "other-issuer": {"iss": "https://other-issuer.example"},
        "issuer-with-slash": {"iss": issuer + "/"},
        "issuer-with-port": {"iss": issuer + ":443"},
        "issuer-cut-short": {"iss": issuer[:-1]},
        "issuer-empty": {"iss": ""},
        "other-audience": {"aud": "https://other-api.example"},
        "other-audiences": {"aud": ["https://other-api.example", "https://third-api.example"]},
        "audience-with-slash": {"aud": audience + "/"},
        "audience-as-prefix": {"aud": audience + ".evil.example"},
        "audience-among-words": {"aud": f"https://other-api.example {audience}"},
        "audience-empty": {"aud": ""},
        "audiences-empty": {"aud": []},
        "audience-nested": {"aud": [[audience]]},
        "audience-beside-a-number": {"aud": [1, audience]},
        **_in_other_case("issuer", "iss", issuer),
        **_in_other_case("audience", "aud", audience),
    }


def _in_other_case(name: str, claim: str, value: str) -> dict[str, dict[str, Any]]:
    other = value.swapcase()
    return {} if other == value else {f"{name}-in-other-case": {claim: other}}  # digits have no case


def _types() -> dict[str, dict[str, Any]]:
    far = 9_999_999_999
    wrong: dict[str, Mapping[str, Any]] = {
        "iss": {"array": ["https://issuer.example"], "number": 1, "null": None},
        "aud": {"object": {}, "number": 1, "null": None},
        "exp": {"string": str(far), "boolean": True, "null": None, "array": [far], "negative": -1, "huge": 2**64},
        "nbf": {"string": "1", "boolean": True, "null": None},
        "iat": {"string": "1", "boolean": True, "null": None},
        "sub": {"number": 5, "array": ["local-user"], "null": None},
        "client_id": {"array": [], "number": 5},
        "jti": {"number": 5, "object": {}},
        "scope": {"number": 5, "object": {}, "boolean": True},
    }
    return {
        f"{claim.replace('_', '-')}-is-{kind}": {claim: value}
        for claim, kinds in wrong.items()
        for kind, value in kinds.items()
    }


def _confirmations() -> dict[str, dict[str, Any]]:
    # A sender-constrained token without its proof is no bearer token.                              RFC 7800 §3.1
    return {
        "bound-to-dpop-key": {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
        "bound-to-certificate": {"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}},
        "bound-to-something": {"cnf": {"unknown": 1}},
        "bound-to-nothing": {"cnf": {}},
        "cnf-is-string": {"cnf": "x"},
    }


def _absent(*names: str) -> dict[str, dict[str, Any]]:
    return {f"{name.replace('_', '-')}-absent": {name: ABSENT} for name in names}
