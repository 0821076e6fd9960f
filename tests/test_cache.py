"""The memory of verified tokens: bounded, by the keys that verified, and never for what is not asked for again."""

from __future__ import annotations

import gc
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearer_guard._cache import Entry, TokenCache
from bearer_guard._jwks import KeySet
from tests.forks import in_child

KEYS = KeySet(())
NOW = 1000.0


def entry(payload: bytes = b"{}", window: tuple[float, float] = (0.0, 2000.0), keys: KeySet = KEYS) -> Entry:
    return Entry(payload, frozenset(), window, keys)


def known(cache: TokenCache, token: str) -> bool:
    return cache.find(token, KEYS, NOW) is not None


def test_what_is_kept_is_found_by_the_whole_token() -> None:
    cache, kept = TokenCache(10), entry()
    cache.keep("a.b.c", kept)
    assert cache.find("a.b.c", KEYS, NOW) is kept
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


def test_a_token_that_is_kept_again_replaces_its_entry_wherever_that_is() -> None:
    cache = TokenCache(20)
    cache.keep("t", entry(b"first"))
    cache.keep("t", entry(b"second"))
    found = cache.find("t", KEYS, NOW)
    assert found is not None
    assert found.payload == b"second"
    cache.keep("x", entry())
    cache.keep("y", entry())  # two may wait: now "t", which was used, has settled
    cache.keep("t", entry(b"third"))
    found = cache.find("t", KEYS, NOW)
    assert found is not None
    assert found.payload == b"third"
    assert len(cache) == 3


def test_tokens_that_are_seen_once_never_push_out_those_in_use() -> None:
    cache = TokenCache(100)
    used = [f"used {number}" for number in range(50)]
    for token in used:
        cache.keep(token, entry())
        assert known(cache, token)
    for number in range(10_000):
        cache.keep(f"once {number}", entry())
    assert all(known(cache, token) for token in used)


def test_of_the_settled_the_oldest_leaves_unless_it_was_used_since_its_last_turn() -> None:
    cache = TokenCache(10)  # one waits, nine are settled

    def settle(token: str) -> None:
        cache.keep(token, entry())
        assert known(cache, token)

    for number in range(10):
        settle(f"{number}")  # nine are settled now, 0 to 8, and 9 waits
    assert known(cache, "0")
    settle("10")
    assert known(cache, "0")
    assert not known(cache, "1")
    assert all(known(cache, f"{number}") for number in range(2, 11))


@settings(deadline=None)
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
            if size >= 20:
                assert cache.find(token, KEYS, NOW) is kept[token]
        else:
            assert cache.find(token, KEYS, NOW) in (None, kept.get(token))
        assert len(cache) <= size


@pytest.mark.parametrize("size", [1, 2, 9])
def test_the_smallest_caches_remember_the_last_token(size: int) -> None:
    cache = TokenCache(size)
    for token in ("a", "b", "c", "b"):
        cache.keep(token, entry())
        assert known(cache, token)
        assert len(cache) <= size


def test_no_token_is_held() -> None:
    cache = TokenCache(10)
    secret = "s3cr3t" * 100
    cache.keep(secret, entry())
    gc.collect()
    held = [referent for queue in (cache._waiting, cache._settled) for referent in gc.get_referents(queue)]
    assert held
    assert all(isinstance(key, bytes) and len(key) == 32 for key in (*cache._waiting, *cache._settled))


def test_threads_that_keep_and_find_at_once_leave_it_bounded_and_right() -> None:
    cache = TokenCache(50)
    wrong: list[object] = []

    def work(seed: int) -> None:
        try:
            for turn in range(2000):
                number = (seed * 7919 + turn * 31) % 90
                cache.keep(f"{number}", entry(str(number).encode()))
                found = cache.find(f"{number}", KEYS, NOW)
                if found is not None and found.payload != str(number).encode():
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


def test_a_child_that_was_forked_in_the_middle_of_a_change_goes_on() -> None:
    cache = TokenCache(30)
    cache.keep("t", entry())

    def child() -> int:
        cache.keep("u", entry())
        return 0 if known(cache, "t") and known(cache, "u") else 1

    with cache._lock.here():
        assert in_child(child) == 0
