"""The line to a local issuer: up, down or slow, so that a test can have the trouble that a real provider has."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .._flow import ExchangeFailed, Request, Response
from ..issuer import IssuerRequest
from ..issuer._mount import Respond


class Trouble:
    """Trouble on the line: it began when this was made, and ends with `end()` or at the end of a `with` block."""

    def __init__(self, line: Line, delay: float | None) -> None:
        self.delay = delay
        self._line = line

    def end(self) -> None:
        """End this trouble, and no other; ending it twice does nothing more."""
        self._line.end(self)

    def __enter__(self) -> Trouble:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class Line:
    """What stands between a local issuer and whoever asks it. Safe to share between threads.

    `on_change` is called with whether the line is up, each time that this may have changed.
    """

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        self._changed = threading.Condition()
        self._troubles: list[Trouble] = []
        self._on_change = on_change

    def begin(self, *, delay: float | None) -> Trouble:
        """Begin an outage, or with a `delay` in seconds a slowness; it takes effect at once."""
        trouble = Trouble(self, delay)
        with self._changed:
            self._troubles.append(trouble)
        self._tell()
        return trouble

    def end(self, trouble: Trouble) -> None:
        """End one trouble."""
        with self._changed:
            self._troubles = [other for other in self._troubles if other is not trouble]
        self._tell()

    def clear(self) -> None:
        """End every trouble."""
        with self._changed:
            self._troubles = []
        self._tell()

    @property
    def up(self) -> bool:
        """Whether there is no outage."""
        return all(trouble.delay is not None for trouble in self._troubles)

    @property
    def delay(self) -> float:
        """How long an answer takes, in seconds of real time: the longest that any trouble asks for."""
        return max((trouble.delay for trouble in self._troubles if trouble.delay is not None), default=0.0)

    def passes(self, patience: float = threading.TIMEOUT_MAX) -> bool:
        """Wait as long as an answer takes, at most `patience` seconds; whether it comes through in that time."""
        with self._changed:
            delay = self.delay
            if not delay or not self.up:
                return self.up
            cut_short = self._changed.wait_for(lambda: not self.up or self.delay != delay, min(delay, patience))
            return self.up and (cut_short or delay <= patience)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        self._on_change(self.up)


class InProcess:
    """A transport whose other end is an issuer in the same process: no socket, the line's trouble included."""

    def __init__(self, line: Line, respond: Respond) -> None:
        self._line = line
        self._respond = respond

    def send(self, request: Request) -> Response:
        """The issuer's answer. Raises ExchangeFailed when the line is down or slower than the request's time-out."""
        if not self._line.passes(request.timeout):
            raise ExchangeFailed("the local issuer is down" if not self._line.up else "no complete answer in time")
        path = "/" + request.url.split("/", 3)[3].partition("?")[0]
        answer = self._respond(IssuerRequest(request.method, path, request.headers, request.body or b""))
        return Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    def __repr__(self) -> str:
        return "InProcess()"
