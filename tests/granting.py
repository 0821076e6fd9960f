"""What tests of token clients stand on: a clock to move, an endpoint that grants, a client of it."""

from __future__ import annotations

import threading
from base64 import b64decode
from typing import Any

from bearer_guard.client import TokenClient
from tests.endpoint import Asked, Endpoint, reply
from tests.loopback import Reply

SECRET = "s3cret/of+the client:é"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Grants:
    """Answers with the tokens t1, t2, ... and these members; with `refusal` instead while there is one."""

    def __init__(self, **members: Any) -> None:
        self.members = members
        self.number = 0
        self.refusal: Reply | None = None
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, asked: Asked) -> Reply:
        self.number += 1
        number = self.number
        assert self.gate.wait(10)
        if self.refusal is not None:
            return self.refusal
        return reply({"access_token": f"t{number}", "token_type": "Bearer", "expires_in": 3600, **self.members})


def made(server: Endpoint | str, **options: Any) -> TokenClient:
    """A client of this endpoint."""
    url = server if isinstance(server, str) else server.endpoint
    return TokenClient(url, **{"client_id": "reports", "client_secret": SECRET, **options})


def settled(client: TokenClient) -> None:
    """Return when no request of `client` is under way."""
    attempt = client._renewal._attempts_here.under_way
    if attempt is not None:
        attempt.future.result(10)


def basic(asked: Asked) -> str:
    """The two halves of HTTP Basic as they came."""
    scheme, _, credentials = asked.headers["authorization"].partition(" ")
    assert scheme == "Basic"
    return b64decode(credentials).decode()
