"""Rows C of the conformance list: the structure of a compact JWS and the JSON in it."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bearer_guard import InvalidToken, MalformedToken
from tests.answers import IR, IT, OK, admitted, ask, guard, refused
from tests.quick import within
from tests.tokens import ABSENT, CLAIMS, HEADER, T, json_octets, raw, signer, spliced, text, unsigned

GOOD = T()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")
DEEP = 5_000


def respelled(segment: int, change: Any) -> str:
    """A token with one segment spelled otherwise, signed over exactly that spelling."""
    segments = [text(json_octets(HEADER)), text(json_octets(CLAIMS))]
    segments[segment] = change(segments[segment])
    return ".".join([*segments, text(signer()(".".join(segments).encode()))])


@pytest.mark.parametrize(
    "token",
    [
        HEAD,
        f"{HEAD}.{PAYLOAD}",
        f"{GOOD}.{SIGNATURE}",
        f"{GOOD}.",
        f".{GOOD}",
        "..",
        f"..{SIGNATURE}",
        f"{HEAD}..{SIGNATURE}",
        f"{HEAD}.{PAYLOAD}.",
        "." * 10_000,
    ],
    ids=["1", "2", "4", "4-empty", "4-first", "empty", "only-signature", "no-payload", "no-signature", "dots"],
)
def test_C01_anything_but_three_full_segments_is_refused(token: str) -> None:
    assert ask(guard(), token).kind == IT


@pytest.mark.parametrize("where", [0, len(HEAD) // 2, len(HEAD) + 5, len(GOOD) - 3, len(GOOD)])
@pytest.mark.parametrize("character", ["?", " ", "\n", "\0", "é", "+", "/", "~", "=", "%2E", "．", "。", "\u200b"])
def test_C01_no_other_character_may_be_anywhere(where: int, character: str) -> None:
    token = GOOD[:where] + character + GOOD[where:]
    # HTTP takes spaces around a field's value away; the credentials' grammar does so in front of the token.
    assert ask(guard(), token).kind in ((OK,) if (where, character) == (0, " ") else (IT, IR))
    with pytest.raises(InvalidToken):
        guard()._verifier.verify(token)


@pytest.mark.parametrize("segment", [0, 1])
@pytest.mark.parametrize(
    "change",
    [lambda s: s + "=", lambda s: s + "==", lambda s: s[:8] + "\n" + s[8:], lambda s: s + " "],
    ids=["padding", "more-padding", "line-feed", "space"],
)
def test_C02_padding_and_line_breaks_are_refused_though_they_were_signed(segment: int, change: Any) -> None:
    with pytest.raises(MalformedToken):
        guard()._verifier.verify(respelled(segment, change))
    assert admitted(guard(), respelled(segment, lambda s: s)).subject == "u1"


@pytest.mark.parametrize("padding", ["=", "==", "==="])
def test_C02_padding_behind_the_signature_is_refused(padding: str) -> None:
    refused(guard(), GOOD + padding, MalformedToken)


def test_C02_a_line_break_in_the_signature_is_refused() -> None:
    token = GOOD[:-10] + "\n" + GOOD[-10:]
    assert ask(guard(), token).kind == IR
    with pytest.raises(MalformedToken):
        guard()._verifier.verify(token)


def loose(segment: str) -> str:
    """The same octets in another spelling: an unused low bit of the last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(segment) % 4 in (2, 3), "this segment has no unused bits"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) + 1]


@pytest.mark.parametrize("segment", [0, 1])
def test_C03_unused_bits_must_be_zero_in_what_is_signed(segment: int) -> None:
    fill = next(n for n in range(3) if len(respelled_with(segment, n).split(".")[segment]) % 4 in (2, 3))
    token = respelled_with(segment, fill)
    assert ask(guard(), token).kind == OK
    segments = token.split(".")[:2]
    segments[segment] = loose(segments[segment])
    signed = ".".join([*segments, text(signer()(".".join(segments).encode()))])
    refused(guard(), signed, MalformedToken)


def respelled_with(segment: int, fill: int) -> str:
    return T({"x": "y" * fill}) if segment == 0 else T(x="y" * fill)


def test_C03_unused_bits_must_be_zero_in_the_signature() -> None:
    refused(guard(), f"{HEAD}.{PAYLOAD}.{loose(SIGNATURE)}", MalformedToken)


FLATTENED = json_octets({"protected": HEAD, "payload": PAYLOAD, "signature": SIGNATURE})
GENERAL = json_octets({"payload": PAYLOAD, "signatures": [{"protected": HEAD, "signature": SIGNATURE}]})
POLYGLOT = f'{{"{HEAD}.{text(json_octets({**CLAIMS, "sub": "admin"}))}.":"x","protected":"{HEAD}","payload":"{PAYLOAD}","signature":"{SIGNATURE}"}}'


