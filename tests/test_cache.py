"""The memory of verified tokens: bounded, by the keys that verified, fair under a flood, and never lost to a fork."""

from __future__ import annotations

import gc
import random
import sys
import threading
import time
import tracemalloc
from bisect import bisect
from collections import OrderedDict
from collections.abc import Callable
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearer_guard._cache import Entry, TokenCache
from bearer_guard._jwks import KeySet
from bearer_guard.testing import LocalIssuer
from tests.forks import in_child

KEYS = KeySet(())
NOW = 1000.0


def entry(payload: bytes = b"{}", window: tuple[float, float] = (0.0, 2000.0), keys: KeySet = KEYS) -> Entry:
    return Entry((payload, frozenset(), None), window, keys)


def known(cache: TokenCache, token: str) -> bool:
    return cache.find(token, KEYS, NOW) is not None


def asked(cache: TokenCache, token: str) -> bool:
    """Whether `token` was remembered; now it is."""
    found = known(cache, token)
    if not found:
        cache.keep(token, entry())
    return found


def test_what_is_kept_is_found_by_the_whole_token() -> None:
    cache, kept = TokenCache(10), entry()
    cache.keep("a.b.c", kept)
    assert cache.find("a.b.c", KEYS, NOW) is kept.facts
    for other in ("a.b.C", "a.b.c=", "a.b", "a.b.c\n", "", "\ud800"):
        assert cache.find(other, KEYS, NOW) is None


def test_an_entry_counts_only_while_the_very_keys_that_verified_it_are_current() -> None:
    cache = TokenCache(10)
    cache.keep("t", entry())
    assert cache.find("t", KeySet(()), NOW) is None
    assert cache.find("t", None, NOW) is None
    assert known(cache, "t")


@pytest.mark.parametrize(
    ("now", "counts"), [(99.9, False), (100.0, True), (199.9, True), (200.0, False), (float("nan"), False)]
)
def test_an_entry_counts_only_in_its_time(now: float, counts: bool) -> None:
    cache = TokenCache(10)
    cache.keep("t", entry(window=(100.0, 200.0)))
    assert (cache.find("t", KEYS, now) is not None) is counts


def test_a_token_that_is_kept_again_replaces_its_entry_and_takes_no_second_place() -> None:
    cache = TokenCache(3)
    for payload in (b"first", b"second", b"third", b"fourth"):
        kept = entry(payload)
        cache.keep("t", kept)
        assert cache.find("t", KEYS, NOW) is kept.facts
        assert len(cache) == 1


def test_every_place_is_used_before_anybody_has_to_leave() -> None:
    cache = TokenCache(100)
    tokens = [f"{number}" for number in range(100)]
    for token in tokens:
        cache.keep(token, entry())
    assert all(known(cache, token) for token in tokens)


def test_tokens_that_are_seen_once_never_push_out_those_in_use() -> None:
    cache = TokenCache(100)
    used = [f"used {number}" for number in range(50)]
    for token in used:
        cache.keep(token, entry())
        assert known(cache, token)
    for number in range(10_000):
        cache.keep(f"once {number}", entry())
    assert all(known(cache, token) for token in used)


def test_a_token_that_comes_again_soon_after_it_had_to_leave_stays() -> None:
    cache = TokenCache(100)
    for number in range(100):
        cache.keep(f"once {number}", entry())
    cache.keep("again", entry())
    for number in range(100, 120):
        cache.keep(f"once {number}", entry())
    assert not asked(cache, "again")
    for number in range(120, 1_000):
        cache.keep(f"once {number}", entry())
    assert known(cache, "again")


def test_of_the_settled_the_oldest_leaves_unless_it_was_used_since_its_last_turn() -> None:
    cache = TokenCache(10)

    def settle(token: str) -> None:
        cache.keep(token, entry())
        assert known(cache, token)

    for number in range(11):  # all were used: each has had its turn and settled
        settle(f"{number}")
    assert known(cache, "1")
    assert not known(cache, "0")
    settle("11")
    settle("12")
    assert known(cache, "1")
    assert not known(cache, "2")


def test_a_newcomer_waits_for_few_turns_of_others_though_all_are_in_use() -> None:
    cache = TokenCache(1_000)
    tokens = [f"{number}" for number in range(1_000)]
    for token in tokens:
        cache.keep(token, entry())
        assert known(cache, token)
    cache.keep("newcomer", entry())
    assert known(cache, "newcomer")
    assert len(cache) == 1_000
    assert sum(known(cache, token) for token in tokens) == 999


# --- fair under a flood --------------------------------------------------------------------------------------------


def hit_rate(ask: Callable[[str], bool], *, noise: float, working: int = 200, asks: int = 30_000) -> float:
    """Of requests by tokens in use, Zipf-distributed, among a flood of one-off tokens; after one third to warm up."""
    chance = random.Random(7)
    weights = list(accumulate(1 / (rank + 1) for rank in range(working)))
    hits = counted = 0
    for turn in range(asks):
        if chance.random() < noise:
            ask(f"once {turn}")
            continue
        found = ask(f"used {bisect(weights, chance.random() * weights[-1])}")
        if turn > asks / 3:
            counted, hits = counted + 1, hits + found
    return hits / counted


def least_recently_used(size: int) -> Callable[[str], bool]:
    kept: OrderedDict[str, None] = OrderedDict()

    def ask(token: str) -> bool:
        found = token in kept
        kept[token] = None
        kept.move_to_end(token)
        if len(kept) > size:
            kept.popitem(last=False)
        return found

    return ask


