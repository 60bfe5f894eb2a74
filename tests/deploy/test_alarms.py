"""What wakes somebody: how the rules sort what ends, and what the alarms make of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.events.models import EventPattern

from deploy import alarms, stack
from deploy.resources import Alarm, Key, Rule
from localcloud import metric_math
from tests.deploy.cases import desired, settings
from workflow import contract

RULES = {item.name: item for item in desired() if isinstance(item, Rule)}
ALARMS = {item.name: item for item in desired() if isinstance(item, Alarm)}
PREFIX = settings().prefix
MAX_PATTERN = 2048
"""The quota of EventBridge for the length of an event pattern."""


def matched(status: str, **detail: Any) -> set[str]:
    """Which of the two rules match the end of an execution."""
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {
            "stateMachineArn": settings().state_machine_arn,
            "status": status,
            **detail,
        },
    }
    return {
        name.removeprefix(f"{PREFIX}-")
        for name in (alarms.faults_rule(settings()), alarms.input_rule(settings()))
        if EventPattern.load(json.dumps(RULES[name].pattern)).matches_event(event)  # type: ignore[arg-type]
    }


@pytest.mark.parametrize(
    "error",
    [
        "Lambda.TooManyRequestsException",
        "Lambda.AccessDeniedException",
        "States.Timeout",
        "States.Runtime",
        "EndpointUnavailable",
        "EndpointNotFound",
        "EndpointAccessDenied",
        "ImageAccessDenied",
        "StorageUnavailable",
        "BadInference",
        "KeyError",
        "",
        None,
    ],
)
def test_faults_ring(error: str | None) -> None:
    assert matched("FAILED", error=error) == {"faults"}


@pytest.mark.parametrize("status", ["TIMED_OUT", "ABORTED"])
def test_an_end_without_an_error_rings(status: str) -> None:
    assert matched(status) == {"faults"}
    assert matched(status, error=None) == {"faults"}


@pytest.mark.parametrize(
    "error", ["ImageNotFound", "NotAnImage", "InvalidInput", "ImageTooLarge", "ModelRejected"]
)
def test_errors_of_the_input_are_counted_apart(error: str) -> None:
    assert matched("FAILED", error=error) == {"input-errors"}


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE"])
def test_what_did_not_end_badly_rings_nowhere(status: str) -> None:
    assert matched(status, error=None) == set()


def test_a_rejection_rings_nowhere() -> None:
    assert matched("FAILED", error=contract.REJECTED) == set()


@given(st.text(), st.sampled_from(alarms.BAD_ENDS))
def test_every_bad_end_but_the_rejection_is_counted_once(error: str, status: str) -> None:
    assert len(matched(status, error=error)) == (error != contract.REJECTED)


def test_the_patterns_fit_where_aws_limits_them() -> None:
    for rule in RULES.values():
        assert len(json.dumps(rule.pattern)) <= MAX_PATTERN


def test_every_alarm_tells_the_topic_and_is_destroyed_with_the_rest() -> None:
    keys = set(stack.stack_keys(settings()))

    assert len(ALARMS) == 7
    for alarm in ALARMS.values():
        assert alarm.refs() == ((Key("sns.topic", settings().topic), "arn"),)
        assert alarm.key in keys


@pytest.mark.parametrize(
    "name",
    [
        f"{PREFIX}-serialize-image-errors",
        f"{PREFIX}-classify-image-errors",
        f"{PREFIX}-filter-inferences-errors",
        f"{PREFIX}-timed-out",
        f"{PREFIX}-endpoint-errors",
    ],
)
def test_alarms_of_earlier_releases_are_found_and_go(name: str) -> None:
    assert Key(Alarm.KIND, name) in stack.stack_keys(settings())
    assert name not in ALARMS


@pytest.mark.parametrize(
    ("blamed", "executions", "rings"),
    [
        (1, 1, False),
        (9, 9, False),
        (10, 10, True),
        (10, 40, False),
        (11, 40, True),
        (25, 1000, False),
    ],
)
def test_input_errors_ring_only_where_their_share_is_unusual(
    blamed: int, executions: int, *, rings: bool
) -> None:
    alarm = ALARMS[f"{PREFIX}-input-errors"]

    found = metric_math.compute_expression(
        alarm.expression, {"blamed": {0.0: blamed}, "changes": {0.0: 2.0 * executions}}
    )

    assert (found[0.0] > alarm.threshold) is rings


def test_throttling_that_retries_mend_does_not_ring() -> None:
    for name, alarm in ALARMS.items():
        if name.endswith("throttled"):
            assert (alarm.periods, alarm.datapoints) == (5, 3)


def test_the_queue_rings_while_its_messages_are_still_kept() -> None:
    alarm = ALARMS[f"{PREFIX}-queue-age"]

    assert alarm.threshold < stack.QUEUE_RETENTION_SECONDS
