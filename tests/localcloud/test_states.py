"""Step Functions of the local cloud, through boto3: machines, versions, aliases, executions."""

import json
import threading
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

pytestmark = pytest.mark.cloud

ARN = "arn:aws:states:us-east-1:123456789012"
PASS = {"Type": "Pass", "End": True}
FAIL = {"Type": "Fail", "Error": "Bad", "Cause": "so it is"}


@pytest.fixture
def states(local_cloud):
    return local_cloud.client("stepfunctions")


def code(caught):
    return caught.value.response["Error"]["Code"]


def test_a_machine_is_created_once_and_then_only_the_same(states, build, local_cloud):
    arn = build.machine(local_cloud, build.one_state(**PASS))["stateMachineArn"]
    found = states.describe_state_machine(stateMachineArn=arn)
    same = {"name": found["name"], "roleArn": found["roleArn"], "definition": found["definition"]}
    assert states.create_state_machine(**same)["stateMachineArn"] == arn
    with pytest.raises(ClientError) as caught:
        states.create_state_machine(**{**same, "definition": json.dumps(build.one_state(**FAIL))})
    assert code(caught) == "StateMachineAlreadyExists"


@pytest.mark.parametrize(
    ("definition", "word"),
    [
        ("{", "INVALID_JSON"),
        (json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}), "MISSING"),
        (json.dumps({"StartAt": "B", "States": {"A": PASS}}), "MISSING_TRANSITION_TARGET"),
        (json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass"}}}), "Next, End"),
        (json.dumps({"StartAt": "A", "States": {"A": PASS, "B": PASS}}), "not reachable"),
        (json.dumps({"StartAt": "A", "States": {"A": {"Type": "Task", "End": True}}}), "Resource"),
    ],
)
def test_a_definition_that_aws_refuses_is_refused(states, definition, word):
    found = states.validate_state_machine_definition(definition=definition)
    assert found["result"] == "FAIL"
    assert word in f"{found['diagnostics'][0]['code']} {found['diagnostics'][0]['message']}"
    with pytest.raises(ClientError) as caught:
        states.create_state_machine(name="never", definition=definition, roleArn="arn:aws:iam::1:r")
    assert code(caught) == "InvalidDefinition"


@pytest.mark.parametrize("name", ["has space", "a" * 81, "a:b", "a*", "a{b}", 'a"b'])
def test_names_that_aws_refuses_are_refused(states, build, local_cloud, name):
    arn = build.machine(local_cloud, build.one_state(**PASS))["stateMachineArn"]
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=arn, name=name)
    assert code(caught) == "InvalidName"


def test_a_name_is_used_once_unless_the_same_is_still_running(states, build, local_cloud):
    wait = {"Type": "Wait", "Seconds": 30, "End": True}
    arn = build.machine(local_cloud, build.one_state(**wait))["stateMachineArn"]
    first = states.start_execution(stateMachineArn=arn, name="n", input="{}")
    again = states.start_execution(stateMachineArn=arn, name="n", input="{}")
    assert again["startDate"] == first["startDate"]
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=arn, name="n", input='{"a": 1}')
    assert code(caught) == "ExecutionAlreadyExists"
    states.stop_execution(executionArn=first["executionArn"], error="Mine", cause="enough")
    found = states.describe_execution(executionArn=first["executionArn"])
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Mine", "enough")
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=arn, name="n", input="{}")
    assert code(caught) == "ExecutionAlreadyExists"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("{", "InvalidExecutionInput"),
        ("NaN", "InvalidExecutionInput"),
        ('"' + "a" * 262_144 + '"', "ValidationException"),
    ],
    ids=["no JSON", "no number", "too long"],
)
def test_an_input_that_aws_refuses_is_refused(states, build, local_cloud, given, expected):
    arn = build.machine(local_cloud, build.one_state(**PASS))["stateMachineArn"]
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=arn, input=given)
    assert code(caught) == expected


def test_executions_are_listed_newest_first_in_pages_by_status(states, build, local_cloud):
    choice = {
        "StartAt": "C",
        "States": {
            "C": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.ok", "BooleanEquals": True, "Next": "S"}],
                "Default": "F",
            },
            "S": {"Type": "Succeed"},
            "F": FAIL,
        },
    }
    arn = build.machine(local_cloud, choice)["stateMachineArn"]
    for n in range(5):
        build.run(local_cloud, arn, json.dumps({"ok": n % 2 == 0}), name=f"e{n}")
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=arn, PaginationConfig={"PageSize": 2}
    )
    names = [e["name"] for page in pages for e in page["executions"]]
    assert names == ["e4", "e3", "e2", "e1", "e0"]
    failed = states.list_executions(stateMachineArn=arn, statusFilter="FAILED")["executions"]
    assert [e["name"] for e in failed] == ["e3", "e1"]


