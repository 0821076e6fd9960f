"""The guard around any WSGI application (PEP 3333; RFC 6750 §3). Imports no framework.

Only HTTP_AUTHORIZATION is read: never a key that a rewriting server or a CGI wrapper made of it, and never REMOTE_USER.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ._errors import AccessDenied, AuthorityUnavailable
from ._gate import Gate, deposit
from ._guard import Guard
from ._http import IncomingRequest, Refusal
from ._readiness import WSGIReadiness

if TYPE_CHECKING:  # the standard library's stubs name these; nothing does at run time
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["BearerMiddleware", "readiness"]


class WSGIRequest(IncomingRequest):
    """A view on an environ. Its strings hold bytes as ISO 8859-1 (PEP 3333), and paths are UTF-8 within."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = utf8(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        self._environ = environ

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (key.removeprefix("HTTP_").replace("_", "-").lower(), value)
            for key, value in self._environ.items()
            if key.startswith("HTTP_") or (key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
        )

    def values(self, name: str) -> list[str]:
        if name in ("content-type", "content-length"):
            return super().values(name)
        value = self._environ.get(_AUTHORIZATION if name == "authorization" else _key(name))
        return [] if value is None else [value]


def _key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


_AUTHORIZATION = _key("authorization")


class BearerMiddleware:
    """Guards every request to `app`; what passes finds its token in `environ["bearer_guard.token"]`.

    `public` lists paths that need no token: `"/health"` exactly, `"/docs/*"` with everything below. They are compared
    with PATH_INFO. With `preflight=True` a CORS preflight passes too. On both the token is None. AccessDenied and
    AuthorityUnavailable raised by `app` before the first bytes of its body are answered as well; any other exception
    propagates. The environ that the server gave is copied, never changed.

    Raises ConfigurationError for a mistake in its parameters, such as a verifier that needs an event loop.
    """

    def __init__(
        self, app: WSGIApplication, guard: Guard, *, public: Collection[str] = (), preflight: bool = True
    ) -> None:
        self.app = app
        self._gate = Gate("BearerMiddleware", guard, public, preflight, blocking=True)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        guard = self._gate.guard
        inner = dict(environ)
        request = WSGIRequest(inner)
        try:
            token = None if exempts(self._gate, request, inner) else guard.check(request)
        except (AccessDenied, AuthorityUnavailable) as refused:
            return _answer(guard.refusal(refused, request), start_response)
        deposit(inner, guard, token)
        return _Relay(start_response, lambda refused: guard.refusal(refused, request)).run(self.app, inner)


def readiness(guard: Guard) -> WSGIApplication:
    """An application that answers GET with 200 when every source of `guard` can judge tokens, else with 503.

    Its JSON is `{"ready": ..., "sources": [...]}`, as `Guard.status` has them. It never waits, and begins the fetches
    that a request would begin. Nothing in it is guarded: mount it where a load balancer asks, and list it in `public`.
    """
    return WSGIReadiness(guard)


def exempts(gate: Gate, request: IncomingRequest, environ: WSGIEnvironment) -> bool:
    """Whether the request passes `gate` unverified, by PATH_INFO and by the raw target where the server tells it."""
    if not gate.may_exempt(request):
        return False
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return gate.exempts(request, utf8(environ.get("PATH_INFO", "")), raw)


def utf8(text: str) -> str:
    """What an environ string says: bytes that are not UTF-8 become U+FFFD, as in Werkzeug's router."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def _answer(refusal: Refusal, start_response: StartResponse, *exc_info: Any) -> list[bytes]:
    status = HTTPStatus(refusal.status)
    start_response(f"{status.value} {status.phrase}", list(refusal.headers), *exc_info)
    return [refusal.body] if refusal.body else []


class _Relay:
    """The application's response on its way to the server, replaced by a refusal while nothing of its body has gone."""

    __slots__ = ("_chunks", "_close", "_refuse", "_sent", "_start_response", "_started")

    def __init__(
        self, start_response: StartResponse, refuse: Callable[[AccessDenied | AuthorityUnavailable], Refusal]
    ) -> None:
        self._start_response = start_response
        self._refuse = refuse
        self._started = False
        self._sent = False
        self._close: Callable[[], object] | None = None
        self._chunks: Iterator[bytes] = iter(())

    def run(self, app: WSGIApplication, environ: WSGIEnvironment) -> Iterable[bytes]:
        try:
            body = app(environ, self._start)
        except (AccessDenied, AuthorityUnavailable) as refused:
            return self._replace(refused)
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(body, (list, tuple)) or (isinstance(wrapper, type) and isinstance(body, wrapper)):
            return body  # nothing of ours can be raised from it, and servers look at its length or send it as a file
        self._close = getattr(body, "close", None)
        self._chunks = iter(body)
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except (AccessDenied, AuthorityUnavailable) as refused:
            if self._sent:
                raise
            self._sent = True
            self._chunks = iter(self._replace(refused))
            return next(self._chunks)
        self._sent = self._sent or bool(chunk)
        return chunk

    def close(self) -> None:
        if self._close is not None:
            self._close()

    def _start(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
        self._started = True
        return self._start_response(status, headers, *exc_info)

    def _replace(self, refused: AccessDenied | AuthorityUnavailable) -> list[bytes]:
        # A second start_response must bring exc_info, with which a server whose headers are out raises the exception.
        return _answer(self._refuse(refused), self._start_response, *((sys.exc_info(),) if self._started else ()))
