"""One question to an introspection endpoint, and what its answer must be like (RFC 7662 §2).

What is asked, how the answer is read, and what it means when there is none; whether the token it speaks of is
acceptable, and for how long the answer counts, is decided elsewhere.
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
from ._refused_grant import words_of
from ._signed_answer import MEDIA_TYPE, SignedAnswer
from ._strict import json_object

_OF_THE_CLIENT: Final = frozenset({"invalid_client", "unauthorized_client"})  # RFC 6749 §5.2, with 400 as well
_OF_A_TOKEN: Final = frozenset({400, 403, 422})
"""Statuses by which some endpoints speak of the token, where RFC 7662 §2.2 wants `active` to be false."""


class Unanswered(Exception):
    """A question that brought no answer which may be used; the message is safe to log.

    `retry_after` is for how many seconds the endpoint asks to be left alone; `minds_the_token` says that it was
    reached, knows its client, and dislikes what it was asked about.
    """

    def __init__(self, problem: str, *, retry_after: float = 0.0, minds_the_token: bool = False) -> None:
        super().__init__(problem)
        self.retry_after = retry_after
        self.minds_the_token = minds_the_token


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
        self._transport = transport
        self._authentication = authentication

    def ask(self, token: str, now: float, deadline: float) -> Flow[Mapping[str, Any]]:
        """The members of the answer about `token`. Raises Unanswered for whatever is not one.

        The token is in the body and never in the URL. `deadline` is real time, as `time.monotonic` counts it.
        """
        try:
            form = {"token": token, "token_type_hint": "access_token"}
            presented = yield from self._authentication.present(form, now, deadline)
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
            return (yield from self._members(response, now, deadline))
        except (ExchangeFailed, ValueError) as failure:
            raise Unanswered(str(failure)) from failure
        except AuthorityUnavailable as failure:  # what it tells to wait is not what this endpoint asks for
            raise Unanswered(failure.detail) from failure

    def _members(self, response: Response, now: float, deadline: float) -> Flow[Mapping[str, Any]]:
        status = response.status
        if status != 200:
            minds_the_token = status in _OF_A_TOKEN and words_of(response.body, ())[0] not in _OF_THE_CLIENT
            wait = retry_after(response.headers, datetime.now(UTC)) if status in (429, 503) else 0.0
            raise Unanswered(f"status {status}", retry_after=wait, minds_the_token=minds_the_token)
        if self.signed is not None:
            return (yield from self.signed.members(response, now, deadline))
        return json_object(response.body)
