"""Executions and history events as Step Functions records them, and what counts as a failure.

Shapes are those of the Step Functions API reference (DescribeExecution, ListExecutions,
GetExecutionHistory) and of the console's ``execution-detail.json``, which spells them alike but
gives times as epoch milliseconds or as ISO text.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from workflow.errors import WorkflowError

_MILLISECONDS_FROM = 1e11
"""Epoch numbers at or above it are milliseconds: as seconds they would lie after the year 5138."""


class Status(StrEnum):
    """Status of an execution, as Step Functions spells it."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"
    PENDING_REDRIVE = "PENDING_REDRIVE"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens unless somebody redrives."""
        return self not in (Status.RUNNING, Status.PENDING_REDRIVE)


class Outcome(StrEnum):
    """How an execution turned out for the one who submitted the image; values are for pages."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAULTED = "fault"
    SILENT = "succeeded but wrong"
    UNEXAMINED = "succeeded, not examined"
    RUNNING = "running"
    ABORTED = "aborted"


class Kind(StrEnum):
    """What sort of failure it is; it decides who acts and how."""

    REJECTION = "rejection"
    FAULT = "fault"
    THROTTLING = "throttling"
    TIMEOUT = "timeout"
    PERMISSION = "permission"
    CODE = "code"
    BAD_INPUT = "bad input"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution of a state machine.

    Attributes:
        version: Number of the state machine version it ran, or None when it ran no version.
        alias: Name of the alias it was started through, or None.
        started_at: Aware, UTC.
        redrive_status: REDRIVABLE, NOT_REDRIVABLE or REDRIVABLE_BY_MAP_RUN; None when unknown.
        input: JSON text, None when it was not read or AWS left it out for its size.
        output: JSON text, likewise; ListExecutions never gives input, output, error or cause.
    """

    arn: str
    name: str
    state_machine_arn: str
    version: str | None = None
    alias: str | None = None
    status: Status
    started_at: datetime
    stopped_at: datetime | None = None
    redrive_count: int = 0
    redrive_status: str | None = None
    redrive_reason: str | None = None
    input: str | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One event of a history; ``details`` is the event's own ``...EventDetails``, else empty.

    ``step`` is the state's name where the record says it outside the details (console exports).
    """

    id: int
    previous_id: int
    type: str
    timestamp: datetime
    details: Mapping[str, Any]
    step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why one execution failed, was rejected or succeeded wrongly: what a group is made of.

    Attributes:
        state: Name of the state that failed, empty when the history does not tell.
        kind: Given where the finder knows it (SILENT); None lets the fingerprint decide.
        version: State machine version that ran, or None.
        image: ``s3://bucket/key`` of the image, or None.
        attempt: Redrive count at the time, so that a later attempt supersedes this one.
        ended_in: Name of the Fail state that a Catch led to after this failure, or None.
    """

    execution_arn: str
    state: str
    error: str
    cause: str
    failed_at: datetime
    kind: Kind | None = None
    version: str | None = None
    image: str | None = None
    attempt: int = 0
    ended_in: str | None = None


def parse_time(value: object) -> datetime:
    """Return a moment as boto3, the AWS CLI or the console write it, as aware UTC.

    Args:
        value: A datetime (naive means UTC), ISO 8601 text, or an epoch number of seconds or
            milliseconds.

    Raises:
        WorkflowError: ``TimestampInvalid``.
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise WorkflowError(
        "TimestampInvalid",
        f"{value!r} is not a moment in time.",
        "Give ISO 8601 text or an epoch number of seconds or milliseconds.",
    )


def parse_event(raw: Mapping[str, Any]) -> HistoryEvent:
    """Read one event of GetExecutionHistory or of a console export; unknown types are kept.

    Raises:
        WorkflowError: ``HistoryEventInvalid`` or ``TimestampInvalid``.
    """
    identity, kind = raw.get("id"), raw.get("type")
    if not isinstance(identity, int) or not isinstance(kind, str):
        raise WorkflowError(
            "HistoryEventInvalid",
            f"A history event has id {identity!r} and type {kind!r}.",
            "Give events as GetExecutionHistory or the console export writes them.",
        )
    details = next(
        (v for k, v in raw.items() if k.endswith("EventDetails") and isinstance(v, Mapping)), {}
    )
    return HistoryEvent(
        id=identity,
        previous_id=raw.get("previousEventId") or 0,
        type=kind,
        timestamp=parse_time(raw.get("timestamp")),
        details=details,
        step=raw.get("stepName") or None,
    )


def parse_execution(raw: Mapping[str, Any]) -> Execution:
    """Read DescribeExecution's answer, one item of ListExecutions, or a console export's record.

    Raises:
        WorkflowError: ``ExecutionInvalid`` or ``TimestampInvalid``.
    """
    arn, status = raw.get("executionArn"), raw.get("status")
    if not isinstance(arn, str) or not isinstance(status, str) or status not in list(Status):
        raise WorkflowError(
            "ExecutionInvalid",
            f"An execution record has ARN {arn!r} and status {status!r}.",
            "Give the record as DescribeExecution or the console export writes it.",
        )
    stopped, redrives = raw.get("stopDate"), raw.get("redriveCount")
    return Execution(
        arn=arn,
        name=_as_text(raw.get("name")) or arn.rpartition(":")[2],
        state_machine_arn=_as_text(raw.get("stateMachineArn")) or "",
        version=_last_part(raw.get("stateMachineVersionArn")),
        alias=_last_part(raw.get("stateMachineAliasArn")),
        status=Status(status),
        started_at=parse_time(raw.get("startDate")),
        stopped_at=None if stopped is None else parse_time(stopped),
        redrive_count=redrives if isinstance(redrives, int) else 0,
        redrive_status=_as_text(raw.get("redriveStatus")),
        redrive_reason=_as_text(raw.get("redriveStatusReason")),
        input=_as_text(raw.get("input")),
        output=_as_text(raw.get("output")),
        error=_as_text(raw.get("error")),
        cause=_as_text(raw.get("cause")),
    )


def _last_part(arn: object) -> str | None:
    return (_as_text(arn) or "").rpartition(":")[2] or None


def _as_text(value: object) -> str | None:
    """Return text as it stands, and what a tool has unpacked from JSON as JSON again."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def in_order(events: Iterable[HistoryEvent]) -> tuple[HistoryEvent, ...]:
    """Return the events by id, each once: ids tell the order even where clocks disagree."""
    by_id: dict[int, HistoryEvent] = {}
    for event in events:
        # Histories are read in parts that overlap: a repeated event is the same event.
        by_id.setdefault(event.id, event)
    return tuple(by_id[identity] for identity in sorted(by_id))
