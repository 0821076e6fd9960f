"""Canonical base64url and unambiguous JSON, against the lenient decoders of the standard library."""

from __future__ import annotations

import base64
import json
import math
import runpy
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bearer_guard import _strict
from bearer_guard._strict import MAX_DEPTH, b64url_decode, b64url_encode, json_object
from tests.benchmarks import speed
from tests.quick import within

URL_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)
json_objects = st.dictionaries(st.text(max_size=4), json_values, max_size=5)


Read = Callable[[bytes], dict[str, Any]]
Decode = Callable[[bytes], bytes]


def without_speed() -> dict[str, Any]:
    """The module as it is where the extra `speed` is not installed."""
    with speed.left_out():
        module = runpy.run_path(_strict.__file__)
    assert module["_read"] is None
    assert module["_decode_base64"] is module["_by_standard_library"]
    return module


plain = without_speed()
readers: list[Read] = [json_object, plain["json_object"]]
decoders: list[Decode] = [b64url_decode, plain["b64url_decode"]]
by_both = pytest.mark.parametrize("read", readers, ids=["speed", "standard library"])
decoded_by_both = pytest.mark.parametrize("decode", decoders, ids=["speed", "standard library"])


def decoded(decode: Decode, text: bytes) -> bytes | None:
    try:
        return decode(text)
    except ValueError:
        return None


@decoded_by_both
@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=80))
def test_base64url_round_trips_and_agrees_with_the_standard_library(decode: Decode, octets: bytes) -> None:
    text = b64url_encode(octets)
    assert decode(text) == octets
    assert text == base64.urlsafe_b64encode(octets).rstrip(b"=")


def by_arithmetic(text: bytes) -> bytes | None:
    """RFC 4648 §5 on one large number: six bits a character, and what is left over must be less than six zeros."""
    number = 0
    for octet in text:
        if octet not in URL_ALPHABET:
            return None
        number = number << 6 | URL_ALPHABET.index(octet)
    length, unused = divmod(len(text) * 6, 8)
    return None if unused == 6 or number % 2**unused else (number >> unused).to_bytes(length, "big")


@decoded_by_both
def test_one_octet_changed_anywhere_is_judged_alike_by_both_decoders(decode: Decode) -> None:
    for length in range(9):
        good = b"Aw-_AQgw8"[:length]
        for position in range(length):
            for octet in range(256):
                text = good[:position] + bytes([octet]) + good[position + 1 :]
                assert decoded(decode, text) == by_arithmetic(text), text


@decoded_by_both
@settings(deadline=None, max_examples=500)
@given(st.lists(st.sampled_from(URL_ALPHABET), max_size=9).map(bytes) | st.binary(max_size=9))
@example(b"")
@example(b"A")
@example(b"AB")
@example(b"AA==")
@example(b"AA\n")
def test_octets_have_one_spelling_and_no_other(decode: Decode, text: bytes) -> None:
    assert decoded(decode, text) == by_arithmetic(text)


@decoded_by_both
@pytest.mark.parametrize("last", range(64))
@pytest.mark.parametrize("length", [2, 3])
def test_unused_bits_must_be_zero(decode: Decode, length: int, last: int) -> None:
    text = b"A" * (length - 1) + URL_ALPHABET[last : last + 1]
    unused = 4 if length == 2 else 2
    assert (decoded(decode, text) is None) is bool(last % 2**unused)


@decoded_by_both
@pytest.mark.parametrize("text", [b"AAAA", b"AAA", b"AA", b"AAAAAAAA"])
def test_a_foreign_octet_anywhere_is_refused(decode: Decode, text: bytes) -> None:
    for foreign in set(range(256)) - set(URL_ALPHABET):
        for position in range(len(text) + 1):
            inserted = text[:position] + bytes([foreign]) + text[position:]
            replaced = text[:position] + bytes([foreign]) + text[position + 1 :]
            assert decoded(decode, inserted) is None
            assert decoded(decode, replaced) is None


@by_both
@settings(deadline=None)
@given(json_objects, st.booleans(), st.sampled_from([None, 1]))
def test_what_the_standard_library_writes_is_read_as_it_reads_it(
    read: Read, value: Any, ascii_only: bool, indent: Any
) -> None:
    octets = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert read(octets) == json.loads(octets) == value


