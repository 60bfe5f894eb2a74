"""A timeline is what the events prove, however they nest, repeat, stop or get lost."""

import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflow.histories import ARN, START, History, execution
from workflow.executions import HistoryEvent, Status
from workflow.timelines import (
    StateVisit,
    VisitStatus,
    failure_of,
    settle,
    timeline,
    waiting_for_redrives,
)


def outline(visits: tuple[StateVisit, ...]) -> list[tuple[str, str, VisitStatus]]:
    return [(visit.name, visit.type, visit.status) for visit in visits]


def in_parallel() -> History:
    """Two branches whose events interleave; the second branch fails."""
    history = History()
    history.enter("Both", "Parallel")
    started = history.add("ParallelStateStarted")
    left = history.enter("Left", previous=started)
    right = history.enter("Right", previous=started)
    left = history.attempt("left", previous=left)
    right = history.attempt("right", previous=right)
    left = history.add("TaskSucceeded", previous=left, output="{}")
    history.add("TaskStateExited", previous=left, name="Left", output='{"left": 1}')
    history.add("TaskFailed", previous=right, error="Boom", cause="why")
    return history


def mapped(iterations: int) -> History:
    """A Map whose iterations all start before the first one ends."""
    history = History()
    history.enter("Each", "Map")
    started = history.add("MapStateStarted", length=iterations)
    last = []
    for index in range(iterations):
        begun = history.add("MapIterationStarted", previous=started, name="Each", index=index)
        last.append(history.enter("Work", previous=begun))
    for index in range(iterations):
        done = history.add("TaskStateExited", previous=last[index], name="Work", output=str(index))
        last[index] = history.add("MapIterationSucceeded", previous=done, name="Each", index=index)
    history.add("MapStateSucceeded", previous=last[-1])
    history.exit("Each", "Map", "[]")
    history.add("ExecutionSucceeded", output="[]")
    return history


def test_a_plain_run_has_its_states_in_order() -> None:
    history = History()
    history.run("Serialize")
    history.run("Classify")
    history.add("ExecutionSucceeded", output="{}")

    serialize, classify = timeline(history.events)

    assert outline((serialize, classify)) == [
        ("Serialize", "Task", VisitStatus.SUCCEEDED),
        ("Classify", "Task", VisitStatus.SUCCEEDED),
    ]
    assert (serialize.input, serialize.output, serialize.resource) == ('{"a": 1}', '{"b": 2}', "f")
    assert serialize.exited_at is not None
    assert serialize.exited_at - serialize.entered_at == timedelta(seconds=4)
    assert serialize.payload is None


def test_retries_are_attempts_of_one_visit() -> None:
    history = History()
    history.enter("Classify")
    history.attempt()
    history.fail("Throttled")
    history.attempt()
    history.succeed()
    history.exit("Classify")

    (visit,) = timeline(history.events)

    assert [attempt.error for attempt in visit.attempts] == ["Throttled", None]
    assert (visit.status, visit.error) == (VisitStatus.SUCCEEDED, None)


def test_a_caught_error_is_not_a_failure_of_the_state() -> None:
    history = History()
    history.enter("Filter")
    history.attempt()
    history.fail("Low", "0.4")
    history.exit("Filter")
    history.run("Tell")
    history.add("ExecutionSucceeded", output="{}")

    visits = timeline(history.events)

    assert outline(visits)[0] == ("Filter", "Task", VisitStatus.CAUGHT)
    assert (visits[0].error, visits[0].cause) == ("Low", "0.4")


def test_a_failed_task_ends_with_the_execution() -> None:
    history = History()
    history.enter("Filter")
    history.attempt()
    history.fail("KeyError", "'a'")
    history.add("ExecutionFailed", error="KeyError", cause="'a'")

    visits = timeline(history.events)
    failed = settle(execution(status=Status.RUNNING), history.events)
    failure = failure_of(failed, visits, image="s3://b/k")

    assert outline(visits) == [("Filter", "Task", VisitStatus.FAILED)]
    assert failed.status is Status.FAILED
    assert failure is not None
    assert (failure.state, failure.error, failure.cause) == ("Filter", "KeyError", "'a'")
    assert (failure.failed_at, failure.image) == (failed.stopped_at, "s3://b/k")


