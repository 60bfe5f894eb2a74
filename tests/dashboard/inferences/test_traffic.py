"""Traffic runs beside the page, and what ends it early is known."""

import json
import time

import pytest

from dashboard.aws.cloud import Cloud, Connection
from dashboard.inferences.traffic import TrafficProcess, problem_in

SECONDS = 60


def ended(traffic: TrafficProcess) -> TrafficProcess:
    deadline = time.monotonic() + SECONDS
    while traffic.running:
        assert traffic.problem is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return traffic


@pytest.fixture
def cloud(environ: dict[str, str], empty: Connection, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-user")
    return empty.cloud


def test_an_error_is_told_with_its_remedy() -> None:
    fields = {"code": "NotDeployed", "message": "There is none.", "remedy": "Deploy."}

    found = problem_in(f"a warning\n{json.dumps(fields)}\n")

    assert (found.code, found.message, found.remedy) == tuple(fields.values())


@pytest.mark.parametrize(
    ("output", "says"),
    [("", "It said nothing."), ("5 sent\n4 sent, 1 failed", "1 failed"), ("[]", "[]")],
)
def test_anything_else_is_told_as_it_is(output: str, says: str) -> None:
    found = problem_in(output)

    assert found.code == "TrafficFailed"
    assert says in found.message


@pytest.mark.cloud
def test_where_nothing_is_deployed_traffic_says_so(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCONES_PROJECT", "nothing")

    problem = ended(TrafficProcess(cloud)).problem

    assert problem is not None
    assert problem.code == "NotDeployed"
    assert "Deploy the workflow first" in problem.remedy


@pytest.mark.cloud
def test_traffic_that_came_to_its_end_or_was_stopped_is_no_problem(
    cloud: Cloud, deployed: Connection
) -> None:
    assert ended(TrafficProcess(cloud, ("--count", "1"))).problem is None

    endless = TrafficProcess(cloud)
    endless.stop()
    assert not endless.running
    assert endless.problem is None
