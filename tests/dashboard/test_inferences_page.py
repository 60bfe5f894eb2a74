"""The Inferences page, view by view, run by Streamlit's own test harness."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection, connect
from dashboard.aws.monitoring import write_baseline
from dashboard.captures import athena_feed
from dashboard.captures.aggregates import COUNTS
from dashboard.inferences import traffic_panel as traffic
from dashboard.inferences.traffic import TrafficProcess
from tests import captured as builders
from workflow.feature_statistics import NumericalStatistics, Statistics
from workflow.reviews import GroundTruth, ground_truth_lines

pytestmark = pytest.mark.cloud

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SECONDS = 60
RECORDS = 1_500


@pytest.fixture(scope="module")
def captured(deployed: Connection, environ: dict[str, str]) -> str:
    """An endpoint with captures of the last hours, some lines that are none, and no time; read."""
    rng = np.random.default_rng(0)
    # At half past, so that four hours of records always touch five.
    start = datetime.now(UTC).replace(minute=30, second=0) - timedelta(hours=5)
    lines = []
    for number, first in enumerate(rng.beta(8, 0.6, RECORDS).round(6)):
        one = float(first if number % 2 else 1 - first)
        moment = start + timedelta(hours=4) * number / RECORDS
        when = f"{moment:%Y-%m-%dT%H:%M:%SZ}" if number % 100 else "{%s}"
        output = {"data": json.dumps([one, round(1 - one, 6)]), "encoding": "JSON"}
        line = {
            "captureData": {"endpointOutput": {"mode": "OUTPUT", **output}},
            "eventMetadata": {"eventId": f"page-{number}", "inferenceTime": when},
            "eventVersion": "0",
        }
        lines.append(json.dumps(line))
    settings = deployed.settings
    key = f"{settings.capture_prefix}/page-endpoint/AllTraffic/{start:%Y/%m/%d/%H}/00-00.jsonl"
    body = "\n".join([*lines, "neither JSON nor a capture"]).encode()
    deployed.client("s3").put_object(Bucket=settings.bucket, Key=key, Body=body)
    st.cache_resource.clear()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        shown(is_read)
    return "page-endpoint"


@pytest.fixture
def page(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Run the page in the session's cloud with query parameters, until it shows records."""

    def run(variables: dict[str, str] = environ, **query: str) -> AppTest:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return shown(lambda test: bool(test.metric), **{"range": "All"} | query)

    st.cache_resource.clear()
    st.cache_data.clear()
    return run


def shown(ready: Callable[[AppTest], bool], /, **query: str) -> AppTest:
    """Run the page with query parameters until it shows what one waits for."""
    test = AppTest.from_file(str(APP), default_timeout=SECONDS)
    test.query_params.update(query)
    test.switch_page("app_pages/inferences.py").run()
    deadline = time.monotonic() + SECONDS
    while not ready(test):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        test.run()
    assert not test.exception
    return test


def is_read(test: AppTest) -> bool:
    """Whether the captures of this module are among those that are shown."""
    return any("page-endpoint" in box.options for box in test.selectbox)


def said(test: AppTest) -> str:
    elements = [
        *test.markdown,
        *test.caption,
        *test.error,
        *test.warning,
        *test.success,
        *test.info,
    ]
    return "\n".join(str(element.value) for element in elements)


def numbers(test: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in test.metric}


def test_the_summary_counts_every_record(page: Callable[..., AppTest], captured: str) -> None:
    test = page(endpoint=captured)

    assert numbers(test)["Records"] == f"{RECORDS:,}"
    assert "15 records have no usable time" in said(test)
    assert "The captured line holds no input to show" in said(test).replace("\\", "")


def test_a_link_keeps_its_endpoint_before_anything_of_it_is_read(
    page: Callable[..., AppTest], captured: str
) -> None:
    test = page(endpoint="still-unread")

    assert numbers(test)["Records"] == "0"
    assert test.query_params["endpoint"] == "still-unread"
    assert "No record matches" in said(test)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        ("Over time", "**Volume**"),
        ("Before and after", "records before"),
        ("Threshold", "0.5 is what is deployed."),
        ("Drift", "one joint permutation test"),
        ("Data health", "1 line without a capture that can be read"),
        ("Records", f"The newest 250 of {RECORDS:,} records"),
    ],
)
def test_each_view_shows_itself(
    page: Callable[..., AppTest], captured: str, view: str, says: str
) -> None:
    test = page(endpoint=captured, view=view)

    assert says in said(test)
    assert not test.error


def test_traffic_is_held_against_the_training(page: Callable[..., AppTest], captured: str) -> None:
    test = page(endpoint=captured, view="Drift", baseline="The model's training")

    assert "validation images of the training" in said(test)


