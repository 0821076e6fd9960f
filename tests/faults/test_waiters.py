"""Those who wait for keys: cancelled, forked, on event loops that close; and attempts that come too late."""

from __future__ import annotations

import _thread
import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio
import trio.testing

from bearer_guard import AuthorityUnavailable
from bearer_guard._attempts import Attempt, Fetched
from bearer_guard._held import Held
from bearer_guard._jwks import load_jwks
from bearer_guard._refresh import RefreshedKeys
from bearer_guard._tls import UNFORKED
from tests.faults.provider import PATIENCE, Provider, document, tagged
from tests.faults.scene import COLOURS, JWKS, Clock, Scene, alike, eventually, keys, token
from tests.forks import in_child
from tests.tokens import ISSUER, RESOURCE

DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


def test_the_first_waiter_of_asyncio_cancelled_takes_nobody_with_it(scene: Scene) -> None:
    async def run() -> list[int]:
        first = asyncio.create_task(scene.aask(token()))
        await asyncio.to_thread(scene.provider.wait_for, 1)
        others = [asyncio.create_task(scene.aask(token())) for _ in range(20)]
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        scene.provider.gate.set()
        return list(await asyncio.gather(*others))

    scene.provider.gate.clear()
    assert alike(asyncio.run(run()), 200)
    assert scene.fetches == 1


def test_the_first_waiter_of_trio_cancelled_takes_nobody_with_it(scene: Scene) -> None:
    statuses: list[int] = []

    async def wait(scope: trio.CancelScope) -> None:
        with scope:
            statuses.append(await scene.aask(token()))

    async def run() -> None:
        first = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, first)
            await trio.to_thread.run_sync(scene.provider.wait_for, 1)
            for _ in range(20):
                nursery.start_soon(wait, trio.CancelScope())
            await trio.testing.wait_all_tasks_blocked()
            first.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert first.cancelled_caught
            scene.provider.gate.set()

    scene.provider.gate.clear()
    trio.run(run)
    assert statuses == [200] * 20
    assert scene.fetches == 1


@pytest.mark.parametrize("colour", ["asyncio", "trio"])
def test_when_every_waiter_is_cancelled_the_keys_are_installed_all_the_same(scene: Scene, colour: str) -> None:
    async def in_asyncio() -> None:
        waiting = asyncio.create_task(scene.aask(token()))
        await asyncio.to_thread(scene.provider.wait_for, 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def in_trio() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scene.aask, token())
            await trio.to_thread.run_sync(scene.provider.wait_for, 1)
            nursery.cancel_scope.cancel()

    scene.provider.gate.clear()
    if colour == "asyncio":
        asyncio.run(in_asyncio())
    else:
        trio.run(in_trio)
    # The loop is closed by now, and the attempt still under way.
    assert scene.source.status()["fetches"] == {"begun": 1, "succeeded": 0, "failed": 0}
    scene.provider.gate.set()
    assert scene.settle()["state"] == "fresh"
    assert scene.ask(token()) == 200
    assert scene.fetches == 1


@pytest.mark.parametrize("run", [asyncio.run, lambda coroutine: trio.run(lambda: coroutine)], ids=["asyncio", "trio"])
def test_a_new_event_loop_for_every_request(scene: Scene, run: Callable[[Any], int]) -> None:
    for number in range(1, 6):
        scene.publish(keys(number, number + 1))
        assert run(scene.aask(token(number))) == 200
        assert run(scene.aask(token(number + 1))) == 200
        scene.clock.pass_by(31)
    assert scene.fetches <= 6


def test_event_loops_of_several_threads_share_one_fetch(scene: Scene) -> None:
    with scene.provider.held(), ThreadPoolExecutor(8) as pool:
        loops = [pool.submit(asyncio.run, scene.aask(token())) for _ in range(4)]
        loops += [pool.submit(trio.run, scene.aask, token()) for _ in range(4)]
        scene.provider.wait_for(1)
        scene.provider.gate.set()
        assert alike([loop.result(PATIENCE) for loop in loops], 200)
    assert scene.fetches == 1


