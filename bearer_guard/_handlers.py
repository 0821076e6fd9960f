"""How a handler is put under a route: functions, coroutines, generators, methods, partials, instances and classes.

The wrapper keeps the handler's kind and signature, and carries its route as `__bearer_guard__` for tools that read it.
What could be decorated in appearance only is refused at import, and no wrapper passes a request that it cannot find.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar, cast

from ._errors import ConfigurationError
from ._route import MARK, Exchange, Route
from ._verifier import is_async_only

F = TypeVar("F", bound=Callable[..., Any])

_END: Final = object()
BARE: Final = "__bearer_guard_bare__"
"""Marks what lies under a wrapper: a framework that calls it directly was given the undecorated handler."""


class Framework(Protocol):
    """What the decorator asks of a framework."""

    def exchange(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
        """The request among a handler's arguments. Raises UnguardedRoute when there is none."""
        ...

    def dispatcher(self, cls: type) -> str | None:
        """The method of `cls` through which every request to an instance of it goes; None for another kind of class."""
        ...

    def answers_with(self, wrapper: object, exchange: Exchange, args: tuple[Any, ...]) -> bool:
        """Whether what `wrapper` returns is the response. If not, as in a helper, a refusal is raised instead."""
        ...


def decorated(handler: F, route: Route, framework: Framework) -> F:
    """`handler` under `route`. Raises ConfigurationError for what cannot be decorated."""
    return cast("F", _decorated(handler, route, framework))


def lies_under(wrapper: object, handler: object) -> bool:
    """Whether `handler` is what `wrapper` decorates, at whatever depth; also where that is a method or a partial."""
    while (wrapper := _below(wrapper)) is not None:
        if wrapper is handler:
            return True
    return False


def _below(wrapper: Any) -> object:
    if isinstance(wrapper, functools.partial):
        return cast("Any", wrapper).func
    return getattr(wrapper, "__wrapped__", None) or getattr(wrapper, "__func__", None)


def _decorated(handler: Any, route: Route, framework: Framework, *, dispatching: bool = False) -> Any:
    if isinstance(handler, staticmethod | classmethod):
        inner = cast("Any", handler)
        return type(inner)(_decorated(inner.__func__, route, framework))
    if isinstance(handler, type):
        return _class(handler, route, framework)
    _refuse_other_kinds(handler)
    route = route.joined(getattr(handler, MARK, None))
    wrapper = _wrapper(handler, route, framework, dispatching)
    functools.update_wrapper(wrapper, handler)
    if not hasattr(handler, "__name__"):  # partials and instances: routers name routes after this
        wrapper.__name__ = type(handler).__name__
    setattr(wrapper, MARK, route)
    vars(wrapper).pop(BARE, None)  # update_wrapper has copied it from a handler that is decorated more than once
    if inspect.isfunction(handler):
        setattr(handler, BARE, True)
    return wrapper


def _wrapper(handler: Any, route: Route, framework: Framework, dispatching: bool) -> Any:
    function = _function(handler)
    if inspect.isasyncgenfunction(function):

        async def generator(*args: Any, **kwargs: Any) -> Any:
            # A generator has no response to return: the refusal is raised before the first item, for the middleware.
            await route.check(framework.exchange(args, kwargs))
            async with contextlib.aclosing(handler(*args, **kwargs)) as items:
                item = await _or_end(items.asend(None))
                while item is not _END:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as thrown:
                        item = await _or_end(items.athrow(thrown))
                    else:
                        item = await _or_end(items.asend(sent))

        return generator
    if inspect.iscoroutinefunction(function):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            exchange = framework.exchange(args, kwargs)
            wanted = _with_verb(route, args, exchange) if dispatching else route
            if not framework.answers_with(coroutine, exchange, args):
                await wanted.check(exchange)
            elif (refusal := await wanted.decide(exchange)) is not None:
                return await exchange.arespond(refusal)
            return await handler(*args, **kwargs)

        return coroutine
    if route.guard is not None and is_async_only(route.guard._verifier):
        raise ConfigurationError(
            "requires: the guard's verifier has averify alone and the handler is blocking: "
            "make the handler async def, or override verify too"
        )

    def blocking(*args: Any, **kwargs: Any) -> Any:
        exchange = framework.exchange(args, kwargs)
        wanted = _with_verb(route, args, exchange) if dispatching else route
        if not framework.answers_with(blocking, exchange, args):
            wanted.check_blocking(exchange)
        elif (refusal := wanted.refused(exchange)) is not None:
            return exchange.respond(refusal)
        return handler(*args, **kwargs)

    return blocking


async def _or_end(item: Awaitable[Any]) -> Any:
    try:
        return await item
    except StopAsyncIteration:
        return _END


def _class(cls: type, route: Route, framework: Framework) -> type:
    """`cls` with its dispatching method under `route`, in subclasses that override the method too."""
    name = framework.dispatcher(cls)
    if name is None:
        raise ConfigurationError(
            f"requires: the class {cls.__name__} is not a kind of handler that can be decorated: decorate its methods"
        )
    joined = route.joined(getattr(cls, MARK, None))
    setattr(cls, name, _decorated(getattr(cls, name), route, framework, dispatching=True))
    setattr(cls, MARK, joined)
    own_hook = cls.__dict__.get("__init_subclass__")

    def init_subclass(sub: type, /, **kwargs: Any) -> None:
        if own_hook is None:
            cast("Any", super)(cls, sub).__init_subclass__(**kwargs)
        else:
            own_hook.__get__(None, sub)(**kwargs)
        # Not only where it overrides the method: another base may come before this class in its order.
        method = getattr(sub, name)
        known = getattr(method, MARK, None)
        if not (isinstance(known, Route) and known.includes(route)):
            setattr(sub, name, _decorated(method, route, framework, dispatching=True))

    setattr(cls, "__init_subclass__", classmethod(init_subclass))  # noqa: B010 - type checkers refuse the assignment
    return cls


def _with_verb(route: Route, args: tuple[Any, ...], exchange: Exchange) -> Route:
    """`route` and the one of the method that the dispatcher will call, so that a refusal names both at once."""
    verb = exchange.incoming().method.lower()
    view = args[0]
    if verb == "head" and not hasattr(view, "head"):
        verb = "get"
    return route.joined(getattr(getattr(view, verb, None), MARK, None))


def _function(handler: Any) -> Any:
    """What runs when `handler` is called, for the question which kind of function it is."""
    while isinstance(handler, functools.partial):
        handler = cast("Any", handler).func
    return handler if inspect.isroutine(handler) else type(handler).__call__


def _refuse_other_kinds(handler: object) -> None:
    if not callable(handler):
        raise ConfigurationError(f"requires: {type(handler).__name__} is not a handler: decorate a function or a class")
    try:
        names = tuple(inspect.signature(handler).parameters)
    except (TypeError, ValueError):  # a builtin keeps its signature to itself
        return
    if names in _APPLICATIONS:
        raise ConfigurationError("requires: this is an application, not a handler: put BearerMiddleware around it")


_APPLICATIONS = {("scope", "receive", "send"), ("environ", "start_response")}
