"""Every way a request or a configuration can fail, ordered by whose fault it is.

    BearerGuardError
    ├─ AccessDenied              the client's fault: 400, 401 or 403 with a challenge (RFC 6750 §3)
    │  ├─ MissingToken           401 without an error code (RFC 6750 §3.1)
    │  ├─ InvalidRequest         400 invalid_request
    │  ├─ InvalidToken           401 invalid_token
    │  │  ├─ MalformedToken  UntrustedIssuer  UnknownKey  BadSignature
    │  │  ├─ ExpiredToken  TokenNotYetValid  InvalidClaim
    │  │  └─ InactiveToken
    │  └─ InsufficientScope      403 insufficient_scope
    ├─ AuthorityUnavailable      the identity provider's fault: 503, the token may be perfectly good
    ├─ ConfigurationError        the developer's fault, raised while constructing
    └─ UnguardedRoute            a decorated handler that no guard reaches: 500, never open

The wire carries `description`, one fixed sentence an error class; the log carries `reason` and `detail`. Neither ever
holds a value copied from the token: `detail` is written from configured values only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Literal, get_args

Reason = Literal[
    "missing_token",
    "unsupported_scheme",
    "malformed_credentials",
    "repeated_credentials",
    "token_too_long",
    "malformed_token",
    "algorithm_not_allowed",
    "type_not_allowed",
    "untrusted_issuer",
    "unknown_key",
    "bad_signature",
    "expired",
    "not_yet_valid",
    "invalid_claim",
    "inactive",
    "invalid_token",
    "insufficient_scope",
    "authority_unavailable",
]
"""Why a request was refused: a closed set, fit for a log field, a metrics label and a test."""

# scope-token = 1*( %x21 / %x23-5B / %x5D-7E )                      RFC 6749 §3.3
SCOPE_TOKEN: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")

REASONS: frozenset[str] = frozenset(get_args(Reason))

_INVALID = "The access token is invalid."
_NOT_FOR_THIS_API = "The access token is not valid for this API."


class BearerGuardError(Exception):
    """The root of every exception that this package raises."""


class Refused(BearerGuardError):
    """What an answered request and its log line are made of; the base of the two kinds of refusal."""

    status: ClassVar[int]
    error: ClassVar[str | None]
    description: ClassVar[str]
    reason: Reason
    # Set on the class too, for a subclass whose __init__ does not call this one.
    detail: str = ""
    reported: bool = False

    def __init__(self, detail: str = "", *, reason: Reason | None = None) -> None:
        self.detail = detail  # `args` holds it as well: BaseException.__new__ has seen to that
        if reason is not None:
            self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class AccessDenied(Refused):
    """The client's fault: the request is answered with `status` and a `WWW-Authenticate` challenge.

    `status` is 400, 401 or 403; `error` the code of RFC 6750 §3.1 or None; `reason` one of a closed set for logs and
    metrics; `description` the sentence that the wire carries. `detail` is for the log alone and must be written from
    configured values, never from the token. Raise one of the subclasses: this one by itself answers as InvalidToken.
    """

    status = 401
    error: ClassVar[str | None] = "invalid_token"
    description = _INVALID
    reason: Reason = "invalid_token"


class MissingToken(AccessDenied):
    """No bearer token was presented: 401 with a challenge that has no error code (RFC 6750 §3.1)."""

    status = 401
    error: ClassVar[str | None] = None
    description = "This resource requires an access token."
    reason: Reason = "missing_token"


class InvalidRequest(AccessDenied):
    """The credentials are malformed, repeated or over-long: 400 `invalid_request` (RFC 6750 §3.1)."""

    status = 400
    error: ClassVar[str | None] = "invalid_request"
    description = "The Authorization header field is malformed or repeated."
    reason: Reason = "malformed_credentials"


class InvalidToken(AccessDenied):
    """A token was presented and is not acceptable: 401 `invalid_token` (RFC 6750 §3.1, RFC 9068 §4)."""


class MalformedToken(InvalidToken):
    """Not a compact JWS of JSON objects in its one canonical spelling (RFC 7515 §7.1, RFC 7519 §7.2)."""

    reason: Reason = "malformed_token"


class UntrustedIssuer(InvalidToken):
    """`iss` is not exactly the configured issuer (RFC 9068 §4)."""

    reason: Reason = "untrusted_issuer"


class UnknownKey(InvalidToken):
    """The issuer's current keys hold none that the token could be signed with."""

    reason: Reason = "unknown_key"