@pytest.mark.parametrize("form", [FLATTENED.decode(), GENERAL.decode(), POLYGLOT], ids=["flat", "general", "polyglot"])
def test_C04_the_json_serializations_are_no_tokens(form: str) -> None:
    assert ask(guard(), form).kind == IR
    refused(guard(), text(form.encode()), MalformedToken)
    with pytest.raises(MalformedToken):
        guard()._verifier.verify(form)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("part", ["header", "payload", "both"])
def test_C05_json_in_another_encoding_than_utf_8_is_refused(encoding: str, part: str) -> None:
    header, payload = json_octets(HEADER), json_octets(CLAIMS)
    if part != "payload":
        header = header.decode().encode(encoding)
    if part != "header":
        payload = payload.decode().encode(encoding)
    refused(guard(), raw(header, payload), MalformedToken)


@pytest.mark.parametrize("octets", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
def test_C05_invalid_utf_8_is_refused(octets: bytes) -> None:
    refused(guard(), raw(HEADER, json_octets(CLAIMS)[:-1] + b',"x":"' + octets + b'"}'), MalformedToken)


@pytest.mark.parametrize("payload", [b'["x"]', b'"x"', b"null", b"1", b"true", b"", b" ", b"{", b"{}{}", b"sub=u1"])
def test_C06_a_payload_that_is_no_json_object_is_refused(payload: bytes) -> None:
    refused(guard(), raw(HEADER, payload), MalformedToken)


@pytest.mark.parametrize(
    "header", [b'["x"]', b'"x"', b"null", b"1", b"", b"{", b'{"alg":"ES256"}{}', b'{"alg":"ES256",}']
)
def test_C06_a_header_that_is_no_json_object_is_refused(header: bytes) -> None:
    refused(guard(), raw(header, CLAIMS), MalformedToken)


@pytest.mark.parametrize(
    "member",
    [
        '"sub":"admin"',
        '"s\\u0075b":"admin"',
        '"exp":9999999999',
        '"aud":"https://api.example"',
        '"x":{"a":1,"a":1}',
        '"x":[{"a":1,"a":2}]',
    ],
)
def test_C07_a_member_twice_in_the_claims_is_refused(member: str) -> None:
    refused(guard(), spliced(member=member), MalformedToken)


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","alg":"ES256","kid":"k1"}',
        b'{"alg":"ES256","alg":"none","kid":"k1"}',
        b'{"alg":"ES256","kid":"k2","kid":"k1"}',
        b'{"alg":"ES256","\\u0061lg":"ES256"}',
        b'{"alg":"ES256","x":{"a":1,"a":2}}',
    ],
)
def test_C07_a_member_twice_in_the_header_is_refused(header: bytes) -> None:
    refused(guard(), raw(header, CLAIMS), MalformedToken)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "[NaN]", '{"y":1e999}', "1E+400"])
def test_C08_a_number_that_is_none_is_refused_anywhere(value: str) -> None:
    refused(guard(), spliced(member=f'"x":{value}'), MalformedToken)
    refused(guard(), raw(json_octets(HEADER)[:-1] + f',"x":{value}}}'.encode(), CLAIMS), MalformedToken)


@pytest.mark.parametrize("value", ["1e30", "-0.0", "1.5e-10", "123456789012345678901234567890"])
def test_C08_other_numbers_are_none_of_our_business(value: str) -> None:
    assert ask(guard(), spliced(member=f'"x":{value}')).kind == OK


@pytest.mark.parametrize(
    "value",
    [
        "[" * DEEP + "]" * DEEP,
        '{"a":' * DEEP + "1" + "}" * DEEP,
        "[" * DEEP,
        "9" * 5000,
        "-" + "9" * 5000,
        "0." + "9" * 5000 + "e-99999",
    ],
    ids=["arrays", "objects", "unclosed", "digits", "negative-digits", "fraction"],
)
@pytest.mark.parametrize("part", ["header", "payload"])
def test_C09_deep_nesting_and_endless_digits_are_refused_and_never_a_500(value: str, part: str) -> None:
    if part == "header":
        token = raw(json_octets(HEADER)[:-1] + f',"x":{value}}}'.encode(), CLAIMS)
    else:
        token = spliced(member=f'"x":{value}')
    answer = ask(guard(), token)
    assert within(0.1, lambda: ask(guard(), token))
    if value.startswith("0."):
        assert answer.kind == OK  # a long way of writing zero
    elif len(token) > 16 * 1024:
        assert answer.kind == IR
        with pytest.raises(MalformedToken):
            guard()._verifier.verify(token)
    else:
        assert type(answer.error) is MalformedToken


