"""Data health on the page: two endpoints whose every invocation was captured, and filters."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection, connect
from dashboard.aws.configurations import read_configurations
from dashboard.data_health import panel
from tests.dashboard.conftest import deploy
from workflow.configurations import Configurations

pytestmark = pytest.mark.cloud

APP = Path(__file__).parents[3] / "dashboard" / "app.py"
SECONDS = 60
PERIODS = 40
A_MINUTE = 10
VARIANT = "AllTraffic"


@pytest.fixture(scope="module")
def healthy(environ: dict[str, str]) -> dict[str, str]:
    """The environment of a cloud with two endpoints at work in the same minutes of two days."""
    own = {**environ, "SCONES_PROJECT": "health"}
    connection = connect(own)
    deploy(connection)
    sagemaker = connection.client("sagemaker")
    name = connection.settings.endpoint
    config = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    sagemaker.create_endpoint(EndpointName="second", EndpointConfigName=config)
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="second", WaiterConfig={"Delay": 1}
    )
    for days in (2, 1):
        work(connection, name, "", days)
        work(connection, "second", "neither JSON nor a capture", days)
    return own


def ago(days: int) -> datetime:
    return datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days)


def work(connection: Connection, endpoint: str, junk: str, days: int) -> None:
    """So many invocations a minute, all captured; both classes by turns."""
    start, lines = ago(days), [junk]
    dimensions = [
        {"Name": "EndpointName", "Value": endpoint},
        {"Name": "VariantName", "Value": VARIANT},
    ]
    for number in range(PERIODS * A_MINUTE):
        moment = start + timedelta(seconds=60 * number / A_MINUTE)
        lines.append(record(f"{endpoint}-{days}-{number}", 0.98 if number % 2 else 0.02, moment))
    data = [
        {
            "MetricName": "Invocations",
            "Dimensions": dimensions,
            "Timestamp": start + timedelta(minutes=minute),
            "Value": float(A_MINUTE),
        }
        for minute in range(PERIODS)
    ]
    cloudwatch = connection.client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=data[::2])
    cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=data[1::2])
    settings = connection.settings
    connection.client("s3").put_object(
        Bucket=settings.bucket,
        Key=f"{settings.capture_prefix}/{endpoint}/{VARIANT}/{start:%Y/%m/%d/%H}/00-00.jsonl",
        Body="\n".join(filter(None, lines)).encode(),
    )


def record(event: str, first: float, moment: datetime) -> str:
    output = {"data": json.dumps([first, round(1 - first, 6)]), "encoding": "JSON"}
    line = {
        "captureData": {"endpointOutput": {"mode": "OUTPUT", **output}},
        "eventMetadata": {"eventId": event, "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"},
        "eventVersion": "0",
    }
    return json.dumps(line)


@pytest.fixture
def of_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoints have served by their configurations for days."""

    def known(cloud: Connection, endpoint: str) -> Configurations:
        found, then = read_configurations(cloud, endpoint), ago(9)
        return replace(found, created=then, changed=then, made={found.present: then})

    monkeypatch.setattr(panel, "read_configurations", known)


@pytest.fixture
def health(
    healthy: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., AppTest]]:
    """Run the view with query parameters, until all was read."""
    for name, value in healthy.items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    st.cache_data.clear()

    def run(**query: str) -> AppTest:
        test = AppTest.from_file(str(APP), default_timeout=SECONDS)
        test.query_params.update({"view": "Data health", **query})
        test.switch_page("app_pages/inferences.py").run()
        until(test, lambda: bool(test.metric) and "not all been read" not in said(test))
        assert not test.exception
        return test

    yield run
    st.cache_resource.clear()


def until(test: AppTest, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
        test.run()


def said(test: AppTest) -> str:
    shown = [*test.warning, *test.success, *test.info, *test.caption]
    return "\n".join(str(element.value) for element in shown).replace("\\", "")


def kinds(test: AppTest) -> set[str]:
    """What the warnings are about, but for lateness: the objects of these days came today."""
    titles = {str(element.value).split("**")[1] for element in test.warning}
    return titles - {"Late."}


@pytest.mark.usefixtures("of_old")
def test_a_class_filter_makes_no_gap(health: Callable[..., AppTest]) -> None:
    test = health(endpoint="health-dev", label="bicycle")

    assert kinds(test) == set()
    assert "The class filter does not apply here" in said(test)
    assert "800 invocations and 800 records of health-dev, AllTraffic" in said(test)


@pytest.mark.usefixtures("of_old")
def test_a_last_day_makes_no_silence(health: Callable[..., AppTest]) -> None:
    test = health(endpoint="health-dev", until=f"{ago(2):%Y-%m-%d}")

    assert kinds(test) == set()
    assert "400 invocations and 400 records of health-dev, AllTraffic" in said(test)


@pytest.mark.usefixtures("of_old")
def test_a_second_endpoint_makes_no_surplus(health: Callable[..., AppTest]) -> None:
    test = health()

    assert kinds(test) == {"Unreadable."}
    assert "800 invocations and 800 records of health-dev, AllTraffic" in said(test)
    assert "800 invocations and 800 records of second, AllTraffic" in said(test)
    assert "The class filter" not in said(test)


def test_a_label_that_cannot_be_read_is_shown_until_it_is_gone(
    health: Callable[..., AppTest], healthy: dict[str, str]
) -> None:
    connection = connect(healthy)
    odd = {"Bucket": connection.settings.bucket, "Key": "ground_truth//labels.jsonl"}
    connection.client("s3").put_object(Body=b"x", **odd)

    test = health(endpoint="health-dev")
    until(test, lambda: "Ground truth" in said(test))  # labels are read beside the captures

    connection.client("s3").delete_object(**odd)
    assert kinds(test) == {"Unreadable."}
    assert "Ground truth: 1 object without a label that can be read" in said(test)
    assert "1 object that gave no ground truth, by reason" in [one.label for one in test.expander]


def test_what_is_wrong_with_one_endpoint_is_not_told_of_another(
    health: Callable[..., AppTest],
) -> None:
    assert kinds(health(endpoint="health-dev")) == set()
    assert kinds(health(endpoint="second")) == {"Unreadable."}


def test_a_time_before_the_endpoint_s_configuration_is_not_judged(
    health: Callable[..., AppTest],
) -> None:
    shown = said(health(endpoint="health-dev"))

    assert "800 invocations in 2 hours" in shown
    assert "What share of them was to be captured is not known" in shown
    assert "800 records" not in shown


def test_an_earlier_time_is_judged_by_its_own_configuration_which_is_read_once(
    health: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def known(cloud: Connection, endpoint: str) -> Configurations:
        found = read_configurations(cloud, endpoint)
        made = {"half": ago(9), found.present: ago(1) - timedelta(hours=12)}
        return replace(found, created=ago(9), changed=made[found.present], made=made)

    def percentage(_cloud: Connection, name: str) -> float:
        asked.append(name)
        return 50.0

    monkeypatch.setattr(panel, "read_configurations", known)
    monkeypatch.setattr(panel, "sampling_percentage", percentage)

    test = health(endpoint="health-dev")
    test.run()

    assert asked == ["half"]
    assert kinds(test) == set()
    assert "800 invocations and 800 records of health-dev, AllTraffic" in said(test)
    assert "Data capture of health-dev keeps 100 % of all invocations now." in said(test)
