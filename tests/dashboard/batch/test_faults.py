"""Faults of AWS at a batch: it starts once, and is paused and goes on once, whatever is lost."""

import time
import uuid

import pytest

from dashboard.aws.cloud import Connection
from dashboard.batch import client
from dashboard.batch.client import BatchExecution
from tests.builders import png
from tests.desk import NIGHTLY_TOO, SECONDS, Desk, has_remedy
from tests.faulty_cloud import Fault
from workflow.access import Privilege
from workflow.batch_results import PhotoResult
from workflow.batches import RESULTS_PREFIX, BatchOptions, BatchSource, Kind
from workflow.errors import WorkflowError

pytestmark = pytest.mark.cloud

LONG = 400
"""Photos that a batch has not classified, one after the other, before a fault is over."""


@pytest.fixture
def photo(batches: Connection) -> str:
    """Address of a photo in a folder of its own."""
    key = f"images/fault-{uuid.uuid4().hex}/a.png"
    batches.client("s3").put_object(Bucket=batches.settings.bucket, Key=key, Body=png())
    return f"s3://{batches.settings.bucket}/{key}"


def ended(cloud: Connection, arn: str) -> BatchExecution:
    deadline = time.monotonic() + SECONDS
    while (found := client.read_batch(cloud, arn)).status == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def has_begun(cloud: Connection, arn: str) -> str:
    """Wait until a photo of a batch was classified; return the ARN of its Map Run."""
    deadline = time.monotonic() + SECONDS
    while not ((seen := client.read_batch(cloud, arn).progress) and seen.done):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return seen.arn


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
@pytest.mark.parametrize("lost", [False, True])
def test_a_batch_that_aws_fails_to_start_begins_once_and_is_recorded(
    batches: Connection, desk: Desk, photo: str, fault: Fault, *, lost: bool
) -> None:
    bucket, _, key = photo.removeprefix("s3://").partition("/")
    source, name = BatchSource(Kind.PREFIX, bucket, key), f"fault-{uuid.uuid4().hex}"

    def start() -> str:
        with desk.permit(Privilege.BATCH).record_action(name):
            return client.start_batch(desk.connection, source, BatchOptions(), name)

    desk.faulty.fail(fault, since="StartExecution", lost=lost)
    with pytest.raises(WorkflowError) as caught:
        start()
    assert has_remedy(caught.value)
    desk.faulty.heal()
    if lost:
        ended(batches, client.execution_arn(batches, name))
    arn = start()

    assert ended(batches, arn).status == "SUCCEEDED"
    assert [one.source for one in client.list_latest(batches)].count(photo) == 1
    assert desk.recorded(name)[1:] == ["done"]


def test_a_name_that_another_batch_has_is_refused(batches: Connection, photo: str) -> None:
    bucket, _, key = photo.removeprefix("s3://").partition("/")
    source, name = BatchSource(Kind.PREFIX, bucket, key), f"fault-{uuid.uuid4().hex}"
    arn = client.start_batch(batches, source, BatchOptions(), name)
    ended(batches, arn)

    with pytest.raises(WorkflowError) as caught:
        client.start_batch(batches, source, BatchOptions(batch_size=1), name)

    assert caught.value.code == "ExecutionAlreadyExists"


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
@pytest.mark.parametrize("lost", [False, True])
def test_a_batch_is_slowed_paused_and_resumed_once_whatever_aws_fails(
    batches: Connection, desk: Desk, photo: str, fault: Fault, *, lost: bool
) -> None:
    name = f"fault-{uuid.uuid4().hex}"
    many = client.write_manifest(
        batches, [PhotoResult(address=photo, outcome="failed")] * LONG, name
    )
    options = BatchOptions(batch_size=1, concurrency=1)
    arn = client.start_batch(batches, many, options, name)
    map_run, states = has_begun(batches, arn), batches.client("stepfunctions")

    for call, act in (
        ("UpdateMapRun", lambda: client.set_concurrency(desk.connection, map_run, 2)),
        ("StopExecution", lambda: client.pause_batch(desk.connection, arn)),
        ("RedriveExecution", lambda: client.resume_batch(desk.connection, arn)),
    ):
        desk.faulty.fail(fault, since=call, lost=lost)
        with pytest.raises(WorkflowError) as caught:
            act()
        assert has_remedy(caught.value), call
        desk.faulty.heal()
        act()
        found = states.describe_execution(executionArn=arn)
        if call == "UpdateMapRun":
            assert states.describe_map_run(mapRunArn=map_run)["maxConcurrency"] == 2
        assert found["status"] == ("ABORTED" if call == "StopExecution" else "RUNNING"), call

    assert found["redriveCount"] == 1
    client.pause_batch(batches, arn)
    ended(batches, arn)


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
def test_photos_that_s3_does_not_take_to_classify_them_again_are_written_once(
    batches: Connection, desk: Desk, photo: str, fault: Fault
) -> None:
    name, left = f"fault-{uuid.uuid4().hex}", [PhotoResult(address=photo, outcome="failed")]
    desk.faulty.fail(fault, since=f"PUT /{batches.settings.bucket}/{RESULTS_PREFIX}")

    with pytest.raises(WorkflowError) as caught:
        client.write_manifest(desk.connection, left, name)
    assert has_remedy(caught.value)
    desk.faulty.heal()
    source = client.write_manifest(desk.connection, left, name)

    assert client.count_source(batches, source).items == 1
