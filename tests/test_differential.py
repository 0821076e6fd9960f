"""The same tokens before this package, PyJWT and joserfc: what they refuse is never accepted here.

Here more is refused than there, and that is meant: `STRICTER` lists every class, says why, and shows one token of each.
Both libraries are asked as a careful caller asks them, with algorithms, issuer, audience and required claims named.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwk as joserfc_jwk
from joserfc import jws as joserfc_jws
from joserfc import jwt as joserfc_jwt

from bearer_guard import InvalidToken, JWTVerifier, SharedSecret, StaticJWKSet
from tests.tokens import ABSENT, ISSUER, RESOURCE, SECRET, changed, jwk, jwks, mac, raw, signer, text, unsigned

PAST, FUTURE = 1_500_000_000, 4_000_000_000
"""Far enough from any day on which this runs, so that the three need not share a clock."""
CLAIMS = {"iss": ISSUER, "aud": RESOURCE, "sub": "u1", "client_id": "c1", "iat": PAST, "exp": FUTURE, "jti": "7d0f"}


class Party(NamedTuple):
    """One algorithm with the key that all three verify with, and the right signature."""

    algorithm: str
    public: dict[str, Any]
    sign: Callable[[bytes], bytes]


PARTIES = [
    Party("ES256", jwk(), signer()),
    Party("RS256", jwk("RSA"), signer("RS256")),
    Party("HS256", {"kty": "oct", "kid": "k1", "k": text(SECRET)}, mac(SECRET)),
]
EC = PARTIES[0]


def ours(token: str, party: Party) -> bool:
    keys = SharedSecret(SECRET) if party.algorithm == "HS256" else StaticJWKSet(jwks(party.public))
    verifier = JWTVerifier(
        issuer=ISSUER, audience=RESOURCE, keys=keys, algorithms=[party.algorithm], leeway=0, clock=time.time
    )
    try:
        verifier.verify(token)
    except InvalidToken:
        return False
    return True


def pyjwt(token: str, party: Party) -> bool:
    key = jwt.PyJWK(party.public, algorithm=party.algorithm)
    try:
        jwt.decode(
            token,
            key,
            algorithms=[party.algorithm],
            audience=RESOURCE,
            issuer=ISSUER,
            options={"require": ["exp", "iss", "aud"]},
        )
    except Exception:  # whatever it raises, it has not accepted
        return False
    return True


def joserfc(token: str, party: Party) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        key = joserfc_jwk.import_key(party.public)
        # By default it refuses header parameters that it does not know, which RFC 7515 §4 says to ignore.
        registry = joserfc_jws.JWSRegistry(algorithms=[party.algorithm], strict_check_header=False)
        registry.max_header_length = 10_000
        rules = joserfc_jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": RESOURCE},
            exp={"essential": True},
        )
        try:
            rules.validate(joserfc_jwt.decode(token, key, algorithms=[party.algorithm], registry=registry).claims)
        except Exception:  # whatever it raises, it has not accepted
            return False
        return True


def header(party: Party = EC, **members: Any) -> dict[str, Any]:
    return changed({"alg": party.algorithm, "typ": "JWT", "kid": "k1"}, members)


def token(headers: Any = None, claims: Any = None, party: Party = EC) -> str:
    return raw(header(party, **(headers or {})), changed(CLAIMS, claims or {}), party.sign)


def spliced(member: str) -> str:
    return raw(header(), json.dumps(CLAIMS)[:-1] + "," + member + "}", EC.sign)


def padded() -> str:
    """Signed over a header that is spelled with its padding."""
    head, payload, _ = token({"x": "yy"}).split(".")
    assert len(head) % 4, "this header needs no padding"
    head += "=" * (-len(head) % 4)
    return f"{head}.{payload}.{text(EC.sign(f'{head}.{payload}'.encode()))}"


NUMBER_TEXT = {"exp": str(FUTURE)}

# Which of the two accept it; the token; why it is refused here.
STRICTER: dict[str, tuple[str, str, str]] = {
    "member-twice": ("both", spliced('"sub":"admin"'), "two readers may see two claims: RFC 7519 §4, RFC 8725bis §3.7"),
    "nan": ("both", spliced('"x":NaN'), "not JSON: RFC 8259 §6"),
    "infinite": ("both", spliced('"x":1e400'), "no number that JSON readers agree on: RFC 8259 §6"),
    "surrogate": ("both", spliced('"x":"\\ud800"'), "no text: whoever encodes it later crashes: RFC 8259 §8.2"),
    "utf-16": ("both", raw(header(), json.dumps(CLAIMS).encode("utf-16"), EC.sign), "UTF-8 only: RFC 7519 §3"),
    "utf-8-mark": ("both", raw(header(), b"\xef\xbb\xbf" + json.dumps(CLAIMS).encode(), EC.sign), "RFC 8259 §8.1"),
    "deep": ("both", spliced('"x":' + "[" * 100 + "]" * 100), "a bounded depth for everybody downstream"),
    "exp-text": ("pyjwt", token(claims=NUMBER_TEXT), "a NumericDate is a number: RFC 7519 §2"),
    "exp-beyond": ("both", token(claims={"exp": 2**60}), "no plausible date, and not exact in a double"),
    "negative-nbf": ("both", token(claims={"nbf": -1}), "no plausible date"),
    "boolean-nbf": ("pyjwt", token(claims={"nbf": True}), "a NumericDate is a number: RFC 7519 §2"),
    "boolean-iat": ("pyjwt", token(claims={"iat": True}), "a NumericDate is a number: RFC 7519 §2"),
    "client-id-number": ("both", token(claims={"client_id": 5}), "a string where present: RFC 9068 §2.2"),
    "confirmation-text": ("both", token(claims={"cnf": "x"}), "cnf is an object: RFC 7800 §3.1"),
    "crit-empty": ("joserfc", token({"crit": []}), "must not be empty: RFC 7515 §4.1.11"),
    "crit-registered": ("joserfc", token({"crit": ["alg"]}), "names no extension: RFC 7515 §4.1.11"),
    "b64-true": ("both", token({"b64": True}), "JWTs do not use it: RFC 7797 §7"),
    "zip": ("both", token({"zip": "DEF"}), "no parameter of a JWS: a reader that inflates sees other claims"),
    "nested": ("both", token({"cty": "JWT"}), "the payload says that it is a token: RFC 7519 §5.2"),
    "other-type": ("both", token({"typ": "logout+jwt"}), "another kind of token: RFC 8725 §3.11"),
    "other-kind": ("both", token(claims={"events": {}}), "claims that only another kind of token has: RFC 8725 §3.12"),
    "padded": ("pyjwt", padded(), "one token, one spelling: RFC 7515 §2"),
}


def test_all_three_accept_a_good_token_of_every_algorithm() -> None:
    for party in PARTIES:
        for headers, claims in (({}, {}), ({"typ": ABSENT}, {"jti": ABSENT}), ({"x": 1}, {"aud": ["y", RESOURCE]})):
            good = token(headers, claims, party)
            assert [accepts(good, party) for accepts in (ours, pyjwt, joserfc)] == [True, True, True], (headers, claims)


@pytest.mark.parametrize("name", STRICTER)
def test_each_class_that_is_refused_here_alone_is_what_the_table_says(name: str) -> None:
    who, subject, why = STRICTER[name]
    found = {library.__name__ for library in (pyjwt, joserfc) if library(subject, EC)}
    assert found == ({"pyjwt", "joserfc"} if who == "both" else {who})
    assert not ours(subject, EC)
    assert why


REFUSED_BY_ALL = {
    "unsigned": raw(header(alg="none"), CLAIMS, unsigned),
    "another-key": raw(header(), CLAIMS, signer(number=1)),
    "confused": raw(header(alg="HS256"), CLAIMS, mac(json.dumps(EC.public).encode())),
    "expired": token(claims={"exp": PAST}),
    "no-expiry": token(claims={"exp": ABSENT}),
    "early": token(claims={"nbf": FUTURE}),
    "other-issuer": token(claims={"iss": ISSUER + "/"}),
    "other-audience": token(claims={"aud": "x"}),
    "no-audience": token(claims={"aud": ABSENT}),
    "crit": token({"crit": ["x"], "x": 1}),
    "two-segments": ".".join(token().split(".")[:2]),
}


@pytest.mark.parametrize("name", REFUSED_BY_ALL)
def test_what_everybody_refuses_is_refused_here(name: str) -> None:
    assert [accepts(REFUSED_BY_ALL[name], EC) for accepts in (ours, pyjwt, joserfc)] == [False, False, False]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from([ISSUER, RESOURCE, PAST, FUTURE, str(FUTURE), "JWT", "at+jwt", "ES256", "RS256", "none", "k1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
HEADERS = st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "cty", "b64", "zip", "x"]), JSON, max_size=2)
CHANGES = st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "cnf", "scope", "x"]), JSON | st.just(ABSENT), max_size=3)
QUICK = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def never_laxer(subject: str, party: Party) -> None:
    if ours(subject, party):
        assert pyjwt(subject, party), "PyJWT refuses what is accepted here"
        assert joserfc(subject, party), "joserfc refuses what is accepted here"


@QUICK
@given(st.sampled_from(PARTIES), HEADERS, CHANGES)
def test_no_header_and_no_claims_are_accepted_here_that_the_others_refuse(
    party: Party, headers: dict[str, Any], claims: dict[str, Any]
) -> None:
    never_laxer(token(headers, claims, party), party)


@QUICK
@given(
    st.sampled_from(PARTIES),
    st.integers(0),
    st.sampled_from(["insert", "replace", "delete"]),
    st.characters(max_codepoint=255),
)
def test_no_text_near_a_good_token_is_accepted_here_that_the_others_refuse(
    party: Party, where: int, how: str, character: str
) -> None:
    good = token(party=party)
    at = where % len(good)
    never_laxer(good[:at] + ("" if how == "delete" else character) + good[at + (how != "insert") :], party)


@QUICK
@given(
    st.sampled_from(PARTIES),
    st.binary(max_size=40),
    st.sampled_from(["header", "payload", "behind-header", "behind-payload"]),
)
def test_no_octets_that_were_signed_are_accepted_here_that_the_others_refuse(
    party: Party, octets: bytes, where: str
) -> None:
    head, payload = json.dumps(header(party)).encode(), json.dumps(CLAIMS).encode()
    if where.endswith("header"):
        head = head + octets if where.startswith("behind") else octets
    else:
        payload = payload + octets if where.startswith("behind") else octets
    never_laxer(raw(head, payload, party.sign), party)


@QUICK
@given(st.sampled_from(PARTIES), st.binary(max_size=80))
def test_no_signature_but_a_right_one_is_accepted(party: Party, signature: bytes) -> None:
    assert not ours(raw(header(party), CLAIMS, lambda _: signature), party)
