"""What a token endpoint says when it grants nothing: its own code and words, in any shape (RFC 6749 §5.2).

Providers' shapes differ: `error` with `error_description`, `errorDescription` or `message`, or an object of strings
with other names. What is taken over is cut, kept printable, and never repeats what the client authenticated with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ._errors import BearerGuardError
from ._strict import json_object

_LONGEST: Final = 300
_TELLING: Final = 8
"""So many characters of a secret in a row give it away; fewer may be a word."""
_CODES: Final = ("error", "code")
_DESCRIPTIONS: Final = ("error_description", "errorDescription", "message", "detail")
_TEMPORARY: Final = frozenset({408, 425, 429})


class TokenRequestFailed(BearerGuardError):
    """The token endpoint answered, and not with a token that may be used.

    `status` is the answer's; `error` and `description` are the provider's own code and words, None where it gave none;
    `retry_after` is in how many seconds the client asks again. An endpoint that cannot be reached, or answers 5XX
    without a word, is AuthorityUnavailable instead. The message is safe to log: no secret is repeated in it.
    """

    def __init__(
        self,
        detail: str,
        status: int,
        error: str | None = None,
        description: str | None = None,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(detail, status, error, description, retry_after)
        self.detail = detail
        self.status = status
        self.error = error
        self.description = description
        self.retry_after = retry_after

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later: 5XX, 408, 425 and 429, and nothing that names the client."""
        return self.status >= 500 or self.status in _TEMPORARY

    def __str__(self) -> str:
        words = ": ".join(word for word in (self.error, self.description) if word)
        return f"{self.detail}, {words}" if words else self.detail


def words_of(body: bytes, hidden: Iterable[str]) -> tuple[str | None, str | None]:
    """The code and the description in the body of a refusal, without anything `hidden`; None for what is not there."""
    try:
        members = json_object(body)
    except ValueError:
        return None, None
    error, description = _first(members, _CODES), _first(members, _DESCRIPTIONS)
    if error is None and description is None:
        named = (f"{name}: {value}" for name, value in members.items() if isinstance(value, str) and value)
        description = "; ".join(named) or None
    hidden = sorted(filter(None, hidden), key=len, reverse=True)
    return _safe(error, hidden), _safe(description, hidden)


def _first(members: Mapping[str, Any], names: Iterable[str]) -> str | None:
    return next((value for name in names if isinstance(value := members.get(name), str) and value), None)


def _holds_a_part(text: str, secret: str) -> bool:
    text, secret = text.lower(), secret.lower()
    return any(secret[at : at + _TELLING] in text for at in range(len(secret) - _TELLING + 1))


def _safe(text: str | None, hidden: Iterable[str]) -> str | None:
    if text is None:
        return None
    for secret in hidden:
        text = text.replace(secret, "[hidden]")
    if any(_holds_a_part(text, secret) for secret in hidden):  # in another spelling, or cut
        return "[hidden]"
    return "".join(character if character.isprintable() else " " for character in text[:_LONGEST])
