"""What a Catch led to the end is the failure; what an execution survived is none."""

from typing import Any

import pytest

from tests.workflow.histories import History, execution, lambda_cause
from workflow.executions import Failure
from workflow.remedies import diagnose
from workflow.submissions import Rejected, verdict
from workflow.timelines import VisitStatus, failure_of, settle, timeline

GENERAL: dict[str, Any] = {"error": "ProcessingFailed", "cause": "The image could not be processed"}
NOTHING: dict[str, Any] = {}


def caught(history: History, name: str = "Classify", error: str = "KeyError") -> None:
    history.enter(name)
    history.attempt()
    history.fail(error, lambda_cause("'inferences'", error))
    history.exit(name)


def ended(history: History, said: dict[str, Any], name: str = "HandleError") -> Failure:
    history.enter(name, "Fail")
    history.add("ExecutionFailed", **said)
    found = failure_of(settle(execution(), history.events), timeline(history.events))
    assert found is not None
    return found


@pytest.mark.parametrize("said", [GENERAL, NOTHING])
def test_a_catch_that_leads_to_a_fail_state_tells_the_failure(said: dict[str, Any]) -> None:
    history = History()
    caught(history)

    found = ended(history, said)

    assert (found.state, found.error, found.ended_in) == ("Classify", "KeyError", "HandleError")
    assert "no key 'inferences'" in diagnose(found).cause


@pytest.mark.parametrize("service", ["sns", "sqs", "events", "aws-sdk:sesv2", "dynamodb"])
@pytest.mark.parametrize("said", [GENERAL, NOTHING])
def test_states_that_only_tell_somebody_lie_between(said: dict[str, Any], service: str) -> None:
    history = History()
    caught(history)
    history.enter("Shape", "Pass")
    history.exit("Shape", "Pass")
    history.enter("Send")
    history.add("TaskScheduled", resourceType=service, resource="publish", parameters="{}")
    history.add("TaskSucceeded", resourceType=service, output="{}")
    history.exit("Send")
    history.enter("Which", "Choice")
    history.exit("Which", "Choice")

    found = ended(history, said)

    assert (found.state, found.error) == ("Classify", "KeyError")


def test_a_function_that_notifies_and_fails_itself_hides_nothing() -> None:
    history = History()
    caught(history)
    caught(history, "NotifyTeam", "TypeError")

    assert ended(history, GENERAL).state == "Classify"


def test_other_work_after_a_catch_survives_it() -> None:
    history = History()
    caught(history)
    history.run("ClassifyElsewhere")
    history.enter("Enough", "Choice")
    history.exit("Enough", "Choice")

    found = ended(history, {"error": "Low", "cause": "0.4"}, "TooLow")

    assert (found.state, found.error, found.ended_in) == ("TooLow", "Low", None)


def test_a_fail_state_that_repeats_the_error_tells_whose_it_is() -> None:
    history = History()
    caught(history)
    history.run("Elsewhere")

    assert ended(history, {"error": "KeyError", "cause": "no"}).state == "Classify"


def test_a_retry_that_helped_is_no_failure() -> None:
    history = History()
    history.enter("Classify")
    history.attempt()
    history.fail("Throttled")
    history.attempt()
    history.succeed()
    history.exit("Classify")

    found = ended(history, GENERAL)

    assert (found.state, found.error, found.ended_in) == ("HandleError", "ProcessingFailed", None)


def test_a_fail_state_without_an_error_is_shown_as_what_it_is() -> None:
    history = History()
    history.run("Classify")

    found = ended(history, NOTHING)
    last = timeline(history.events)[-1]

    assert (found.state, found.error) == ("HandleError", "")
    assert (last.name, last.status) == ("HandleError", VisitStatus.FAILED)


@pytest.mark.parametrize("said", [GENERAL, NOTHING])
def test_a_failure_inside_a_caught_parallel_is_the_failure(said: dict[str, Any]) -> None:
    history = History()
    history.enter("Both", "Parallel")
    started = history.add("ParallelStateStarted")
    history.enter("Left")
    history.attempt()
    history.enter("Right", previous=started)
    history.attempt()
    history.fail("Boom", "why")
    history.add("ParallelStateFailed", error="Boom", cause="why")
    history.exit("Both", "Parallel")

    found = ended(history, said)

    assert (found.state, found.error, found.cause) == ("Right", "Boom", "why")


def test_a_catch_and_fail_state_inside_a_branch_are_looked_through() -> None:
    history = History()
    history.enter("Each", "Map")
    history.add("MapStateStarted", length=1)
    history.add("MapIterationStarted", name="Each", index=0)
    caught(history)
    history.enter("BranchFails", "Fail")
    history.add("MapIterationFailed", name="Each", index=0)
    history.add("MapStateFailed", error="General", cause="general")
    history.exit("Each", "Map")

    assert ended(history, NOTHING).state == "Classify"


def test_what_a_tolerant_map_survived_is_no_failure() -> None:
    history = History()
    history.enter("Each", "Map")
    history.add("MapStateStarted", length=1)
    history.add("MapIterationStarted", name="Each", index=0)
    history.enter("Work")
    history.attempt()
    history.fail("Boom", "why")
    history.add("MapIterationFailed", name="Each", index=0)
    history.add("MapStateSucceeded")
    history.exit("Each", "Map")

    assert ended(history, GENERAL).state == "HandleError"


def test_a_branch_that_only_the_cause_names_is_found() -> None:
    history = History()
    history.enter("Both", "Parallel")
    started = history.add("ParallelStateStarted")
    left = history.enter("Left", "Pass")
    history.enter("Right", previous=started)
    history.attempt()
    cause = (
        f"An error occurred while executing the state 'Left' (entered at the event id #{left}). "
        "The JSONPath '$.a' could not be found in the input '{}'"
    )
    history.add("ExecutionFailed", error="States.Runtime", cause=cause)

    found = failure_of(settle(execution(), history.events), timeline(history.events))

    assert found is not None
    assert (found.state, found.error) == ("Left", "States.Runtime")


def test_a_state_is_named_even_without_a_history() -> None:
    cause = "An error occurred while executing the state 'It's' (entered at the event id #3). No"

    found = failure_of(execution(error="States.Runtime", cause=cause), ())

    assert found is not None
    assert found.state == "It's"


def test_a_rejection_that_was_caught_is_a_rejection() -> None:
    history = History()
    history.enter("Filter")
    history.attempt()
    history.fail("Exception", lambda_cause("THRESHOLD_CONFIDENCE_NOT_MET", "Exception"))
    history.exit("Filter")
    history.enter("HandleError", "Fail")
    history.add("ExecutionFailed", **GENERAL)

    found = verdict(settle(execution(), history.events), timeline(history.events), threshold=0.93)

    assert isinstance(found, Rejected)