def test_a_history_can_be_read_in_pages_from_either_end_and_without_data(
    states, build, local_cloud
):
    arn = build.machine(local_cloud, build.one_state(**PASS))["stateMachineArn"]
    execution = build.run(local_cloud, arn, '{"secret": 1}')["executionArn"]
    events = states.get_execution_history(executionArn=execution)["events"]
    assert [(e["id"], e["previousEventId"], e["type"]) for e in events] == [
        (1, 0, "ExecutionStarted"),
        (2, 0, "PassStateEntered"),
        (3, 2, "PassStateExited"),
        (4, 3, "ExecutionSucceeded"),
    ]
    first = states.get_execution_history(executionArn=execution, maxResults=3, reverseOrder=True)
    assert [e["id"] for e in first["events"]] == [4, 3, 2]
    rest = states.get_execution_history(
        executionArn=execution, maxResults=3, reverseOrder=True, nextToken=first["nextToken"]
    )
    assert [e["id"] for e in rest["events"]] == [1]
    bare = states.get_execution_history(executionArn=execution, includeExecutionData=False)
    assert "secret" not in json.dumps(bare["events"], default=str)


def test_an_alias_routes_between_versions_by_weight(states, build, local_cloud):
    made = build.machine(
        local_cloud, build.one_state(**{**PASS, "Result": 1}), publish=True, versionDescription="1"
    )
    arn, first = made["stateMachineArn"], made["stateMachineVersionArn"]
    assert states.publish_state_machine_version(stateMachineArn=arn)[
        "stateMachineVersionArn"
    ] == first  # fmt: skip
    second = states.update_state_machine(
        stateMachineArn=arn,
        definition=json.dumps(build.one_state(**{**PASS, "Result": 2})),
        publish=True,
    )["stateMachineVersionArn"]
    assert second == f"{arn}:2"
    routing = [{"stateMachineVersionArn": first, "weight": 100}]
    alias = states.create_state_machine_alias(name="live", routingConfiguration=routing)[
        "stateMachineAliasArn"
    ]
    one = build.run(local_cloud, alias)
    assert (one["output"], one["stateMachineVersionArn"]) == ("1", first)
    assert one["stateMachineAliasArn"] == alias
    both = [{"stateMachineVersionArn": version, "weight": 50} for version in (first, second)]
    states.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=both)
    assert {build.run(local_cloud, alias)["output"] for _ in range(20)} == {"1", "2"}
    with pytest.raises(ClientError) as caught:
        states.delete_state_machine_version(stateMachineVersionArn=first)
    assert code(caught) == "ConflictException"
    bad = [{"stateMachineVersionArn": first, "weight": 60}]
    with pytest.raises(ClientError) as caught:
        states.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=bad)
    assert code(caught) == "ValidationException"
    listed = states.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert [v["stateMachineVersionArn"] for v in listed] == [second, first]
    by_version = states.list_executions(stateMachineArn=second)["executions"]
    assert all(e["stateMachineVersionArn"] == second for e in by_version)
    states.delete_state_machine_alias(stateMachineAliasArn=alias)
    states.delete_state_machine_version(stateMachineVersionArn=first)
    with pytest.raises(ClientError) as caught:
        states.start_execution(stateMachineArn=first)
    assert code(caught) == "StateMachineDoesNotExist"