def test_a_flood_of_one_off_tokens_leaves_the_working_set_where_it_is() -> None:
    cache = TokenCache(300)
    under_flood = hit_rate(lambda token: asked(cache, token), noise=0.9)
    assert under_flood > 0.85
    assert under_flood > hit_rate(least_recently_used(300), noise=0.9) + 0.3


def test_without_a_flood_the_order_of_leaving_costs_nothing_against_the_least_recently_used() -> None:
    cache = TokenCache(100)
    assert hit_rate(lambda token: asked(cache, token), noise=0) > hit_rate(least_recently_used(100), noise=0)


# --- bounds --------------------------------------------------------------------------------------------------------


@settings(deadline=None, derandomize=True)
@given(
    st.integers(1, 25),
    st.lists(st.tuples(st.sampled_from(["keep", "find"]), st.integers(0, 40)), max_size=200),
)
def test_there_are_never_more_entries_than_asked_for_and_each_is_of_its_token(
    size: int, operations: list[tuple[str, int]]
) -> None:
    cache = TokenCache(size)
    kept: dict[str, Entry] = {}
    for operation, number in operations:
        token = f"token {number}"
        if operation == "keep":
            kept[token] = entry(str(number).encode())
            cache.keep(token, kept[token])
            assert cache.find(token, KEYS, NOW) is kept[token].facts
        else:
            found = cache.find(token, KEYS, NOW)
            assert found is None or found is kept[token].facts
        assert len(cache) <= size


@pytest.mark.parametrize("size", [1, 2, 9])
def test_the_smallest_caches_remember_the_last_token(size: int) -> None:
    cache = TokenCache(size)
    for token in ("a", "b", "c", "b"):
        cache.keep(token, entry())
        assert known(cache, token)
        assert len(cache) <= size


def test_an_entry_takes_little_more_than_its_payload() -> None:
    # All of them are in use, and as many have left: nothing that the cache allocates later is missing.
    count, size, scopes = 4_000, 700, frozenset({"read"})
    cache = TokenCache(count)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(2 * count):
        cache.keep(f"{number}", Entry((bytes(size), scopes, None), (number + 0.5, number + 0.25), KEYS))
    taken = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    assert len(cache) == count
    assert size < taken < 1_228


def test_no_token_is_held() -> None:
    cache = TokenCache(10)
    secret = "s3cr3t" * 100
    for number in range(30):
        cache.keep(f"{secret} {number}", entry())
    held, seen = [cache], set()
    while held:
        thing = held.pop()
        if id(thing) in seen or isinstance(thing, type):
            continue
        seen.add(id(thing))
        assert not isinstance(thing, str) or secret not in thing
        assert not isinstance(thing, bytes) or secret.encode() not in thing
        held += gc.get_referents(thing)
    assert len(seen) > 30


# --- threads and forks ---------------------------------------------------------------------------------------------


def test_threads_that_keep_and_find_at_once_leave_it_bounded_and_right() -> None:
    cache = TokenCache(50)
    wrong: list[object] = []

    def work(seed: int) -> None:
        try:
            for turn in range(2000):
                number = (seed * 7919 + turn * 31) % 90
                cache.keep(f"{number}", entry(str(number).encode()))
                found = cache.find(f"{number}", KEYS, NOW)
                if found is not None and found[0] != str(number).encode():
                    wrong.append(found)
        except Exception as failure:
            wrong.append(failure)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert 0 < len(cache) <= 50


def test_a_hit_does_not_let_go_of_the_interpreter_lock_beside_a_busy_thread() -> None:
    # Whoever lets go waits for a switch interval. It is long here, so that one lost lock shows in how far the other came.
    issuer = LocalIssuer("https://api.example.com")
    verifier, token = issuer.verifier(cache_size=10), issuer.token()
    verifier.verify(token)
    stop, turns, before = threading.Event(), [0], sys.getswitchinterval()

    def spin() -> None:
        while not stop.is_set():
            turns[0] += 1

    busy = threading.Thread(target=spin)
    sys.setswitchinterval(0.1)
    busy.start()
    progress = []
    try:
        for _ in range(50):  # the machine may take the processor away for longer than the interval
            time.sleep(0)
            begun = turns[0]
            for _ in range(100):
                verifier.verify(token)
            progress.append(turns[0] - begun)
            if not progress[-1]:
                break
    finally:
        sys.setswitchinterval(before)
        stop.set()
        busy.join()
    assert progress[-1] == 0


def test_another_process_begins_with_an_empty_cache_when_it_has_a_token_to_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = TokenCache(10)
    cache.keep("before", entry())
    monkeypatch.setattr("bearer_guard._cache.getpid", lambda: -1)
    assert known(cache, "before")
    cache.keep("after", entry())
    assert known(cache, "after")
    assert not known(cache, "before")


def test_a_fork_while_a_thread_is_keeping_a_token_leaves_the_child_a_cache_that_works() -> None:
    cache = TokenCache(10)
    cache.keep("before", entry())

    def child() -> int:
        found_before = known(cache, "before")
        cache.keep("after", entry())
        return 0 if found_before and known(cache, "after") else 1

    with cache._room.lock:  # as a thread of the parent would at the moment of the fork
        assert in_child(child) == 0
    assert known(cache, "before")
    assert not known(cache, "after")
