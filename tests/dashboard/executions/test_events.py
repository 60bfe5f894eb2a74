"""Status-change events: read where they can be, deleted only when stored, never required."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from benchmarks.simulated_states import MACHINE, arn_of
from dashboard.executions.events import EventQueue, Message, parse_message
from workflow.errors import WorkflowError
from workflow.executions import Status

EVENT = {
    "version": "0",
    "id": "315c1398-40ff-a850-213b-158f73e60175",
    "detail-type": "Step Functions Execution Status Change",
    "source": "aws.states",
    "account": "123456789012",
    "time": "2026-11-23T12:00:02Z",
    "region": "us-east-1",
    "resources": [arn_of("one")],
    "detail": {
        "executionArn": arn_of("one"),
        "stateMachineArn": MACHINE,
        "stateMachineVersionArn": f"{MACHINE}:7",
        "stateMachineAliasArn": f"{MACHINE}:live",
        "name": "one",
        "status": "FAILED",
        "startDate": 1795435200000,
        "stopDate": 1795435202000,
        "input": "{}",
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": None,
        "error": "Boom",
        "cause": "It broke.",
        "redriveCount": 2,
        "redriveStatus": "REDRIVABLE",
    },
}


class Refusing:
    """An SQS whose every call is refused."""

    def __init__(self, code: str) -> None:
        self.code = code

    def get_queue_url(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "GetQueueUrl")


def test_an_event_tells_all_that_a_description_would() -> None:
    execution = parse_message(json.dumps(EVENT))
    assert execution is not None
    assert (execution.status, execution.error, execution.cause) == (
        Status.FAILED,
        "Boom",
        "It broke.",
    )
    assert (execution.version, execution.alias, execution.redrive_count) == ("7", "live", 2)
    assert execution.stopped_at is not None
    assert (execution.stopped_at - execution.started_at).total_seconds() == 2


@pytest.mark.parametrize(
    "body", ["", "not json", "[]", "{}", '{"detail": null}', '{"detail": {"status": "NEW"}}', "7"]
)
def test_anything_else_in_the_queue_is_no_execution(body: str) -> None:
    assert parse_message(body) is None


def test_where_no_queue_is_deployed_there_is_nothing_and_no_error() -> None:
    queue = EventQueue(Refusing("AWS.SimpleQueueService.NonExistentQueue"), "q")  # type: ignore[arg-type]
    assert not queue.is_deployed()
    assert list(queue.receive()) == []


def test_a_queue_that_may_not_be_read_is_a_sentence() -> None:
    queue = EventQueue(Refusing("AccessDenied"), "q")  # type: ignore[arg-type]
    with pytest.raises(WorkflowError, match="sqs:GetQueueUrl"):
        queue.is_deployed()


def test_a_long_backlog_is_taken_in_parts_and_deleted_in_tens() -> None:
    class Endless:
        deleted: list[int] = []  # noqa: RUF012 - one queue in one test

        def get_queue_url(self, **_: Any) -> dict[str, str]:
            return {"QueueUrl": "u"}

        def receive_message(self, **_: Any) -> dict[str, Any]:
            return {"Messages": [{"ReceiptHandle": "r", "Body": "{}"}] * 10}

        def delete_message_batch(self, **request: Any) -> None:
            self.deleted.append(len(request["Entries"]))

    fake = Endless()
    queue = EventQueue(fake, "q")  # type: ignore[arg-type]
    assert sum(len(batch) for batch in queue.receive(most=50)) == 50
    queue.delete([Message(str(at), None) for at in range(25)])
    assert fake.deleted == [10, 10, 5]
