"""Tasks that call services of this cloud: what they give, and their errors as AWS names them."""

import json

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.cloud


def call(resource, **parameters):
    return {
        "StartAt": "T",
        "States": {
            "T": {
                "Type": "Task",
                "Resource": f"arn:aws:states:::{resource}",
                "Parameters": parameters,
                "End": True,
            }
        },
    }


@pytest.fixture
def outcome(local_cloud, build):
    def run(definition, given="{}"):
        arn = build.machine(local_cloud, definition)["stateMachineArn"]
        return build.run(local_cloud, arn, given)

    return run


@pytest.fixture
def result(outcome):
    def run(*args, **kwargs):
        found = outcome(*args, **kwargs)
        assert found["status"] == "SUCCEEDED", (found.get("error"), found.get("cause"))
        return json.loads(found["output"])

    return run


def test_an_object_is_written_and_read(local_cloud, build, result, outcome):
    bucket = build.unique("tasks")
    local_cloud.client("s3").create_bucket(Bucket=bucket)
    result(call("aws-sdk:s3:putObject", Bucket=bucket, Key="k.json", Body={"ü": 1}))

    found = result(call("aws-sdk:s3:getObject", Bucket=bucket, Key="k.json"))

    assert json.loads(found["Body"]) == {"ü": 1}
    assert "ETag" in found
    assert "SdkHttpMetadata" not in found
    missing = outcome(call("aws-sdk:s3:getObject", Bucket=bucket, Key="none"))
    assert missing["error"] == "S3.NoSuchKeyException"
    assert "(Service: S3, Status Code: 404, Request ID: " in missing["cause"]


def test_an_invocation_has_its_metadata(local_cloud, build, result):
    function = build.function(local_cloud, "def handler(e, c):\n    return {'got': e}\n")

    found = result(call("lambda:invoke", **{"FunctionName": function, "Payload.$": "$"}), '{"a":1}')
    plain = result(call("aws-sdk:lambda:invoke", FunctionName=function, Payload={}))

    assert found["Payload"] == {"got": {"a": 1}}
    assert (found["StatusCode"], found["ExecutedVersion"]) == (200, "$LATEST")
    assert found["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert found["SdkHttpMetadata"]["AllHttpHeaders"]["X-Amz-Executed-Version"] == ["$LATEST"]
    assert found["SdkResponseMetadata"]["RequestId"]
    assert json.loads(plain["Payload"]) == {"got": {}}


def test_messages_are_sent(local_cloud, build, result):
    sqs, sns = local_cloud.client("sqs"), local_cloud.client("sns")
    url = sqs.create_queue(QueueName=build.unique("q"))["QueueUrl"]
    topic = sns.create_topic(Name=build.unique("t"))["TopicArn"]

    sent = result(call("sqs:sendMessage", QueueUrl=url, MessageBody={"a": 1}))
    published = result(call("sns:publish", TopicArn=topic, Message={"b": 2}))
    events = result(
        call("events:putEvents", Entries=[{"Source": "s", "DetailType": "d", "Detail": {"c": 3}}])
    )

    assert sent["MessageId"]
    assert sent["SdkHttpMetadata"]["HttpStatusCode"] == 200
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert json.loads(message["Body"]) == {"a": 1}
    assert published["MessageId"]
    assert events["FailedEntryCount"] == 0


def test_an_item_is_kept(local_cloud, build, result, outcome):
    table = build.unique("table")
    local_cloud.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"k": {"S": "a"}, "n": {"N": "1"}}
    result(call("dynamodb:putItem", TableName=table, Item=item))

    found = result(call("dynamodb:getItem", TableName=table, Key={"k": {"S": "a"}}))

    assert found["Item"] == item
    gone = outcome(call("dynamodb:getItem", TableName="none", Key={"k": {"S": "a"}}))
    assert gone["error"] == "DynamoDB.ResourceNotFoundException"


def test_an_execution_is_started_and_waited_for(local_cloud, build, result, outcome):
    child = build.machine(
        local_cloud, build.one_state(Type="Pass", Parameters={"got.$": "$.a"}, End=True)
    )["stateMachineArn"]
    failing = build.machine(local_cloud, build.one_state(Type="Fail", Error="Bad", Cause="c"))
    given = {"StateMachineArn": child, "Input": {"a": 7}}

    started = result(call("states:startExecution", **given))
    text = result(call("states:startExecution.sync", **given))
    parsed = result(call("states:startExecution.sync:2", **given))
    failed = outcome(call("states:startExecution.sync", StateMachineArn=failing["stateMachineArn"]))

    assert started["ExecutionArn"].startswith(child.replace("stateMachine", "execution"))
    assert (text["Status"], json.loads(text["Output"])) == ("SUCCEEDED", {"got": 7})
    assert (parsed["Output"], parsed["Input"]) == ({"got": 7}, {"a": 7})
    assert failed["error"] == "States.TaskFailed"
    assert json.loads(failed["cause"])["Error"] == "Bad"


def test_a_model_that_is_not_there_is_named(outcome):
    found = outcome(
        call("aws-sdk:sagemakerruntime:invokeEndpoint", EndpointName="none", Body={"a": 1})
    )

    assert found["error"].startswith("SageMakerRuntime.Validation")


def test_parameters_that_a_service_does_not_take_are_named(outcome):
    found = outcome(call("aws-sdk:s3:getObject", Bucket="b", Kee="k"))

    assert found["error"] == "States.Runtime"
    assert "could not be used to start the Task" in found["cause"]
    assert "Kee" in found["cause"]


@pytest.mark.parametrize(
    "resource",
    ["glue:startJobRun.sync", "aws-sdk:ec2:runInstances", "lambda:invoke.sync", "aws-sdk:s3:getNo"],
)
def test_what_this_cloud_cannot_call_is_refused_at_creation(local_cloud, build, resource):
    with pytest.raises(ClientError) as caught:
        build.machine(local_cloud, call(resource, JobName="j", FunctionName="f"))

    assert caught.value.response["Error"]["Code"] == "InvalidDefinition"
    assert "is not recognized" in str(caught.value) or "not supported" in str(caught.value)


def test_a_map_reads_its_items_from_an_object(local_cloud, build, result):
    s3, bucket = local_cloud.client("s3"), build.unique("items")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="l.json", Body=b"[1, 2]")
    s3.put_object(Bucket=bucket, Key="l.csv", Body=b"a,b\n1,2\n")
    s3.put_object(Bucket=bucket, Key="l.jsonl", Body=b'{"a": 1}\n{"a": 2}\n')

    def read(key, action="getObject", **config):
        where = {"Bucket": bucket} | ({} if key is None else {"Key": key})
        reader = {
            "Resource": f"arn:aws:states:::s3:{action}",
            "Parameters": where,
            "ReaderConfig": config,
        }
        processor = {
            **build.one_state(Type="Succeed"),
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        }
        processor = json.loads(json.dumps(processor).replace('"A"', '"B"'))
        state = {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "End": True}
        return result(build.one_state(**state))

    assert read("l.json", InputType="JSON") == [1, 2]
    assert read("l.csv", InputType="CSV", CSVHeaderLocation="FIRST_ROW") == [{"a": "1", "b": "2"}]
    assert read("l.jsonl", InputType="JSONL", MaxItems=1) == [{"a": 1}]
    assert [item["Key"] for item in read(None, "listObjectsV2")] == ["l.csv", "l.json", "l.jsonl"]