class BadSignature(InvalidToken):
    """No key that fits the token's header verifies its signature (RFC 7515 §5.2)."""

    reason: Reason = "bad_signature"


class ExpiredToken(InvalidToken):
    """`exp` has passed, or `iat` is further back than `max_token_age` allows (RFC 7519 §4.1.4)."""

    description = "The access token expired."
    reason: Reason = "expired"


class TokenNotYetValid(InvalidToken):
    """`nbf` or `iat` lies in the future beyond the leeway (RFC 7519 §4.1.5, §4.1.6)."""

    description = "The access token is not valid yet."
    reason: Reason = "not_yet_valid"


class InvalidClaim(InvalidToken):
    """The claim named `claim` is absent, of the wrong type or of a value that this API does not accept.

    `claim` is a name that the configuration or a specification knows, never one read from the token.
    """

    description = _NOT_FOR_THIS_API
    reason: Reason = "invalid_claim"

    def __init__(self, claim: str, detail: str = "", *, reason: Reason | None = None) -> None:
        super().__init__(detail or f"claim {claim!r} is not acceptable", reason=reason)
        self.claim = claim
        self.args: tuple[Any, ...] = (claim, self.detail)


class InactiveToken(InvalidToken):
    """The authorization server, or one's own store, says that the token is not active (RFC 7662 §2.2)."""

    description = "The access token is not active."
    reason: Reason = "inactive"


class InsufficientScope(AccessDenied):
    """A valid token without a scope that the route requires: 403 `insufficient_scope` (RFC 6750 §3.1).

    `required` are the scopes to ask for, all of them at once; the challenge names them in `scope`. A name
    outside the grammar of RFC 6749 §3.3 is left out: no token could have it. Raises TypeError for one string.
    """

    status = 403
    error: ClassVar[str | None] = "insufficient_scope"
    description = "The access token lacks a scope that this resource requires."
    reason: Reason = "insufficient_scope"

    def __init__(self, required: Iterable[str], detail: str = "") -> None:
        if isinstance(required, str):
            raise TypeError("required must be an iterable of scope names, not one string: use text.split(' ')")
        named = tuple(name for name in required if SCOPE_TOKEN.fullmatch(name))
        super().__init__(detail or f"required scope: {' '.join(named)}")
        self.required = named
        self.args: tuple[Any, ...] = (named, self.detail)


class AuthorityUnavailable(Refused):
    """The identity provider cannot be asked: 503 with `Retry-After`, no challenge; the token may be perfectly good.

    `retry_after` is in seconds.
    """

    status = 503
    error: ClassVar[str | None] = "temporarily_unavailable"
    description = "The access token cannot be checked at the moment."
    reason: Reason = "authority_unavailable"

    def __init__(self, detail: str = "", *, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class ConfigurationError(BearerGuardError, ValueError):
    """The developer's fault: raised while constructing, never while serving; `problems` has one sentence each."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(self.problems)


class UnguardedRoute(BearerGuardError):
    """A handler decorated with `requires` that no guard reaches: a 500 that names the fix, never an open route."""


def raise_problems(owner: str, problems: Iterable[str]) -> None:
    """Raise one ConfigurationError that carries every problem found in constructing `owner`, or return."""
    found = [f"{owner}: {problem}" for problem in problems]
    if found:
        raise ConfigurationError(*found)


def duration_problems(durations: Mapping[str, object], *, zero: bool = False) -> list[str]:
    """What is wrong with these durations, each a name and a number of seconds."""
    problems: list[str] = []
    for name, seconds in durations.items():
        positive = not zero and name in ("max_age", "timeout")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < float("inf"):
            problems.append(f"{name} must be a number of seconds, not negative")
        elif positive and seconds == 0:
            problems.append(f"{name} must be greater than 0 seconds")
    return problems
