"""One HTTP exchange of the demo, made with the standard library, and what is worth showing of it."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

_TIMEOUT: Final = 10.0
_ERROR = re.compile(r'\berror="([^"]*)"')
_SECRETS = re.compile(r'("(?:client_secret|access_token)":\s*")([^"]*)(")')


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and its answer; `status` is 0 where no connection came about."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    sent: str = field(repr=False)
    status: int
    challenge: str | None = None
    body: str = field(default="", repr=False)

    @property
    def outcome(self) -> str:
        """The answer in two words: the status, and the error code of the challenge if there is one."""
        if not self.status:
            return "connection refused"
        if self.status in (401, 403) and self.challenge is None:
            return f"{self.status} without challenge"
        found = _ERROR.search(self.challenge or "")
        return f"{self.status} {found[1]}" if found else str(self.status)

    def as_json(self) -> dict[str, Any]:
        """For machines: nothing in it can be used as a credential."""
        return {
            "request": {"method": "POST", "url": self.url, "headers": shown_headers(self.headers), "body": self.sent},
            "status": self.status or None,
            "www_authenticate": self.challenge,
            "body": self.body,
        }


def post(url: str, headers: Mapping[str, str], body: str) -> tuple[Exchange, str]:
    """Send one POST over a connection of its own: the exchange, fit to be shown, and the answer's whole body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    try:
        connection.request("POST", parts.path, body.encode(), {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
    except ConnectionRefusedError:
        return Exchange(url=url, headers=headers, sent=_shortened(body), status=0), ""
    finally:
        connection.close()
    exchange = Exchange(
        url=url,
        headers=headers,
        sent=_shortened(body),
        status=answer.status,
        challenge=answer.getheader("WWW-Authenticate"),
        body=_shortened(text.strip()),
    )
    return exchange, text


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The header fields with tokens cut short."""
    return {name: value if len(value) < 40 else f"{value[:24]}...{value[-8:]}" for name, value in headers.items()}


def _shortened(text: str) -> str:
    return _SECRETS.sub(lambda found: f"{found[1]}{found[2][:8]}...{found[3]}", text)