def test_a_fail_state_carries_the_error_of_the_execution() -> None:
    history = History()
    history.enter("TooLow", "Fail")
    history.add("ExecutionFailed", error="Low", cause="0.4")

    (visit,) = timeline(history.events)

    assert (visit.type, visit.status, visit.error) == ("Fail", VisitStatus.FAILED, "Low")


def test_a_choice_that_matches_nothing_is_what_failed() -> None:
    history = History()
    history.run("Classify")
    history.enter("Decide", "Choice")
    history.add("ExecutionFailed", error="States.NoChoiceMatched")

    assert outline(timeline(history.events))[-1] == ("Decide", "Choice", VisitStatus.FAILED)


def test_a_failed_evaluation_names_its_state() -> None:
    history = History()
    history.add("EvaluationFailed", previous=99, state="Shape", error="States.QueryEvaluationError")
    history.add("ExecutionFailed", error="States.QueryEvaluationError")

    (visit,) = timeline(history.events)

    assert (visit.name, visit.status) == ("Shape", VisitStatus.FAILED)


def test_branches_of_a_parallel_are_kept_apart() -> None:
    history = in_parallel()
    history.add("ParallelStateFailed")
    history.add("ExecutionFailed", error="Boom", cause="why")

    both, left, right = timeline(history.events)

    assert (left.parent, left.iteration) == (both.event_id, 0)
    assert (right.parent, right.iteration) == (both.event_id, 1)
    assert outline((both, left, right)) == [
        ("Both", "Parallel", VisitStatus.FAILED),
        ("Left", "Task", VisitStatus.SUCCEEDED),
        ("Right", "Task", VisitStatus.FAILED),
    ]
    assert (both.error, both.cause) == ("Boom", "why")


def test_the_innermost_state_is_the_one_that_failed() -> None:
    history = in_parallel()
    history.add("ParallelStateFailed")
    history.add("ExecutionFailed", error="Boom", cause="why")
    settled = settle(execution(status=Status.RUNNING), history.events)

    failure = failure_of(settled, timeline(history.events))

    assert failure is not None
    assert failure.state == "Right"


def test_a_caught_parallel_aborts_what_still_ran_in_it() -> None:
    history = History()
    history.enter("Both", "Parallel")
    started = history.add("ParallelStateStarted")
    slow = history.enter("Slow", previous=started)
    history.attempt(previous=slow)
    history.enter("Quick", previous=started)
    history.attempt()
    history.fail("Boom")
    history.add("ParallelStateFailed")
    history.exit("Both", "Parallel")

    assert outline(timeline(history.events)) == [
        ("Both", "Parallel", VisitStatus.CAUGHT),
        ("Slow", "Task", VisitStatus.ABORTED),
        ("Quick", "Task", VisitStatus.FAILED),
    ]


def test_iterations_of_a_map_keep_their_index_and_their_output() -> None:
    each, *work = timeline(mapped(3).events)

    assert (each.type, each.status, each.output) == ("Map", VisitStatus.SUCCEEDED, "[]")
    assert [(visit.iteration, visit.output) for visit in work] == [(0, "0"), (1, "1"), (2, "2")]
    assert {visit.parent for visit in work} == {each.event_id}


