"""Workflows as one meets them in accounts of others: gone, huge, nested, shared."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.workflows import client
from tests.builders import capture_lines, captured
from tests.nightly import often

pytestmark = [
    pytest.mark.cloud,
    # pyarrow asks pandas for values with a time zone; Streamlit hands it every table.
    pytest.mark.filterwarnings("ignore:Series.values"),
]
ROLE = "arn:aws:iam::123456789012:role/theirs"
Visit = Callable[..., AppTest]
Seen = Callable[..., str]


def create(local_cloud: Any, definition: dict[str, Any], name: str = "odd", **given: Any) -> str:
    return str(
        local_cloud.client("stepfunctions").create_state_machine(
            name=f"{name}-{uuid.uuid4().hex[:8]}",
            definition=json.dumps(definition),
            roleArn=ROLE,
            **given,
        )["stateMachineArn"]
    )


def passing(**result: Any) -> dict[str, Any]:
    return {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": result, "End": True}}}


def record(number: int, probabilities: list[float]) -> dict[str, object]:
    moment = datetime.now(UTC) - timedelta(minutes=number)
    return captured(
        json.dumps(probabilities),
        event_id=str(uuid.uuid4()),
        inferenceTime=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    )


@pytest.fixture
def shared(local_cloud: Any) -> str:
    """A prefix of captures of two endpoints, with files beside them that are none."""
    s3, bucket = local_cloud.client("s3"), f"shared-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    hour = f"{datetime.now(UTC):%Y/%m/%d/%H}"
    for endpoint, sure in (("first", 0.4), ("second", 0.9)):
        body = capture_lines(*(record(n, [sure, 1 - sure, 0.0]) for n in range(3)))
        s3.put_object(Bucket=bucket, Key=f"team/{endpoint}/AllTraffic/{hour}/a.jsonl", Body=body)
    for key in ("team/README.md", "team/first/notes.txt", "team/.DS_Store", "team-b/x.jsonl"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"not a capture\n")
    return bucket


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_prefix_of_two_endpoints_and_other_files_shows_both_endpoints(
    visit: Visit, seen: Seen, shared: str, slash: str
) -> None:
    shown = visit("inferences", f"s3://{shared}/team{slash}")

    seen(shown, "Records 6")

    endpoints = next(box for box in shown.selectbox if box.label == "Endpoint")
    assert endpoints.options == ["All", "first", "second"]


def test_where_no_threshold_is_known_no_number_stands_for_it(
    visit: Visit, seen: Seen, shared: str
) -> None:
    shown = visit("inferences", f"s3://{shared}/team")

    told = seen(shown, "Records 6", "No threshold was found")

    assert "Rejected" not in told
    assert "0.5" not in told


def test_one_of_two_endpoints_below_a_prefix_can_be_watched_alone(
    visit: Visit, seen: Seen, shared: str
) -> None:
    seen(visit("inferences", f"s3://{shared}/team/second"), "Records 3")


def test_a_state_machine_that_is_deleted_while_watched_keeps_what_was_read_and_says_so(
    visit: Visit, seen: Seen, local_cloud: Any
) -> None:
    states, arn = local_cloud.client("stepfunctions"), create(local_cloud, passing(cat=0.9))
    states.start_execution(stateMachineArn=arn, input="{}")
    shown = visit("executions", arn)
    seen(shown, "1 execution")

    states.delete_state_machine(stateMachineArn=arn)

    seen(shown, "1 execution", "no longer exists")
    seen(visit("workflows", arn), "deleted")


MANY = often(nightly=3_000, otherwise=1_100)
"""State machines that take more than one page of ListStateMachines."""


def test_thousands_of_state_machines_are_listed_and_found_by_name(
    visit: Visit, seen: Seen, local_cloud: Any
) -> None:
    token = uuid.uuid4().hex[:6]
    states = local_cloud.client("stepfunctions")
    made = [
        states.create_state_machine(
            name=f"{token}-{n:04}", definition=json.dumps(passing()), roleArn=ROLE
        )["stateMachineArn"]
        for n in range(MANY)
    ]
    shown = visit("workflows", "")
    seen(shown, "state machines.")
    next(box for box in shown.text_input if box.label == "Name contains").set_value(
        f"{token}-{MANY - 1:04}"
    ).run()

    seen(shown, f"1 of {MANY // 1000},", f"{token}-{MANY - 1:04}")

    for arn in made:
        states.delete_state_machine(stateMachineArn=arn)


def test_nested_executions_in_a_map_without_any_image_are_listed_as_they_are(
    visit: Visit, seen: Seen, local_cloud: Any
) -> None:
    child = create(local_cloud, passing(done=True), "child")
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child, "Input.$": "$"},
        "End": True,
    }
    branch = {"StartAt": "Child", "States": {"Child": start}}
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": branch, "Next": "Both"}
    branches = [
        {"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}}
        for name in ("Left", "Right")
    ]
    both = {"Type": "Parallel", "Branches": branches, "End": True}
    arn = create(local_cloud, {"StartAt": "Each", "States": {"Each": each, "Both": both}})
    local_cloud.client("stepfunctions").start_execution(
        stateMachineArn=arn, input=json.dumps({"items": [1, 2]})
    )

    seen(visit("executions", arn), "1 execution")
    seen(visit("deployment", arn), "Child.", "Last changed")


def test_an_alias_with_two_versions_starts_through_the_alias(
    visit: Visit, seen: Seen, local_cloud: Any
) -> None:
    states, arn = local_cloud.client("stepfunctions"), create(local_cloud, passing(cat=0.9))
    first = states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    states.update_state_machine(
        stateMachineArn=arn, definition=json.dumps(passing(cat=0.1)), publish=True
    )
    second = f"{arn}:2"
    alias = states.create_state_machine_alias(
        name="live",
        routingConfiguration=[
            {"stateMachineVersionArn": first, "weight": 50},
            {"stateMachineVersionArn": second, "weight": 50},
        ],
    )["stateMachineAliasArn"]
    for n in range(4):
        states.start_execution(stateMachineArn=alias, input="{}", name=f"run-{n}")

    seen(visit("executions", alias), "4 executions")
    seen(visit("executions", second), "4 executions")
    seen(visit("workflows", alias), alias)


def test_a_name_in_unicode_is_watched_by_that_name(
    visit: Visit, seen: Seen, local_cloud: Any
) -> None:
    arn = create(local_cloud, passing(cat=0.9), "Größe-分類")
    local_cloud.client("stepfunctions").start_execution(stateMachineArn=arn, input="{}")

    seen(visit("executions", arn), "1 execution")
    seen(visit("workflows", "", SCONES_STATE_MACHINE=arn.rpartition(":")[2]), "Größe-分類")


def test_a_definition_of_thousands_of_states_is_said_to_be_too_large_to_draw(
    visit: Visit, seen: Seen, local_cloud: Any
) -> None:
    states = {
        f"State {n:04}": {"Type": "Pass", "Result": "x" * 200, "Next": f"State {n + 1:04}"}
        for n in range(3_000)
    }
    states["State 3000"] = {"Type": "Succeed"}
    arn = create(local_cloud, {"StartAt": "State 0000", "States": states})

    seen(visit("deployment", arn), "Last changed", "3,001 states; more than 500 are not drawn")


def test_a_definition_of_ten_megabytes_is_judged_and_not_drawn(
    visit: Visit, seen: Seen, local_cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS takes a mebibyte; what somebody else's cloud answers may have any size."""
    states = {
        f"State {n:04}": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "one"},
            "Comment": "x" * 10_000,
            "Next": f"State {n + 1:04}",
        }
        for n in range(1_000)
    }
    states["State 1000"] = {"Type": "Succeed"}
    huge = json.dumps({"StartAt": "State 0000", "States": states})
    assert len(huge) > 10_000_000
    arn, read = create(local_cloud, passing()), client._describe_machine
    monkeypatch.setattr(
        client, "_describe_machine", lambda *given: {**read(*given), "definition": huge}
    )

    seen(visit("deployment", arn), "The state has no Retry", "1,001 states; more than 500")
    seen(visit("workflows", arn), arn)


