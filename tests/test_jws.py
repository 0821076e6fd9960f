"""A compact JWS taken apart: one spelling, one header, nothing verified and nothing of the token in a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearer_guard import InvalidToken, MalformedToken
from bearer_guard._credentials import MAX_TOKEN_LENGTH
from bearer_guard._jws import Header, compact, looks_like_jws, media_type, parse, read_header
from bearer_guard._strict import b64url_encode
from tests.quick import within
from tests.tokens import CLAIMS, HEADER, T, raw, text


def assembled(header: object, claims: object = CLAIMS, signature: bytes = b"sig") -> str:
    return raw(header, claims, lambda _: signature)  # type: ignore[arg-type]


def test_a_token_is_taken_apart_into_its_parts() -> None:
    token = T()
    jws = parse(token)
    assert jws.header == Header("ES256", "k1", "at+jwt")
    assert jws.unverified_claims() == CLAIMS
    assert json.loads(jws.payload()) == CLAIMS
    assert jws.signing_input == token.rpartition(".")[0].encode()
    assert len(jws.signature()) == 64


@settings(deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_what_is_written_compactly_is_taken_apart_again(payload: bytes, signature: bytes) -> None:
    signed: list[bytes] = []

    def by(signing_input: bytes) -> bytes:
        signed.append(signing_input)
        return signature

    jws = parse(compact(b'{"alg":"ES256"}', payload, by))
    assert (jws.payload(), jws.signature(), jws.signing_input) == (payload, signature, signed[0])


def test_the_claims_are_decoded_once_and_only_when_asked_for() -> None:
    jws = parse(assembled({"alg": "ES256"}, b"not JSON"))
    with pytest.raises(MalformedToken):
        jws.unverified_claims()
    good = parse(T())
    assert good.unverified_claims() is good.unverified_claims()


@pytest.mark.parametrize("claims", [["x"], "x", None, 1, True, b"", b"{", b'{"a":NaN}', b'{"a":1,"a":2}'])
def test_a_payload_that_is_no_json_object_is_malformed_when_the_claims_are_asked_for(claims: object) -> None:
    octets = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    with pytest.raises(MalformedToken):
        parse(assembled({"alg": "ES256"}, octets)).unverified_claims()


@pytest.mark.parametrize("spacing", [b'{"alg":"ES256"}', b'{ "alg" :\r\n "ES256" }\n'])
def test_the_signing_input_is_the_received_octets(spacing: bytes) -> None:
    assert parse(assembled(spacing)).signing_input.startswith(b64url_encode(spacing) + b".")


H = text(b'{"alg":"ES256"}')
P = text(b"{}")


@pytest.mark.parametrize(
    "token",
    [
        *(
            "",
            ".",
            "..",
            "...",
            H,
            f"{H}.{P}",
            f"{H}.{P}.AAAA.",
            f"{H}.{P}.AAAA.AAAA",
            f".{P}.AAAA",
            f"{H}.{P}.AAAA.A.A",
        ),
        *(f"{H}=.{P}.AAAA", f"{H}.{P}.AAA=", f"{H}.{P}.AA==", f" {H}.{P}.AAAA", f"{H}.{P}.AAAA\n", f"{H}\n.{P}.AAAA"),
        *(f"{H}.{P}.AAB", f"{H}.{P}.AB", f"{H}.{P}.A", f"{H}.{P}.AA+A", f"{H}.{P}.AA/A", f"{H}.{P}.AA\x00A"),
        *(f"{H}.{P}.éAAA", f"é{H}.{P}.AAAA", f"{H}.{P}.\ud800", f"{H}.é.AAAA\u0660"),
        *(f"!{H[1:]}.{P}.AAAA", f"{text(b'[]')}.{P}.AAAA", f"{text(b'null')}.{P}.AAAA", f"{text(b'x')}.{P}.AAAA"),
        json.dumps({"protected": H, "payload": P, "signature": "AAAA"}),
    ],
)
def test_what_is_not_three_canonical_segments_is_malformed(token: str) -> None:
    with pytest.raises(MalformedToken) as refused:
        parse(token).signature()
    assert refused.value.reason == "malformed_token"


def test_an_empty_signature_is_a_segment_and_verifies_nothing() -> None:
    assert parse(f"{H}.{P}.").signature() == b""


def test_the_longest_token_is_parsed_and_one_character_more_is_not() -> None:
    start = f"{H}.{P}."
    longest = start + "A" * (MAX_TOKEN_LENGTH - len(start) - (MAX_TOKEN_LENGTH - len(start)) % 4)
    parse(longest)
    with pytest.raises(MalformedToken) as refused:
        parse(start + "A" * (MAX_TOKEN_LENGTH - len(start) + 1))
    assert refused.value.reason == "token_too_long"


@pytest.mark.parametrize("filler", ["a", ".", "a.", "é"])
def test_a_megabyte_of_anything_is_refused_at_once(filler: str) -> None:
    token = filler * (2**20 // len(filler))

    def refuse() -> None:
        with pytest.raises(MalformedToken):
            parse(token)
        assert not looks_like_jws(token)

    assert within(0.05, refuse)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"alg": ...}, "malformed_token"),
        *(({"alg": value}, "malformed_token") for value in (None, 1, True, ["ES256"], {})),
        *(({"kid": value}, "malformed_token") for value in (None, 1, {}, ["k1"], True)),
        *(({"crit": value}, "malformed_token") for value in ([], "exp", ["alg"], ["x"], [1], None, ["b64"])),
        *(({"b64": value}, "malformed_token") for value in (True, False, None)),
        *(({"zip": value}, "malformed_token") for value in ("DEF", None)),
        *(({"typ": value}, "type_not_allowed") for value in (None, 1, ["at+jwt"], {})),
        *(({"cty": value}, "malformed_token") for value in ("JWT", "jwt", "application/JWT", None, 1, ["JWT"])),
    ],
)
def test_a_header_that_must_not_be_accepted_is_refused(members: dict[str, Any], reason: str) -> None:
    header = {name: value for name, value in {**HEADER, **members}.items() if value is not ...}
    for judge in (lambda: read_header(header), lambda: parse(assembled(header))):
        with pytest.raises(InvalidToken) as refused:
            judge()
        assert refused.value.reason == reason


def test_header_parameters_that_carry_or_locate_keys_and_unknown_ones_are_ignored() -> None:
    extra = {
        "jwk": {"kty": "oct"},
        "jku": "http://127.0.0.1:9",
        "x5u": 1,
        "x5c": None,
        "x5t": [],
        "foo": 1,
        "cty": "json",
    }
    assert read_header({"alg": "none", **extra}) == Header("none", None, None)


@pytest.mark.parametrize(
    ("spelled", "compared"),
    [
        ("JWT", "jwt"),
        ("at+JWT", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("APPLICATION/AT+JWT", "at+jwt"),
        ("application/a/b", "application/a/b"),
        ("text/at+jwt", "text/at+jwt"),
        ("application/", ""),
        ("application", "application"),
        ("", ""),
        (" at+jwt", " at+jwt"),
    ],
)
def test_types_are_compared_as_media_types(spelled: str, compared: str) -> None:
    assert media_type(spelled) == compared
    assert read_header({"alg": "ES256", "typ": spelled}).typ == compared


def test_no_character_outside_ascii_becomes_one_inside_when_types_are_compared() -> None:
    # KELVIN SIGN in lower case is the letter k: another spelling of a type, which must stay another type.
    assert media_type("to\u212aen+jwt") != "token+jwt"


def test_a_header_that_is_known_is_not_read_again() -> None:
    token = T()
    first = parse(token)
    assert first.new_header
    assert first.header_segment() == token.partition(".")[0].encode()
    known = {first.header_segment(): Header("known", None, None)}
    again = parse(token, known)
    assert not again.new_header
    assert again.header == Header("known", None, None)
    assert parse(T({"kid": "other"}), known).new_header


@pytest.mark.parametrize("token", [T(), f"{H}.x.y", f"{H}..", f"{text(b'{}')}.{P}."])
def test_three_segments_that_begin_with_a_json_object_look_like_a_jws(token: str) -> None:
    assert looks_like_jws(token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        f"{H}.{P}",
        f"{H}.{P}.a.b",
        f"{text(b'[]')}.{P}.a",
        f"{H}=.{P}.a",
        f"{text(b'1')}.a.b",
        f"é.{P}.a",
        f"�.{P}.a",
        f"{H}a.{P}.a",
        "A" * (MAX_TOKEN_LENGTH + 1),
    ],
)
def test_everything_else_does_not(token: str) -> None:
    assert not looks_like_jws(token)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=30) | st.lists(st.sampled_from([H, P, ".", "AAAA", "=", "é", "A"]), max_size=7).map("".join))
def test_any_text_is_a_jws_or_a_refusal_that_holds_nothing_of_it(token: str) -> None:
    refusal = ""
    try:
        parse(token)
    except InvalidToken as refused:
        refusal = str(refused)
    assert refusal or looks_like_jws(token)
    assert len(token) < 9 or token not in refusal


def test_no_refusal_repeats_a_value_of_the_header() -> None:
    for name in ("alg", "kid", "typ", "crit", "cty", "b64"):
        with pytest.raises(InvalidToken) as refused:
            read_header({"alg": "ES256", name: ["s3cr3t"]})
        assert "s3cr3t" not in str(refused.value)
