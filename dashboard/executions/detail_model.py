"""What is shown of one execution: facts, waterfall, states and events, from any record of it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from dashboard.shared.escaping import chart_text, escape_text
from dashboard.shared.numbers import format_duration, format_share
from dashboard.shared.time_range import DAY_AND_SECOND, format_moment
from workflow.contract import inference_id
from workflow.execution_rules import ExecutionRules
from workflow.executions import Execution, HistoryEvent, Outcome, Status
from workflow.exports import Export
from workflow.foreign_outputs import NO_INFERENCE
from workflow.machine_rules import classifies, stated_threshold
from workflow.silent import (
    find_silent,
    image_of,
    last_inference,
    outcome,
    silent_failure,
)
from workflow.timelines import (
    StateVisit,
    VisitStatus,
    failure_of,
    timeline,
    waiting_for_redrives,
)

PAYLOAD_CHARACTERS = 20_000
"""Of an input or output that are shown; an image as base64 is longer and tells nobody anything."""

_INDENT = "\u2003"
_OTHER_MACHINE = (
    "**No classification**  \nNothing in this record mentions an inference. What its state machine "
    "requires of an output is not known, so its success is not judged."
)
_NOT_STATED = " This record gives no threshold of its state machine."


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One attempt of one visit of a state, as a bar of the waterfall.

    Attributes:
        row: Place from the top; attempts of one visit share it.
        label: Name of the state, indented by its depth.
        hover: Times, and the error where it failed.
        text: The duration, in words.
    """

    row: int
    label: str
    begin: datetime
    seconds: float
    status: VisitStatus
    text: str
    hover: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineStep:
    """One visit of a state with what went in and out, pretty-printed; None where not recorded."""

    visit: StateVisit
    title: str
    input: str | None
    output: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionView:
    """One execution, ready to show.

    Attributes:
        facts: ``(name, value)``, each in words.
        finding: What is wrong with a success, else the error and cause of a failure, else empty.
        image: ``s3://bucket/key``, or None.
        inference_id: Joins the execution to its capture and label.
        problems: What the record lacks or contradicts, a sentence each.
    """

    execution: Execution
    outcome: Outcome
    facts: tuple[tuple[str, str], ...]
    finding: str
    image: str | None
    inference_id: str
    bars: tuple[Bar, ...]
    steps: tuple[TimelineStep, ...]
    events: pd.DataFrame
    problems: tuple[str, ...]


def build_view(record: Export, *, rules: ExecutionRules) -> ExecutionView:
    """Read a record, from AWS or from a file, into what is shown.

    Args:
        record: The execution with its history.
        rules: Of the workflow; its threshold holds where neither the output nor the machine
            states one.
    """
    execution, visits = record.execution, timeline(record.events)
    stated = stated_threshold(record.definition, visits)
    found = outcome(execution, visits, threshold=stated or rules.threshold)
    finding = _describe_finding(execution, visits, stated or rules.threshold)
    if rules.foreign and found is Outcome.SILENT and not rules.silent(execution, visits):
        found, finding = Outcome.ACCEPTED, ""
    elif "Silent.NoInference" in finding and not classifies(
        record.definition, _iterate_payloads(execution, visits)
    ):
        found, finding = Outcome.UNEXAMINED, _OTHER_MACHINE
    elif stated is None and "Silent.BelowThreshold" in finding:
        finding += _NOT_STATED
    return ExecutionView(
        execution=execution,
        outcome=found,
        facts=tuple(_list_facts(record, visits, rules)),
        finding=finding,
        image=_find_image(execution, visits) or rules.image(execution, visits),
        inference_id=inference_id(execution.arn),
        bars=tuple(build_bars(visits)),
        steps=tuple(_build_step(visit) for visit in visits),
        events=events_table(record.events, execution.started_at),
        problems=tuple(_list_problems(record)),
    )


