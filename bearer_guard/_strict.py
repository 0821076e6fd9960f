"""Strict decoding of what a token is made of: canonical base64url and unambiguous JSON (RFC 7515 §2, RFC 8259).

One value has one spelling here: no padding, no other alphabet, no unused bits set; UTF-8 without a byte order mark, no
member twice, no number that is not one, no lone surrogate, a bounded depth. Everything else is a ValueError.
"""

from __future__ import annotations

import json
import math
import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any, Final, cast

MAX_DEPTH: Final = 64
"""Levels of arrays and objects in one JSON text."""

_URL: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # RFC 4648 §5
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
# What strict decoders take for base64 though it is outside the URL alphabet. To look for a number takes a tenth of the
# time that a string of one octet takes.
_PLUS, _SLASH, _PAD, _MINUS, _UNDERSCORE = b"+/=-_"
_SPACE, _BACKSLASH = b" \\"
# A string, or the rest of the text from a quotation mark that is never closed: so that no octet is looked at twice.
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS: Final = bytes(octet for octet in range(256) if octet not in b"[]{}")
_PADDING: Final = (b"", b"", b"==", b"=")
# The last character of a partial quantum carries 4 or 2 unused bits, which must be zero.             RFC 4648 §3.5
_LAST: Final = (frozenset(_URL), frozenset[int](), frozenset(_URL[::16]), frozenset(_URL[::4]))


def _by_standard_library(text: bytes, _alphabet: bytes, _strictly: bool) -> bytes:
    if _MINUS in text or _UNDERSCORE in text:  # rarely in a payload: JSON in ASCII hardly ever comes to them
        text = text.translate(_TO_STANDARD)
    return a2b_base64(text, strict_mode=True)


_decode_base64: Callable[[bytes, bytes, bool], bytes]
try:
    from pybase64 import b64decode as _decode_base64  # the extra "speed": SIMD
except ImportError:
    _decode_base64 = _by_standard_library

_read: Callable[[bytes], Any] | None = None
_write: Callable[[Any], bytes]
try:
    from msgspec.json import Decoder, Encoder  # the extra "speed" as well
except ImportError:
    pass
else:
    # Of some numbers, such as 9e307, its own reading takes twenty times as long as float.
    _read, _write = Decoder(float_hook=float).decode, Encoder().encode


def b64url_decode(text: bytes) -> bytes:
    """The octets that `text` spells in canonical unpadded base64url. Raises ValueError for any other spelling."""
    if _PLUS in text or _SLASH in text or _PAD in text:
        raise ValueError("not base64url")
    partial = len(text) & 3
    if partial:
        if text[-1] not in _LAST[partial]:
            raise ValueError("not canonical base64url")
        text += _PADDING[partial]
    try:
        return _decode_base64(text, b"-_", True)
    except Error:
        raise ValueError("not base64url") from None


def b64url_encode(octets: bytes) -> bytes:
    """`octets` in unpadded base64url."""
    return b2a_base64(octets, newline=False).rstrip(b"=").translate(_TO_URL)


def json_object(octets: bytes) -> dict[str, Any]:
    """The JSON object that `octets` spell. Raises ValueError for anything ambiguous or not an object."""
    # A level takes two octets. To take an octet out of such a text takes a third of the time that counting it takes.
    if len(octets) > 2 * MAX_DEPTH and len(octets) - len(octets.replace(b"[", b"").replace(b"{", b"")) > MAX_DEPTH:
        _check_depth(octets)
    # Most issuers write no space and no backslash that could be left out. Where one is seen at once, after the name of
    # the first claim or anywhere, this would be in vain.
    if _read is not None and _SPACE not in octets[:10] and _BACKSLASH not in octets:
        try:
            value = _read(octets)
            # Written again, such an object is the octets that it was read from. Then reading has lost and changed
            # nothing: no member was there twice, no number out of range. All else is for the slower reader to judge.
            if _write(value) == octets and type(value) is dict:
                return value
        except Exception:  # noqa: S110 - whatever it is, and in some releases it is no ValueError
            pass
    value = _by_json(octets)
    if type(value) is not dict:
        raise ValueError("not a JSON object")
    return value


def _by_json(octets: bytes) -> Any:
    try:
        text = octets.decode("utf-8")
        value, end = _scan(text, 0) if text[:1] == "{" else (None, -1)
        if end != len(text):  # white space around it, or no object
            value = _decoder.decode(text)
        if "\\" in text and "\\u" in text:  # the longer needle takes twenty times as long to be missed
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError, StopIteration):
        raise ValueError("not unambiguous JSON in UTF-8") from None
    return value


def _check_depth(octets: bytes) -> None:
    depth = 0
    for bracket in _STRING.sub(b"", octets).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError("not unambiguous JSON: nested too deeply")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name is repeated")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number out of range")
    return number


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_refuse_constant)
_scan: Final = cast("Any", _decoder).scan_once