def test_a_redrive_goes_on_where_it_failed_with_the_definition_it_had(states, build, local_cloud):
    s3 = local_cloud.client("s3")
    bucket = build.unique("redrive")
    s3.create_bucket(Bucket=bucket)
    reader = (
        "import boto3\n"
        "def handler(event, context):\n"
        f"    body = boto3.client('s3').get_object(Bucket='{bucket}', Key='k')['Body'].read()\n"
        "    return {**event, 'read': body.decode()}\n"
    )
    function = build.function(local_cloud, reader, Timeout=20)
    definition = {
        "StartAt": "First",
        "States": {
            "First": {"Type": "Pass", "Result": 1, "ResultPath": "$.first", "Assign": {"v": 7},
                      "Next": "Read"},
            "Read": build.invoke_state(function, Next="Last"),
            "Last": {"Type": "Pass", "Parameters": {"in.$": "$", "v.$": "$v"}, "End": True},
        },
    }  # fmt: skip
    arn = build.machine(local_cloud, definition)["stateMachineArn"]
    failed = build.run(local_cloud, arn, "{}")
    assert (failed["status"], failed["error"]) == ("FAILED", "NoSuchKey")
    assert failed["redriveStatus"] == "REDRIVABLE"
    s3.put_object(Bucket=bucket, Key="k", Body=b"now")
    changed = json.dumps(build.one_state(**FAIL))
    states.update_state_machine(stateMachineArn=arn, definition=changed)
    execution = failed["executionArn"]
    token = states.redrive_execution(executionArn=execution, clientToken="t1")["redriveDate"]
    found = build.finish(local_cloud, execution)
    expected = {"in": {"first": 1, "read": "now"}, "v": 7}
    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", expected)
    assert found["redriveCount"] == 1
    assert (
        states.redrive_execution(executionArn=execution, clientToken="t1")["redriveDate"] == token
    )
    history = states.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    assert [e["id"] for e in history] == list(range(1, len(history) + 1))
    types = [e["type"] for e in history]
    assert types.index("ExecutionRedriven") == types.index("ExecutionFailed") + 1
    assert types.count("PassStateEntered") == 2  # First only once
    again = history[types.index("ExecutionRedriven") + 1]  # AWS does not enter the Task again
    entered = history[types.index("TaskStateEntered")]
    assert (again["type"], again["previousEventId"]) == ("TaskScheduled", entered["id"])
    frozen = states.describe_state_machine_for_execution(executionArn=execution)["definition"]
    assert json.loads(frozen) == definition
    with pytest.raises(ClientError) as caught:
        states.redrive_execution(executionArn=execution)
    assert code(caught) == "ExecutionNotRedrivable"
    redriven = states.list_executions(stateMachineArn=arn, redriveFilter="REDRIVEN")["executions"]
    assert [e["executionArn"] for e in redriven] == [execution]


def test_a_map_that_is_redriven_does_what_succeeded_no_second_time(states, build, local_cloud):
    s3, sqs = local_cloud.client("s3"), local_cloud.client("sqs")
    bucket = build.unique("redriven")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="there", Body=b"1")
    url = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    read = {
        "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Next": "Tell",
        "Parameters": {"Bucket": bucket, "Key.$": "$"}, "ResultSelector": {"body.$": "$.Body"},
    }  # fmt: skip
    tell = {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True,
        "Parameters": {"QueueUrl": url, "MessageBody.$": "$.body"},
        "ResultPath": None,
    }  # fmt: skip
    processor = {"StartAt": "Read", "States": {"Read": read, "Tell": tell}}
    items = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": processor, "End": True}
    arn = build.machine(local_cloud, build.one_state(**items))["stateMachineArn"]
    failed = build.run(local_cloud, arn, '["there", "missing"]')
    assert failed["error"] == "S3.NoSuchKeyException"
    s3.put_object(Bucket=bucket, Key="missing", Body=b"2")

    states.redrive_execution(executionArn=failed["executionArn"])
    found = build.finish(local_cloud, failed["executionArn"])

    assert json.loads(found["output"]) == [{"body": "1"}, {"body": "2"}]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in messages] == ["1", "2"]


def test_a_fail_state_fails_again_when_redriven(states, build, local_cloud):
    arn = build.machine(local_cloud, build.one_state(**FAIL))["stateMachineArn"]
    execution = build.run(local_cloud, arn)["executionArn"]
    states.redrive_execution(executionArn=execution)
    found = build.finish(local_cloud, execution)
    assert (found["status"], found["error"], found["redriveCount"]) == ("FAILED", "Bad", 1)


def test_a_status_change_reaches_the_queue_with_the_detail_that_aws_documents(
    states, build, local_cloud
):
    sqs, events = local_cloud.client("sqs"), local_cloud.client("events")
    name = build.unique("changes")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = build.machine(local_cloud, build.one_state(**FAIL))["stateMachineArn"]
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [arn], "status": ["FAILED"]},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    target = {"Id": "q", "Arn": f"arn:aws:sqs:us-east-1:{local_cloud.account}:{name}"}
    events.put_targets(Rule=name, Targets=[target])
    execution = build.run(local_cloud, arn, '{"a": 1}')
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    body = json.loads(message["Body"])
    detail = body["detail"]
    assert body["resources"] == [execution["executionArn"]]
    assert (detail["status"], detail["error"], detail["cause"]) == ("FAILED", "Bad", "so it is")
    assert (detail["input"], detail["output"], detail["redriveCount"]) == ('{"a": 1}', None, 0)
    assert detail["stopDate"] == int(execution["stopDate"].timestamp() * 1000)


