"""Which configuration served when, and which share was captured, is known as far as AWS tells."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from workflow.configurations import Configurations, Sampling, Served
from workflow.spans import Span


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 23, hour, minute, tzinfo=UTC)


def configurations(
    present: str,
    made: Mapping[str, datetime],
    *,
    changed: datetime,
    created: datetime | None = None,
) -> Configurations:
    return Configurations(
        present=present, created=created or at(1), changed=changed, made=dict(made)
    )


def test_each_serves_until_the_next_and_the_present_one_since_the_last_change() -> None:
    found = configurations("c", {"b": at(5), "a": at(2), "c": at(9)}, changed=at(10))

    assert found.served() == (
        Served("a", at(2), Span(at(2), at(5))),
        Served("b", at(5), Span(at(5), at(9))),
        Served("c", at(9), Span(at(10))),
    )


def test_one_that_was_made_after_the_last_change_has_not_served() -> None:
    found = configurations("a", {"a": at(2), "later": at(5)}, changed=at(3))

    assert found.served() == (Served("a", at(2), Span(at(3))),)


def test_a_present_one_of_unknown_creation_is_known_since_the_last_change() -> None:
    assert configurations("theirs", {}, changed=at(3)).served() == (
        Served("theirs", at(3), Span(at(3))),
    )


def test_one_that_is_used_again_has_two_times() -> None:
    found = configurations("a", {"a": at(2), "b": at(5)}, changed=at(9))

    assert found.served() == (
        Served("a", at(2), Span(at(2), at(5)), again=True),
        Served("b", at(5), Span(at(5), at(9))),
        Served("a", at(2), Span(at(9)), again=True),
    )


def test_that_one_was_used_again_is_not_known_once_another_took_its_place() -> None:
    found = configurations("c", {"a": at(2), "b": at(5), "c": at(12)}, changed=at(12, 5))

    assert [(one.name, one.span) for one in found.served()] == [
        ("a", Span(at(2), at(5))),
        ("b", Span(at(5), at(12))),
        ("c", Span(at(12, 5))),
    ]


SHARES = {"a": 100.0, "b": 10.0, "c": 10.0}


def test_a_share_is_known_half_an_hour_after_another_one_s_configuration_was_made() -> None:
    found = configurations("b", {"a": at(1), "b": at(5)}, changed=at(9), created=at(1, 1))

    assert found.samplings(SHARES) == (
        Sampling(Span(at(1, 1), at(5)), 100),
        Sampling(Span(at(5, 30)), 10),
    )


def test_the_present_share_is_known_as_soon_as_the_endpoint_has_moved() -> None:
    found = configurations("b", {"a": at(1), "b": at(5)}, changed=at(5, 8), created=at(1, 1))

    assert found.samplings(SHARES)[-1] == Sampling(Span(at(5, 8)), 10)


def test_the_same_share_goes_on_through_a_change() -> None:
    made = {"a": at(1), "b": at(5), "c": at(9)}
    found = configurations("c", made, changed=at(9, 8), created=at(1, 1))

    assert found.samplings(SHARES) == (
        Sampling(Span(at(1, 1), at(5)), 100),
        Sampling(Span(at(5, 30)), 10),
    )


def test_a_configuration_that_no_longer_exists_leaves_a_time_of_unknown_share() -> None:
    found = configurations("c", {"c": at(9)}, changed=at(9, 8), created=at(1))

    assert found.samplings(SHARES) == (Sampling(Span(at(9, 8)), 10),)


def test_one_whose_share_is_not_known_leaves_its_time_out() -> None:
    made = {"a": at(1), "b": at(5), "c": at(9)}
    found = configurations("c", made, changed=at(9, 8), created=at(1, 1))

    assert found.samplings({"a": 100, "c": 100}) == (
        Sampling(Span(at(1, 1), at(5)), 100),
        Sampling(Span(at(9, 8)), 100),
    )


def test_one_that_served_for_minutes_only_has_no_time_of_its_own() -> None:
    made = {"a": at(1), "b": at(5), "c": at(5, 20)}
    found = configurations("c", made, changed=at(12), created=at(1, 1))

    assert found.samplings({"a": 100, "b": 10, "c": 100}) == (
        Sampling(Span(at(1, 1), at(5)), 100),
        Sampling(Span(at(5, 50)), 100),
    )


@pytest.mark.parametrize("created", [at(6), at(8)])
def test_nothing_is_known_of_the_time_before_the_endpoint(created: datetime) -> None:
    found = configurations("b", {"a": at(1), "b": at(5)}, changed=at(9), created=created)

    assert found.samplings(SHARES) == (Sampling(Span(created), 10),)


def test_the_share_of_one_that_is_used_again_is_known_of_both_times() -> None:
    found = configurations("a", {"a": at(1), "b": at(5)}, changed=at(9), created=at(1, 1))

    assert found.samplings(SHARES) == (
        Sampling(Span(at(1, 1), at(5)), 100),
        Sampling(Span(at(5, 30), at(9)), 10),
        Sampling(Span(at(9)), 100),
    )
