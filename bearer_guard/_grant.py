"""One request for a token by the client credentials grant, and what may be used of the answer (RFC 6749 §4.4, §5.1).

The token stays opaque: nothing in it is read (RFC 9068 §6). One that could not be sent as it is, or is not a bearer
token, is refused here, so that it never gets near a header field.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlencode

from ._client_auth import TOKEN68, ClientAuthentication, Presented
from ._credentials import MAX_TOKEN_LENGTH
from ._errors import AuthorityUnavailable
from ._flow import ExchangeFailed, Flow, Request, Response, Send, Transport
from ._freshness import retry_after
from ._refused_grant import TokenRequestFailed, words_of
from ._strict import json_object

Body = Literal["form", "json"]

LONGEST_LIFETIME: Final = 2**31 - 1
"""Seconds: what servers say that mean "for ever". A larger number is no lifetime that anybody meant."""

_DIGITS: Final = re.compile(r"[0-9]{1,10}")


class Granted(NamedTuple):
    """A token, and for how many seconds from the request it is good; None where the server did not say."""

    token: str
    lifetime: float | None

    def __repr__(self) -> str:
        return f"Granted(lifetime={self.lifetime!r})"


class Grant:
    """The request that one client makes for one scope and one set of resources (RFC 8707), again and again."""

    def __init__(
        self,
        endpoint: str,
        transport: Transport,
        authentication: ClientAuthentication,
        *,
        body: Body,
        parameters: Mapping[str, str],
        resources: Sequence[str],
        wall_clock: Callable[[], float],
    ) -> None:
        self.endpoint = endpoint
        self._transport = transport
        self._authentication = authentication
        self._body = body
        self._parameters = {"grant_type": "client_credentials", **parameters}
        self._resources = resources
        self._wall_clock = wall_clock

    def ask(self, deadline: float) -> Flow[Granted]:
        """A token. Raises TokenRequestFailed, or AuthorityUnavailable when there is no answer to go by.

        `deadline` is real time, as `time.monotonic` counts it.
        """
        presented = yield from self._authentication.present(self._parameters, self._wall_clock(), deadline)
        content_type, body = self._encoded(presented.form)
        request = Request(
            method="POST",
            url=self.endpoint,
            headers={"Content-Type": content_type, "Accept": "application/json", **presented.headers},
            body=body,
            timeout=max(0.001, deadline - time.monotonic()),
        )
        try:
            response: Response = yield Send(request, self._transport)
        except ExchangeFailed as failure:
            raise AuthorityUnavailable(f"token endpoint {self.endpoint}: {failure}") from failure
        if response.status not in (200, 201):
            raise self._refusal(response, presented)
        try:
            return _granted(json_object(response.body))
        except ValueError as error:
            raise self._failed(response, str(error)) from None

    def _encoded(self, form: Mapping[str, str]) -> tuple[str, bytes]:
        if self._body == "json":
            members: dict[str, Any] = dict(form)
            if self._resources:
                members["resource"] = self._resources[0] if len(self._resources) == 1 else list(self._resources)
            return "application/json", json.dumps(members).encode("ascii")
        pairs = [*form.items(), *(("resource", resource) for resource in self._resources)]
        return "application/x-www-form-urlencoded", urlencode(pairs).encode("ascii")

    def _refusal(self, response: Response, presented: Presented) -> TokenRequestFailed | AuthorityUnavailable:
        if 300 <= response.status < 400:
            return self._failed(response, "redirects are not followed: configure the URL that it leads to")
        wait = retry_after(response.headers)
        error, description = words_of(response.body, presented.hidden)
        if response.status >= 500 and error is None and description is None:
            return AuthorityUnavailable(f"token endpoint {self.endpoint}: status {response.status}", retry_after=wait)
        detail = f"token endpoint {self.endpoint}: status {response.status}"
        return TokenRequestFailed(detail, response.status, error, description, wait)

    def _failed(self, response: Response, problem: str) -> TokenRequestFailed:
        return TokenRequestFailed(
            f"token endpoint {self.endpoint}: status {response.status}, {problem}", response.status
        )


def _granted(members: Mapping[str, Any]) -> Granted:
    """What an answer grants. Raises ValueError for one that must not be used, in words that hold nothing of it."""
    token, token_type = members.get("access_token"), members.get("token_type")
    if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH or not TOKEN68.fullmatch(token):
        raise ValueError("access_token is absent or could not be sent as a bearer token (RFC 9110 §11.2)")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise ValueError("token_type is not bearer (RFC 6749 §7.1)")
    return Granted(token, _lifetime(members.get("expires_in")))


def _lifetime(seconds: object) -> float | None:
    # A number by RFC 6749 §5.1; some servers send its digits as a string, which can be read in one way only.
    if seconds is None:
        return None
    if isinstance(seconds, str) and _DIGITS.fullmatch(seconds):
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_LIFETIME:
        raise ValueError("expires_in is not a number of seconds greater than 0")
    return float(seconds)
