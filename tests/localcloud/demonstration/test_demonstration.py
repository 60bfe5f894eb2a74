"""The demonstration in a real local cloud: written, found by every service, and removed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.aws.cloud import Connection, connect
from dashboard.demonstration import control
from dashboard.quality import model as quality
from dashboard.review.client import ReviewClient
from deploy import deployment
from deploy.plan import Op
from localcloud.demonstration import labelling
from tests.conftest import start_local_cloud, stop_local_cloud
from tests.dashboard.conftest import deploy
from tests.localcloud.conftest import wait_for
from workflow.errors import WorkflowError

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A cloud of its own with a deployment and the demonstration in it."""
    cloud = start_local_cloud(tmp_path_factory.mktemp("demonstrated"))
    connection = connect(
        {
            "SCONES_LOCALCLOUD_DIR": str(cloud.directory),
            "SCONES_LOCALCLOUD_PORT": cloud.endpoint_url.rpartition(":")[2],
        }
    )
    with pytest.raises(WorkflowError, match="State Machine Does Not Exist"):
        control.begin_condition(connection, "demonstration", datetime.now(UTC))
    deploy(connection)
    control.begin_condition(connection, "demonstration", datetime.now(UTC))
    wait_for(lambda: state(connection) != "running", seconds=240)
    yield connection
    stop_local_cloud(cloud)


def state(connection: Connection) -> str:
    found = control.read_controls(connection)
    assert found is not None
    return found.demonstration.state


def executions(connection: Connection) -> list[dict[str, object]]:
    pages = connection.client("stepfunctions").get_paginator("list_executions")
    arn = connection.settings.state_machine_arn
    return [one for page in pages.paginate(stateMachineArn=arn) for one in page["executions"]]


def test_every_service_has_the_two_weeks(demonstrated: Connection) -> None:
    assert state(demonstrated) == "done"
    found = executions(demonstrated)
    starts = [one["startDate"] for one in found]
    assert len(found) > 900
    assert max(starts) - min(starts) > timedelta(days=13)  # type: ignore[type-var, operator]
    assert {one["status"] for one in found} == {"SUCCEEDED", "FAILED"}
    states = demonstrated.client("stepfunctions")
    history = states.get_execution_history(executionArn=found[0]["executionArn"])["events"]
    assert abs(history[0]["timestamp"] - found[0]["startDate"]) < timedelta(seconds=5)
    keys = demonstrated.client("s3").list_objects_v2(
        Bucket=demonstrated.settings.bucket, Prefix=demonstrated.settings.capture_prefix
    )
    assert keys["KeyCount"] > 100
    assert all(one["LastModified"] < datetime.now(UTC) for one in keys["Contents"])


def test_the_deployment_is_as_wanted_and_its_past_tells_of_the_bad_night(
    demonstrated: Connection,
) -> None:
    settings, session = demonstrated.settings, demonstrated.session

    plan = deployment.observe_and_plan(settings, session)
    versions = deployment.read_status(settings, session).versions

    assert {action.op for action in plan.actions} == {Op.KEEP}
    assert [one.number for one in versions if one.weight] == [4]
    assert min(one.created for one in versions) < datetime.now(UTC) - timedelta(days=14)
    back = deployment.preview_rollback(settings, session)
    assert back is not None
    assert (back.live, back.target) == (4, 1)  # versions 2 and 3 are those of the bad night


def test_quality_knows_its_labels_and_review_has_some_left(demonstrated: Connection) -> None:
    reviews = ReviewClient(demonstrated)
    reviews.refresh()

    (draw,) = reviews.list_draws()
    labels = quality.labels_of([draw], reviews.read_verdicts())
    assert (labels.rows.height, labels.undrawn) == (labelling.LABELLED, 0)
    assert labels.estimate_share().value > 0.8
    assert reviews.list_problems() == []


def test_it_is_written_once_and_removed_without_a_trace(demonstrated: Connection) -> None:
    before = len(executions(demonstrated))
    control.begin_condition(demonstrated, "demonstration", datetime.now(UTC))
    assert len(executions(demonstrated)) == before

    control.end_condition(demonstrated, "demonstration")

    assert state(demonstrated) == "absent"
    assert not executions(demonstrated)
    bucket = demonstrated.settings.bucket
    for prefix in (demonstrated.settings.capture_prefix, "images/", "ground_truth/", "reviews/"):
        found = demonstrated.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        assert found["KeyCount"] == 0