def test_maps_nest() -> None:
    history = History()
    history.enter("Outer", "Map")
    history.add("MapStateStarted", length=1)
    history.add("MapIterationStarted", name="Outer", index=4)
    history.enter("Inner", "Map")
    history.add("MapStateStarted", length=1)
    history.add("MapIterationStarted", name="Inner", index=2)
    history.run("Work")
    history.add("MapIterationSucceeded", name="Inner", index=2)
    history.add("MapStateSucceeded")
    history.exit("Inner", "Map")
    history.add("MapIterationSucceeded", name="Outer", index=4)
    history.add("MapStateSucceeded")
    history.exit("Outer", "Map")

    outer, inner, work = timeline(history.events)

    assert (inner.parent, inner.iteration) == (outer.event_id, 4)
    assert (work.parent, work.iteration) == (inner.event_id, 2)
    assert {visit.status for visit in (outer, inner, work)} == {VisitStatus.SUCCEEDED}


def test_a_failed_iteration_ends_what_ran_in_it_only() -> None:
    history = History()
    history.enter("Each", "Map")
    started = history.add("MapStateStarted", length=2)
    begun = history.add("MapIterationStarted", previous=started, name="Each", index=0)
    other = history.add("MapIterationStarted", previous=started, name="Each", index=1)
    history.enter("Work", previous=other)
    history.enter("Work", previous=begun)
    history.attempt()
    history.fail("Boom")
    history.add("MapIterationFailed", name="Each", index=0)

    each, running, failed = timeline(history.events)

    assert (each.status, running.status) == (VisitStatus.RUNNING, VisitStatus.RUNNING)
    assert failed.status is VisitStatus.FAILED


def test_an_aborted_map_is_aborted() -> None:
    history = History()
    history.enter("Each", "Map")
    history.add("MapStateStarted", length=1)
    history.add("MapIterationStarted", name="Each", index=0)
    history.enter("Work")
    history.add("MapIterationAborted", name="Each", index=0)
    history.add("MapStateAborted")
    history.add("ExecutionAborted")

    assert {visit.status for visit in timeline(history.events)} == {VisitStatus.ABORTED}


def test_a_map_run_is_linked() -> None:
    history = History()
    history.enter("Each", "Map")
    history.add("MapRunStarted", mapRunArn="arn:map-run")
    history.add("MapRunFailed", error="States.ExceedToleratedFailureThreshold", cause="too many")
    history.add("ExecutionFailed", error="States.ExceedToleratedFailureThreshold")

    (visit,) = timeline(history.events)

    assert (visit.child, visit.cause) == ("arn:map-run", "too many")
    assert visit.status is VisitStatus.FAILED


def test_a_nested_execution_is_linked() -> None:
    history = History()
    history.enter("Child")
    history.add("TaskScheduled", resourceType="states", resource="startExecution.sync:2")
    history.add("TaskSubmitted", resourceType="states", output=json.dumps({"ExecutionArn": ARN}))

    (visit,) = timeline(history.events)

    assert (visit.child, visit.resource) == (ARN, "states:startExecution.sync:2")


def test_a_redrive_continues_the_state_that_failed() -> None:
    history = History()
    history.enter("Filter")
    history.attempt()
    history.fail()
    history.add("ExecutionFailed", error="KeyError")
    history.add("ExecutionRedriven", redriveCount=1)
    history.attempt()
    history.succeed()
    history.exit("Filter")
    history.run("Tell")
    history.add("ExecutionSucceeded", output="{}")

    visit, following = timeline(history.events)
    settled = settle(execution(redrive_count=1), history.events)

    assert [attempt.redriven for attempt in visit.attempts] == [False, True]
    assert [attempt.redriven for attempt in following.attempts] == [False]
    assert visit.status is VisitStatus.SUCCEEDED
    assert (settled.status, settled.redrive_count) == (Status.SUCCEEDED, 1)
    assert settled.error is None


def test_a_redrive_of_a_branch_finds_it_by_what_it_calls() -> None:
    history = in_parallel()
    history.add("ParallelStateFailed")
    history.add("ExecutionFailed", error="Boom")
    redriven = history.add("ExecutionRedriven", redriveCount=1)
    history.attempt("right", previous=redriven)
    history.succeed()
    history.exit("Right")
    history.add("ParallelStateSucceeded")
    history.exit("Both", "Parallel")
    history.add("ExecutionSucceeded", output="{}")

    both, left, right = timeline(history.events)

    assert [len(visit.attempts) for visit in (left, right)] == [1, 2]
    assert (both.status, right.status) == (VisitStatus.SUCCEEDED, VisitStatus.SUCCEEDED)


