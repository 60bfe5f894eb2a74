"""One execution: facts, waterfall, states and events, from whatever record there is."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.simulated_states import arn_of, failed_history
from dashboard.executions import charts as execution_charts
from dashboard.executions import detail_model as model
from workflow.execution_rules import ExecutionRules
from workflow.executions import Execution, Outcome, Status, parse_event
from workflow.exports import Export, read_export, write_export

BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)


def record(events: list[dict[str, Any]] | None = None, **fields: Any) -> Export:
    known: dict[str, Any] = {
        "arn": arn_of("one"),
        "name": "one",
        "state_machine_arn": "arn:m",
        "version": "3",
        "status": Status.FAILED,
        "started_at": BEGAN,
        "stopped_at": BEGAN + timedelta(seconds=1),
        "input": '{"s3_bucket": "b", "s3_key": "images/1.png"}',
    }
    execution = Execution(**known | fields)
    raw = failed_history(began=BEGAN) if events is None else events
    return Export(
        execution=execution,
        recorded_status=execution.status.value,
        events=tuple(parse_event(event) for event in raw),
        definition=None,
    )


def shown(given: Export) -> model.ExecutionView:
    return model.build_view(given, rules=ExecutionRules(threshold=0.93))


def test_a_failure_shows_its_error_state_and_image() -> None:
    view = shown(record(error="EndpointUnavailable", cause='{"errorMessage": "no"}'))
    assert view.outcome is Outcome.FAULTED
    assert view.finding.startswith("**EndpointUnavailable**")
    assert view.image == "s3://b/images/1.png"
    assert [step.visit.name for step in view.steps] == ["ClassifyImage"]
    assert len(view.events) == 6
    assert view.problems == ()


def test_a_wrong_success_says_what_is_wrong() -> None:
    view = shown(record(status=Status.SUCCEEDED, output='{"inferences": [0.5, 0.5]}'))
    assert view.outcome is Outcome.SILENT
    assert "BelowThreshold" in view.finding


def test_a_wrong_success_names_the_state_that_answered_with_an_error() -> None:
    answers = {"Classify": {"statusCode": 500, "body": "gone"}, "Infer": {"statusCode": 400}}
    events = [
        {
            "id": number,
            "previousEventId": number - 1,
            "type": kind,
            "timestamp": BEGAN,
            "stateExitedEventDetails": {"name": name, "output": json.dumps(answers[name])},
        }
        for number, (kind, name) in enumerate(
            [("TaskStateExited", "Classify"), ("TaskStateExited", "Infer")], start=1
        )
    ]

    view = shown(record(events, status=Status.SUCCEEDED, output=json.dumps(answers["Infer"])))

    assert view.finding.startswith("**Silent.ServerError** in Classify")


def test_a_record_that_contradicts_its_history_says_so() -> None:
    given = record()
    told = Export(
        execution=given.execution,
        recorded_status="RUNNING",
        events=given.events,
        definition=None,
        problems=("One event is missing.",),
    )
    assert shown(told).problems[0] == "One event is missing."
    assert "proves FAILED" in shown(told).problems[1]


def test_clocks_that_disagree_are_named_and_no_bar_is_negative() -> None:
    events = failed_history(began=BEGAN - timedelta(minutes=5))
    view = shown(record(events))
    assert any("clocks" in problem for problem in view.problems)
    assert all(bar.seconds >= 0 for bar in view.bars)


def test_a_history_that_is_gone_leaves_the_facts() -> None:
    view = shown(record([]))
    assert view.bars == ()
    assert any("90 days" in problem for problem in view.problems)
    assert ("Version", "3") in view.facts


def test_an_unknown_event_type_is_listed_and_breaks_nothing() -> None:
    events = failed_history(began=BEGAN)
    events.insert(2, {"id": 99, "previousEventId": 2, "type": "TaskTeleported", "timestamp": BEGAN})
    view = shown(record(events))
    assert "TaskTeleported" in set(view.events["type"])


def test_retries_are_bars_of_one_row() -> None:
    events = failed_history(began=BEGAN)
    first = [dict(event) for event in events[2:5]]
    for at, event in enumerate(first):
        event |= {"id": 7 + at, "previousEventId": 6 + at if at else 5}
    events = [*events[:5], *first, events[5] | {"id": 10, "previousEventId": 9}]
    view = shown(record(events))
    assert [bar.row for bar in view.bars] == [0, 0]
    assert "attempt 2 of 2" in view.bars[1].hover


def test_long_strings_in_payloads_are_named_by_their_length() -> None:
    text = model.indent_json(json.dumps({"image_data": "A" * 50_000, "rest": ["x" * 3000]}))
    assert text is not None
    assert "50,000 characters" in text
    assert "3,000 characters" in text
    assert len(text) < 600


def test_text_that_is_no_json_is_shown_as_it_stands() -> None:
    assert model.indent_json("plain") == "plain"
    assert model.indent_json(None) is None


def test_an_exported_execution_reads_back_as_it_was_shown() -> None:
    given = record(error="E", cause="C")
    text = write_export(given.execution, given.events, None)
    again = shown(read_export(text))
    assert again.steps == shown(given).steps
    assert again.events["type"].tolist() == shown(given).events["type"].tolist()


def test_two_executions_are_compared_state_by_state() -> None:
    slow = failed_history(began=BEGAN)
    for event in slow[4:]:
        event["timestamp"] += timedelta(seconds=2)
    table = model.compare_states(shown(record()), shown(record(slow)))
    assert table["state"].tolist() == ["ClassifyImage"]
    assert table["slower_by"].tolist() == [2.0]
    nothing = model.compare_states(shown(record()), shown(record([])))
    assert nothing["other_status"].tolist() == ["not visited"]


def test_a_capture_without_a_time_says_so() -> None:
    assert model.captured_at(BEGAN, ZoneInfo("UTC")) == "at 2026-11-23 12:00:00 UTC"
    assert model.captured_at(None, ZoneInfo("UTC")) == "at a time that is not known"


def test_the_waterfall_of_25_000_events_is_cut_and_stays_small() -> None:
    bars = [
        model.Bar(
            row=at,
            label=f"S{at}",
            begin=BEGAN,
            seconds=1.0,
            status=view_status,
            text="1 s",
            hover="",
        )
        for at, view_status in enumerate([shown(record()).bars[0].status] * 25_000)
    ]
    figure = execution_charts.draw_waterfall(bars, BEGAN)
    assert sum(len(trace.x) for trace in figure.data) == execution_charts.MAX_BARS


def export_of(*, output: dict[str, Any], definition: str | None = None, **final: Any) -> Export:
    """A success whose one state gave this output."""
    events = [
        event("ExecutionStarted", 1, executionStartedEventDetails={"input": "{}"}),
        event("TaskStateEntered", 2, stateEnteredEventDetails={"name": "Classify", "input": "{}"}),
        event(
            "TaskStateExited",
            3,
            stateExitedEventDetails={"name": "Classify", "output": json.dumps(output)},
        ),
        event(
            "ExecutionSucceeded", 4, executionSucceededEventDetails={"output": json.dumps(final)}
        ),
    ]
    value = {
        "execution": {
            "executionArn": "arn:aws:states:us-east-1:123456789012:execution:theirs:run",
            "name": "run",
            "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:theirs",
            "status": "RUNNING",
            "startDate": "2026-11-20T12:00:00Z",
        },
        "historyHash": {str(one["id"]): one for one in events},
        "stateMachine": {"definition": definition},
    }
    return read_export(json.dumps(value))


def event(kind: str, number: int, **details: Any) -> dict[str, Any]:
    known = {"id": number, "previousEventId": number - 1, "type": kind}
    return known | {"timestamp": f"2026-11-20T12:00:0{number}Z", **details}


THEIRS = json.dumps(
    {
        "StartAt": "Classify",
        "States": {
            "Sure": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.confidence", "NumericGreaterThanEquals": 0.8}],
            }
        },
    }
)


def test_an_export_is_judged_by_the_threshold_of_its_own_machine() -> None:
    given = export_of(output={"inferences": [0.15, 0.85]}, definition=THEIRS, done=True)

    view = model.build_view(given, rules=ExecutionRules(threshold=0.93))

    assert (view.outcome, view.finding) == (Outcome.ACCEPTED, "")
    assert ("Inference", "motorcycle, 85.0%") in view.facts


def test_an_export_whose_machine_states_no_threshold_says_so() -> None:
    view = model.build_view(
        export_of(output={"inferences": [0.15, 0.85]}), rules=ExecutionRules(threshold=0.93)
    )

    assert view.outcome is Outcome.SILENT
    assert "gives no threshold" in view.finding


def test_an_image_that_only_a_state_names_is_found() -> None:
    given = export_of(output={"bucket": "b", "key": "a.png", "inferences": [0.01, 0.99]})

    assert model.build_view(given, rules=ExecutionRules(threshold=0.93)).image == "s3://b/a.png"


def test_a_machine_that_classifies_nothing_owes_no_inference() -> None:
    given = export_of(output={"order": 7}, definition='{"Comment": "Ships orders"}', shipped=True)

    view = model.build_view(given, rules=ExecutionRules(threshold=0.93))

    assert view.outcome is Outcome.UNEXAMINED
    assert "is not judged" in view.finding