@by_both
@settings(deadline=None, max_examples=300)
@given(st.text('{}[]":,\\u0019deE.-+ \tntrufalsNI', max_size=25).map(lambda body: '{"a":' + body + "}"))
@example('{"a":{"b":1,"b":1}}')
@example('{"a":NaN}')
@example('{"a":1e400}')
def test_whatever_is_accepted_the_standard_library_reads_the_same(read: Read, text: str) -> None:
    try:
        value = read(text.encode())
    except ValueError:
        return
    assert value == json.loads(text)
    assert json.loads(json.dumps(value)) == value


@by_both
@settings(deadline=None)
@given(json_objects, st.text(max_size=4), json_values, json_values)
def test_a_member_twice_is_refused_at_any_level(read: Read, value: Any, name: str, one: Any, other: Any) -> None:
    twice = f"{{{json.dumps(name)}:{json.dumps(one)},{json.dumps(name)}:{json.dumps(other)}}}"
    nested = json.dumps({**value, "nested": 0})[:-1] + f', "inner": [{twice}]}}'
    for text in (twice, nested):
        json.loads(text)
        with pytest.raises(ValueError, match="not unambiguous JSON"):
            read(text.encode())


@by_both
@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b" ",
        b"{",
        b'{"a":NaN}',
        b'{"a":[Infinity]}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":-1e400}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":1.}',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":1}{}',
        b'{"a":1} x',
        b'{"a":1}\x00',
        b"{a:1}",
        b'{"a":"\n"}',
        b'{"a":"\\x"}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xed\xa0\x80"}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        '{"a":٣}'.encode(),
        '{"a":1\u00a0}'.encode(),
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00x"}',
        b'{"\\ud800":1}',
        b'{"a":[{"b":"\\ud83d"}]}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b'{"a":/*x*/1}',
    ],
    ids=lambda octets: repr(octets[:24]),
)
def test_what_is_not_unambiguous_json_is_a_value_error(read: Read, octets: bytes) -> None:
    with pytest.raises(ValueError, match="not unambiguous JSON"):
        read(octets)


@by_both
@pytest.mark.parametrize("octets", [b"[]", b'["x"]', b'"x"', b"null", b"1", b"true", b"1.5", b" [] "])
def test_json_that_is_no_object_is_a_value_error(read: Read, octets: bytes) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        read(octets)


@by_both
@pytest.mark.parametrize(
    ("octets", "value"),
    [
        (b"{}", {}),
        (b' \t\r\n{"a" : 1 } ', {"a": 1}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        ('{"a":"😀é\u2028"}'.encode(), {"a": "😀é\u2028"}),
        (b'{"a":"\\u0000"}', {"a": "\x00"}),
        (b'{"a":-0,"b":1E5,"c":1e-400}', {"a": 0, "b": 1e5, "c": 0.0}),
        (b'{"a":"[[[{{{"}', {"a": "[[[{{{"}),
        (b'{"":{"":1}}', {"": {"": 1}}),
    ],
)
def test_odd_but_unambiguous_json_is_read(read: Read, octets: bytes, value: Any) -> None:
    assert read(octets) == value


def nest(depth: int, opening: bytes, closing: bytes) -> bytes:
    return b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"


@by_both
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"b":', b"}")])
def test_the_depth_is_bounded_exactly(read: Read, opening: bytes, closing: bytes) -> None:
    assert read(nest(MAX_DEPTH, opening, closing))
    with pytest.raises(ValueError, match="not unambiguous JSON"):
        read(nest(MAX_DEPTH + 1, opening, closing))


@by_both
def test_many_brackets_side_by_side_are_not_deep(read: Read) -> None:
    assert len(read(b'{"a":[' + b"[],{}," * 500 + b"0]}")["a"]) == 1001


@by_both
@settings(deadline=None)
@given(st.text('[]{}\\"x', max_size=12))
def test_brackets_in_strings_are_not_depth(read: Read, text: str) -> None:
    value = {"a": [text * 20, text], text: text}
    assert read(json.dumps(value).encode()) == value


@by_both
@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=40))
def test_any_octets_are_an_object_or_a_value_error(read: Read, octets: bytes) -> None:
    try:
        value = read(octets)
    except ValueError:
        return
    assert type(value) is dict


@by_both
def test_no_number_that_is_accepted_is_infinite(read: Read) -> None:
    largest = read(b'{"a":1.7976931348623157e308}')["a"]
    assert math.isfinite(largest)


