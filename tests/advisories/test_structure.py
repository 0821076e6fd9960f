"""Attacks on signature values, encodings, JSON and headers (classes SIG, B64, SER, JSON, CRIT, B64F, NEST, ZIP, JWE, SIZE)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bearer_guard import BadSignature, IncomingRequest, InvalidRequest, MalformedToken, StaticJWKSet
from tests.answers import IR, OK, admitted, ask, guard, refused
from tests.quick import within
from tests.tokens import CLAIMS, HEADER, T, json_octets, jwk, jwks, private_key, raw, signer, spliced, text, unsigned

from .corpus import all_alike, rejected

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GOOD = T()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")


def pair(r: int, s: int, size: int = 32) -> bytes:
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def forged(change: Callable[[bytes], bytes]) -> str:
    """The good token with another signature."""
    return T(by=lambda octets: change(signer()(octets)))


SIG = {
    "SIG-1": forged(lambda _: bytes(64)),
    "SIG-2": forged(lambda _: pair(N, N)),
    "SIG-3": forged(lambda _: pair(1, 1)),
    "SIG-4": forged(lambda _: pair(N - 1, N - 1)),
    "SIG-5": T(by=lambda octets: private_key("P-256").sign(octets, ec.ECDSA(hashes.SHA256()))),
    "SIG-6": forged(lambda good: good + b"\0"),
    "SIG-7": forged(lambda good: good[:-1]),
    "SIG-8": forged(lambda good: b"\0" + good[:32] + b"\0" + good[32:]),
    "SIG-10": forged(lambda good: good[32:] + good[:32]),
    "SIG-11": f"{HEAD}.{PAYLOAD}.",
    "SIG-12": f"{HEAD}.{PAYLOAD}",
    "SIG-13": f"{HEAD}.{text(json_octets({**CLAIMS, 'sub': 'admin'}))}.{SIGNATURE}",
    "SIG-14": T(by=signer(number=1)),
    "SIG-17": forged(lambda _: b"\x30" * 11_500),
}


@pytest.mark.parametrize("attack", SIG)
def test_a_signature_that_is_none_is_refused(attack: str) -> None:
    rejected(guard(), SIG[attack])


def test_answers_to_forged_signatures_are_alike() -> None:
    all_alike(guard(), SIG)


def test_SIG_9_the_other_root_of_a_signature_is_the_same_token_to_everything_that_remembers() -> None:
    def mirrored(octets: bytes) -> bytes:
        good = signer()(octets)
        return good[:32] + (N - int.from_bytes(good[32:], "big")).to_bytes(32, "big")

    subject = guard(cache_size=10)
    one, other = admitted(subject, GOOD), admitted(subject, T(by=mirrored))
    assert one == other
    assert (one.issuer, one.token_id) == (other.issuer, other.token_id)  # what a block list has to go by


@pytest.mark.parametrize(
    "change", [lambda s: bytes(256), lambda s: b"\0" + s, lambda s: s[1:], lambda s: s + s], ids=range(4)
)
def test_SIG_15_16_an_rsa_signature_of_zero_or_another_length_is_refused(change: Callable[[bytes], bytes]) -> None:
    subject = guard(keys=StaticJWKSet(jwks(jwk("RSA"))))
    for alg in ("RS256", "PS256"):
        refused(subject, T({"alg": alg}, by=lambda octets, alg=alg: change(signer(alg)(octets))), BadSignature)
        assert ask(subject, T({"alg": alg})).kind == OK


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def loose(segment: str) -> str:
    """Another spelling of the same octets: an unused bit set."""
    return segment[:-1] + ALPHABET[ALPHABET.index(segment[-1]) + 1]


def signed_as_spelled(head: str, payload: str) -> str:
    return f"{head}.{payload}.{text(signer()(f'{head}.{payload}'.encode()))}"


LOOSE_HEAD = text(
    json_octets({**HEADER, "x": ""})[:-1] + b" }" + b" " * ((1 - len(json_octets({**HEADER, "x": ""}))) % 3)
)
B64 = {
    "B64-1": GOOD + "=",
    "B64-2": GOOD + "==",
    "B64-3": signed_as_spelled(HEAD + "=" * (-len(HEAD) % 4 or 4), PAYLOAD),
    "B64-4": signed_as_spelled(HEAD, PAYLOAD + "=" * (-len(PAYLOAD) % 4 or 4)),
    "B64-5": f"{HEAD}.{PAYLOAD}.{loose(SIGNATURE)}",
    "B64-6": signed_as_spelled(loose(LOOSE_HEAD), PAYLOAD),
    "B64-7": f"{HEAD}.{PAYLOAD}.{SIGNATURE[:-4]}+/+/",
    "B64-8": f"{HEAD}.{PAYLOAD}.{SIGNATURE[:40]}\n{SIGNATURE[40:]}",
    "B64-9": f"{HEAD}.{PAYLOAD}.{SIGNATURE[:40]} {SIGNATURE[40:]}",
    "B64-10": f"{HEAD}.{PAYLOAD}.{SIGNATURE[:40]}\0{SIGNATURE[40:]}",
    "B64-11": f"{HEAD}.{PAYLOAD}?.{SIGNATURE}",
    "B64-12": f"{HEAD}.{PAYLOAD}.!!!!",
    "B64-13": f"{GOOD}.{SIGNATURE}",
    "B64-14": f"{GOOD}..",
    "B64-15": "." * 100_000,
    "B64-16": "a" * 1_000_000,
    "B64-17": GOOD.replace(".", "%2E"),
    "B64-18": "\uff25" + GOOD[1:],
    "B64-19": GOOD.replace(".", "\u3002"),
    "B64-20": f"{HEAD}.{PAYLOAD}.{SIGNATURE[:-1]}",
    "B64-21": f"{HEAD}.{PAYLOAD}.A",
    "B64-22": f"{HEAD}.{PAYLOAD}.{SIGNATURE}AAA",
    "B64-23": signed_as_spelled(HEAD, PAYLOAD + "A" * ((1 - len(PAYLOAD)) % 4)),
    "B64-24": GOOD + "\t",
    "B64-25": f"{HEAD}.{PAYLOAD}.{SIGNATURE}\u00e9",
}


@pytest.mark.parametrize("attack", B64)
def test_another_spelling_of_a_token_is_refused(attack: str) -> None:
    if attack == "B64-6":
        assert ask(guard(), signed_as_spelled(LOOSE_HEAD, PAYLOAD)).kind == OK  # the canonical spelling of the same
    rejected(guard(), B64[attack])


def test_answers_to_other_spellings_are_alike() -> None:
    all_alike(guard(), B64)


FLAT = {"protected": HEAD, "payload": PAYLOAD, "signature": SIGNATURE}
SER = {
    "SER-1": json.dumps(FLAT),
    "SER-2": json.dumps({"payload": PAYLOAD, "signatures": [{"protected": HEAD, "signature": SIGNATURE}]}),
    "SER-3": json.dumps({f"{HEAD}.{text(json_octets({**CLAIMS, 'sub': 'admin'}))}.": "x", **FLAT}),
}


@pytest.mark.parametrize("attack", SER)
def test_CVE_2022_39227_json_serializations_are_refused_raw_and_encoded(attack: str) -> None:
    rejected(guard(), SER[attack])
    rejected(guard(), text(SER[attack].encode()))
    rejected(guard(), SER[attack] + GOOD)


WITHOUT = json_octets({name: value for name, value in CLAIMS.items() if name not in ("sub", "exp")})
JSON = {
    "JSON-1": raw(HEADER, WITHOUT[:-1] + b',"exp":1800000300,"sub":"u1","sub":"admin"}'),
    "JSON-2": raw(b'{"alg":"none","alg":"ES256","kid":"k1"}', CLAIMS),
    "JSON-3": raw(b'{"alg":"ES256","alg":"none","kid":"k1"}', CLAIMS),
    "JSON-4": raw(HEADER, WITHOUT[:-1] + b',"sub":"u1","exp":1,"exp":1800000300}'),
    "JSON-5": raw(HEADER, WITHOUT[:-1] + b',"exp":1800000300,"sub":"u1","s\\u0075b":"admin"}'),
    "JSON-6": spliced(member='"x":' + "[" * 500 + "]" * 500),
    "JSON-7": spliced(member='"x":' + "[" * 5000 + "]" * 5000),
    "JSON-8": spliced(member='"x":' + "[" * 100_000 + "]" * 100_000),
    "JSON-9": spliced(member='"x":' + '{"a":' * 5000 + "0" + "}" * 5000),
    "JSON-10": spliced(member='"x":' + "7" * 5000),
    "JSON-11": spliced(member='"x":1e99999'),
    "JSON-12": spliced(member='"x":NaN'),
    "JSON-13": raw(HEADER, json.dumps(CLAIMS).encode("utf-16")),
    "JSON-14": raw(json.dumps(HEADER).encode("utf-16"), CLAIMS),
    "JSON-15": raw(HEADER, b"\xef\xbb\xbf" + json_octets(CLAIMS)),
    "JSON-16": raw(HEADER, json_octets(CLAIMS)[:-1] + b',"x":"\xff"}'),
    "JSON-17": spliced(member='"x":"\\ud800"'),
    "JSON-17-name": spliced(member='"\\udfff":1'),
    "JSON-17-header": raw(json_octets(HEADER)[:-1] + b',"x":"\\ud800"}', CLAIMS),
    "JSON-18": raw(HEADER, json_octets(CLAIMS) * 2),
    "JSON-19": raw(HEADER, json_octets(CLAIMS)[:-1] + b",}"),
    **{
        f"JSON-{20 + number}": raw(HEADER, payload)
        for number, payload in enumerate((b"[]", b'"x"', b"null", b"1", b"true", b"", b" "))
    },
    **{
        f"JSON-{27 + number}": raw(header, CLAIMS)
        for number, header in enumerate((b"[]", b'"x"', b"null", b"1", b"true", b"", b"{}"))
    },
}


@pytest.mark.parametrize("attack", JSON)
def test_json_that_two_readers_could_read_differently_is_refused(attack: str) -> None:
    rejected(guard(), JSON[attack])


def test_answers_to_ambiguous_json_are_alike() -> None:
    all_alike(guard(), JSON)


def test_JSON_17_a_pair_of_surrogates_is_a_character() -> None:
    token = admitted(guard(), spliced(member='"x":"\\ud83d\\ude00"'))
    assert token.claims["x"].encode() == "\U0001f600".encode()


CRITS: list[dict[str, Any]] = [
    {"crit": ["x-unknown"], "x-unknown": 1},
    {"crit": ["x-unknown"]},
    {"crit": []},
    {"crit": "exp"},
    {"crit": ["alg"]},
    {"crit": ["b64"]},
    {"crit": ["b64"], "b64": True},
    {"crit": [1]},
    {"crit": None},
    {"crit": ["x", "x"], "x": 1},
    {"crit": {"x": 1}, "x": 1},
    {"crit": ["http://example.com/UNDEFINED"], "http://example.com/UNDEFINED": True},
]


@pytest.mark.parametrize("number", range(1, len(CRITS) + 1))
def test_CRIT_CVE_2025_59420_CVE_2026_32597_critical_extensions_are_refused(number: int) -> None:
    refused(guard(), T(CRITS[number - 1]), MalformedToken)


def b64_false(**header: Any) -> dict[str, str]:
    head = text(json_octets({**HEADER, "b64": False, **header}))
    plain = json_octets(CLAIMS).decode()
    return {
        "encoded": signed_as_spelled(head, PAYLOAD),
        "raw": f"{head}.{plain}.{text(signer()(f'{head}.{plain}'.encode()))}",
        "detached": f"{head}..{text(signer()(f'{head}.{plain}'.encode()))}",
    }


@pytest.mark.parametrize("crit", [{}, {"crit": ["b64"]}], ids=["without-crit", "with-crit"])
@pytest.mark.parametrize("form", ["encoded", "raw", "detached"])
def test_B64F_an_unencoded_payload_is_refused(form: str, crit: dict[str, Any]) -> None:
    rejected(guard(), b64_false(**crit)[form])


@pytest.mark.parametrize(
    "token",
    [
        raw({**HEADER, "cty": "JWT"}, GOOD),
        T({"cty": "JWT"}),
        T({"zip": "DEF"}),
        raw({**HEADER, "zip": "DEF"}, b"\x03\x00"),
    ],
    ids=["NEST-1", "NEST-1-claims", "ZIP-1", "ZIP-1-empty"],
)
def test_nested_and_compressed_payloads_are_refused(token: str) -> None:
    refused(guard(), token, MalformedToken)


def jwe(content: bytes, **header: Any) -> str:
    protected = text(json_octets({"alg": "dir", "enc": "A256GCM", **header}))
    sealed = AESGCM(bytes(32)).encrypt(bytes(12), content, protected.encode())
    return f"{protected}..{text(bytes(12))}.{text(sealed[:-16])}.{text(sealed[-16:])}"


JWE = {
    "JWE-1": jwe(json_octets(CLAIMS)),
    "JWE-2": jwe(raw({"alg": "none"}, CLAIMS, unsigned).encode(), cty="JWT"),
    "JWE-3": jwe(GOOD.encode(), cty="JWT"),
    "JWE-4": jwe(b"x", alg="PBES2-HS256+A128KW", p2c=2**31 - 1, p2s="AAAAAAAAAAA"),
    "JWE-5": jwe(bytes(9000), zip="DEF"),
    "JWE-6": "....",
}


@pytest.mark.parametrize("attack", JWE)
def test_CVE_2023_51774_CVE_2026_29000_an_encrypted_token_is_refused_at_once(attack: str) -> None:
    subject = guard()
    assert within(0.005, lambda: rejected(subject, JWE[attack]))


@pytest.mark.parametrize("size", [8_000, 64_000, 1_000_000])
def test_SIZE_1_a_token_is_measured_before_it_is_looked_at(size: int) -> None:
    subject = guard()
    for token in (GOOD + "A" * size, "." * size, f"{HEAD}.{'A' * size}.{SIGNATURE}"):
        answer = rejected(subject, token)
        assert size < 16_384 or answer.kind == IR
    if size == 8_000:
        assert ask(subject, T(x="A" * 5_500)).kind == OK  # as long as a token signed by ML-DSA


def test_SIZE_1_ten_megabytes_are_refused_in_no_time() -> None:
    subject, token = guard(), "." * 10_000_000
    request = IncomingRequest("GET", "/r", {"authorization": f"Bearer {token}"})

    def refuse() -> None:
        with pytest.raises(InvalidRequest):
            subject.check(request)
        with pytest.raises(MalformedToken):
            subject._verifier.verify(token)

    assert within(0.2, refuse)