def test_a_baseline_that_is_not_there_is_a_sentence(
    page: Callable[..., AppTest], captured: str
) -> None:
    test = page(
        endpoint=captured,
        view="Drift",
        baseline="A Model Monitor baseline",
        monitor="s3://no-such-bucket/baseline",
    )

    (error,) = test.error
    assert "NoSuchBucket" in error.value
    assert "nothing here needs them" in said(test)  # the monitoring schedules are still shown


def minutes(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"


def test_a_time_range_in_the_address_is_a_baseline(
    page: Callable[..., AppTest], captured: str
) -> None:
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=4)
    address = {"endpoint": captured, "view": "Drift", "baseline": "A time range"}

    test = page(
        **address,
        baseline_from=minutes(start),
        baseline_to=minutes(start + timedelta(minutes=90)),
    )

    words = said(test).replace("\\", "")
    found = re.search(r"(\d+) records against the traffic of (\S+ \S+) to (\S+ \S+) UTC", words)
    assert found, words
    assert found[2] == f"{start:%Y-%m-%d %H:%M:%S}"
    assert int(found[1]) < RECORDS - 500  # those of the baseline are not compared with themselves
    assert not test.error

    backwards = page(
        **address,
        baseline_from=minutes(start),
        baseline_to=minutes(start - timedelta(minutes=1)),
    )
    assert "ends before it begins" in said(backwards)
    assert "Choose when the baseline began" in said(page(**address))
    long_ago = {"baseline_from": "2020-01-01T10:00", "baseline_to": "2020-01-01T10:02"}
    assert "No record lies in the time of the baseline" in said(page(**address, **long_ago))


def test_a_version_is_a_baseline_for_as_long_as_it_served(
    page: Callable[..., AppTest], captured: str
) -> None:
    test = page(endpoint=captured, view="Drift", baseline="A version")
    unknown = page(view="Drift", baseline="A version")

    assert f"The endpoint {captured} does not exist" in said(test).replace("\\", "")
    assert not unknown.error
    options = unknown.selectbox(key="baseline_version").options

    def chosen(place: int) -> str:
        return said(unknown.selectbox(key="baseline_version").select_index(place).run())

    each = map(chosen, range(len(options)))  # the newest has no end
    assert any("AWS keeps no" in one and "UTC on. It" in one for one in each)
    option = options[-1]
    again = page(view="Drift", baseline="A version", baseline_version=option)
    assert again.selectbox(key="baseline_version").value == option.partition(",")[0]


def test_both_sides_of_a_moment_show_their_classes_and_median(
    page: Callable[..., AppTest], captured: str
) -> None:
    test = page(endpoint=captured, view="Before and after")

    labels = [one.label for one in test.metric]
    assert labels.count("Median confidence") == 2
    assert labels.count("Bicycle") == 3  # in the summary, before and after
    assert labels.count("Motorcycle") == 3


def test_a_baseline_of_other_features_is_not_said_to_need_more_data(
    page: Callable[..., AppTest], captured: str, deployed: Connection
) -> None:
    petals = Statistics(2, (NumericalStatistics.of("petals", [1.0, 2.0], (0.0, 3.0)),))
    folder = write_baseline(deployed, petals, datetime(2026, 1, 1, tzinfo=UTC))

    test = page(
        endpoint=captured,
        view="Drift",
        baseline="A Model Monitor baseline",
        monitor=folder,
    )

    assert "no common feature" in said(test)
    assert "not enough data" not in said(test)
    assert "More records would not help" in said(test)


def test_the_time_range_of_all_pages_holds_here_and_counts_back_from_the_last_day(
    page: Callable[..., AppTest], captured: str
) -> None:
    all_day = numbers(page(endpoint=captured, range="24h"))
    hour = numbers(page(endpoint=captured, range="1h"))
    year_ago = page(endpoint=captured, range="24h", until="2025-01-01")

    assert all_day["Records"] == "1,485"  # those without a time are in no range
    assert 0 <= int(hour["Records"].replace(",", "")) < 1_000
    assert "No record matches" in said(year_ago)


def test_records_without_a_time_are_told_whatever_the_range(
    page: Callable[..., AppTest], captured: str
) -> None:
    test = page(endpoint=captured, view="Data health", range="24h")

    assert "15 records have no usable time" in said(test)


def test_a_caption_more_moves_no_control_below_it(
    page: Callable[..., AppTest], captured: str
) -> None:
    """Streamlit makes what has moved anew, and an open list of options closes."""

    def place(test: AppTest) -> list[int]:
        below = test.main.children.items()
        return [number for number, one in below if getattr(one, "key", None) == "moment"]

    told = page(endpoint=captured, view="Before and after", range="All")
    untold = page(endpoint=captured, view="Before and after", range="24h")

    assert "have no usable time" in said(told)
    assert "have no usable time" not in said(untold)
    assert place(told) == place(untold) != []


