"""What a middleware decides before its guard does: who passes without a token, and where the verified one is put.

Two kinds of request pass unverified, and as anonymous: one for a public path and, with `preflight=True`, a CORS
preflight, which browsers send without credentials (Fetch Standard, "CORS-preflight fetch"). No header field that names
another path, method or host is read for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping
from typing import Any, Final, cast

from ._errors import raise_problems
from ._guard import Guard
from ._http import IncomingRequest
from ._paths import PublicPaths, path_problems
from ._token import AccessToken
from ._verifier import is_async_only

Carrier = MutableMapping[str, Any]
"""What travels with a request through a framework: an ASGI scope or a WSGI environ."""

TOKEN: Final = "bearer_guard.token"
# Whose token it is. It does not begin with "bearer_guard": the token is the only public key. No header field can set
# either, since servers put those under "headers" and "HTTP_".
GUARD: Final = "bearer-guard.guard"


class Gate:
    """A guard and who passes it unverified: `public` paths and, with `preflight`, CORS preflights.

    Raises ConfigurationError with every mistake at once; `blocking` also refuses a verifier that needs an event loop.
    """

    __slots__ = ("_paths", "_preflight", "guard")

    def __init__(self, owner: str, guard: Guard, public: Collection[str], preflight: bool, *, blocking: bool) -> None:
        raise_problems(owner, _problems(guard, public, preflight, blocking))
        self.guard: Guard = guard
        self._paths = PublicPaths(public)
        self._preflight = preflight

    def may_exempt(self, request: IncomingRequest) -> bool:
        """Whether `exempts` could be true at all: most requests need not be looked at more closely."""
        return self._paths.any or (self._preflight and request.method == "OPTIONS")

    def exempts(self, request: IncomingRequest, path: str, raw: str | None) -> bool:
        """Whether `request` passes as anonymous; `path` as the router sees it, `raw` as the server received it."""
        if self._paths.admit(path, raw):
            return True
        return self._preflight and request.method == "OPTIONS" and _is_preflight(request)


def deposit(carrier: Carrier, guard: Guard, token: AccessToken | None) -> None:
    """Put what `guard` decided on the request: both at once, so that a token never counts as another guard's."""
    carrier[TOKEN] = token
    carrier[GUARD] = guard


def token_in(carrier: Carrier) -> AccessToken | None:
    """The verified token on the request; None for an anonymous one, and where no guard has been."""
    return cast("AccessToken | None", carrier.get(TOKEN))


_OVERRIDES: Final = ("x-http-method-override", "x-http-method", "x-method-override")


def _is_preflight(request: IncomingRequest) -> bool:
    # No browser sends a preflight that asks to be taken for another method; something inside may do what it asks.
    if any(request.values(name) for name in _OVERRIDES):
        return False
    return bool(request.values("origin") and request.values("access-control-request-method"))


def _problems(guard: object, public: object, preflight: object, blocking: bool) -> Iterable[str]:
    if not isinstance(guard, Guard):
        yield f"guard must be a Guard, such as Guard(JWTVerifier(...)), not {type(guard).__name__}"
    elif blocking and is_async_only(guard._verifier):
        yield "the guard's verifier has averify alone and cannot serve WSGI: override verify too"
    yield from path_problems(public)
    if not isinstance(preflight, bool):
        yield "preflight must be True or False"
