"""The edge to the log group of an EXPRESS state machine, which tells of its executions.

Source: CloudWatch Logs API reference, FilterLogEvents.
"""

from datetime import datetime, timedelta
from typing import Final

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from workflow.executions import Execution
from workflow.express_logs import express_executions

MOST_EVENTS: Final = 5_000
EXPRESS_SPAN: Final = timedelta(hours=3)


def read_express(cloud: Connection, log_group: str, now: datetime) -> tuple[Execution, ...]:
    """Return what an EXPRESS state machine logged within the last hours, the newest first.

    At most ``MOST_EVENTS`` events are read.

    Args:
        cloud: Where.
        log_group: ARN of its log group, as DescribeStateMachine gives it, with its final ``:*``.
        now: Aware.

    Raises:
        WorkflowError: Under AWS's own code.
    """
    name = log_group.partition(":log-group:")[2].removesuffix(":*")
    with explained("logs:FilterLogEvents", name):
        pages = cloud.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(
            logGroupName=name,
            startTime=int((now - EXPRESS_SPAN).timestamp() * 1000),
            PaginationConfig={"MaxItems": MOST_EVENTS},
        )
        return express_executions([one["message"] for page in found for one in page["events"]])
