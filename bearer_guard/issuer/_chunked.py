"""A body in chunks, without a length ahead (RFC 9112 §7.1), read in bounded memory."""

from __future__ import annotations

import re
from typing import BinaryIO, Final

from ._messages import MAX_BODY
from ._mount import MAX_DRAINED

_LINE: Final = 1024
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
_TRAILERS: Final = 64


def read_chunked(file: BinaryIO) -> bytes:
    """The content, of which what is above the bound is thrown away as it comes; nothing of one that is malformed."""
    body = bytearray()
    left = MAX_DRAINED
    while left > 0:
        size = _SIZE.fullmatch(file.readline(_LINE))
        if size is None:
            return b""
        length = int(size[1], 16)
        if length == 0:
            break
        if not _read(file, min(length, left), body) or (length <= left and file.readline(3) not in (b"\r\n", b"\n")):
            return b""
        left -= length
    else:
        return bytes(body)
    for _ in range(_TRAILERS):
        if file.readline(_LINE) in (b"\r\n", b"\n", b""):
            break
    return bytes(body)


def _read(file: BinaryIO, length: int, body: bytearray) -> bool:
    while length > 0:
        piece = file.read(min(length, MAX_BODY))
        if not piece:
            return False
        length -= len(piece)
        body += piece[: MAX_BODY + 1 - len(body)]
    return True