def test_a_task_waits_for_its_token(states, build, local_cloud):
    sqs = local_cloud.client("sqs")
    url = sqs.create_queue(QueueName=build.unique("tokens"))["QueueUrl"]
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}},
        "End": True,
    }
    arn = build.machine(local_cloud, build.one_state(**send))["stateMachineArn"]
    started = states.start_execution(stateMachineArn=arn)["executionArn"]
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    token = json.loads(message["Body"])["token"]
    states.send_task_success(taskToken=token, output='{"approved": true}')
    assert json.loads(build.finish(local_cloud, started)["output"]) == {"approved": True}
    with pytest.raises(ClientError) as caught:
        states.send_task_success(taskToken="other", output="{}")
    assert code(caught) == "InvalidToken"


def test_one_state_is_tested_with_a_mock(states, build):
    state = build.invoke_state(
        "f",
        Next="Later",
        Retry=[{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 2}],
        Catch=[{"ErrorEquals": ["ImageNotFound"], "Next": "Sorry"}],
    )
    given = {"definition": json.dumps(state), "input": '{"a": 1}', "inspectionLevel": "DEBUG"}
    fine = states.test_state(**given, mock={"result": '{"Payload": {"b": 2}, "StatusCode": 200}'})
    assert (fine["status"], json.loads(fine["output"])) == ("SUCCEEDED", {"b": 2})
    assert fine["nextState"] == "Later"
    assert json.loads(fine["inspectionData"]["input"]) == {"a": 1}
    caught = states.test_state(**given, mock={"errorOutput": {"error": "ImageNotFound"}})
    assert (caught["status"], caught["nextState"]) == ("CAUGHT_ERROR", "Sorry")
    throttled = {"errorOutput": {"error": "Lambda.TooManyRequestsException", "cause": "busy"}}
    again = states.test_state(**given, mock=throttled)
    assert again["status"] == "RETRIABLE"
    assert again["inspectionData"]["errorDetails"]["retryBackoffIntervalSeconds"] == 2
    failed = states.test_state(**given, mock={"errorOutput": {"error": "Other", "cause": "c"}})
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "Other", "c")


def test_a_choice_of_a_whole_definition_is_tested_by_name(states):
    definition = {
        "StartAt": "C",
        "States": {
            "C": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.p", "NumericGreaterThan": 0.5, "Next": "Y"}],
                "Default": "N",
            },
            "Y": {"Type": "Succeed"},
            "N": FAIL,
        },
    }
    given = {"definition": json.dumps(definition), "stateName": "C"}
    assert states.test_state(**given, input='{"p": 0.9}')["nextState"] == "Y"
    assert states.test_state(**given, input='{"p": 0.1}')["nextState"] == "N"
    failed = states.test_state(definition=json.dumps(definition), stateName="N", input="{}")
    assert (failed["status"], failed["error"]) == ("FAILED", "Bad")


def test_executions_started_at_once_all_end(states, build, local_cloud):
    arn = build.machine(local_cloud, build.one_state(**PASS))["stateMachineArn"]
    found: list[Any] = []

    def start():
        found.extend(build.run(local_cloud, arn)["status"] for _ in range(5))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["SUCCEEDED"] * 40


