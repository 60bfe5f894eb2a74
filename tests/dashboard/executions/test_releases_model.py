"""Releases and rollbacks, as the executions themselves tell."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dashboard.executions.releases_model import find_releases

START = datetime(2026, 11, 1, tzinfo=UTC)


def ran(versions: str) -> pl.DataFrame:
    """One execution an hour, each of the version of one letter; a dot has none."""
    rows = [
        (START + timedelta(hours=hour), None if version == "." else version)
        for hour, version in enumerate(versions)
    ]
    return pl.DataFrame(
        rows, {"started_at": pl.Datetime("us", "UTC"), "version": pl.String}, orient="row"
    )


def words(versions: str) -> list[str]:
    return [one.words for one in find_releases(ran(versions))]


def test_a_version_is_released_when_it_is_first_run() -> None:
    assert words("112.2") == ["v1", "v2"]
    assert find_releases(ran("112"))[1].at == START + timedelta(hours=2)


def test_going_back_to_an_earlier_version_is_a_rollback() -> None:
    assert words("11221144") == ["v1", "v2", "back to v1", "v4"]


def test_two_bad_releases_in_a_row_are_rolled_back_once() -> None:
    assert words("112311") == ["v1", "v2", "v3", "back to v1"]


def test_an_alias_that_sends_executions_to_two_versions_rolls_nothing_back() -> None:
    assert words("1112121222") == ["v1", "v2"]


def test_executions_without_a_version_tell_nothing() -> None:
    assert words("...") == []


@given(st.text("123.", max_size=30))
def test_every_version_is_released_once(versions: str) -> None:
    found = find_releases(ran(versions))

    released = [one.version for one in found if not one.rolled_back]
    assert sorted(released) == sorted(set(versions) - {"."})
    assert [one.at for one in found] == sorted(one.at for one in found)
