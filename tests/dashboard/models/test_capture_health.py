"""Data health: what is missing, late, doubled or unreadable is said, and nothing else."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl
import pytest

from dashboard.models import capture_health as model
from dashboard.models.capture_health import Finding
from dashboard.tables import Period
from tests.captured import NOW
from workflow.captures import DUPLICATE
from workflow.monitoring import CaptureState

START = NOW - timedelta(hours=24)
TIME = pl.Datetime("us", "UTC")


def hourly(counts: Sequence[int]) -> pl.DataFrame:
    times = [START + timedelta(hours=i) for i in range(len(counts))]
    frame = pl.DataFrame({"time": times, "count": counts}, schema={"time": TIME, "count": int})
    return frame.filter(pl.col("count") > 0)


def kinds(
    invocations: Sequence[int],
    captured: Sequence[int],
    *,
    sampling: float = 100,
    enabled: bool = True,
    disk: float | None = None,
    now: datetime = NOW,
) -> dict[Finding, str]:
    rows = model.expected_and_captured(hourly(invocations), hourly(captured), sampling)
    state = CaptureState(enabled=enabled, sampling_percentage=sampling, disk_percent=disk)
    found = model.health(rows, state, Period.HOUR, now=now)
    return {finding.kind: finding.sentence for finding in found}


def test_all_captured_is_nothing_to_say() -> None:
    assert kinds([100] * 20, [100] * 20) == {}


def test_a_sample_is_expected_to_vary() -> None:
    assert kinds([1000] * 20, [98, 105, 110, 92] * 5, sampling=10) == {}


def test_a_gap_is_told_with_its_size() -> None:
    found = kinds([100] * 20, [100] * 5 + [40] + [100] * 14)

    assert set(found) == {Finding.GAP}
    assert "60 records are missing in 1 hour," in found[Finding.GAP]


def test_more_records_than_invocations_are_told() -> None:
    assert set(kinds([100] * 20, [100] * 10 + [150] * 10)) == {Finding.SURPLUS}


def test_silence_names_the_disk() -> None:
    found = kinds([100] * 20, [100] * 10)

    assert set(found) == {Finding.SILENCE}
    assert "1,000 invocations came in" in found[Finding.SILENCE]
    assert "disk fills" in found[Finding.SILENCE]
    full = kinds([100] * 20, [100] * 10, disk=91)[Finding.SILENCE]
    assert "91 % full" in full


def test_capture_that_is_off_is_not_called_silence() -> None:
    assert set(kinds([100] * 20, [100] * 10, enabled=False)) == {Finding.OFF}


def test_what_may_still_arrive_is_not_missed() -> None:
    early = START + timedelta(hours=11)

    assert kinds([100] * 11, [100] * 10, now=early) == {}


def test_an_idle_endpoint_is_not_silent() -> None:
    assert kinds([100] * 10 + [1], [100] * 10) == {}


def test_captures_before_the_first_metric_are_not_judged() -> None:
    rows = model.expected_and_captured(hourly([0, 0, 5]), hourly([7, 7, 5]), 50)

    assert rows.rows() == [(START + timedelta(hours=2), 5, 2.5, 5)]


def test_an_endpoint_that_cannot_be_asked_is_taken_to_capture_everything() -> None:
    rows = model.expected_and_captured(hourly([100] * 20), hourly([100] * 10), 100)

    found = model.health(rows, None, Period.HOUR, now=NOW)

    assert [finding.kind for finding in found] == [Finding.SILENCE]


def test_unreadable_lines_and_duplicates_are_told_apart() -> None:
    errors = pl.DataFrame({"reason": [DUPLICATE, "not JSON", "not JSON"], "lines": [3, 1, 4]})

    found = {item.kind: item.sentence for item in model.reading_findings(errors, 2)}

    assert found[Finding.DUPLICATES].startswith("3 records")
    assert found[Finding.UNREADABLE].startswith("5 lines")
    assert found[Finding.UNTIMED].startswith("2 records")
    assert model.reading_findings(errors.clear(), 0) == ()


@pytest.mark.parametrize(("minutes", "late"), [([1, 2, 3], 0), ([1, 2, 90], 1)])
def test_objects_that_come_late_are_counted(minutes: list[int], late: int) -> None:
    objects = pl.DataFrame(
        {"last": [NOW] * 3, "last_modified": [NOW + timedelta(minutes=m) for m in minutes]},
        schema={"last": TIME, "last_modified": TIME},
    )

    median, found = model.lateness(objects)

    assert median == timedelta(minutes=2)
    assert len(found) == late
    assert all("90 minutes" in item.sentence for item in found)


def test_no_object_no_lateness() -> None:
    objects = pl.DataFrame(schema={"last": TIME, "last_modified": TIME})

    assert model.lateness(objects) == (None, ())
