"""What each process has one of its own, across real forks."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bearer_guard._process import PerProcess
from bearer_guard.issuer._clients import Clients
from bearer_guard.issuer._keys import KeyRing
from bearer_guard.issuer._memory_store import MemoryStore
from tests.forks import PATIENCE, in_child


def test_a_process_makes_one_and_its_child_another_that_is_handed_the_parents() -> None:
    def child() -> int:
        made = of_process.here()
        return 0 if made == [first] and of_process.here() is made else 1

    of_process: PerProcess[list[object]] = PerProcess(lambda parents: [parents])
    first = of_process.here()
    assert first == [None]
    assert in_child(child) == 0
    assert of_process.here() is first


def test_a_grandchild_is_handed_what_its_own_parent_made() -> None:
    of_process: PerProcess[list[object]] = PerProcess(lambda parents: [parents])

    def child() -> int:
        made = of_process.here()
        return in_child(lambda: 0 if of_process.here()[0] is made else 1)

    assert in_child(child) == 0


def test_threads_that_find_themselves_in_a_child_together_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(16)

    def make(parents: object) -> object:
        if parents is not None:
            barrier.wait(PATIENCE)  # all of them make one
        return object()

    of_process: PerProcess[object] = PerProcess(make)
    child = os.getpid() + 100_000
    monkeypatch.setattr(os, "getpid", lambda: child)
    with ThreadPoolExecutor(16) as pool:
        found = {id(one.result(PATIENCE)) for one in [pool.submit(of_process.here) for _ in range(16)]}
    assert len(found) == 1
    assert list(of_process._made) == [child]


def test_an_issuer_goes_on_in_a_child_that_was_forked_in_the_middle_of_a_change() -> None:
    clients = Clients()
    ring = KeyRing(store=clients.store)

    def child() -> int:
        client, _ = clients.add(audience="https://api.example.com")
        clients.authenticate(client.client_id, "wrong")
        ring.rotate()
        return len(ring.keys)

    store = clients.store
    assert isinstance(store, MemoryStore)
    with store._lock.here(), clients._brake._lock.here():
        assert in_child(child) == 2
