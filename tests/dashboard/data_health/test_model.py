"""Data health: what is missing, late, doubled or unreadable is said, and nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.data_health import reading_model, volume_model
from dashboard.data_health.model import Health, HealthFindingKind
from dashboard.data_health.volume_model import TrafficCounts
from tests.captured import NOW, captured, counted
from workflow.captures import DUPLICATE
from workflow.configurations import Sampling
from workflow.monitoring import CaptureState
from workflow.spans import Span

START = NOW - timedelta(hours=24)
IN_UTC = ZoneInfo("UTC")
TIME = pl.Datetime("us", "UTC")


def hourly(counts: Sequence[int]) -> pl.DataFrame:
    times = [START + timedelta(hours=i) for i in range(len(counts))]
    frame = pl.DataFrame({"time": times, "count": counts}, schema={"time": TIME, "count": int})
    return frame.filter(pl.col("count") > 0)


def asked(counts: Sequence[int], failed: Sequence[int] = ()) -> pl.DataFrame:
    """Invocations by the hour, of which so many failed."""
    vain = hourly(failed).rename({"count": "failed"})
    return hourly(counts).join(vain, on="time", how="left").fill_null(0)


ALWAYS = Span()


def kinds(
    invocations: Sequence[int],
    captured: Sequence[int],
    *,
    sampling: float = 100,
    enabled: bool = True,
    disk: float | None = None,
    now: datetime = NOW,
    failed: Sequence[int] = (),
    samplings: Sequence[Sampling] | None = None,
) -> dict[HealthFindingKind, str]:
    known = [Sampling(ALWAYS, sampling)] if samplings is None else samplings
    counted = asked(invocations, failed)
    rows = volume_model.expected_and_captured(counted, hourly(captured), known, Period.HOUR)
    state = CaptureState(enabled=enabled, sampling_percentage=sampling, disk_percent=disk)
    found = volume_model.find_problems(rows, state, Period.HOUR, now=now, zone=IN_UTC)
    return {finding.kind: finding.sentence for finding in found}


def test_all_captured_is_nothing_to_say() -> None:
    assert kinds([100] * 20, [100] * 20) == {}


def test_a_sample_is_expected_to_vary() -> None:
    assert kinds([1000] * 20, [98, 105, 110, 92] * 5, sampling=10) == {}


def test_a_gap_is_told_with_its_size() -> None:
    found = kinds([100] * 20, [100] * 5 + [40] + [100] * 14)

    assert set(found) == {HealthFindingKind.GAP}
    assert "60 records are missing in 1 hour," in found[HealthFindingKind.GAP]


def test_more_records_than_invocations_are_told() -> None:
    assert set(kinds([100] * 20, [100] * 10 + [150] * 10)) == {HealthFindingKind.SURPLUS}


def test_silence_names_the_disk() -> None:
    found = kinds([100] * 20, [100] * 10)

    assert set(found) == {HealthFindingKind.SILENCE}
    assert "1,000 invocations came in" in found[HealthFindingKind.SILENCE]
    assert "disk fills" in found[HealthFindingKind.SILENCE]
    full = kinds([100] * 20, [100] * 10, disk=91)[HealthFindingKind.SILENCE]
    assert "91 % full" in full


def test_capture_that_is_off_is_not_called_silence() -> None:
    assert set(kinds([100] * 20, [100] * 10, enabled=False)) == {HealthFindingKind.OFF}


def test_what_may_still_arrive_is_not_missed() -> None:
    early = START + timedelta(hours=11)

    assert kinds([100] * 11, [100] * 10, now=early) == {}


def test_a_disk_that_fills_is_only_named_where_nothing_is_captured() -> None:
    assert kinds([100] * 20, [100] * 20, disk=91) == {}
    assert "disk fills" in kinds([100] * 20, [100] * 10, disk=20)[HealthFindingKind.SILENCE]


def test_a_sampling_percentage_of_zero_is_capture_that_is_off() -> None:
    assert set(kinds([100] * 20, [], sampling=0)) == {HealthFindingKind.OFF}


def test_silence_tells_from_when_to_when() -> None:
    found = kinds([100] * 20, [100] * 10)[HealthFindingKind.SILENCE]

    assert "from 2026-11-22 22:00 to 2026-11-23 08:00 UTC" in found


def test_an_idle_endpoint_is_not_silent() -> None:
    assert kinds([100] * 10 + [1], [100] * 10) == {}


def test_captures_before_the_first_metric_are_not_judged() -> None:
    rows = volume_model.expected_and_captured(
        asked([0, 0, 5]), hourly([7, 7, 5]), [Sampling(ALWAYS, 50)], Period.HOUR
    )

    assert rows.rows() == [(START + timedelta(hours=2), 5, 0, 0.5, 2.5, 5)]


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


CHANGED = [Sampling(Span(hour(0), hour(4.5)), 100), Sampling(Span(hour(5)), 10)]
"""All was captured, then a tenth; the change came in the fifth hour."""


def test_each_hour_is_judged_by_the_share_of_its_own_time() -> None:
    assert kinds([100] * 10, [100] * 4 + [55] + [10] * 5, samplings=CHANGED) == {}
    today = kinds([100] * 10, [100] * 4 + [55] + [10] * 5, sampling=100)
    assert HealthFindingKind.GAP in today, "today's share would have missed records"


def test_a_gap_before_a_change_is_found_by_the_share_of_before() -> None:
    found = kinds([100] * 10, [100, 40, 100, 100, 55] + [10] * 5, sampling=10, samplings=CHANGED)

    assert "60 records are missing in 1 hour," in found[HealthFindingKind.GAP]


def test_an_hour_in_which_two_shares_may_have_held_is_not_judged() -> None:
    captured = [100] * 4 + [0] + [10] * 5

    assert kinds([100] * 10, captured, samplings=CHANGED) == {}
    assert kinds([100] * 5, captured[:5], samplings=CHANGED) == {}


def test_silence_that_ended_in_an_hour_of_unknown_share_is_a_gap() -> None:
    assert set(kinds([100] * 5, [100, 100, 0, 0, 7], samplings=CHANGED)) == {HealthFindingKind.GAP}


def test_failed_invocations_are_neither_missed_nor_too_many() -> None:
    assert kinds([100] * 20, [60] * 20, failed=[40] * 20) == {}
    assert kinds([100] * 20, [100] * 20, failed=[40] * 20) == {}
    assert set(kinds([100] * 20, [30] * 20, failed=[40] * 20)) == {HealthFindingKind.GAP}


def test_an_endpoint_that_only_fails_is_not_silent() -> None:
    assert kinds([100] * 20, [100] * 10, failed=[0] * 10 + [100] * 10) == {}


def test_an_endpoint_that_cannot_be_asked_is_not_judged() -> None:
    assert volume_model.judge_unasked("e", "There is no such endpoint.") == Health(
        unjudged=("Volume of e: There is no such endpoint.",)
    )


def test_unreadable_lines_and_duplicates_are_told_apart() -> None:
    errors = pl.DataFrame({"reason": [DUPLICATE, "not JSON", "not JSON"], "lines": [3, 1, 4]})

    found = {item.kind: item.sentence for item in reading_model.reading_findings(errors, 2)}

    assert found[HealthFindingKind.DUPLICATES].startswith("3 records")
    assert found[HealthFindingKind.UNREADABLE].startswith("5 lines")
    assert found[HealthFindingKind.UNTIMED].startswith("2 records")
    assert reading_model.reading_findings(errors.clear(), 0) == ()


def test_objects_that_could_not_be_read_are_counted_beside_lines() -> None:
    errors = pl.DataFrame(
        {
            "reason": ["AccessDenied", "not JSON", "key unreadable", "AccessDenied"],
            "lines": [0, 1, 0, 0],
        }
    )

    (found,) = reading_model.reading_findings(errors, 0)

    assert found.sentence.startswith("1 line and 3 objects without a capture")
    assert reading_model.count_errors(errors.head(1)) == "1 object"
    assert reading_model.by_reason(errors).rows() == [
        ("not JSON", 1, 0),
        ("AccessDenied", 0, 2),
        ("key unreadable", 0, 1),
    ]


def test_labels_that_cannot_be_read_are_found() -> None:
    (found,) = reading_model.judge_truths(
        pl.DataFrame({"reason": ["not JSON"], "lines": [1]})
    ).findings

    assert (found.kind, found.subject) == (HealthFindingKind.UNREADABLE, "Ground truth")
    assert found.sentence.startswith("1 line without a label")
    assert (
        reading_model.judge_truths(pl.DataFrame(schema={"reason": pl.String, "lines": int}))
        == Health()
    )


def test_lines_that_are_all_read_once_are_nothing_to_say() -> None:
    errors = pl.DataFrame(schema={"reason": pl.String, "lines": pl.Int64})

    assert reading_model.judge_lines(errors, 7, 0, known=True) == Health(
        judged=("7 lines that were read",)
    )


@pytest.mark.parametrize(
    ("reason", "kind"),
    [(DUPLICATE, HealthFindingKind.DUPLICATES), ("not JSON", HealthFindingKind.UNREADABLE)],
)
def test_lines_that_gave_no_record_are_found(reason: str, kind: HealthFindingKind) -> None:
    found = reading_model.judge_lines(
        pl.DataFrame({"reason": [reason], "lines": [2]}), 7, 0, known=True
    )

    assert [finding.kind for finding in found.findings] == [kind]
    assert found.judged == ("9 lines that were read",)


def test_lines_are_not_judged_where_none_was_read_or_athena_reads_them() -> None:
    errors = pl.DataFrame(schema={"reason": pl.String, "lines": pl.Int64})

    for found in (
        reading_model.judge_lines(errors, 0, 0, known=True),
        reading_model.judge_lines(errors, 500, 0, known=False),
    ):
        assert found.judged == ()
        assert found.unjudged[0].startswith("Unreadable lines and duplicates: ")


@pytest.mark.parametrize(("minutes", "late"), [([1, 2, 3], 0), ([1, 2, 90], 1)])
def test_objects_that_come_late_are_counted(minutes: list[int], late: int) -> None:
    objects = pl.DataFrame(
        {"last": [NOW] * 3, "last_modified": [NOW + timedelta(minutes=m) for m in minutes]},
        schema={"last": TIME, "last_modified": TIME},
    )

    median, found = reading_model.measure_lateness(objects)

    assert median == timedelta(minutes=2)
    assert len(found) == late
    assert all("1.5 h" in item.sentence for item in found)


def test_no_object_no_lateness() -> None:
    objects = pl.DataFrame(schema={"last": TIME, "last_modified": TIME})

    assert reading_model.measure_lateness(objects) == (None, ())


def test_a_clock_before_sagemaker_makes_no_object_late() -> None:
    broken = {"last": [datetime(1970, 1, 1, tzinfo=UTC)], "last_modified": [NOW]}

    assert reading_model.measure_lateness(
        pl.DataFrame(broken, schema={"last": TIME, "last_modified": TIME})
    ) == (
        None,
        (),
    )


def test_lateness_is_judged_only_where_objects_came() -> None:
    came = pl.DataFrame(
        {"last": [NOW], "last_modified": [NOW + timedelta(minutes=1)]},
        schema={"last": TIME, "last_modified": TIME},
    )

    assert reading_model.judge_deliveries(came, known=True) == (
        timedelta(minutes=1),
        Health(judged=("how soon 1 objects came",)),
    )
    for known in (True, False):
        delay, found = reading_model.judge_deliveries(came.clear(), known=known)
        assert delay is None
        assert found.judged == ()
        assert found.unjudged[0].startswith("Lateness: ")


def traffic(
    invocations: Sequence[int] | None,
    captured: Sequence[int],
    *,
    variant: str = "v",
    enabled: bool = True,
    sampling: float = 100,
    disk: float | None = None,
    failed: Sequence[int] = (),
    samplings: tuple[Sampling, ...] | None = None,
) -> TrafficCounts:
    return TrafficCounts(
        endpoint="e",
        variant=variant,
        state=CaptureState(enabled=enabled, sampling_percentage=sampling, disk_percent=disk),
        captured=hourly(captured),
        samplings=(Sampling(ALWAYS, sampling),) if samplings is None else samplings,
        invocations=None if invocations is None else asked(invocations, failed),
        refusal="AWS refused." if invocations is None else "",
    )


def volume(
    *shown: TrafficCounts, read_at: datetime | None = NOW, zone: ZoneInfo = IN_UTC
) -> Health:
    return volume_model.judge_volumes(shown, Period.HOUR, read_at=read_at, zone=zone)


def test_what_was_compared_is_told_with_its_numbers() -> None:
    found = volume(traffic([100] * 3, [100] * 3))

    said = "300 invocations and 300 records of e, v, 2026-11-22 12:00 to 2026-11-22 15:00 UTC"
    assert found == Health(judged=(f"{said}, by hour",))
    local = volume(traffic([100] * 3, [100] * 3), zone=ZoneInfo("Europe/Berlin"))
    assert "2026-11-22 13:00 to 2026-11-22 16:00 (15:00 UTC)" in local.judged[0]


def test_what_failed_is_told_beside_what_was_compared() -> None:
    found = volume(traffic([100] * 3, [90] * 3, failed=[10] * 3))

    assert found.findings == ()
    assert "300 invocations (30 of them failed; AWS does not say" in found.judged[0]


def test_hours_of_unknown_share_are_told_and_not_judged() -> None:
    found = volume(traffic([100] * 10, [100] * 4 + [55] + [10] * 5, samplings=tuple(CHANGED)))

    assert found.findings == ()
    assert found.judged[0].startswith("900 invocations and 450 records of e, v,")
    (said,) = found.unjudged
    assert said.startswith(
        "Volume of e, v: 100 invocations in 1 hour, first at 2026-11-22 16:00 UTC. What share of"
    )


def test_where_no_share_is_known_nothing_is_judged() -> None:
    found = volume(traffic([100] * 3, [7] * 3, samplings=()))

    assert found.findings == found.judged == ()
    assert "300 invocations in 3 hours" in found.unjudged[0]


def test_what_is_too_young_to_be_judged_is_told_and_not_called_right() -> None:
    found = volume(traffic([500], []), read_at=START + timedelta(minutes=25))

    assert found.findings == found.judged == ()
    assert "500 invocations since 2026-11-22 12:00 UTC are too young" in found.unjudged[0]


def test_the_old_is_judged_and_the_young_is_told() -> None:
    found = volume(traffic([100] * 3, [100] * 2), read_at=START + timedelta(hours=3))

    assert found.judged[0].startswith("200 invocations and 200 records")
    assert "100 invocations since 2026-11-22 14:00 UTC are too young" in found.unjudged[0]


def test_what_was_not_yet_read_is_not_missed() -> None:
    stopped = volume(traffic([100] * 20, [100] * 5), read_at=START + timedelta(hours=6))
    never = volume(traffic([100] * 20, [100] * 5), read_at=None)

    assert stopped.findings == never.findings == never.judged == ()
    assert stopped.judged[0].startswith("500 invocations and 500 records")
    assert never.unjudged == ("Volume of e, v: the captures have not all been read yet.",)


def test_without_a_metric_nothing_is_judged() -> None:
    assert volume(traffic([], [7])) == Health(
        unjudged=(
            "Volume of e, v: CloudWatch has no invocation of it in that time, for 7 records.",
        )
    )
    assert volume(traffic(None, [7])) == Health(unjudged=("Volume of e, v: AWS refused.",))
    assert volume(traffic([], [])) == Health(
        unjudged=("Volume: no invocation and no record in that time.",)
    )


def test_an_idle_variant_beside_a_busy_one_is_no_news() -> None:
    busy = traffic([100], [100])

    assert volume(busy, traffic([], [], variant="w")) == volume(busy)


def test_one_variant_does_not_make_up_for_another() -> None:
    found = volume(
        traffic([100] * 20, [100] * 20),
        traffic([50] * 20, [50] * 10, variant="w", disk=80),
    )

    (finding,) = found.findings
    assert (finding.kind, finding.subject) == (HealthFindingKind.SILENCE, "e, w")
    assert "disk is 80 % full" in finding.sentence


def test_capture_that_is_off_is_told_once_an_endpoint() -> None:
    found = volume(traffic([], [], enabled=False), traffic(None, [], variant="w", enabled=False))

    assert [(one.kind, one.subject) for one in found.findings] == [(HealthFindingKind.OFF, "e")]


def test_the_chart_adds_up_what_each_variant_should_have_captured() -> None:
    rows = volume_model.sum_traffic(
        [traffic([100], [100]), traffic([100, 100], [10, 11], variant="w", sampling=10)],
        Period.HOUR,
    )

    assert rows.rows() == [(START, 110.0, 110), (START + timedelta(hours=1), 10.0, 11)]


def test_what_is_not_known_of_one_variant_is_not_known_of_both() -> None:
    unknown = traffic([100], [10], variant="w", samplings=())

    rows = volume_model.sum_traffic([traffic([100, 100], [100, 100]), unknown], Period.HOUR)

    assert rows.rows() == [(START, None, 110), (START + timedelta(hours=1), 100.0, 100)]


def test_records_whose_key_names_no_endpoint_are_not_judged() -> None:
    named = counted(captured(5))

    assert volume_model.judge_nameless(named) == Health()
    assert volume_model.judge_nameless(named.with_columns(endpoint=pl.lit(""))) == Health(
        unjudged=("Volume of 5 records whose key names no endpoint.",)
    )


NAMES = pl.DataFrame(
    {"endpoint": ["a", "a", "b", ""], "variant": ["v", "w", "v", ""], "label": [0, 0, 0, 0]}
)
ALL = InferenceFilters()


def test_all_endpoints_are_those_with_records_and_our_own() -> None:
    assert volume_model.list_endpoints(NAMES, ALL, "own") == ["a", "b", "own"]
    assert volume_model.list_endpoints(NAMES, InferenceFilters(endpoint="b"), "own") == ["b"]


def test_a_variant_that_never_captured_is_shown_too() -> None:
    state = CaptureState(enabled=True, sampling_percentage=100, variants=("w", "x"))

    assert volume_model.list_variants(NAMES, ALL, "a", state) == ["v", "w", "x"]
    assert volume_model.list_variants(NAMES, InferenceFilters(variant="w"), "a", state) == ["w"]
    assert (
        volume_model.list_variants(
            NAMES,
            InferenceFilters(variant="w"),
            "b",
            CaptureState(enabled=True, sampling_percentage=100),
        )
        == []
    )


def test_the_window_of_the_metric_is_that_of_the_time_filter() -> None:
    counts = counted(captured(10, hours=3))
    soon = NOW + timedelta(minutes=1)
    days = InferenceFilters(
        since=datetime(2026, 11, 20, tzinfo=UTC), until=datetime(2026, 11, 22, tzinfo=UTC)
    )

    assert volume_model.compared_window(ALL, counts, NOW) == (NOW - timedelta(hours=3), soon)
    assert volume_model.compared_window(days, counts, NOW) == (
        datetime(2026, 11, 20, tzinfo=UTC),
        datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert volume_model.compared_window(
        InferenceFilters(until=NOW + timedelta(days=1)), counts, NOW
    ) == (
        NOW - timedelta(hours=3),
        soon,
    )


def test_no_record_and_no_first_day_is_no_window() -> None:
    assert volume_model.compared_window(ALL, counted(captured(1)).clear(), NOW) is None
    assert (
        volume_model.compared_window(
            InferenceFilters(since=datetime(2027, 1, 1, tzinfo=UTC)), NAMES.clear(), NOW
        )
        is None
    )


@pytest.mark.parametrize(
    ("shown", "kept", "period"),
    [
        (Period.TEN_SECONDS, 1, Period.MINUTE),
        (Period.MINUTE, 1, Period.MINUTE),
        (Period.MINUTE, 5, Period.HOUR),
        (Period.DAY, 1, Period.HOUR),
    ],
)
def test_both_sides_are_counted_by_a_period_that_cloudwatch_keeps(
    shown: Period, kept: int, period: Period
) -> None:
    assert volume_model.metric_period(shown, timedelta(minutes=kept)) is period


def test_a_variant_s_records_are_counted_whatever_their_class() -> None:
    counts = counted(captured(40, endpoints=("a", "b"), variants=("v", "w")))

    assert volume_model.captured_by_time(counts, "a", "v")["count"].to_list() == [10]
    assert volume_model.captured_by_time(counts, "a", "x").is_empty()


KEYS = (
    "data_capture/a/v/2026/11/23/11/00-00-000-x.jsonl",
    "data_capture/a/w/2026/11/22/23/00-00-000-x.jsonl",
    "data_capture/b/v/2026/11/23/11/00-00-000-x.jsonl",
    "data_capture/stray.txt",
)


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (ALL, [0, 1, 2, 3]),
        (InferenceFilters(label=0), [0, 1, 2, 3]),
        (InferenceFilters(endpoint="a"), [0, 1]),
        (InferenceFilters(variant="v"), [0, 2]),
        (InferenceFilters(since=datetime(2026, 11, 23, tzinfo=UTC)), [0, 2]),
        (InferenceFilters(until=datetime(2026, 11, 23, tzinfo=UTC)), [1]),
    ],
)
def test_errors_are_those_of_the_endpoint_variant_and_time(
    filters: InferenceFilters, left: list[int]
) -> None:
    errors = pl.DataFrame({"key": KEYS, "lines": range(4)})

    assert reading_model.filter_errors(errors, filters)["lines"].to_list() == left
