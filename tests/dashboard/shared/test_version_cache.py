"""Answers are computed once a version."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboard.shared.version_cache import VersionCache


def test_an_answer_is_computed_once_a_version() -> None:
    cache, made = VersionCache(), iter(range(10))

    assert [cache.get("a", version, lambda: next(made)) for version in (1, 1, 2, 2)] == [0, 0, 1, 1]


def test_answers_of_an_earlier_version_are_forgotten() -> None:
    cache, made = VersionCache(), iter(range(10))
    cache.get("a", 1, lambda: next(made))
    cache.get("b", 2, lambda: next(made))

    assert cache.get("a", 1, lambda: next(made)) == 2


def test_beyond_the_kept_ones_the_oldest_answer_is_forgotten() -> None:
    cache, made = VersionCache(kept=2), iter(range(10))
    for key in "abc":
        cache.get(key, 1, lambda: next(made))

    assert cache.get("c", 1, lambda: next(made)) == 2
    assert cache.get("b", 1, lambda: next(made)) == 1
    assert cache.get("a", 1, lambda: next(made)) == 3


def test_what_fails_is_not_kept() -> None:
    cache = VersionCache()
    with pytest.raises(ZeroDivisionError):
        cache.get("a", 1, lambda: 1 // 0)

    assert cache.get("a", 1, lambda: 5) == 5


def test_of_many_that_ask_at_once_one_computes_the_answer() -> None:
    cache, made, asked = VersionCache(), iter(range(10)), threading.Barrier(5)

    def make() -> int:
        threading.Event().wait(0.05)  # long enough for the others to ask too
        return next(made)

    def ask(_: int) -> int:
        asked.wait(60)
        return cache.get("a", 1, make)

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(ask, range(5))) == [0] * 5


def test_an_answer_that_takes_long_holds_up_no_other() -> None:
    cache, begun, go_on = VersionCache(), threading.Event(), threading.Event()

    def make() -> str:
        begun.set()
        assert go_on.wait(60)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cache.get, "slow", 1, make)
        assert begun.wait(60)
        assert cache.get("quick", 1, lambda: "quick") == "quick"
        go_on.set()
        assert slow.result(60) == "slow"