def test_C09_depth_is_bounded_at_64_levels() -> None:
    for levels, expected in ((63, OK), (64, IT), (1000, IT)):  # the claims set itself is one level
        assert ask(guard(), spliced(member=f'"x":{"[" * levels}{"]" * levels}')).kind == expected
    brackets = "[" * 2000
    assert admitted(guard(), T(x=brackets)).claims["x"] == brackets  # in a string they are text


def test_C09_a_million_members_cannot_arrive() -> None:
    members = ",".join(f'"{number:x}":0' for number in range(1500))
    token = spliced(member=members)
    assert ask(guard(), token).kind == OK
    assert within(0.1, lambda: ask(guard(), token))


@pytest.mark.parametrize(
    "header",
    [
        {"crit": []},
        {"crit": "exp"},
        {"crit": ["alg"]},
        {"crit": ["x"]},
        {"crit": ["x"], "x": 1},
        {"crit": [1]},
        {"crit": None},
        {"crit": {}},
        {"crit": ["x", "x"], "x": 1},
        {"crit": ["b64"], "b64": True},
        {"crit": ["b64"]},
        {"crit": ["exp"], "exp": 1},
    ],
    ids=str,
)
def test_C10_critical_extensions_are_refused_because_none_is_implemented(header: dict[str, Any]) -> None:
    refused(guard(), T(header), MalformedToken)


@pytest.mark.parametrize(
    "header", [{"b64": False}, {"b64": False, "crit": ["b64"]}, {"b64": True}, {"b64": "false"}], ids=str
)
def test_C11_b64_is_refused(header: dict[str, Any]) -> None:
    refused(guard(), T(header), MalformedToken)


def test_C11_an_unencoded_payload_is_refused() -> None:
    head = text(json_octets({**HEADER, "b64": False, "crit": ["b64"]}))
    payload = json_octets(CLAIMS).decode()
    signature = text(signer()(f"{head}.{payload}".encode()))
    for token in (f"{head}.{payload}.{signature}", f"{head}..{signature}"):
        with pytest.raises(MalformedToken):
            guard()._verifier.verify(token)


@pytest.mark.parametrize(
    "header",
    [
        b'{"typ":"at+jwt",\r\n "alg":"ES256",\r\n "kid":"k1"}',
        b' \t\r\n{ "kid" : "k1" , "alg" : "ES256" } \n',
        b'{"\\u0061lg":"ES\\u003256","kid":"k1"}',
    ],
)
def test_C12_the_received_octets_are_verified_and_not_a_respelling(header: bytes) -> None:
    assert ask(guard(), raw(header, b'{ "x":\r\n1, ' + json_octets(CLAIMS)[1:])).kind == OK


def jwe(content: bytes, **header: Any) -> str:
    """A direct JWE by a key that anybody could have made."""
    key, nonce = bytes(32), bytes(12)
    protected = text(json_octets({"alg": "dir", "enc": "A256GCM", **header}))
    sealed = AESGCM(key).encrypt(nonce, content, protected.encode())
    return f"{protected}..{text(nonce)}.{text(sealed[:-16])}.{text(sealed[-16:])}"


@pytest.mark.parametrize(
    "token",
    [
        jwe(json_octets(CLAIMS)),
        jwe(raw({"alg": "none"}, CLAIMS, unsigned).encode(), cty="JWT"),
        jwe(GOOD.encode(), cty="JWT"),
        jwe(b"x", alg="PBES2-HS256+A128KW", p2c=2**31 - 1, p2s="AA"),
        jwe(b"x", zip="DEF"),
        "....",
    ],
    ids=["claims", "unsecured", "signed", "p2c", "zip", "dots"],
)
def test_C13_C14_an_encrypted_token_is_refused_before_anything_is_decrypted(token: str) -> None:
    assert within(0.2, lambda: refused(guard(), token, MalformedToken))


@pytest.mark.parametrize("content_type", ["JWT", "jwt", "application/jwt", 5, None])
def test_C15_a_token_in_a_token_is_refused(content_type: Any) -> None:
    for payload in (GOOD.encode(), json_octets(CLAIMS)):
        refused(guard(), raw({**HEADER, "cty": content_type}, payload), MalformedToken)


def test_C15_another_content_type_is_ignored() -> None:
    assert ask(guard(), T({"cty": "application/json"})).kind == OK


@pytest.mark.parametrize(
    "header", [{"foo": 1}, {"foo": None}, {"x": {"y": []}}, {"jku": "https://as.example/jwks"}, {"url": ""}]
)
def test_C16_unknown_header_parameters_and_claims_are_ignored(header: dict[str, Any]) -> None:
    token = admitted(guard(), T(header, bar={}, baz=None, **{"https://x.example/y": [1]}))
    assert token.claims["bar"] == {}
    assert admitted(guard(), T({"typ": ABSENT}, jti=ABSENT)).token_id is None