@pytest.mark.parametrize("colour", COLOURS)
def test_a_fork_after_construction_starts_afresh(scene: Scene, colour: str) -> None:
    assert in_child(lambda: 0 if alike(scene.ask_in(colour, [token()] * 16, 16), 200) else 1) == 0
    assert scene.fetches == 1
    assert scene.ask(token()) == 200
    assert scene.fetches == 2


def test_a_fork_when_warm_keeps_the_keys_and_shares_no_budget(warm: Scene) -> None:
    def child() -> int:
        good = [warm.ask(token()), warm.ask(token(kid="strange")), warm.ask(token(kid="strange"))]
        return 0 if good == [200, 401, 401] and warm.source.status()["fetches"]["begun"] == 2 else 1

    assert warm.ask(token(kid="strange")) == 401
    assert warm.ask(token(kid="strange")) == 401
    assert in_child(child) == 0
    assert warm.fetches == 1 + 2 + 2


@pytest.mark.parametrize("colour", COLOURS)
def test_a_fork_while_a_fetch_is_under_way_hangs_neither_process(scene: Scene, colour: str) -> None:
    def child() -> int:
        return 0 if alike(scene.ask_in(colour, [token()] * 16, 16), 200) else 1

    scene.provider.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        parent = pool.submit(scene.ask, token())
        scene.provider.wait_for(1)
        forked = pool.submit(in_child, child)
        scene.provider.wait_for(2)
        scene.provider.gate.set()
        assert forked.result(PATIENCE) == 0
        assert parent.result(PATIENCE) == 200
    assert scene.fetches == 2


def test_a_fork_while_the_lock_is_held_does_not_stop_the_child(warm: Scene) -> None:
    warm.clock.pass_by(700)
    with warm.source._attempts().lock:
        status = in_child(lambda: 0 if [warm.ask(token()), warm.ask(token(kid="strange"))] == [200, 401] else 1)
    assert status == 0


def test_an_answer_that_comes_too_late_is_dropped_and_its_entity_tag_with_it(provider: Provider) -> None:
    scene = Scene(provider, timeout=0.3)
    scene.publish(tagged(keys(1), '"one"'))
    scene.guard.warm()
    late = threading.Event()

    class Late:
        """Says that the answer took longer than the deadline, without the transport cutting it off."""

        def send(self, request: Any) -> Any:
            answer = transport.send(request)
            late.wait(PATIENCE)
            return answer

    transport, scene.source._transport = scene.source._transport, Late()
    scene.publish(tagged(keys(1, 2), '"two"'))
    assert scene.ask(token(2)) == 503  # the attempt outlives its deadline
    assert scene.source.status()["fetches"] == {"begun": 2, "succeeded": 1, "failed": 1}
    late.set()
    eventually(lambda: scene.source._attempts().last.future.done())  # type: ignore[union-attr]
    assert not scene.source.current().knows("k2")  # type: ignore[union-attr]
    scene.source._transport = transport
    scene.clock.pass_by(31)
    assert scene.ask(token(2)) == 200  # with the dropped answer's tag, this would be "not modified"
    assert provider.asked[-1].headers.get("if-none-match") is None


def test_a_late_answer_does_not_end_the_attempt_that_took_its_place() -> None:
    answers = [threading.Event(), threading.Event()]
    begun: list[Attempt] = []

    class Slow(RefreshedKeys):
        def _fetch(self, held: Held | None, attempt: Attempt) -> Fetched:
            begun.append(attempt)
            answers[attempt.number - 1].wait(PATIENCE)
            return Fetched(load_jwks(keys(attempt.number)), 600.0)

    clock = Clock()
    source = Slow(name="slow", algorithms=frozenset(), stale_if_error=0.0, cooldown=0.0, timeout=0.05, clock=clock)
    next(source.obtain())
    eventually(lambda: source.status()["fetches"]["failed"] == 1)
    clock.pass_by(2)
    source._timeout = PATIENCE
    next(source.obtain())
    eventually(lambda: len(begun) == 2)
    answers[0].set()
    begun[0].future.result(PATIENCE)
    assert source.status()["fetches"] == {"begun": 2, "succeeded": 0, "failed": 1}
    assert source.current() is None
    answers[1].set()
    begun[1].future.result(PATIENCE)
    assert source.current().knows("k2")  # type: ignore[union-attr]