def build_bars(visits: Sequence[StateVisit]) -> Iterable[Bar]:
    """Yield the bars of a waterfall: every attempt of every visit, or the visit where it has none.

    An end before the begin, as clocks that disagree record it, is drawn as no time at all.
    """
    depths: dict[int, int] = {}
    for row, visit in enumerate(visits):
        depth = 0 if visit.parent is None else depths.get(visit.parent, 0) + 1
        depths[visit.event_id] = depth
        at = "" if visit.iteration is None else f" [{visit.iteration}]"
        label = f"{_INDENT * depth}{visit.name or '(unnamed)'}{at}"
        parts = _list_attempts(visit)
        for number, (begin, end, status, error) in enumerate(parts, start=1):
            seconds = max(0.0, (end - begin).total_seconds()) if end else 0.0
            tried = f"attempt {number} of {len(parts)}, " if len(parts) > 1 else ""
            spent = format_duration(seconds) if end else "running"
            failed = f"<br>{chart_text(error)}" if error else ""
            yield Bar(
                row=row,
                label=label,
                begin=begin,
                seconds=seconds,
                status=status,
                text=spent if len(parts) == 1 else "",
                hover=f"{tried}{status.lower()}, {spent}{failed}",
            )


def events_table(events: Iterable[HistoryEvent], started_at: datetime) -> pd.DataFrame:
    """Return each event: id, type, milliseconds since the start, state, previous id, details."""
    rows = [
        {
            "id": event.id,
            "type": event.type,
            "ms": (event.timestamp - started_at).total_seconds() * 1000,
            "state": event.step or event.details.get("name") or "",
            "after": event.previous_id,
            "details": json.dumps(dict(event.details), default=str)[:PAYLOAD_CHARACTERS],
        }
        for event in events
    ]
    return pd.DataFrame(rows, columns=["id", "type", "ms", "state", "after", "details"])


def compare_states(one: ExecutionView, other: ExecutionView) -> pd.DataFrame:
    """Compare executions by state: durations, their difference and whether outputs agree.

    A state visited several times is compared visit by visit, in order.
    """
    left, right = _by_state(one), _by_state(other)
    rows = [
        {
            "state": name if number == 1 else f"{name} ({number})",
            "seconds": _visit_seconds(a),
            "other_seconds": _visit_seconds(b),
            "slower_by": None if a is None or b is None else _seconds_between(a, b),
            "status": a.visit.status.value if a else "not visited",
            "other_status": b.visit.status.value if b else "not visited",
            "same_output": bool(a and b and a.output == b.output),
        }
        for (name, number) in dict.fromkeys([*left, *right])
        for a, b in [(left.get((name, number)), right.get((name, number)))]
    ]
    return pd.DataFrame(rows)


def captured_at(moment: datetime | None, zone: ZoneInfo) -> str:
    """Say when an inference was captured; a line need not have a time that can be read."""
    return (
        f"at {format_moment(moment, zone, DAY_AND_SECOND)}"
        if moment
        else "at a time that is not known"
    )


def indent_json(text: str | None) -> str | None:
    """Indent JSON and shorten long strings in it; other text stays as it is."""
    if text is None:
        return None
    try:
        value = _shorten_strings(json.loads(text))
    except (ValueError, RecursionError):
        return text[:PAYLOAD_CHARACTERS]
    return json.dumps(value, indent=2, ensure_ascii=False)[:PAYLOAD_CHARACTERS]


def _shorten_strings(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, str) and len(value) > 2_000:  # noqa: PLR2004 - longer is data, not words
        return f"{value[:80]}… ({len(value):,} characters)"
    if isinstance(value, dict):
        return {key: _shorten_strings(item) for key, item in value.items()}
    return [_shorten_strings(item) for item in value] if isinstance(value, list) else value


def _iterate_payloads(execution: Execution, visits: Iterable[StateVisit]) -> Iterable[str | None]:
    """Yield what went into the execution and its states, and what came out of them, in order."""
    yield execution.input
    for visit in visits:
        yield from (visit.input, visit.payload, visit.output)
    yield execution.output


def _find_image(execution: Execution, visits: Iterable[StateVisit]) -> str | None:
    """Return the image that the execution names, in its input or in any state."""
    named = map(image_of, _iterate_payloads(execution, visits))
    return next((image for image in named if image), None)