def test_a_deleted_machine_takes_its_executions_along(states, build, local_cloud):
    wait = {"Type": "Wait", "Seconds": 30, "End": True}
    arn = build.machine(local_cloud, build.one_state(**wait))["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    states.delete_state_machine(stateMachineArn=arn)
    with pytest.raises(ClientError) as caught:
        states.describe_execution(executionArn=execution)
    assert code(caught) == "ExecutionDoesNotExist"


def test_tags_of_a_machine_are_kept(states, build, local_cloud):
    tags = [{"key": "stage", "value": "dev"}]
    arn = build.machine(local_cloud, build.one_state(**PASS), tags=tags)["stateMachineArn"]
    states.tag_resource(resourceArn=arn, tags=[{"key": "more", "value": "1"}])
    states.untag_resource(resourceArn=arn, tagKeys=["stage"])
    found = states.list_tags_for_resource(resourceArn=arn)["tags"]
    assert found == [{"key": "more", "value": "1"}]


def test_machines_and_aliases_are_listed_and_described(states, build, local_cloud):
    made = build.machine(local_cloud, build.one_state(**PASS), publish=True)
    arn, version = made["stateMachineArn"], made["stateMachineVersionArn"]
    pages = states.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 5})
    assert arn in [m["stateMachineArn"] for page in pages for m in page["stateMachines"]]
    routing = [{"stateMachineVersionArn": version, "weight": 100}]
    given = {"name": "live", "routingConfiguration": routing, "description": "all traffic"}
    alias = states.create_state_machine_alias(**given)["stateMachineAliasArn"]
    assert states.create_state_machine_alias(**given)["stateMachineAliasArn"] == alias
    found = states.describe_state_machine_alias(stateMachineAliasArn=alias)
    assert (found["description"], found["routingConfiguration"]) == ("all traffic", routing)
    for of in (arn, version):
        listed = states.list_state_machine_aliases(stateMachineArn=of)["stateMachineAliases"]
        assert [a["stateMachineAliasArn"] for a in listed] == [alias]
    described = states.describe_state_machine(stateMachineArn=version)
    assert described["stateMachineArn"] == version
    with pytest.raises(ClientError) as caught:
        states.publish_state_machine_version(stateMachineArn=arn, revisionId="another")
    assert code(caught) == "ConflictException"
    with pytest.raises(ClientError) as caught:
        states.update_state_machine(stateMachineArn=arn)
    assert code(caught) == "MissingRequiredParameter"
    missing = [{"stateMachineVersionArn": f"{arn}:9", "weight": 100}]
    with pytest.raises(ClientError) as caught:
        states.create_state_machine_alias(name="other", routingConfiguration=missing)
    assert code(caught) == "ResourceNotFound"
    with pytest.raises(ClientError) as caught:
        states.list_executions(stateMachineArn=arn, nextToken="not-ours")
    assert code(caught) == "InvalidToken"


def test_a_role_that_may_not_invoke_fails_the_task(states, build, local_cloud):
    function = build.function(local_cloud, "def handler(e, c):\n    return e\n")
    role = build.role(local_cloud)
    definition = json.dumps(build.one_state(**build.invoke_state(function)))
    arn = states.create_state_machine(
        name=build.unique("denied"), definition=definition, roleArn=role
    )["stateMachineArn"]
    found = build.run(local_cloud, arn)
    assert found["error"] == "Lambda.AWSLambdaException"
    assert "is not authorized to perform: lambda:InvokeFunction" in found["cause"]


def test_the_inspection_of_a_state_shows_each_step_of_its_data(states):
    state = {
        "Type": "Pass",
        "InputPath": "$.a",
        "Parameters": {"b.$": "$.b"},
        "ResultPath": "$.r",
        "OutputPath": "$.r",
        "Assign": {"v": 1},
        "End": True,
    }
    given = {"definition": json.dumps(state), "input": '{"a": {"b": 2}}'}

    found = states.test_state(**given, inspectionLevel="DEBUG")

    data = {key: json.loads(value) for key, value in found["inspectionData"].items()}
    assert data == {
        "input": {"a": {"b": 2}},
        "afterInputPath": {"b": 2},
        "afterParameters": {"b": 2},
        "result": {"b": 2},
        "afterResultSelector": {"b": 2},
        "afterResultPath": {"a": {"b": 2}, "r": {"b": 2}},
        "variables": {"v": 1},
    }
    assert json.loads(found["output"]) == {"b": 2}
    assert "inspectionData" not in states.test_state(**given)


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_a_state_that_holds_others_is_tested_with_a_mock(states, build, kind):
    inner = {"StartAt": "I", "States": {"I": PASS}}
    holds = {"ItemProcessor": inner} if kind == "Map" else {"Branches": [inner]}
    catch = [{"ErrorEquals": ["E"], "Next": "Later"}]
    state = {"Type": kind, **holds, "ResultSelector": {"first.$": "$[0]"}, "Catch": catch,
             "Next": "Later"}  # fmt: skip
    given = {"definition": json.dumps(state), "input": "[1]"}

    fine = states.test_state(**given, mock={"result": "[7]"})
    caught = states.test_state(**given, mock={"errorOutput": {"error": "E", "cause": "c"}})

    assert (json.loads(fine["output"]), fine["nextState"]) == ({"first": 7}, "Later")
    assert (caught["status"], caught["nextState"]) == ("CAUGHT_ERROR", "Later")
    assert caught["inspectionData"]["errorDetails"]["catchIndex"] == 0
    with pytest.raises(ClientError) as refused:
        states.test_state(**given)
    assert code(refused) == "ValidationException"


