"""CloudWatch Logs: log groups with a retention, and lines of a log."""

from collections.abc import Iterator

from deploy.cloud import Observed
from deploy.providers.clients import Aws, call_or_none
from deploy.resources import LogGroup

_NO_GROUP = "ResourceNotFoundException"


def new_lines(aws: Aws, group: str, stream: str, seen: set[str]) -> Iterator[str]:
    """Yield the lines of streams that were not read before.

    Args:
        aws: The account.
        group: Name of the log group; there are no lines where it does not exist yet.
        stream: Beginning of the names of the streams.
        seen: Ids of the lines that were read; those that are yielded are added.
    """
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, logStreamNamePrefix=stream
    )
    events = call_or_none(lambda: [one for page in pages for one in page["events"]], _NO_GROUP)
    for event in events or ():
        if event["eventId"] not in seen:
            seen.add(event["eventId"])
            yield event["message"].rstrip()


class LogGroupProvider:
    """Reads and writes :class:`LogGroup`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._logs = aws.logs

    def read(self, name: str) -> Observed | None:
        """Return the retention of the group, None where logs are kept for ever."""
        # There is no read by name; the group itself sorts before all that only begin like it.
        page = self._logs.describe_log_groups(logGroupNamePrefix=name)
        group = next((one for one in page["logGroups"] if one["logGroupName"] == name), None)
        if group is None:
            return None
        arn = self._aws.arn("logs", f"log-group:{name}")
        tags = self._logs.list_tags_for_resource(resourceArn=arn)["tags"]
        return Observed(
            properties={"retention_days": group.get("retentionInDays")},
            outputs={"arn": arn, "name": name},
            # A service that logs creates the group again, without tags: SageMaker does so when it
            # writes the last lines of an endpoint that is gone. No tag at all is nobody's mark.
            tags=tags or None,
        )

    def create(self, resource: LogGroup) -> Iterator[str]:
        """Create the group with its tags, then set its retention."""
        yield "Creating the log group"
        self._logs.create_log_group(logGroupName=resource.name, tags=dict(resource.tags))
        self._put_retention(resource)

    def update(self, resource: LogGroup, observed: Observed) -> Iterator[str]:
        """Set the retention, and the tags where there are none."""
        yield "Setting the retention"
        if observed.tags is None:
            arn = observed.outputs["arn"]
            self._logs.tag_resource(resourceArn=arn, tags=dict(resource.tags))
        self._put_retention(resource)

    def delete(self, name: str) -> Iterator[str]:
        """Delete the group with its logs."""
        yield "Deleting the log group"
        call_or_none(lambda: self._logs.delete_log_group(logGroupName=name), _NO_GROUP)

    def _put_retention(self, group: LogGroup) -> None:
        self._logs.put_retention_policy(
            logGroupName=group.name, retentionInDays=group.retention_days
        )
