"""What a guard answers, reduced to the words of the conformance list, with what holds for every answer checked on the way.

`OK` is 200; `BARE` a 401 whose challenge has no error; `IT` a 401 `invalid_token`; `IR` a 400 `invalid_request`; `IS` a
403 `insufficient_scope`; `DOWN` a 503 with `Retry-After` and no challenge.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bearer_guard import (
    AccessDenied,
    AccessToken,
    AuthorityUnavailable,
    Guard,
    IncomingRequest,
    JWTVerifier,
    StaticJWKSet,
    Verifier,
)
from bearer_guard._challenge import parse_challenges

from .tokens import ISSUER, NOW, RESOURCE, jwks

OK, BARE, IT, IR, IS, DOWN = "OK", "BARE", "IT", "IR", "IS", "DOWN"
REALM = "r"

_KINDS = {
    (401, None): BARE,
    (401, "invalid_token"): IT,
    (400, "invalid_request"): IR,
    (403, "insufficient_scope"): IS,
}
# error_description: %x20-21 / %x23-5B / %x5D-7E                                                    RFC 6750 §3
_SAFE = re.compile(r'Bearer [a-z_]+="[\x20\x21\x23-\x5B\x5D-\x7E]*"(, [a-z_]+="[\x20\x21\x23-\x5B\x5D-\x7E]*")*')

presented: list[str] = []
"""Every credential that the running test has presented; `watching` empties it."""


@dataclass(frozen=True)
class Answer:
    kind: str
    status: int
    token: AccessToken | None = None
    error: AccessDenied | AuthorityUnavailable | None = None
    params: dict[str, str] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def wire(self) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        """All that a client sees."""
        return self.status, self.headers, self.body


def verifier(**options: Any) -> JWTVerifier:
    """A verifier of the fixture: one issuer, one resource, the frozen clock, no leeway, the key of `T()`."""
    defaults: dict[str, Any] = {"issuer": ISSUER, "audience": RESOURCE, "leeway": 0, "clock": lambda: NOW}
    if "keys" not in options:
        defaults["keys"] = StaticJWKSet(jwks())
    return JWTVerifier(**{**defaults, **options})


def guard(subject: Verifier | None = None, /, **options: Any) -> Guard:
    """A guard around `subject`, or around `verifier(**options)`."""
    return Guard(subject or verifier(**options), realm=REALM)


def ask(
    guard: Guard,
    token: str | None = None,
    required: Any = None,
    *,
    fields: tuple[tuple[str, str], ...] = (),
    method: str = "GET",
    fetches: bool = False,
) -> Answer:
    """The guard's answer to a request with `token` (and other header fields), in both colours unless it `fetches`."""
    if token is not None:
        fields = (("Authorization", f"Bearer {token}"), *fields)
    presented.extend(value for name, value in fields if name.lower() == "authorization")
    request = IncomingRequest(method, "/r", fields)
    answer = _answer(guard, request, lambda: guard.check(request, required))
    if not fetches:
        other = _answer(guard, request, lambda: _without_waiting(guard.acheck(request, required)))
        assert (other.wire, type(other.error), str(other.error)) == (answer.wire, type(answer.error), str(answer.error))
        assert other.token == answer.token
    return answer


def refused(
    guard: Guard,
    token: str,
    error: type[AccessDenied] | tuple[type[AccessDenied], ...],
    reason: str | None = None,
    **options: Any,
) -> Answer:
    """Assert that `token` is answered with IT because of exactly this class of error (and this reason)."""
    answer = ask(guard, token, **options)
    assert answer.kind == IT, f"{answer.kind}: {answer.error}"
    assert type(answer.error) in (error if isinstance(error, tuple) else (error,)), repr(answer.error)
    if reason is not None:
        assert answer.error.reason == reason  # type: ignore[union-attr]
    return answer


def admitted(guard: Guard, token: str, **options: Any) -> AccessToken:
    """Assert that `token` gets in; what it says."""
    answer = ask(guard, token, **options)
    assert answer.kind == OK, f"{answer.kind}: {answer.error}"
    assert answer.token is not None
    return answer.token


def _answer(guard: Guard, request: IncomingRequest, decide: Any) -> Answer:
    try:
        return Answer(OK, 200, token=decide())
    except (AccessDenied, AuthorityUnavailable) as error:
        refusal = guard.refusal(error, request)
        params = _challenge(refusal.headers) if isinstance(error, AccessDenied) else None
        _check(error, refusal.headers, refusal.body, request.method)
        kind = DOWN if params is None else _KINDS[refusal.status, params.get("error")]
        return Answer(kind, refusal.status, None, error, params, refusal.headers, refusal.body)


def _challenge(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    (value,) = (value for name, value in headers if name == "www-authenticate")
    assert _SAFE.fullmatch(value), value
    (challenge,) = parse_challenges(value)
    assert challenge.params["realm"] == REALM
    return dict(challenge.params)


def _check(error: Any, headers: tuple[tuple[str, str], ...], body: bytes, method: str) -> None:
    named = dict(headers)
    assert len(named) == len(headers), "a field is sent twice"
    assert named["cache-control"] == "no-store"
    assert ("www-authenticate" in named) == (error.status != 503)
    if error.status == 503:
        assert int(named["retry-after"]) >= 1
    if method != "HEAD":
        assert int(named["content-length"]) == len(body)
        content = json.loads(body)
        assert content.pop("error_description") == type(error).description
        assert content == ({"error": error.error} if error.error else {})
    sent = " ".join(named.values()) + body.decode()
    assert not [secret for secret in (ISSUER, RESOURCE, '"k1"', *_telling(presented[-1:])) if secret in sent]


def _telling(credentials: list[str]) -> Iterator[str]:
    """The parts of these that are long enough to be recognised anywhere."""
    for value in credentials:
        scheme, _, token = value.partition(" ")
        yield from (part for part in {value, token or scheme, *token.split(".")} if len(part) >= 8)


def _without_waiting(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise AssertionError("the coroutine suspended, though nothing had to be fetched")


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def watching() -> Iterator[list[str]]:
    """Collect what everybody logs, from DEBUG up; at the end nothing of a token that was presented may be in there."""
    root, kept = logging.getLogger(), _Kept()
    level = root.level
    presented.clear()
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    try:
        yield kept.lines
    finally:
        root.removeHandler(kept)
        root.setLevel(level)
    logged = "\n".join(kept.lines)
    assert not [part for part in set(_telling(presented)) if part in logged], "a token was logged"
    assert "Bearer ey" not in logged