@pytest.mark.parametrize(
    ("operation", "given", "expected"),
    [
        ("describe_state_machine", {"stateMachineArn": "m"}, "InvalidArn"),
        ("describe_execution", {"executionArn": f"{ARN}:stateMachine:m"}, "InvalidArn"),
        ("describe_execution", {"executionArn": f"{ARN}:execution:m:e"}, "ExecutionDoesNotExist"),
        ("start_execution", {"stateMachineArn": f"{ARN}:execution:m:e"}, "InvalidArn"),
        ("describe_state_machine", {"stateMachineArn": f"{ARN}:stateMachine:no"},
         "StateMachineDoesNotExist"),
        ("list_executions", {}, "ValidationException"),
        ("list_executions", {"stateMachineArn": f"{ARN}:stateMachine:m", "maxResults": 1001},
         "ValidationException"),
        ("list_executions", {"stateMachineArn": f"{ARN}:stateMachine:m", "statusFilter": "GONE"},
         "ValidationException"),
        ("stop_execution", {"executionArn": f"{ARN}:execution:m:e", "error": "e" * 257},
         "ValidationException"),
        ("create_state_machine", {"name": "n", "definition": "{}"}, "ValidationException"),
        ("create_state_machine", {"name": "n", "definition": "{}", "roleArn": "r"}, "InvalidArn"),
        ("send_task_success", {"taskToken": "t", "output": "{"}, "InvalidOutput"),
        ("list_state_machines", {"nextToken": "not-ours"}, "InvalidToken"),
    ],
)  # fmt: skip
def test_an_input_is_refused_by_the_code_that_aws_gives(local_cloud, operation, given, expected):
    client = local_cloud.client("stepfunctions")
    unchecked = boto3.client(
        "stepfunctions",
        endpoint_url=client.meta.endpoint_url,
        region_name="us-east-1",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
        **local_cloud.keys,
    )
    with pytest.raises(ClientError) as caught:
        getattr(unchecked, operation)(**given)
    assert code(caught) == expected


def test_states_are_logged_as_the_machine_asks(local_cloud, build):
    logs, group = local_cloud.client("logs"), f"/aws/states/{build.unique('log')}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:us-east-1:{local_cloud.account}:log-group:{group}:*"
    configuration = {
        "level": "ERROR",
        "includeExecutionData": False,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}],
    }
    machine = build.machine(
        local_cloud, build.one_state(**FAIL), loggingConfiguration=configuration
    )["stateMachineArn"]
    execution = build.run(local_cloud, machine, '{"secret": 1}')["executionArn"]

    events = logs.filter_log_events(logGroupName=group)["events"]

    lines = [json.loads(event["message"]) for event in events]
    assert [line["type"] for line in lines] == ["FailStateEntered", "ExecutionFailed"]
    assert lines[1]["details"] == {"error": "Bad", "cause": "so it is"}
    assert (lines[1]["execution_arn"], lines[1]["previous_event_id"]) == (execution, "2")
    assert "secret" not in str(events)


def test_hosts_with_a_prefix_are_turned_off_by_one_variable(states, local_cloud, monkeypatch):
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
    plain = boto3.client(
        "stepfunctions",
        endpoint_url=states.meta.endpoint_url,
        region_name="us-east-1",
        **local_cloud.keys,
    )
    assert plain.test_state(definition=json.dumps(PASS), input="{}")["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("service", "operation", "given"),
    [
        ("stepfunctions", "list_activities", {}),
        ("lightsail", "get_instances", {}),
        ("sagemaker", "list_hubs", {}),
        ("route53", "list_cidr_collections", {}),
        ("iam", "get_human_readable_summary", {"EntityArn": "arn:aws:iam::123456789012:role/r"}),
    ],
)
def test_what_no_service_has_is_not_implemented_at_once(local_cloud, service, operation, given):
    with pytest.raises(ClientError) as caught:
        getattr(local_cloud.client(service), operation)(**given)
    assert code(caught) == "NotImplemented"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
