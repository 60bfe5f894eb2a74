"""Lambda of the local cloud, through boto3: deployed code runs, and faults look as on AWS."""

import base64
import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.cloud

ECHO = "def handler(event, context):\n    return event\n"


@pytest.fixture
def functions(local_cloud):
    return local_cloud.client("lambda")


def code(caught):
    return caught.value.response["Error"]["Code"]


def call(functions, name, event=None, **options):
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event), **options)
    return answer, json.loads(answer["Payload"].read())


def test_what_was_uploaded_runs_and_not_the_checkout(functions, build, local_cloud):
    """The zip's own ``workflow`` wins over the editable install of the project."""
    archive = build.zipped(
        **{
            "handler": (
                "import workflow, sys, workflow.contract\n"
                "def handler(event, context):\n"
                "    return [workflow.contract.MARK, workflow.__file__, sys.path]\n"
            ),
            "workflow/__init__": "",
            "workflow/contract": "MARK = 'deployed'\n",
        }
    )
    name = build.function(local_cloud, ECHO)
    functions.update_function_code(FunctionName=name, ZipFile=archive)
    _, (mark, file, path) = call(functions, name)
    assert mark == "deployed"
    assert file == "/var/task/workflow/__init__.py"
    assert str(Path.cwd()) not in path


def test_a_function_does_not_see_what_the_server_sees(functions, build, local_cloud):
    name = build.function(
        local_cloud,
        "import os\ndef handler(event, context):\n    return dict(os.environ)\n",
        Environment={"Variables": {"MINE": "1"}},
    )
    _, environ = call(functions, name)
    assert environ["MINE"] == "1"
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert environ["AWS_ENDPOINT_URL"] == local_cloud.endpoint_url
    unknown = {key for key in environ if not key.startswith(("AWS_", "LAMBDA_", "_HANDLER", "LC_"))}
    assert unknown == {"MINE", "PATH", "LANG", "TZ", "HOME", "_X_AMZN_TRACE_ID"}


def test_an_exception_is_shown_with_its_class_and_own_frames(functions, build, local_cloud):
    name = build.function(
        local_cloud,
        "class ImageNotFound(Exception):\n    pass\n"
        "def inner():\n    raise ImageNotFound('no such key')\n"
        "def handler(event, context):\n    print('working')\n    return inner()\n",
    )
    answer, failure = call(functions, name, {}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert (failure["errorType"], failure["errorMessage"]) == ("ImageNotFound", "no such key")
    assert [line.split("\n")[0] for line in failure["stackTrace"]] == [
        '  File "/var/task/handler.py", line 7, in handler',
        '  File "/var/task/handler.py", line 4, in inner',
    ]
    log = base64.b64decode(answer["LogResult"]).decode()
    request_id = failure["requestId"]
    assert log.startswith(f"START RequestId: {request_id} Version: $LATEST\nworking\n")
    assert "[ERROR] ImageNotFound: no such key" in log
    assert f"REPORT RequestId: {request_id}" in log


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("import nothing_like_it\n" + ECHO, "Runtime.ImportModuleError", "nothing_like_it"),
        ("def handler(\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'handler'"),
        ("other = 1\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module"),
        ("x = {}['k']\n", "KeyError", "'k'"),
        ("def handler(e, c):\n    return {1, 2}\n", "Runtime.MarshalError", "set"),
        ("import sys\ndef handler(e, c):\n    sys.exit(3)\n", "Runtime.ExitError", "status 3"),
        ("import os\ndef handler(e, c):\n    os._exit(0)\n", "Runtime.ExitError", "without"),
        ("def handler(e, c):\n    return 'a' * 6_300_000\n", "Function.ResponseSizeTooLarge", "6"),
    ],
)
def test_faults_of_a_handler_have_the_names_of_aws(  # noqa: PLR0917 - a case has these parts
    functions, build, local_cloud, source, kind, text
):
    name = build.function(local_cloud, source)
    answer, failure = call(functions, name, {})
    assert answer["FunctionError"] == "Unhandled"
    assert failure["errorType"] == kind
    assert text in failure["errorMessage"]
    functions.update_function_code(FunctionName=name, ZipFile=build.zipped(handler=ECHO))
    assert call(functions, name, {"a": 1})[1] == {"a": 1}