def _list_facts(
    record: Export, visits: Sequence[StateVisit], rules: ExecutionRules
) -> Iterable[tuple[str, str]]:
    execution = record.execution
    ended = execution.stopped_at
    waited = waiting_for_redrives(record.events)
    took = max(timedelta(), ended - execution.started_at - waited) if ended else None
    yield "Took", format_duration(took.total_seconds()) if took is not None else "still running"
    if waited:
        yield "Waited for a redrive", format_duration(waited.total_seconds())
    yield "Status", execution.status.value
    yield (
        "Version",
        f"{execution.version or 'none'}{f' ({execution.alias})' * bool(execution.alias)}",
    )
    yield "Redrives", str(execution.redrive_count)
    inference = rules.inference(execution, visits)
    if inference is None or inference.label is None:
        inference = last_inference(visits) or inference
    if inference is None and rules.foreign and execution.status is Status.SUCCEEDED:
        yield "Inference", NO_INFERENCE
    elif inference:
        yield (
            "Inference",
            f"{inference.label or 'unnamed class'}, {format_share(inference.confidence)}",
        )


def _describe_finding(execution: Execution, visits: Sequence[StateVisit], threshold: float) -> str:
    """Say what went wrong and where in a line, with the cause below; empty where nothing did."""
    if outcome(execution, visits, threshold=threshold) is Outcome.ACCEPTED:
        return ""
    failure = failure_of(execution, visits) or silent_failure(
        execution, visits, threshold=threshold
    )
    wrong = find_silent(execution.output or "", visits, threshold=threshold)
    if failure and wrong and failure.error == "Silent.NoInference" != wrong.error:
        return (
            f"**{escape_text(wrong.error)}**  \n{wrong.cause}"  # the inference of an earlier state
        )
    error = failure.error if failure else execution.error
    cause = failure.cause if failure else execution.cause
    if failure is None and not (error or cause):
        return ""
    where = f" in {escape_text(failure.state)}" if failure and failure.state else ""
    then = f", caught, then {escape_text(failure.ended_in)}" if failure and failure.ended_in else ""
    return (
        f"**{escape_text(error or 'Error without name')}**{where}{then}  "
        f"\n{indent_json(cause or None) or ''}"
    )


def _list_problems(record: Export) -> Iterable[str]:
    yield from record.problems
    if record.recorded_status != record.execution.status.value:
        yield (
            f"The record says {record.recorded_status}, the history proves "
            f"{record.execution.status.value}: the history is believed."
        )
    ends = [visit.exited_at for visit in timeline(record.events) if visit.exited_at]
    if any(end < record.execution.started_at for end in ends):
        yield "Some events are older than the start: their clocks disagree."
    if not record.events:
        yield "There is no history: AWS keeps it for 90 days, and only Standard workflows have one."


def _build_step(visit: StateVisit) -> TimelineStep:
    ended = visit.exited_at
    took = max(0.0, (ended - visit.entered_at).total_seconds()) if ended else None
    spent = format_duration(took) if ended else visit.status.lower()
    tries = f", {len(visit.attempts)} attempts" if len(visit.attempts) > 1 else ""
    return TimelineStep(
        visit=visit,
        title=f"{visit.name or '(unnamed)'}: {visit.status.lower()}, {spent}{tries}",
        input=indent_json(visit.input),
        output=indent_json(visit.output),
    )


def _list_attempts(
    visit: StateVisit,
) -> list[tuple[datetime, datetime | None, VisitStatus, str | None]]:
    if len(visit.attempts) <= 1:
        return [(visit.entered_at, visit.exited_at, visit.status, visit.error)]
    return [
        (
            attempt.started_at,
            attempt.ended_at,
            VisitStatus.FAILED if attempt.error is not None else visit.status,
            attempt.error,
        )
        for attempt in visit.attempts
    ]


def _by_state(shown: ExecutionView) -> dict[tuple[str, int], TimelineStep]:
    counts: dict[str, int] = {}
    steps: dict[tuple[str, int], TimelineStep] = {}
    for step in shown.steps:
        name = step.visit.name
        counts[name] = counts.get(name, 0) + 1
        steps[(name, counts[name])] = step
    return steps


def _visit_seconds(step: TimelineStep | None) -> float | None:
    if step is None or step.visit.exited_at is None:
        return None
    return (step.visit.exited_at - step.visit.entered_at).total_seconds()


def _seconds_between(one: TimelineStep, other: TimelineStep) -> float | None:
    a, b = _visit_seconds(one), _visit_seconds(other)
    return None if a is None or b is None else b - a
