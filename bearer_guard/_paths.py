"""Which paths a middleware leaves open: a list of exact paths and of `/*` subtrees, closed for every doubtful spelling.

The path is the one that the router sees (RFC 3986 §3.3, decoded once, less the mount point). Whatever another decoder,
a proxy or a file system could read as a different path is never public: dot segments, empty segments, backslashes,
what is still percent-encoded after decoding, encoded separators, bytes that are not UTF-8 (RFC 3986 §6.2.2, §7.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import unquote_to_bytes

# Two dots anywhere, not as a segment only: "..;" and ".. " are parents to some servers. U+FFFD and lone surrogates
# are what decoders make of bytes that are not UTF-8.
_DOUBTFUL = re.compile(r"\.\.|//|[\\%\ufffd\ud800-\udfff\x00-\x1f\x7f-\x9f]|/\.(?:/|\Z)")
# absolute-form = scheme "://" authority path ...                                              RFC 9112 §3.2.2
_AUTHORITY = re.compile(r"\A[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*")
_ENCODED_SEPARATOR = re.compile(r"%(?:2f|5c|2e)", re.IGNORECASE)


class PublicPaths:
    """The paths that need no token. `"/health"` is exactly that path, `"/docs/*"` is `/docs` and everything below it.

    Checked: the path, and that the request target which the server received (`raw`) spells the same path without
    encoded separators. Not checked: the method, the host, any header field. Raises ConfigurationError by the caller:
    see `path_problems`.
    """

    __slots__ = ("_exact", "_trees", "any")

    def __init__(self, patterns: Iterable[str]) -> None:
        exact: set[str] = set()
        trees: list[str] = []
        for pattern in patterns:
            base = pattern.removesuffix("/*")
            exact.add(base or "/")
            if base != pattern:
                trees.append(base + "/")
        self._exact = frozenset(exact)
        self._trees = tuple(trees)
        self.any: bool = bool(exact)

    def admit(self, path: str, raw: str | None) -> bool:
        """Whether `path`, as the router sees it, is public; `raw` is the request target where the server tells it."""
        if not self.any:
            return False
        routed = path or "/"  # an application mounted at /api sees "" for /api, and its router takes that for its root
        if routed not in self._exact and not routed.startswith(self._trees):
            return False
        return not _DOUBTFUL.search(routed) and (raw is None or _spells(raw, path))


def path_problems(patterns: object) -> Iterable[str]:
    """What is wrong with a list of public paths, one sentence that names the fix for each."""
    if isinstance(patterns, str | bytes) or not isinstance(patterns, list | tuple | set | frozenset):
        yield f'public must be a list of paths, such as ["/health"], not {type(patterns).__name__}'
        return
    for pattern in cast("Iterable[Any]", patterns):
        problem = _pattern_problem(pattern)
        if problem:
            yield f"public path {pattern!r} {problem}"


def _pattern_problem(pattern: object) -> str | None:
    if not isinstance(pattern, str):
        return 'must be a string, such as "/health"'
    if not pattern.startswith("/"):
        return 'must start with "/"'
    base = pattern.removesuffix("/*")
    if "*" in base:
        return 'may have "*" only as a final "/*", which stands for everything below'
    if "?" in base or "#" in base:
        return "must be a path alone, without query and fragment"
    if "%" in base:
        return "must be written decoded, as the router sees it, without percent-encoding"
    if _DOUBTFUL.search(pattern.removesuffix("*")):
        return 'must be in its plain form, without "..", "//", "." segments, backslashes and control characters'
    return None


def _spells(raw: str, path: str) -> bool:
    """Whether the request target `raw` is a plain spelling of `path`, authority and mount point in front left aside."""
    target = _AUTHORITY.sub("", raw).partition("?")[0]
    if _ENCODED_SEPARATOR.search(target):
        return False
    # Servers read a target as bytes; some drop leading slashes or resolve dots before the router sees a path.
    spelled = unquote_to_bytes(target.encode("latin-1", "replace")).decode("utf-8", "replace")
    return spelled.endswith(path) and not _DOUBTFUL.search(spelled)
