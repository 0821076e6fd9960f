"""What a decorated handler decides, whatever its framework and colour (RFC 6750 §3.1).

A route has a requirement and perhaps a guard of its own. The token that the middleware around it has verified is not
verified again; where there is none, the route asks the guard itself. A route that no guard reaches raises: it is never
open. Decorators that meet on one handler add up, so that a 403 names every scope of the route at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ._errors import (
    AccessDenied,
    AuthorityUnavailable,
    ConfigurationError,
    MissingToken,
    UnguardedRoute,
)
from ._flow import Flow, arun, run
from ._gate import GUARD, TOKEN, Carrier, deposit
from ._guard import Guard
from ._http import IncomingRequest, Refusal
from ._io import IO
from ._scopes import Requirement, all_of
from ._token import AccessToken
from ._verifier import is_async_only

MARK: Final = "__bearer_guard__"


class Exchange:
    """One request as a framework shows it: where its token travels and how a refusal becomes a response."""

    __slots__ = ("carrier",)

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier

    def incoming(self) -> IncomingRequest:
        """The request as a guard looks at it."""
        raise NotImplementedError

    def deposit(self, guard: Guard, token: AccessToken) -> None:
        """Put the token where handlers find it."""
        deposit(self.carrier, guard, token)

    def respond(self, refusal: Refusal) -> Any:
        """What a blocking handler returns instead of its own response."""
        raise NotImplementedError

    async def arespond(self, refusal: Refusal) -> Any:
        """What a coroutine handler returns instead of its own response."""
        return self.respond(refusal)


class Route:
    """What a decorated handler requires: `requirement` (None: any valid token), by `guard` or by the one around it."""

    __slots__ = ("guard", "requirement")

    requirement: Requirement | None
    guard: Guard | None

    def __init__(self, requirement: Requirement | None, guard: Guard | None) -> None:
        self.requirement = requirement
        self.guard = guard

    def joined(self, inner: object) -> Route:
        """This route and that of a decorator below it as one; where their guards differ, each asks for itself."""
        if not isinstance(inner, Route):
            return self
        if self.guard is not None and inner.guard is not None and self.guard is not inner.guard:
            return self
        conditions = dict.fromkeys((*self._conditions(), *inner._conditions()))
        return Route(all_of(*conditions) if conditions else None, self.guard or inner.guard)

    def includes(self, other: Route) -> bool:
        """Whether this route was joined of `other`, or might have been: who passes this one passes that one."""
        return other.guard in (None, self.guard) and set(other._conditions()) <= set(self._conditions())

    def _conditions(self) -> tuple[str | Requirement, ...]:
        if self.requirement is None:
            return ()
        return self.requirement.conditions if self.requirement.every else (self.requirement,)

    def refused(self, exchange: Exchange) -> Refusal | None:
        """The refusal of a request that may not pass, from blocking code; None when it may."""
        return run(self._decision(exchange, blocking=True), IO)

    async def decide(self, exchange: Exchange) -> Refusal | None:
        """`refused` from a coroutine."""
        return await arun(self._decision(exchange, blocking=False), IO)

    def check_blocking(self, exchange: Exchange) -> None:
        """Raise AccessDenied or AuthorityUnavailable unless the request may pass, from blocking code."""
        run(self._check(self._guard_of(exchange), exchange, exchange.incoming(), blocking=True), IO)

    async def check(self, exchange: Exchange) -> None:
        """`check_blocking` from a coroutine."""
        await arun(self._check(self._guard_of(exchange), exchange, exchange.incoming(), blocking=False), IO)

    def _decision(self, exchange: Exchange, *, blocking: bool) -> Flow[Refusal | None]:
        guard = self._guard_of(exchange)
        request = exchange.incoming()
        try:
            yield from self._check(guard, exchange, request, blocking=blocking)
        except (AccessDenied, AuthorityUnavailable) as refused:
            return guard.refusal(refused, request)
        return None

    def _check(self, guard: Guard, exchange: Exchange, request: IncomingRequest, *, blocking: bool) -> Flow[None]:
        carrier = exchange.carrier
        token = carrier.get(TOKEN) if carrier.get(GUARD) is guard else None
        if token is None:
            if blocking and is_async_only(guard._verifier):
                raise UnguardedRoute(
                    "the guard's verifier has averify alone and this handler is blocking: "
                    "make the handler async def, or override verify too"
                )
            begun = guard.begin(request, None)
            token = begun if begun is None or isinstance(begun, AccessToken) else (yield from begun)
            if token is None:
                raise MissingToken("the route requires a token, though its guard is optional")
            exchange.deposit(guard, token)
        guard.authorize(token, self.requirement)

    def _guard_of(self, exchange: Exchange) -> Guard:
        guard = self.guard or exchange.carrier.get(GUARD)
        if not isinstance(guard, Guard):
            raise UnguardedRoute(
                "a handler is decorated with requires, and no guard reaches it: "
                "put BearerMiddleware around the application, or give requires(..., guard=...)"
            )
        return guard

    def __repr__(self) -> str:
        return f"<Route requires {self.requirement!r}>"


def route_of(conditions: tuple[Any, ...], guard: Guard | None) -> Route:
    """The route that the arguments of `requires` describe. Raises ConfigurationError with every mistake in them."""
    problems: list[str] = []
    requirement = None
    if len(conditions) == 1 and callable(conditions[0]) and not isinstance(conditions[0], Requirement):
        problems.append('requires: write it with parentheses and a scope, @requires("scope"), or @requires(guard=...)')
    elif conditions:
        try:
            requirement = all_of(*conditions)
        except ConfigurationError as error:
            problems += (problem.replace("all_of:", "requires:", 1) for problem in error.problems)
    elif guard is None:
        problems.append("requires: name at least one scope, or give guard=... to require any valid token")
    problems += _guard_problems(guard)
    if problems:
        raise ConfigurationError(*problems)
    return Route(requirement, guard)


def anonymous(fix: str) -> LookupError:
    """What `current_token` raises for an anonymous request."""
    return LookupError(f"no verified access token on this request: {fix}")


def _guard_problems(guard: object) -> Iterable[str]:
    if guard is not None and not isinstance(guard, Guard):
        yield f"requires: guard must be a Guard, not {type(guard).__name__}"
