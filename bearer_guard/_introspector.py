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
from ._trouble import Failure

_OF_ITSELF: Final = frozenset({401, 404, 405, 407, 408, 425, 429, 502, 503, 504})
"""Statuses by which an endpoint speaks of itself or of its client: no token makes it say so."""
_OF_THE_CLIENT: Final = frozenset({"invalid_client", "unauthorized_client"})  # RFC 6749 §5.2, with 400 as well


class Unanswered(Exception):
    """A question that brought no answer which may be used; `failure` says why, and whose trouble it may be."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.problem)
        self.failure = failure


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
            return (yield from self._members(response, now, deadline))
        except ExchangeFailed as failure:
            raise Unanswered(Failure(str(failure))) from failure
        except AuthorityUnavailable as failure:  # what it tells to wait is not what this endpoint asks for
            raise Unanswered(Failure(failure.detail)) from failure
        except ValueError as failure:
            raise Unanswered(Failure(str(failure), of_token=True)) from failure

    def _members(self, response: Response, now: float, deadline: float) -> Flow[Mapping[str, Any]]:
        status = response.status
        if status != 200:
            of_token = status not in _OF_ITSELF and words_of(response.body, ())[0] not in _OF_THE_CLIENT
            wait = retry_after(response.headers, datetime.now(UTC))
            raise Unanswered(Failure(f"status {status}", wait, of_token))
        if self.signed is not None:
            return (yield from self.signed.members(response, now, deadline))
        return json_object(response.body)
