"""What can be done with one execution in AWS: redrive it, or stop it."""

import uuid

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained


def redrive_execution(connection: Connection, arn: str) -> None:
    """Run a failed execution again from the state that failed.

    Raises:
        WorkflowError: AWS's own code; ``ExecutionNotRedrivable`` where it cannot be redriven.
    """
    with explained("states:RedriveExecution", arn):
        connection.client("stepfunctions").redrive_execution(
            executionArn=arn, clientToken=uuid.uuid4().hex
        )


def stop_execution(connection: Connection, arn: str) -> None:
    """Stop a running execution; it ends as ABORTED.

    Raises:
        WorkflowError: AWS's own code.
    """
    with explained("states:StopExecution", arn):
        connection.client("stepfunctions").stop_execution(
            executionArn=arn, error="Stopped", cause="Stopped from the dashboard."
        )