def test_a_function_that_takes_too_long_is_stopped(functions, build, local_cloud):
    slow = "import time\ntime.sleep(0)\ndef handler(e, c):\n    time.sleep(e['s'])\n    return 1\n"
    name = build.function(local_cloud, slow, Timeout=1)
    assert call(functions, name, {"s": 0})[1] == 1
    _, failure = call(functions, name, {"s": 20})
    assert failure["errorType"] == "Sandbox.Timedout"
    assert failure["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert call(functions, name, {"s": 0})[1] == 1


def test_a_chatty_handler_does_not_block(functions, build, local_cloud):
    name = build.function(
        local_cloud, "def handler(e, c):\n    print('x' * 1_000_000)\n    return 1\n", Timeout=10
    )
    assert call(functions, name)[1] == 1


def test_a_warm_environment_keeps_its_globals(functions, build, local_cloud):
    name = build.function(local_cloud, "n = 0\ndef handler(e, c):\n    global n\n    n += 1\n"
                          "    return n\n")  # fmt: skip
    assert [call(functions, name)[1] for _ in range(3)] == [1, 2, 3]


def test_a_version_never_changes(functions, build, local_cloud):
    name = build.function(local_cloud, "def handler(e, c):\n    return 1\n")
    assert functions.publish_version(FunctionName=name)["Version"] == "1"
    assert functions.publish_version(FunctionName=name)["Version"] == "1"
    two = build.zipped(handler="def handler(e, c):\n    return 2\n")
    changed = functions.update_function_code(FunctionName=name, ZipFile=two, Publish=True)
    assert changed["Version"] == "2"
    assert call(functions, name, Qualifier="1")[1] == 1
    assert call(functions, f"{name}:2")[1] == 2
    assert functions.get_function(FunctionName=name, Qualifier="1")["Configuration"][
        "FunctionArn"
    ].endswith(":1")
    listed = functions.list_versions_by_function(FunctionName=name)["Versions"]
    assert [v["Version"] for v in listed] == ["$LATEST", "1", "2"]
    functions.delete_function(FunctionName=name, Qualifier="1")
    with pytest.raises(ClientError) as caught:
        call(functions, name, Qualifier="1")
    assert code(caught) == "ResourceNotFoundException"


def test_configuration_changes_reach_the_next_invocation(functions, build, local_cloud):
    name = build.function(
        local_cloud, "import os\ndef handler(e, c):\n    return os.environ.get('T')\n"
    )
    assert call(functions, name)[1] is None
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"T": "0.9"}}
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    assert call(functions, name)[1] == "0.9"


def test_what_aws_refuses_is_refused(functions, build, local_cloud):
    name = build.function(local_cloud, ECHO)
    with pytest.raises(ClientError) as caught:
        functions.invoke(FunctionName=name, Payload=b"{")
    assert code(caught) == "InvalidRequestContentException"
    with pytest.raises(ClientError) as caught:
        functions.invoke(FunctionName=name, Payload=b'"' + b"a" * 6_300_000 + b'"')
    assert code(caught) == "RequestEntityTooLargeException"
    with pytest.raises(ClientError) as caught:
        functions.update_function_code(FunctionName=name, ZipFile=b"no zip")
    assert code(caught) == "InvalidParameterValueException"
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as caught:
        functions.invoke(FunctionName=name)
    assert code(caught) == "TooManyRequestsException"
    assert functions.get_function(FunctionName=name)["Concurrency"]


def test_concurrency_above_what_is_reserved_is_throttled(functions, build, local_cloud):
    name = build.function(local_cloud, "import time\ndef handler(s, c):\n    time.sleep(s)\n")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)

    def refused():
        try:
            call(functions, name, 0)
        except functions.exceptions.TooManyRequestsException as error:
            return error.response
        return None

    # An event waits for its slot, so that it runs whatever came before.
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b"2")
    response = build.wait_for(refused)
    assert response["Error"]["Message"] == "Rate Exceeded."
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    limits = functions.get_account_settings()["AccountLimit"]
    assert limits["ConcurrentExecutions"] == 1000
    assert limits["UnreservedConcurrentExecutions"] < 1000


