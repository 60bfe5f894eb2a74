"""Faults of AWS during a rollout: it begins, is promoted and is rolled back once, and not lost."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from dashboard.alerts.outbox import OUTBOX_PREFIX, AlertOutbox
from dashboard.aws.cloud import Connection
from dashboard.rollout import automatic_rollback as rollback
from dashboard.rollout import client
from dashboard.rollout.client import NEW_VARIANT, ServedEndpoint
from tests.desk import NIGHTLY_TOO, Desk, has_remedy
from tests.faulty_cloud import Fault
from tests.served import settled, token, weights
from workflow.access import Privilege
from workflow.errors import WorkflowError

pytestmark = pytest.mark.cloud

WEIGHTS = "UpdateEndpointWeightsAndCapacities"


@pytest.fixture
def started(deployed: Connection, endpoint: ServedEndpoint, model: str) -> Iterator[ServedEndpoint]:
    """The endpoint with a tenth of its traffic at a new model; its alerts are deleted."""
    client.start_rollout(deployed, endpoint, model, 0.1, token())
    found = settled(deployed)
    yield found
    s3, bucket = deployed.client("s3"), deployed.watched.bucket
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{OUTBOX_PREFIX}rollback-")
    for one in listed.get("Contents", ()):
        s3.delete_object(Bucket=bucket, Key=one["Key"])


def watch(
    desk: Desk, started: ServedEndpoint, reason: str, wait: Callable[[float], None]
) -> AlertOutbox:
    """Watch a rollout that there is a reason against; where its alerts go."""
    s3, sns = desk.connection.client("s3"), desk.connection.client("sns")
    outbox = AlertOutbox(s3, sns, desk.connection.watched.bucket, "topic")
    rollback.start_watch(
        desk.jobs,
        desk.permit(Privilege.ROLLOUT),
        lambda: desk.connection,
        started,
        lambda _: reason,
        outbox.add,
        wait=wait,
    )
    return outbox


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
@pytest.mark.parametrize("lost", [False, True])
def test_a_rollback_by_itself_that_aws_fails_is_tried_until_it_is_done(
    desk: Desk, started: ServedEndpoint, fault: Fault, *, lost: bool
) -> None:
    reason = f"it fails {uuid.uuid4().hex}."
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            desk.faulty.heal()

    desk.faulty.fail(fault, since=WEIGHTS, lost=lost)
    outbox = watch(desk, started, reason, wait)

    job = desk.ended(rollback.ROLLBACK)
    job.raise_failure()
    *failures, last = [one.text for one in job.events]
    assert [one.partition(":")[0] for one in failures] == ["Not rolled back yet"] * 2
    assert last == f"Rolled back: {reason}"
    assert waits == [rollback.RETRY_S] * 2
    assert weights(desk.cloud) == {started.variants[0].name: 1.0, NEW_VARIANT: 0.0}
    assert desk.recorded(reason) == ["done"]
    assert outbox.list_keys(f"rollback-{started.config}")


def test_a_rollback_that_fails_alone_is_alerted_and_leaves_what_somebody_else_decided(
    desk: Desk, started: ServedEndpoint
) -> None:
    reason = f"it rejects {uuid.uuid4().hex}."

    def promote(_: float) -> None:
        client.give_share(desk.cloud, started, 1.0)

    desk.faulty.fail(Fault.DENIED, since=WEIGHTS, once=True)
    outbox = watch(desk, started, reason, promote)

    desk.ended(rollback.ROLLBACK).raise_failure()
    assert outbox.list_keys(f"rollback-failing-{started.config}")
    assert weights(desk.cloud)[NEW_VARIANT] == 1.0
    assert desk.recorded(reason) == ["done: somebody else has ended the rollout"]


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
@pytest.mark.parametrize("lost", [False, True])
def test_a_promotion_that_aws_fails_is_said_and_can_be_asked_for_again(
    desk: Desk, started: ServedEndpoint, fault: Fault, *, lost: bool
) -> None:
    desk.faulty.fail(fault, since=WEIGHTS, lost=lost)

    with pytest.raises(WorkflowError) as caught:
        client.give_share(desk.connection, started, 1.0)
    assert has_remedy(caught.value)
    assert weights(desk.cloud)[NEW_VARIANT] == pytest.approx(1.0 if lost else 0.1)
    desk.faulty.heal()
    client.give_share(desk.connection, started, 1.0)

    assert weights(desk.cloud)[NEW_VARIANT] == 1.0


@pytest.mark.parametrize("fault", NIGHTLY_TOO)
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("call", ["CreateEndpointConfig", "UpdateEndpoint"])
def test_a_rollout_that_aws_fails_to_start_begins_once(
    desk: Desk, endpoint: ServedEndpoint, model: str, fault: Fault, call: str, *, lost: bool
) -> None:
    desk.faulty.fail(fault, since=call, lost=lost)

    with pytest.raises(WorkflowError) as caught:
        client.start_rollout(desk.connection, endpoint, model, 0.1, token())
    assert has_remedy(caught.value)
    desk.faulty.heal()
    if lost and call == "UpdateEndpoint":
        settled(desk.cloud)
        with pytest.raises(WorkflowError) as caught:
            client.start_rollout(desk.connection, endpoint, model, 0.1, token())
        assert caught.value.code == "RolloutUnderWay"
    else:
        client.start_rollout(desk.connection, endpoint, model, 0.1, token())

    assert [one.model for one in settled(desk.cloud).variants[1:]] == [model]


@pytest.mark.parametrize("call", ["CreateEndpointConfig", "UpdateEndpoint"])
def test_a_start_whose_answer_is_lost_once_begins_all_the_same(
    desk: Desk, endpoint: ServedEndpoint, model: str, call: str
) -> None:
    desk.faulty.fail(Fault.RESET, since=call, lost=True, once=True)
    name = token()

    client.start_rollout(desk.connection, endpoint, model, 0.1, name)

    assert settled(desk.cloud).config.endswith(name)


def test_a_share_whose_answer_is_lost_once_is_given_all_the_same(
    desk: Desk, started: ServedEndpoint
) -> None:
    desk.faulty.fail(Fault.RESET, since=WEIGHTS, lost=True, once=True)

    client.give_share(desk.connection, started, 0.5)

    assert weights(desk.cloud)[NEW_VARIANT] == pytest.approx(0.5)