def test_a_filter_that_leaves_nothing_says_so(page: Callable[..., AppTest], captured: str) -> None:
    test = page(endpoint=captured, until="2020-01-01")

    assert "No record matches" in said(test)


def test_where_nothing_is_deployed_the_page_leads_to_the_deployment(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**environ, "SCONES_PROJECT": "nothing"}.items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    st.cache_data.clear()

    test = AppTest.from_file(str(APP), default_timeout=SECONDS)
    test.switch_page("app_pages/inferences.py").run()
    time.sleep(2)  # a first pass, which finds no bucket, must not change what is said
    test.run()

    assert "not deployed yet" in said(test)
    assert not test.error
    assert "Send traffic" not in [one.label for one in test.button]


def test_traffic_that_ended_early_says_why_and_can_be_sent_again(
    page: Callable[..., AppTest],
    captured: str,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page(endpoint=captured)
    cloud = connect(environ).cloud
    monkeypatch.setenv("SCONES_PROJECT", "nothing")
    failed = traffic._started_traffic()[cloud.endpoint_url or ""] = TrafficProcess(cloud)
    while failed.running:
        time.sleep(0.1)

    test = page(endpoint=captured)

    (error,) = test.error
    assert "There is no state machine alias" in error.value
    assert "Deploy the workflow first" in error.value
    assert "Send traffic" in [one.label for one in test.button]


def test_what_is_tried_is_shown_beside_what_is_deployed(
    page: Callable[..., AppTest], captured: str
) -> None:
    same = page(endpoint=captured, view="Threshold")
    assert not [one.delta for one in same.metric if one.delta]

    tried = page(endpoint=captured, view="Threshold", **{"try": "0.9"})

    assert "0.5 is what is deployed." in said(tried)
    assert "Rejected in 5 h" in numbers(tried)
    assert "Rejected a day" not in numbers(tried)
    assert "the mean confidence of the accepted records" in said(tried)
    assert "today's threshold of 50.0%" in said(tried)
    assert "Review page" not in said(tried)
    assert "in Model Monitor's JSON Lines" in said(tried)


def test_a_variable_that_differs_from_what_is_deployed_is_shown_beside_it(
    page: Callable[..., AppTest], captured: str, environ: dict[str, str]
) -> None:
    environ = {**environ, "SCONES_THRESHOLD": "0.8"}

    test = page(environ, endpoint=captured, view="Threshold")

    assert (
        "0.5 is what is deployed. SCONES_THRESHOLD asks for 0.8: the deployment plan would change"
        " it."
    ) in said(test).replace("\\", "")
    assert "today's threshold of 50.0%" in said(test)


class Athena:
    """Answers as Athena would; the local cloud has none."""

    def __init__(self, *_: object) -> None:
        pass

    def execute(self, sql: str) -> str:
        return sql

    def read_rows(self, _: str, schema: pl.Schema) -> pl.DataFrame:
        records = builders.captured(100)
        if schema == COUNTS:
            return builders.counted(records)
        return records.with_columns(place=pl.lit(1, pl.Int32)).select(schema.names())


def test_accuracy_is_measured_with_athena_too(
    page: Callable[..., AppTest],
    captured: str,
    deployed: Connection,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = {"range": "24h", "until": "2026-11-23"}
    where = {"Bucket": deployed.settings.bucket, "Key": "ground_truth/2026/11/23/12/athena.jsonl"}
    labels = [GroundTruth(f"inference-0-{n}", "0") for n in range(7)]
    monkeypatch.setattr(athena_feed, "AthenaQueries", Athena)
    environ = {**environ, "SCONES_CAPTURES": "athena"}

    before = page(environ, view="Threshold", **days)
    deployed.client("s3").put_object(Body=ground_truth_lines(labels), **where)
    after = page(environ, view="Threshold", **days)

    deployed.client("s3").delete_object(**where)
    assert "has a ground truth yet" in said(before)
    assert "of 7 records that were accepted and have a ground truth are right" in said(after)
    assert not after.error


def test_a_source_of_captures_that_is_none_is_refused(
    environ: dict[str, str], deployed: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**environ, "SCONES_CAPTURES": "disk"}.items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()

    test = AppTest.from_file(str(APP), default_timeout=SECONDS)
    test.switch_page("app_pages/inferences.py").run()

    assert "which is neither s3 nor athena" in said(test)
    assert "Set it to athena" in said(test)
