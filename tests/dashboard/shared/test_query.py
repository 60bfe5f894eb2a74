"""Filters in the URL."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.shared import query
from workflow.executions import Outcome


@dataclass(frozen=True)
class Filters:
    name: str = ""
    least: float | None = None
    count: int = 10
    live: bool = False
    since: datetime | None = None
    day: date | None = None
    sort: Literal["new", "old"] = "new"
    status: tuple[str, ...] = ()


values = st.builds(
    Filters,
    name=st.text(),
    least=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    count=st.integers(-(2**40), 2**40),
    live=st.booleans(),
    since=st.none() | st.datetimes(timezones=st.just(UTC)),
    day=st.none() | st.dates(),
    sort=st.sampled_from(["new", "old"]),
    status=st.lists(st.text(), max_size=3).map(tuple),
)


@given(values)
def test_what_is_written_is_read_again(filters: Filters) -> None:
    assert query.read_filters(Filters, query.write_filters(filters)) == query.Query(filters)


def test_defaults_leave_the_address_bare() -> None:
    assert query.write_filters(Filters()) == {}
    assert query.link_to("executions", Filters()) == "executions"


def test_an_address_is_escaped_and_repeats_lists() -> None:
    found = query.link_to("executions", Filters(name="a b&c", status=("FAILED", "ABORTED")))

    assert found == "executions?name=a+b%26c&status=FAILED&status=ABORTED"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "ten"),
        ("least", "much"),
        ("since", "yesterday"),
        ("sort", "sideways"),
        ("live", "2"),
    ],
)
def test_a_value_that_cannot_be_read_leaves_the_default_and_says_so(name: str, value: str) -> None:
    found = query.read_filters(Filters, {name: [value], "name": ["kept"]})

    assert found.filters == Filters(name="kept")
    assert found.ignored == (query.describe_unknown(name, value),)


def test_a_parameter_that_the_page_does_not_have_is_ignored_and_said() -> None:
    assert query.read_filters(Filters, {"execution": ["arn"]}) == query.Query(
        Filters(), ("This page has no parameter execution in its address: it was ignored.",)
    )


def test_of_a_list_what_is_known_is_kept() -> None:
    @dataclass(frozen=True)
    class Listed:
        outcome: tuple[Outcome, ...] = ()

    found = query.read_filters(Listed, {"outcome": ["foo", "fault", "bar"]})

    assert found.filters == Listed((Outcome.FAULTED,))
    assert found.ignored == (
        query.describe_unknown("outcome", "foo"),
        query.describe_unknown("outcome", "bar"),
    )
    assert query.write_filters(found.filters) == {"outcome": ["fault"]}


def test_a_parameter_may_be_a_keyword_of_python() -> None:
    @dataclass(frozen=True)
    class Tried:
        try_: float = 0.5

    assert query.read_filters(Tried, {"try": ["0.9"]}).filters == Tried(0.9)
    assert query.write_filters(Tried(0.9)) == {"try": ["0.9"]}


def test_a_time_without_seconds_is_read() -> None:
    found = query.read_filters(Filters, {"since": ["2026-01-02T03:04"]})

    assert found.filters == Filters(since=datetime(2026, 1, 2, 3, 4))  # noqa: DTZ001 - as in the address


def test_a_value_out_of_the_dataclasss_own_bounds_is_ignored() -> None:
    @dataclass(frozen=True)
    class Bounded:
        share: float = 0.5

        def __post_init__(self) -> None:
            if self.share > 1:
                raise ValueError

    assert query.read_filters(Bounded, {"share": ["7"]}).filters == Bounded()
