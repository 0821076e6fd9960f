"""The two drivers: one flow, the same outcome from blocking code and from a coroutine, failures thrown into the flow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from bearer_guard._flow import Call, ExchangeFailed, Flow, Join, Request, Response, Send, Step, arun, run

pytestmark = pytest.mark.anyio


class Script:
    """What a driver waits with here: it gives the answers of a list, in both colours, and records the steps."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.steps: list[Step] = []

    def answer(self, step: Step) -> Any:
        self.steps.append(step)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def aanswer(self, step: Step) -> Any:
        return self.answer(step)


Outcome = Any
Drive = Callable[[Flow[Any], Script], Any]


@pytest.fixture(params=["blocking", "coroutine"])
def drive(request: pytest.FixtureRequest) -> Any:
    async def blocking(flow: Flow[Any], io: Script) -> Any:
        return run(flow, io)

    return blocking if request.param == "blocking" else arun


def call() -> Call:
    return Call(lambda: None, None)


async def test_a_flow_that_never_waits_returns_at_once(drive: Any) -> None:
    def flow() -> Flow[str]:
        return "done"
        yield call()

    io = Script()
    assert await drive(flow(), io) == "done"
    assert io.steps == []


async def test_every_step_is_answered_in_turn(drive: Any) -> None:
    steps = [call(), call()]

    def flow() -> Flow[list[Any]]:
        first = yield steps[0]
        second = yield steps[1]
        return [first, second]

    io = Script("a", "b")
    assert await drive(flow(), io) == ["a", "b"]
    assert io.steps == steps


async def test_a_failure_is_thrown_into_the_flow_which_owns_the_fallback(drive: Any) -> None:
    def flow() -> Flow[Any]:
        try:
            yield call()
        except ExchangeFailed as failure:
            return str(failure), (yield call())

    assert await drive(flow(), Script(ExchangeFailed("down"), "fallback")) == ("down", "fallback")


async def test_a_failure_that_the_flow_does_not_catch_is_raised(drive: Any) -> None:
    failure = ExchangeFailed("down")

    def flow() -> Flow[None]:
        yield call()

    with pytest.raises(ExchangeFailed) as raised:
        await drive(flow(), Script(failure))
    assert raised.value is failure


@pytest.mark.parametrize("first", [True, False])
async def test_what_the_flow_raises_is_raised(drive: Any, first: bool) -> None:
    def flow() -> Flow[None]:
        if not first:
            yield call()
        raise LookupError("from the flow")

    with pytest.raises(LookupError, match="from the flow"):
        await drive(flow(), Script("answer"))


async def test_a_flow_that_raises_after_a_failure_chains_it(drive: Any) -> None:
    def flow() -> Flow[None]:
        try:
            yield call()
        except ExchangeFailed as failure:
            raise LookupError("translated") from failure

    with pytest.raises(LookupError) as raised:
        await drive(flow(), Script(ExchangeFailed("down")))
    assert isinstance(raised.value.__cause__, ExchangeFailed)


class Interrupted(BaseException):
    """As KeyboardInterrupt and a task's cancellation are."""


async def test_an_interruption_is_not_the_flows_to_handle_but_its_finally_runs(drive: Any) -> None:
    seen: list[str] = []

    def flow() -> Flow[None]:
        try:
            yield call()
        except Exception:
            seen.append("handled")
        finally:
            seen.append("finally")

    with pytest.raises(Interrupted):
        await drive(flow(), Script(Interrupted()))
    assert seen == ["finally"]


async def test_the_answer_of_one_flow_reaches_the_flow_that_it_is_part_of(drive: Any) -> None:
    def inner() -> Flow[str]:
        return "inner " + (yield call())

    def outer() -> Flow[str]:
        return "outer " + (yield from inner())

    assert await drive(outer(), Script("answer")) == "outer inner answer"


async def test_a_stop_iteration_from_outside_ends_no_flow_early(drive: Any) -> None:
    def flow() -> Flow[str]:
        yield call()
        return "must not be reached"

    with pytest.raises(RuntimeError):
        await drive(flow(), Script(StopIteration("admitted")))


def test_a_request_and_a_response_keep_what_may_be_secret_out_of_repr() -> None:
    request = Request(method="POST", url="https://id.example.com/", headers={"authorization": "s3cr3t"}, body=b"s3cr3t")
    assert "s3cr3t" not in repr(request)
    assert "s3cr3t" not in repr(Response(status=200, body=b"s3cr3t"))
    assert (request.timeout, request.limit) == (5.0, 256 * 1024)


def test_steps_are_frozen() -> None:
    request = Request(method="GET", url="https://id.example.com/")
    steps: list[Any] = [request, Response(status=200), Join(Future(), 0.0), call(), Send(request, Any)]
    for step in steps:
        with pytest.raises(AttributeError):
            setattr(step, type(step).__slots__[0], None)
