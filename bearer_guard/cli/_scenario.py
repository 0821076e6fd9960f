"""The demo's scenario: the tokens that a guard meets in its life, and the answers that each deserves.

Good and bad ones alternate on purpose: a guard that admits everybody fails it, and so does one that admits nobody.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from .._guard import Guard
from ..issuer._metadata import JWKS_PATH
from ..testing import ABSENT, LocalIssuer, LocalServer
from ._exchange import Exchange, post
from ._transcript import Transcript

SCOPE: Final = "read:users"
OTHER_API: Final = "https://billing.example.com"
_SETTLING: Final = 10.0


class Scenario:
    """Everything that the demo does, against APIs (by name, the URL of the guarded path) that share `guard`."""

    def __init__(
        self,
        issuer: LocalIssuer,
        server: LocalServer,
        guard: Guard,
        apis: Mapping[str, str],
        transcript: Transcript,
    ) -> None:
        self._issuer = issuer
        self._server = server
        self._guard = guard
        self._apis = apis
        self._transcript = transcript
        self._client = server.client_id, server.client_secret

    def play(self) -> None:
        """The whole scenario, in order."""
        self._no_token()
        good = self._good_token()
        self._wrong_tokens(good)
        both = {"a token of the old key": good, "a token of the new key": self._rotation(good)}
        self._issuer_down(both)
        self._issuer_back()

    def _no_token(self) -> None:
        self._transcript.step("no token", "The challenge names no error: nothing was presented (RFC 6750 section 3.1).")
        self._ask_all(None, "401")

    def _good_token(self) -> str:
        self._transcript.step("a good token", "Client credentials at the issuer, then the token at both APIs.")
        token = self._token(self._client)
        self._ask_all(token, "200")
        return token

    def _wrong_tokens(self, good: str) -> None:
        header, payload, signature = good.split(".")
        tampered = f"{header}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
        self._transcript.step("a tampered token", "One character of the signature is another.")
        self._ask_all(tampered, "401 invalid_token")
        self._transcript.step("an expired token", "Good until a minute ago.")
        self._ask_all(self._issuer.token(scope=SCOPE, expires_in=-60), "401 invalid_token")
        self._transcript.step("a token for another API", f"From the same issuer, its audience is {OTHER_API}.")
        self._ask_all(self._token(self._server.add_client(SCOPE, audience=OTHER_API)), "401 invalid_token")
        self._transcript.step("a token without the scope", "Its client may have read:reports and nothing else.")
        self._ask_all(self._token(self._server.add_client("read:reports")), "403 insufficient_scope")
        self._transcript.step("an ID token", "It tells a client who signed in, and opens no API (RFC 9068 section 5).")
        id_token = self._issuer.token(
            headers={"typ": "JWT"},
            scope=SCOPE,
            client_id=ABSENT,
            nonce="n-0S6_WzA2Mj",
            at_hash="77QmUPtjPfzWtF2AnpK9RQ",
        )
        self._ask_all(id_token, "401 invalid_token")

    def _rotation(self, old: str) -> str:
        self._transcript.step(
            "a key rotation in mid-flight",
            "The issuer signs with a new key; tokens of both keys arrive at both APIs at the same time.",
        )
        _settle(self._guard)
        self._issuer.rotate()
        before = self._jwks_requests()
        new = self._token(self._client)
        self._ask_at_once({"a token of the old key": old, "a token of the new key": new})
        fetched = self._jwks_requests() - before
        self._transcript.compare("requests for the JWK Set", "1", str(fetched))
        return new

    def _issuer_down(self, tokens: Mapping[str, str]) -> None:
        self._transcript.step("the issuer goes down", "No new tokens; those that are out there still pass.")
        self._issuer.outage()
        self._ask_for_token(self._client, "connection refused")
        self._ask_at_once(tokens)

    def _issuer_back(self) -> None:
        self._transcript.step("the issuer is back", "On the same port, with the same keys.")
        self._issuer.restore()
        self._ask_all(self._token(self._client), "200")

    def _token(self, client: tuple[str, str]) -> str:
        """A token by client credentials, in the JSON manner of the issuer's second token endpoint."""
        text = self._ask_for_token(client, "200")
        token: str = json.loads(text)["access_token"]
        return token

    def _ask_for_token(self, client: tuple[str, str], expected: str) -> str:
        body = {"client_id": client[0], "client_secret": client[1], "grant_type": "client_credentials"}
        exchange, text = post(self._server.json_token_endpoint, {}, json.dumps(body))
        self._transcript.exchange("issuer", expected, exchange)
        return text

    def _ask_all(self, token: str | None, expected: str) -> None:
        for name, url in self._apis.items():
            self._transcript.exchange(name, expected, _ask(url, token))

    def _ask_at_once(self, tokens: Mapping[str, str]) -> None:
        with ThreadPoolExecutor(len(tokens) * len(self._apis)) as threads:
            pending = [
                (f"{api}, {which}", threads.submit(_ask, url, token))
                for which, token in tokens.items()
                for api, url in self._apis.items()
            ]
            for who, future in pending:
                self._transcript.exchange(who, "200", future.result())

    def _jwks_requests(self) -> int:
        return self._server.requests.count(JWKS_PATH)


def _ask(url: str, token: str | None) -> Exchange:
    return post(url, {} if token is None else {"Authorization": f"Bearer {token}"}, '{"user": "4711"}')[0]


def _settle(guard: Guard) -> None:
    """Wait until the guard may ask for keys again: the tampered tokens have spent its budget for one cool-down."""
    patience = time.monotonic() + _SETTLING
    tick = threading.Event()
    while time.monotonic() < patience and any(
        source["state"] in ("cooling_down", "refreshing") for source in guard.status()["sources"]
    ):
        tick.wait(0.02)
