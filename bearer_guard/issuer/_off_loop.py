"""A flow that works in threads and waits on the event loop: for what may meet a disk at any step.

A thread is taken for the work alone. Whoever waits for something longer, such as his turn to have a secret compared,
holds none meanwhile, so that strangers who make many wait take no thread from the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .._flow import Call, Flow, Step

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    result: T


def in_threads(flow: Flow[T]) -> Flow[T]:
    """`flow`, driven by blocking code as ever, and from a coroutine piece by piece in worker threads."""
    resume: Callable[[], Step] = lambda: next(flow)  # noqa: E731
    while True:
        step: Step | _Ended[T] = yield Call(_until_it_waits(resume), None)
        if isinstance(step, _Ended):
            return step.result
        try:
            answer = yield step
        except Exception as failure:  # the flow owns the fallback
            resume = _throwing(flow, failure)
        else:
            resume = _sending(flow, answer)


def _sending(flow: Flow[T], answer: object) -> Callable[[], Step]:
    return lambda: flow.send(answer)


def _throwing(flow: Flow[T], failure: Exception) -> Callable[[], Step]:
    return lambda: flow.throw(failure)


def _until_it_waits(resume: Callable[[], Step]) -> Callable[[], Step | _Ended[T]]:
    def piece() -> Step | _Ended[T]:
        try:
            return resume()
        except StopIteration as end:  # which no future could carry
            return _Ended(end.value)

    return piece