def test_a_thread_that_cannot_be_started_is_a_failed_attempt(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_thread(*arguments: object) -> int:
        raise RuntimeError("can't start new thread")

    caplog.set_level(logging.WARNING, "bearer_guard")
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", no_thread)
        assert scene.ask(token()) == 503
        assert scene.ask(token()) == 503
    assert scene.source.status()["fetches"] == {"begun": 1, "succeeded": 0, "failed": 1}
    assert "no thread can be started" in caplog.text
    scene.clock.pass_by(1)
    assert scene.ask(token()) == 200


@pytest.mark.parametrize("failure", [SystemExit(3), KeyboardInterrupt(), ValueError("secret-looking text")], ids=repr)
def test_whatever_a_fetch_raises_the_waiters_are_told_at_once(scene: Scene, failure: BaseException) -> None:
    class Broken:
        def send(self, request: object) -> Any:
            raise failure

    scene.source._transport = Broken()
    began = time.monotonic()
    with pytest.raises(AuthorityUnavailable) as refused:
        scene.guard.warm()
    assert time.monotonic() - began < 2
    assert refused.value.detail == f"keys of {scene.provider.url}{JWKS}: unexpected {type(failure).__name__}"


def test_a_clock_that_raises_leaves_nobody_waiting(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> float:
        if scene.fetches:
            raise ZeroDivisionError
        return 1000.0

    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    scene.source._clock = broken
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        scene.ask(token())
    assert time.monotonic() - began < 2
    eventually(lambda: unraisable)


def test_a_handler_of_the_log_may_ask_for_the_status(scene: Scene) -> None:
    # The log line is written outside the lock: inside it, this would never end.
    seen: list[object] = []

    class Curious(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(scene.guard.status())

    logger, handler = logging.getLogger("bearer_guard"), Curious()
    logger.addHandler(handler)
    try:
        private = {**keys(1)["keys"][0], "d": "AAAA"}
        scene.publish({"keys": [private]})
        assert scene.ask(token()) == 200
        scene.publish(document({}, 500))
        scene.clock.pass_by(590)
        assert scene.ask(token()) == 200
        eventually(lambda: len(seen) == 2)
    finally:
        logger.removeHandler(handler)


def test_waiters_give_up_at_the_deadline_though_nothing_ends_the_attempt(provider: Provider) -> None:
    stuck = threading.Event()

    class Stuck:
        def send(self, request: object) -> Any:
            stuck.wait(PATIENCE)
            raise OSError

    scene = Scene(provider, timeout=0.2)
    scene.source._transport = Stuck()
    for colour in COLOURS:
        began = time.monotonic()
        assert alike(scene.ask_in(colour, [token()] * 5, 5), 503)
        assert time.monotonic() - began < 1.5
        scene.clock.pass_by(31)
    assert scene.source.status()["last_error"] == "no complete answer in time"
    stuck.set()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("presented", "expected"),
    [(token(kid="strange"), 503), (token(2, kid="k1"), 401)],
    ids=["unknown kid", "bad signature"],
)
@pytest.mark.parametrize("step", [0.0, -100.0], ids=["keys past their age", "fresh keys"])
def test_a_token_joins_no_attempt_that_has_outlived_its_deadline(
    warm: Scene, step: float, presented: str, expected: int, colour: str
) -> None:
    stuck = threading.Event()

    class Stuck:
        def send(self, request: object) -> Any:
            stuck.wait(PATIENCE)
            raise OSError

    warm.source._transport, warm.source._timeout = Stuck(), 0.05
    warm.clock.pass_by(500)
    assert warm.ask_one_in(colour, token()) == 200
    warm.clock.pass_by(step)
    attempt = warm.source._attempts().under_way
    assert attempt is not None
    eventually(lambda: time.monotonic() >= attempt.deadline)
    assert warm.ask_one_in(colour, presented) == expected
    assert warm.source.status()["fetches"] == {"begun": 2, "succeeded": 1, "failed": 1}
    assert warm.ask_one_in(colour, token()) == 200
    stuck.set()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_process_that_sat_idle_waits_once_for_fresh_keys(warm: Scene, colour: str) -> None:
    warm.publish(keys(2))
    warm.clock.pass_by(1201)
    assert alike(warm.ask_in(colour, [token(2)] * 5, 5), 200)
    assert warm.fetches == 2
    assert warm.ask_one_in(colour, token(1)) == 401


@pytest.mark.parametrize("colour", COLOURS)
def test_an_idle_process_waits_once_and_no_more_when_the_provider_is_down(warm: Scene, colour: str) -> None:
    warm.publish(document({}, 500))
    warm.clock.pass_by(1201)
    assert alike(warm.ask_in(colour, [token()] * 5, 5), 200)
    assert warm.source.status()["fetches"]["failed"] == 1
    warm.clock.pass_by(10)
    with warm.provider.held():
        assert alike(warm.ask_in(colour, [token()] * 5, 5), 200)
    warm.settle()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_busy_process_does_not_wait_past_twice_the_age(warm: Scene, colour: str) -> None:
    warm.publish(document({}, 500))
    warm.clock.pass_by(605)
    assert warm.ask_one_in(colour, token()) == 200
    warm.settle()
    warm.clock.pass_by(700)
    with warm.provider.held():
        assert warm.ask_one_in(colour, token()) == 200
        assert warm.source.status()["state"] == "refreshing"


def test_a_fork_waits_until_nobody_is_inside_openssl() -> None:
    # Whose locks would stay locked in the child: no handshake there would ever end.
    held, outside = threading.Event(), []

    def inside_openssl() -> None:
        with UNFORKED:
            held.set()
            threading.Event().wait(0.05)  # time enough for a fork that does not wait
            outside.append(True)

    with ThreadPoolExecutor(1) as pool:
        step = pool.submit(inside_openssl)
        assert held.wait(PATIENCE)
        assert in_child(lambda: len(outside) + 10 * UNFORKED.locked()) == 1
        step.result(PATIENCE)
    assert not UNFORKED.locked()


IMPORTED_BY_FETCHES = """
import subprocess
import sys
from bearer_guard import AuthorityUnavailable, Guard, IncomingRequest, IntrospectionVerifier, JWTVerifier, RemoteJWKSet
url, issuer, audience, token = sys.argv[1:]
requests = [IncomingRequest("GET", "/", {"Authorization": f"Bearer {token}"})] * 2
options = {"issuer": issuer, "audience": audience, "clock": lambda: 1_800_000_000}
guards = [
    Guard(JWTVerifier(keys=RemoteJWKSet(url + "/jwks"), **options)),
    Guard(JWTVerifier(keys=RemoteJWKSet.discover(url), **options)),
    Guard(IntrospectionVerifier(endpoint=url + "/introspect", client_id="c", client_secret="s", **options)),
    Guard(JWTVerifier(keys=RemoteJWKSet(url.replace("http:", "https:"), timeout=0.5), **options)),
]
before, answers = set(sys.modules), []
for guard in guards:
    for request in requests:
        try:
            answers.append(guard.check(request) is not None)
        except AuthorityUnavailable:
            answers.append(None)
print(answers, sorted(set(sys.modules) - before))
"""


def test_a_fetch_imports_nothing_so_that_a_fork_finds_no_module_half_imported(provider: Provider) -> None:
    # The lock of a module that a thread of the parent was importing stays locked in the child for ever.
    scene = Scene(provider, discovered=True)
    provider.serve("/introspect", document({"active": True, "aud": RESOURCE}, Expires=DATE, Date=DATE))
    scene.publish(document(keys(1), Expires=DATE, Date=DATE, ETag='"x"'))
    command = [sys.executable, "-c", IMPORTED_BY_FETCHES, provider.url, ISSUER, RESOURCE, token()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout.strip() == "[True, True, True, True, True, True, None, None] []"
