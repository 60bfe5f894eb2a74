"""Status-change events of Step Functions, from the SQS queue that EventBridge fills.

Events are best effort and unordered (EventBridge reference, "Step Functions events"): they make the
dashboard fast and carry outputs for free, but only listing makes it complete. A message is deleted
once its execution is stored, so a crash in between repeats it and loses nothing.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dashboard.aws.errors import explained
from workflow.errors import WorkflowError
from workflow.executions import Execution, parse_execution
from workflow.known_errors import read_error

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

BATCH = 10
"""The most messages that SQS gives or deletes at once."""

_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the queue.

    Attributes:
        receipt: What deletes it.
        execution: What it tells, or None where it is not a status change that can be read.
    """

    receipt: str
    execution: Execution | None


def parse_message(body: str) -> Execution | None:
    """Return the execution of an EventBridge event; None for anything else in the queue."""
    try:
        event = json.loads(body)
        return parse_execution(event["detail"])
    except (ValueError, KeyError, TypeError, AttributeError, WorkflowError):
        return None


class EventQueue:
    """The queue ``{prefix}-executions``.

    Args:
        client: A boto3 ``sqs`` client.
        name: The queue's name.
    """

    def __init__(self, client: "SQSClient", name: str) -> None:
        self._client = client
        self._name = name
        self._url: str | None = None

    def is_deployed(self) -> bool:
        """Return whether the queue exists; asked again until it does.

        Raises:
            WorkflowError: AWS's own code, where asking is refused.
        """
        if self._url is None:
            with explained("sqs:GetQueueUrl", self._name):
                self._url = self._find_url()
        return self._url is not None

    def receive(self, *, most: int = 2000) -> Iterator[tuple[Message, ...]]:
        """Yield batches of up to 10 messages until the queue is empty; nothing without a queue.

        Args:
            most: When to stop for now, so that a long backlog leaves time for other work.

        Raises:
            WorkflowError: AWS's own code.
        """
        for _ in range(most // BATCH if self.is_deployed() else 0):
            with explained("sqs:ReceiveMessage", self._name):
                # No long polling: the sync has other work, and is back within seconds.
                answer = self._client.receive_message(
                    QueueUrl=str(self._url), MaxNumberOfMessages=BATCH, WaitTimeSeconds=0
                )
            messages = answer.get("Messages", [])
            if not messages:
                return
            yield tuple(
                Message(one["ReceiptHandle"], parse_message(one["Body"])) for one in messages
            )

    def delete(self, messages: Iterable[Message]) -> None:
        """Delete what has been stored.

        Raises:
            WorkflowError: AWS's own code; messages that stay are received again.
        """
        receipts = [message.receipt for message in messages]
        for begin in range(0, len(receipts), BATCH):
            entries: list[Any] = [
                {"Id": str(at), "ReceiptHandle": receipt}
                for at, receipt in enumerate(receipts[begin : begin + BATCH])
            ]
            with explained("sqs:DeleteMessageBatch", self._name):
                self._client.delete_message_batch(QueueUrl=str(self._url), Entries=entries)

    def _find_url(self) -> str | None:
        try:
            return self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
        except ClientError as error:
            if read_error(error).code in _NO_QUEUE:
                return None
            raise
