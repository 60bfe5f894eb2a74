"""Answers are computed once a version."""

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