def test_executions_of_an_express_state_machine_are_read_from_its_log_group(
    visit: Visit, seen: Seen, local_cloud: Any
) -> None:
    logs, name = local_cloud.client("logs"), f"/aws/vendedlogs/states/{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="states/theirs/1")
    group = f"arn:aws:logs:us-east-1:123456789012:log-group:{name}:*"
    destinations = [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]
    logging = {"level": "ALL", "includeExecutionData": True, "destinations": destinations}
    arn = create(local_cloud, passing(), "express", type="EXPRESS", loggingConfiguration=logging)
    run = f"{arn.replace(':stateMachine:', ':express:')}:run-7:4f2c"
    at = int(datetime.now(UTC).timestamp() * 1000) - 60_000
    events = [
        ("ExecutionStarted", {"input": json.dumps({"s3_bucket": "theirs", "s3_key": "a.png"})}),
        ("ExecutionSucceeded", {"output": json.dumps({"cat": 0.9, "dog": 0.1})}),
    ]
    messages = [
        {
            "id": str(n),
            "type": kind,
            "details": details,
            "previous_event_id": str(n - 1),
            "event_timestamp": str(at + n),
            "execution_arn": run,
        }
        for n, (kind, details) in enumerate(events, 1)
    ]
    logs.put_log_events(
        logGroupName=name,
        logStreamName="states/theirs/1",
        logEvents=[
            {"timestamp": at, "message": "no event"},
            *({"timestamp": at, "message": json.dumps(one)} for one in messages),
        ],
    )

    seen(visit("deployment", arn), "run-7", "cat", "a.png")
    seen(visit("deployment", arn, "FilterLogEvents"), "logs:FilterLogEvents", "Last changed")
