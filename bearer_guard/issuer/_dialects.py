"""How a token endpoint speaks: a value, so that another provider's manner is another value and no other code.

`STANDARD` is RFC 6749 with its form body and HTTP Basic; `JSON_BODY` the manner of APIs that take a JSON object with
the client's credentials in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal


class TokenRequestRefused(Exception):
    """A token request that gets no token: `code` is one of RFC 6749 §5.2 (or RFC 8707 §2), the sentence is fixed."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description


def oauth_error_members(refused: TokenRequestRefused) -> Mapping[str, Any]:
    """The members of RFC 6749 §5.2."""
    return {"error": refused.code, "error_description": refused.description}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One token endpoint: where it is, what it reads and how it answers.

    `path` is relative to the issuer's URL. `body` is the form of RFC 6749 or a JSON object with the same members.
    `basic` says whether credentials may come by HTTP Basic; in the body they always may. `statuses` holds the status of
    each error code that is not answered with 400, `error_members` makes the body of a refusal.
    """

    path: str = "/oauth2/token"
    body: Literal["form", "json"] = "form"
    basic: bool = True
    token_type: str = "Bearer"
    statuses: Mapping[str, int] = field(default_factory=lambda: {"invalid_client": 401})
    error_members: Callable[[TokenRequestRefused], Mapping[str, Any]] = oauth_error_members

    @property
    def content_type(self) -> str:
        """The media type that a request's body must have."""
        return "application/json" if self.body == "json" else "application/x-www-form-urlencoded"

    @property
    def authentication_methods(self) -> list[str]:
        """The `token_endpoint_auth_methods_supported` of RFC 8414 §2 that come nearest."""
        return ["client_secret_basic", "client_secret_post"] if self.basic else ["client_secret_post"]


STANDARD: Final = Dialect()
JSON_BODY: Final = Dialect(path="/v1/oauth/token", body="json", basic=False)