def test_variables_of_the_runtime_cannot_be_set(functions, build, local_cloud):
    name = build.function(local_cloud, ECHO)
    with pytest.raises(ClientError, match="Reserved keys used in this request: AWS_REGION"):
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"AWS_REGION": "eu-west-1", "MINE": "1"}}
        )


def test_json_logs_are_found_in_the_group_of_the_configuration(functions, build, local_cloud):
    group = build.unique("group")
    code = "import logging\ndef handler(e, c):\n    logging.getLogger().info('seen')\n"
    name = build.function(local_cloud, code, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})
    call(functions, name)
    logs = local_cloud.client("logs")
    events = logs.filter_log_events(logGroupName=group)["events"]
    found = [json.loads(event["message"]) for event in events]
    assert [line.get("type") or line["message"] for line in found] == [
        "platform.start",
        "seen",
        "platform.report",
    ]


def test_an_error_is_one_event_of_the_log(functions, build, local_cloud):
    code = (
        "import logging\ndef handler(e, c):\n"
        "    logging.error('two\\nlines')\n    print('a\\nb')\n    1 / 0\n"
    )
    name = build.function(local_cloud, code)
    call(functions, name)
    logs = local_cloud.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    _, record, first, second, error, _, _ = (event["message"] for event in events)
    assert record.endswith("two\nlines")
    assert (first, second) == ("a", "b")
    assert error.startswith("[ERROR] ZeroDivisionError: division by zero\nTraceback (most recent")


def test_a_role_allows_what_its_policies_say(functions, build, local_cloud):
    s3 = local_cloud.client("s3")
    bucket = build.unique("allowed")
    s3.create_bucket(Bucket=bucket)
    for key in ("open/k", "closed/k"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/open/*",
            }
        ],
    }
    reader = (
        "import boto3\n"
        "def handler(key, context):\n"
        f"    boto3.client('s3').get_object(Bucket='{bucket}', Key=key)\n"
        "    return 'read'\n"
    )
    role = build.role(local_cloud, policy)
    name = build.function(local_cloud, reader, role=role, Timeout=20)
    assert call(functions, name, "open/k")[1] == "read"
    for key in ("closed/k", "open/missing"):  # without ListBucket a missing key is forbidden
        failure = call(functions, name, key)[1]
        assert "AccessDenied" in failure["errorMessage"]


def test_a_missing_role_is_refused(functions, build):
    with pytest.raises(ClientError) as caught:
        functions.create_function(
            FunctionName=build.unique("f"),
            Role="arn:aws:iam::123456789012:role/none",
            Handler="handler.handler",
            Runtime="python3.13",
            Code={"ZipFile": build.zipped(handler=ECHO)},
        )
    assert "cannot be assumed" in str(caught.value)


def test_tags_and_permissions_of_a_function_are_kept(functions, build, local_cloud):
    name = build.function(local_cloud, ECHO, Tags={"stage": "dev"})
    arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"more": "1"})
    functions.untag_resource(Resource=arn, TagKeys=["stage"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"more": "1"}
    functions.add_permission(
        FunctionName=name,
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )
    policy = json.loads(functions.get_policy(FunctionName=name)["Policy"])
    assert policy["Statement"][0]["Sid"] == "s"
    functions.remove_permission(FunctionName=name, StatementId="s")
    with pytest.raises(ClientError):
        functions.get_policy(FunctionName=name)


def test_an_event_invocation_returns_at_once_and_is_logged(functions, build, local_cloud):
    name = build.function(local_cloud, "def handler(e, c):\n    print('got', e)\n")
    answer = functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'"later"')
    assert answer["StatusCode"] == 202
    logs = local_cloud.client("logs")

    def logged():
        groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="got")
        return groups and found["events"]

    assert build.wait_for(lambda: _quiet(logged))[0]["message"] == "got later"


def _quiet(function):
    try:
        return function()
    except ClientError:
        return None