def test_a_redrive_under_way_is_running() -> None:
    history = History()
    history.enter("Filter")
    history.attempt()
    history.fail()
    history.add("ExecutionFailed", error="KeyError", cause="no")
    history.add("ExecutionRedriven", redriveCount=1)
    history.attempt()

    settled = settle(execution(error="KeyError", redrive_count=1), history.events)

    assert (settled.status, settled.stopped_at, settled.error) == (Status.RUNNING, None, None)
    assert timeline(history.events)[0].status is VisitStatus.RUNNING


def test_a_timed_out_execution_ends_what_ran() -> None:
    history = History()
    history.enter("Slow")
    history.attempt()
    history.add("ExecutionTimedOut")
    settled = settle(execution(status=Status.RUNNING), history.events)
    visits = timeline(history.events)

    failure = failure_of(settled, visits)

    assert outline(visits) == [("Slow", "Task", VisitStatus.TIMED_OUT)]
    assert failure is not None
    assert (failure.state, failure.error) == ("Slow", "States.Timeout")


def test_an_execution_that_failed_without_an_error_has_none_and_did_not_time_out() -> None:
    failure = failure_of(execution(status=Status.FAILED, stopped_at=START), ())

    assert failure is not None
    assert (failure.state, failure.error, failure.cause) == ("", "", "")


def test_an_abort_is_somebodys_decision_and_no_failure() -> None:
    history = History()
    history.enter("Wait", "Wait")
    history.add("WaitStateAborted")
    history.add("ExecutionAborted")
    settled = settle(execution(status=Status.RUNNING), history.events)

    assert outline(timeline(history.events)) == [("Wait", "Wait", VisitStatus.ABORTED)]
    assert failure_of(settled, timeline(history.events)) is None


def test_without_a_history_the_execution_still_tells_its_error() -> None:
    failure = failure_of(execution(error="KeyError", cause="no", stopped_at=START), ())

    assert failure is not None
    assert (failure.state, failure.error, failure.cause) == ("", "KeyError", "no")


def test_the_history_is_believed_over_a_record_that_says_running() -> None:
    history = History()
    history.run("All")
    last = history.add("ExecutionSucceeded", output='{"ok": 1}')

    settled = settle(execution(status=Status.RUNNING), history.events)

    assert (settled.status, settled.output) == (Status.SUCCEEDED, '{"ok": 1}')
    assert settled.stopped_at == START + timedelta(seconds=last)
    assert settled.input == '{"s3_key": "bike.png"}'


def test_a_record_that_knows_of_a_later_redrive_is_believed() -> None:
    history = History()
    history.add("ExecutionFailed", error="KeyError")
    record = execution(status=Status.SUCCEEDED, redrive_count=1)

    assert settle(record, history.events) == record


def test_a_history_without_end_leaves_the_recorded_status() -> None:
    history = History()
    history.enter("Slow")

    assert settle(execution(status=Status.ABORTED), history.events).status is Status.ABORTED
    assert settle(execution(), ()) == execution()


def test_a_tail_without_its_start_still_names_the_state() -> None:
    history = History()
    history.enter("Filter")
    history.attempt()
    history.fail("KeyError")
    history.exit("Filter")
    history.add("ExecutionSucceeded", output="{}")
    tail = history.events[-3:]

    (unnamed, named) = timeline(tail)

    assert (named.name, named.type, named.status) == ("Filter", "Task", VisitStatus.SUCCEEDED)
    assert (unnamed.name, unnamed.error) == ("", "KeyError")
    assert settle(execution(status=Status.RUNNING), tail).status is Status.SUCCEEDED


