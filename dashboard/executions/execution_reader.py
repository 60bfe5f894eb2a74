"""Reads one execution: its record, history and definition, from the store or from AWS."""

from dashboard.aws.executions import ExecutionReader, decode_events, encode_events
from dashboard.executions.sync import GONE
from dashboard.executions.tables import stored_execution, stored_history
from dashboard.shared.store import SegmentStore
from workflow.errors import WorkflowError
from workflow.executions import Execution, HistoryEvent
from workflow.exports import Export
from workflow.timelines import settle


def open_execution(states: ExecutionReader, store: SegmentStore, arn: str) -> Export:
    """Read all that is known of an execution; what AWS refuses becomes a problem of the record.

    A stored history is not read again. One that is running is read live and not stored.

    Raises:
        WorkflowError: AWS's own code, where neither AWS nor the store knows the execution.
    """
    problems: list[str] = []
    known = stored_execution(store.scan("executions"), store.scan("execution_details"), arn)
    try:
        execution = states.describe(arn)
    except WorkflowError as error:
        if known is None:
            raise
        execution = known
        problems.append(_sentence_of(error))
    events = _read_history(states, store, execution, problems)
    return Export(
        execution=settle(execution, events),
        recorded_status=execution.status.value,
        events=events,
        definition=_read_definition(states, arn, problems),
        problems=tuple(problems),
    )


def stored_record(store: SegmentStore, arn: str, problem: WorkflowError) -> Export | None:
    """Return what the store alone knows of an execution, or None.

    Args:
        store: Keeps ``execution_tables.TABLES``.
        arn: Of the execution.
        problem: Why AWS is not asked; part of the record.
    """
    known = stored_execution(store.scan("executions"), store.scan("execution_details"), arn)
    if known is None:
        return None
    stored = stored_history(store.scan("histories"), arn, known.redrive_count)
    events = () if stored is None else decode_events(stored)
    return Export(
        execution=settle(known, events),
        recorded_status=known.status.value,
        events=events,
        definition=None,
        problems=(f"{_sentence_of(problem)} The stored copy is shown.",),
    )


def _read_history(
    states: ExecutionReader, store: SegmentStore, execution: Execution, problems: list[str]
) -> tuple[HistoryEvent, ...]:
    stored = stored_history(store.scan("histories"), execution.arn, execution.redrive_count)
    if stored is not None:
        return decode_events(stored)
    try:
        # By way of the stored form, so that a live history is read just as a stored one.
        return decode_events(encode_events(states.read_history(execution.arn)))
    except WorkflowError as error:
        problems.append(_sentence_of(error))
        return ()


def _read_definition(states: ExecutionReader, arn: str, problems: list[str]) -> str | None:
    try:
        return states.read_definition(arn)
    except WorkflowError as error:
        # AWS forgets definitions with their executions: that is told by the history already.
        if error.code != GONE:
            problems.append(_sentence_of(error))
        return None


def _sentence_of(error: WorkflowError) -> str:
    return f"{error.message} {error.remedy}"