@by_both
@pytest.mark.parametrize(
    "unclosed",
    [b'\\"', b'"', b"\\", b'\\\\"', b'"\\', b'[\\"', b'"["', b'\n\\\n"'],
    ids=range(8),
)
def test_brackets_beside_strings_that_are_never_closed_take_no_longer_than_they_are(
    read: Read, unclosed: bytes
) -> None:
    for size in (15_000, 60_000):
        text = b'{"x":' + b"[" * (MAX_DEPTH + 1) + b'"' + unclosed * (size // len(unclosed))

        def refuse(text: bytes = text) -> None:
            with pytest.raises(ValueError, match="not unambiguous JSON"):
                read(text)

        assert within(0.05, refuse)


@by_both
@settings(deadline=None)
@given(json_objects)
def test_brackets_in_strings_are_no_depth(read: Read, value: Any) -> None:
    brackets = '[{"\\' * MAX_DEPTH
    assert read(json.dumps({**value, brackets: brackets}).encode()) == {**value, brackets: brackets}


def outcome(read: Read, octets: bytes) -> str:
    """What was read, told apart by type as well, or that it was refused."""
    try:
        return repr(read(octets))
    except ValueError as refusal:
        return f"refused: {str(refusal).partition(':')[0]}"


@st.composite
def nearly_json(draw: st.DrawFn) -> bytes:
    """What some issuer writes, changed in a few places."""
    value = draw(json_objects)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]))
    text = bytearray(json.dumps(value, separators=separators, ensure_ascii=draw(st.booleans())).encode())
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 2)))
        text[start:end] = draw(st.sampled_from(SCRAPS))
    return bytes(text)


SCRAPS = [
    *(bytes([octet]) for octet in b'{}[]",:\\u0019deE.-+ \t\n/\x00\x7f\xff\xc3\xa9ntrufalsNI'),
    *(
        b"",
        b'"a":1,',
        b'"a":1e400',
        b"\\ud800",
        b"\\ud83d\\ude00",
        b"\\u00e9",
        b"1e309",
        b"9" * 20,
        b"NaN",
        b'"\\u0061":1,',
    ),
]


@settings(deadline=None, max_examples=300)
@given(nearly_json())
@example(b'{"a":1,"a":1}')
@example(b'{"a" :1,"a":1}')
@example(b'{"a":1,"\\u0061":1}')
@example(b'{"a":{"b":[{"c":0,"c":0}]}}')
@example(b'{"a":1e309}')
@example(b'{"a":-1' + b"0" * 309 + b".0}")
def test_both_readers_decide_alike(octets: bytes) -> None:
    assert outcome(json_object, octets) == outcome(plain["json_object"], octets)


@settings(deadline=None, max_examples=400)
@given(st.from_regex(rb"-?[0-9]{0,25}(\.[0-9]{0,20})?([eE][-+]?[0-9]{0,4})?", fullmatch=True))
@example(b"-0")
@example(b"-0.0")
@example(b"1e16")
@example(b"1E16")
@example(b"1e+16")
@example(b"5e-324")
@example(b"2.2250738585072011e-308")
@example(b"1.7976931348623158e308")
@example(b"1.7976931348623159e308")
@example(b"9007199254740993")
@example(b"9007199254740993.0")
@example(b"9223372036854775808")
@example(b"18446744073709551615")
@example(b"18446744073709551616")
@example(b"-9223372036854775809")
def test_both_readers_take_the_same_numbers_for_the_same(number: bytes) -> None:
    octets = b'{"a":' + number + b"}"
    assert outcome(json_object, octets) == outcome(plain["json_object"], octets)


class Lying:
    """A decoder that reads something else than what is there, or raises what no decoder should."""

    answer: Any = {"a": 1}

    def __init__(self, **_: Any) -> None:
        pass

    def decode(self, _: bytes) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Writing:
    def encode(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.parametrize("answer", [{"a": 1}, [], None, {"a": {1}}, KeyError("truncated"), RecursionError()])
def test_no_reader_that_errs_changes_what_is_decided(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec.json", SimpleNamespace(Decoder=Lying, Encoder=Writing))
    monkeypatch.setattr(Lying, "answer", answer)
    read = runpy.run_path(_strict.__file__)["json_object"]
    for octets in (b"{}", b'{"a":1}', b'{"a":1,"a":1}', b'{"a":2}', b'{"a":1', b"[]", b"", b"null", b'{"a":1e400}'):
        assert outcome(read, octets) == outcome(plain["json_object"], octets)


@by_both
def test_no_number_takes_much_longer_than_others(read: Read) -> None:
    text = b'{"a":[' + b",".join([b"9e307"] * 20_000) + b"]}"
    assert within(0.15, lambda: read(text))
