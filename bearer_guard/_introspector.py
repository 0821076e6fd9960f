"""One question to an introspection endpoint, and what its answer must be like (RFC 7662 §2).

What is asked and how the answer is read; whether the token it speaks of is acceptable, and for how long the answer
counts, is decided in `_introspection`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from ._client_auth import ClientAuthentication
from ._errors import AuthorityUnavailable
from ._flow import ExchangeFailed, Flow, Request, Response, Send, Transport
from ._freshness import retry_after
from ._signed_answer import MEDIA_TYPE, SignedAnswer
from ._strict import json_object

LONGEST_WAIT: Final = 30.0
"""Seconds: what a refused client is told to wait at most, whatever the endpoint's Retry-After says."""


class Introspector:
    """Asks `endpoint`, as the client that `authentication` proves; `signed` reads answers that must be signed."""

    def __init__(
        self,
        endpoint: str,
        transport: Transport,
        authentication: ClientAuthentication,
        signed: SignedAnswer | None,
    ) -> None:
        self.endpoint = endpoint
        self.signed = signed
        self.trouble: str | None = None
        self._transport = transport
        self._authentication = authentication

    def ask(self, token: str, now: float, deadline: float) -> Flow[Mapping[str, Any]]:
        """The members of the answer about `token`. Raises AuthorityUnavailable for whatever is not one.

        The token is in the body and never in the URL. `deadline` is real time, as `time.monotonic` counts it.
        """
        try:
            form = {"token": token, "token_type_hint": "access_token"}
            presented = yield from self._authentication.present(form, now)
            request = Request(
                method="POST",
                url=self.endpoint,
                headers={
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": MEDIA_TYPE if self.signed else "application/json",
                    **presented.headers,
                },
                body=urlencode(presented.form).encode("ascii"),
                timeout=max(0.001, deadline - time.monotonic()),
            )
            response: Response = yield Send(request, self._transport)
            members = yield from self._members(response, now)
        except (ExchangeFailed, ValueError) as failure:
            raise self._unavailable(str(failure), 1.0) from failure
        except AuthorityUnavailable as failure:
            raise self._unavailable(failure.detail, failure.retry_after) from failure
        self.trouble = None
        return members

    def _members(self, response: Response, now: float) -> Flow[Mapping[str, Any]]:
        if response.status != 200:
            wait = min(max(1.0, retry_after(response.headers, datetime.now(UTC))), LONGEST_WAIT)
            raise AuthorityUnavailable(f"status {response.status}", retry_after=wait)
        if self.signed is not None:
            return (yield from self.signed.members(response, now))
        return json_object(response.body)

    def _unavailable(self, problem: str, wait: float) -> AuthorityUnavailable:
        self.trouble = problem
        return AuthorityUnavailable(f"introspection at {self.endpoint}: {problem}", retry_after=wait)
