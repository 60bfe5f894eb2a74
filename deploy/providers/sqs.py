"""SQS: the queue that receives the status changes of executions."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy import policies
from deploy.cloud import Observed
from deploy.providers.clients import Aws, call_or_none
from deploy.resources import Queue

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class QueueProvider:
    """Reads and writes :class:`Queue`."""

    def __init__(self, aws: Aws) -> None:
        self._sqs = aws.sqs

    def read(self, name: str) -> Observed | None:
        """Return policy, retention and encryption of the queue."""
        answer = call_or_none(lambda: self._sqs.get_queue_url(QueueName=name), *MISSING)
        if answer is None:
            return None
        url = answer["QueueUrl"]
        queue = call_or_none(
            lambda: self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]), *MISSING
        )
        # GetQueueUrl may still know a queue that was deleted within the last minute.
        if queue is None:
            return None
        attributes = queue["Attributes"]
        return Observed(
            properties={
                "policy": policies.canonical(json.loads(attributes.get("Policy") or "{}")),
                "retention_seconds": int(attributes["MessageRetentionPeriod"]),
                "encrypted": attributes.get("SqsManagedSseEnabled") == "true",
            },
            outputs={"arn": attributes["QueueArn"], "url": url},
            tags=self._sqs.list_queue_tags(QueueUrl=url).get("Tags", {}),
        )

    def create(self, resource: Queue) -> Iterator[str]:
        """Create the queue with its tags; SQS refuses a name for a minute after its deletion."""
        yield "Creating the queue"
        self._sqs.create_queue(
            QueueName=resource.name,
            Attributes=_queue_attributes(resource),
            tags=dict(resource.tags),
        )

    def update(self, resource: Queue, observed: Observed) -> Iterator[str]:
        """Set all attributes."""
        yield "Updating the queue"
        self._sqs.set_queue_attributes(
            QueueUrl=observed.outputs["url"], Attributes=_queue_attributes(resource)
        )

    def delete(self, name: str) -> Iterator[str]:
        """Delete the queue and the messages in it."""
        yield "Deleting the queue"
        answer = call_or_none(lambda: self._sqs.get_queue_url(QueueName=name), *MISSING)
        if answer is not None:
            call_or_none(lambda: self._sqs.delete_queue(QueueUrl=answer["QueueUrl"]), *MISSING)


def _queue_attributes(queue: Queue) -> "dict[QueueAttributeNameType, str]":
    return {
        "Policy": json.dumps(queue.policy),
        "MessageRetentionPeriod": str(queue.retention_seconds),
        "SqsManagedSseEnabled": "true" if queue.encrypted else "false",
    }
