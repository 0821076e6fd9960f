"""How a token endpoint speaks: a value, so that another provider's manner is another value and no other code.

`STANDARD` is RFC 6749 with its form body and HTTP Basic; `JSON_BODY` the manner of APIs that take a JSON object with
the client's credentials in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Literal, cast

from .._errors import raise_problems
from ..dialects import Words, oauth_words
from ._grant import Grant, JWTFormat, OpaqueFormat


class TokenRequestRefused(Exception):
    """A request that gets no token: `code` is one of RFC 6749 §5.2 (or RFC 8707 §2), the sentence is fixed.

    `status` overrides what the dialect has for the code; `retry_after` is in seconds.
    """

    def __init__(
        self, code: str, description: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.status = status
        self.retry_after = retry_after


def granted_members(grant: Grant) -> Mapping[str, Any]:
    """What RFC 6749 §5.1 answers beside the token and its type: `expires_in`, and `scope` if there is any."""
    members: dict[str, Any] = {"expires_in": grant.lifetime}
    return {**members, "scope": grant.scope} if grant.scope else members


def lifetime_alone(grant: Grant) -> Mapping[str, Any]:
    """`expires_in` and nothing more, for providers that never answer with the scope."""
    return {"expires_in": grant.lifetime}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One token endpoint: where it is, what it reads, what it issues and how it answers.

    `path` is relative to the issuer's URL. `body` is the form of RFC 6749 or a JSON object with the same members.
    `basic` says how the halves of HTTP Basic are spelled: `"encoded"` as RFC 6749 §2.3.1 wants, `"raw"` as they are,
    None where credentials never come that way; `in_body` whether they may be in the body, `private_key_jwt` whether a
    signed assertion is taken (RFC 7523). `required` are parameters whose absence is `invalid_request` before anything
    else is looked at.

    `token` is the kind of token; `members` makes what the answer holds beside `access_token` and `token_type`.
    `statuses` holds the status of each error code that is not answered with 400, `too_large` the status of a body above
    the bound, and `words` make the body of a refusal. Raises ConfigurationError with every mistake at once.
    """

    path: str = "/oauth2/token"
    body: Literal["form", "json"] = "form"
    basic: Literal["encoded", "raw"] | None = "encoded"
    in_body: bool = True
    private_key_jwt: bool = True
    required: tuple[str, ...] = ("grant_type",)
    token: JWTFormat | OpaqueFormat = field(default_factory=JWTFormat)
    token_type: str = "Bearer"
    members: Callable[[Grant], Mapping[str, Any]] = granted_members
    statuses: Mapping[str, int] = field(default_factory=lambda: {"invalid_client": 401})
    too_large: int = 413
    words: Words = oauth_words

    def __post_init__(self) -> None:
        raise_problems("Dialect", _problems(self))

    @property
    def content_type(self) -> str:
        """The media type that a request's body must have."""
        return "application/json" if self.body == "json" else "application/x-www-form-urlencoded"

    @property
    def authentication_methods(self) -> list[str]:
        """The `token_endpoint_auth_methods_supported` of RFC 8414 §2 that come nearest."""
        offered = {
            "client_secret_basic": self.basic is not None,
            "client_secret_post": self.in_body,
            "private_key_jwt": self.private_key_jwt,
        }
        return [method for method, there in offered.items() if there]

    @property
    def challenge(self) -> str:
        """What a 401 carries in `WWW-Authenticate`: RFC 6749 §5.2 for Basic, RFC 9110 §15.5.2 for every other 401.

        No registered scheme stands for credentials in a body; a scheme of its own is what a browser leaves alone.
        """
        return 'Basic realm="token", charset="UTF-8"' if self.basic else 'Client-Secret-Post realm="token"'


def _problems(dialect: Dialect) -> Iterable[str]:
    if not isinstance(dialect.path, str) or not dialect.path.startswith("/"):
        yield "path must be a string that begins with /"
    if dialect.body not in ("form", "json"):
        yield "body must be 'form' or 'json'"
    if dialect.basic not in ("encoded", "raw", None):
        yield "basic must be 'encoded', 'raw' or None"
    if not (dialect.basic or dialect.in_body or dialect.private_key_jwt):
        yield "no client could authenticate: allow basic, in_body or private_key_jwt"
    if isinstance(dialect.required, str) or not all(isinstance(name, str) for name in dialect.required):
        yield "required must be a tuple of parameter names"
    if not isinstance(dialect.token, JWTFormat | OpaqueFormat):
        yield "token must be a JWTFormat or an OpaqueFormat"
    if not isinstance(dialect.token_type, str) or not dialect.token_type:
        yield "token_type must be a string, such as 'Bearer'"
    if not callable(dialect.members) or not callable(dialect.words):
        yield "members and words must be callables"
    if not all(_refuses(status) for status in (*dialect.statuses.values(), dialect.too_large)):
        yield "statuses and too_large must be HTTP statuses of refusals, 400 to 599"


def _refuses(status: object) -> bool:
    return type(status) in (int, HTTPStatus) and 400 <= cast("int", status) <= 599


STANDARD: Final = Dialect()
JSON_BODY: Final = Dialect(path="/v1/oauth/token", body="json", basic=None, private_key_jwt=False)
