"""How a token endpoint speaks: a value, so that another provider's manner is another value and no other code.

`STANDARD` is RFC 6749 with its form body and HTTP Basic; `JSON_BODY` the manner of APIs that take a JSON object with
the client's credentials in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

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
    the bound, and `words` make the body of a refusal.
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


STANDARD: Final = Dialect()
JSON_BODY: Final = Dialect(path="/v1/oauth/token", body="json", basic=None, private_key_jwt=False)