def test_an_event_whose_predecessor_is_lost_goes_to_the_state_it_names() -> None:
    history = History()
    history.enter("Filter")
    history.attempt()
    history.raw[-1]["stepName"] = "Filter"
    history.raw[-2]["stepName"] = "Filter"
    del history.raw[0]
    history.raw[1]["previousEventId"] = 77

    (visit,) = timeline(history.events)

    assert (visit.name, len(visit.attempts)) == ("Filter", 1)


def test_types_newer_than_this_code_are_passed_over() -> None:
    history = History()
    history.add("SomethingNew", shiny=True)
    history.enter("Filter")
    history.add("TaskPondered", mood="good")
    history.attempt()
    history.succeed()
    history.exit("Filter")

    assert outline(timeline(history.events)) == [("Filter", "Task", VisitStatus.SUCCEEDED)]


def test_a_map_event_without_its_map_is_passed_over() -> None:
    history = History()
    history.add("MapStateSucceeded", previous=50)

    assert timeline(history.events) == ()


def test_what_a_function_got_is_kept_where_it_differs_from_the_input() -> None:
    history = History()
    history.enter("Filter")
    history.add("TaskScheduled", parameters={"FunctionName": "f", "Payload": {"other": 1}})

    (visit,) = timeline(history.events)

    assert visit.payload == '{"other": 1}'


@pytest.mark.parametrize("parameters", ["no json", "[]", None])
def test_parameters_of_any_shape_do_not_raise(parameters: str | None) -> None:
    history = History()
    history.enter("Call")
    history.add("TaskScheduled", resource="go", parameters=parameters)

    assert timeline(history.events)[0].resource == "go"


def test_an_output_without_execution_arn_starts_nothing() -> None:
    history = History()
    history.enter("Child")
    history.add("TaskSubmitted", resourceType="states", output='{"ExecutionArn": 3}')

    assert timeline(history.events)[0].child is None


HISTORIES = (in_parallel().events, mapped(4).events)


@given(
    events=st.sampled_from(HISTORIES),
    seed=st.randoms(use_true_random=False),
    skew=st.integers(-(10**6), 10**6),
)
def test_order_repetition_and_clocks_change_nothing(
    events: tuple[HistoryEvent, ...], seed: random.Random, skew: int
) -> None:
    shuffled = [*events, *seed.sample(events, k=3)]
    seed.shuffle(shuffled)
    moved = tuple(
        replace(event, timestamp=event.timestamp + timedelta(seconds=skew * (event.id % 2)))
        for event in events
    )

    assert timeline(shuffled) == timeline(events)
    assert outline(timeline(moved)) == outline(timeline(events))


@given(
    events=st.sampled_from(HISTORIES),
    kept=st.sets(st.integers(0, 30)),
    end=st.sampled_from(["ExecutionFailed", "ExecutionSucceeded", "ExecutionAborted"]),
)
def test_no_gap_in_a_history_raises_or_leaves_an_ended_run_open(
    events: tuple[HistoryEvent, ...], kept: set[int], end: str
) -> None:
    last = replace(events[-1], id=10**6, type=end, details={"error": "E"})
    left = [event for number, event in enumerate(events) if number in kept]

    visits = timeline([*left, last])

    assert all(visit.exited_at is not None for visit in visits)
    assert VisitStatus.RUNNING not in {visit.status for visit in visits}


def test_25_000_events_are_read() -> None:
    history = mapped(8_333)

    assert len(history.events) > 25_000
    assert len(timeline(history.events)) == 8_334


def test_the_wait_for_a_redrive_is_told_apart() -> None:
    history = History()
    history.add("ExecutionFailed", error="Boom")
    history.add("ExecutionRedriven", redriveCount=1)
    later = timedelta(hours=3)
    *before, redriven = history.events

    assert waiting_for_redrives(before) == timedelta()
    assert waiting_for_redrives(
        [*before, replace(redriven, timestamp=redriven.timestamp + later)]
    ) == later + timedelta(seconds=1)
