"""Map Runs: what DescribeMapRun tells, what UpdateMapRun changes, what is written and redone."""

import gzip
import json

import pytest
from botocore.exceptions import ClientError

from localcloud.states.map_runs import Limits

pytestmark = pytest.mark.cloud

ODD = "def handler(e, c):\n    if {bad}:\n        raise ValueError(str(e))\n    return e\n"


@pytest.fixture
def sfn(local_cloud):
    return local_cloud.client("stepfunctions")


@pytest.fixture
def bucket(local_cloud, build):
    name = build.unique("map-runs")
    local_cloud.client("s3").create_bucket(Bucket=name)
    return name


def distributed(processor, kind="STANDARD", **fields):
    config = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
    state = {"Type": "Map", "ItemProcessor": {**processor, "ProcessorConfig": config}, "End": True}
    return {"StartAt": "M", "States": {"M": state | fields}}


def inner(**state):
    return {"StartAt": "Inner", "States": {"Inner": {**state, "End": True}}}


@pytest.fixture
def run(local_cloud, build):
    def run(definition, given):
        arn = build.machine(local_cloud, definition)["stateMachineArn"]
        return build.run(local_cloud, arn, json.dumps(given))

    return run


@pytest.fixture
def calls(local_cloud, build):
    """A state that calls a function which fails for some events."""

    def state(bad):
        name = build.function(local_cloud, ODD.format(bad=bad))
        arn = f"arn:aws:lambda:us-east-1:{local_cloud.account}:function:{name}"
        return {"Type": "Task", "Resource": arn}

    return state


def map_run(sfn, execution):
    (found,) = sfn.list_map_runs(executionArn=execution["executionArn"])["mapRuns"]
    return sfn.describe_map_run(mapRunArn=found["mapRunArn"])


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_child_executions_are_counted_listed_and_described(sfn, run, kind):
    batcher = {"MaxItemsPerBatch": 2}
    ended = run(distributed(inner(Type="Pass"), kind, ItemBatcher=batcher), [1, 2, 3])

    found = map_run(sfn, ended)
    children = sfn.list_executions(mapRunArn=found["mapRunArn"])["executions"]

    assert (found["status"], found["maxConcurrency"]) == ("SUCCEEDED", 0)
    assert found["itemCounts"]["total"] == found["itemCounts"]["succeeded"] == 3
    assert found["executionCounts"]["total"] == found["executionCounts"]["succeeded"] == 2
    assert sorted(child["itemCount"] for child in children) == [1, 2]
    child = sfn.describe_execution(executionArn=children[0]["executionArn"])
    assert child["mapRunArn"] == found["mapRunArn"]
    assert json.loads(child["output"])["Items"]
    assert ":execution:" in child["executionArn"]
    assert child["redriveStatus"] == "NOT_REDRIVABLE"
    assert ended["executionArn"] not in [one["executionArn"] for one in children]
    if kind == "EXPRESS":
        with pytest.raises(ClientError, match="not supported"):
            sfn.get_execution_history(executionArn=child["executionArn"])
    else:
        events = sfn.get_execution_history(executionArn=child["executionArn"])["events"]
        assert [event["type"] for event in events] == [
            "ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded",
        ]  # fmt: skip


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_a_redrive_runs_the_failed_and_the_pending_children_again(local_cloud, build, calls, kind):
    sfn = local_cloud.client("stepfunctions")
    state = calls("isinstance(e, int) and e > 1")
    definition = distributed(inner(**state), kind, MaxConcurrency=1)
    machine = build.machine(local_cloud, definition)["stateMachineArn"]
    ended = build.run(local_cloud, machine, "[1, 2, 3]")
    before = map_run(sfn, ended)
    name = state["Resource"].rpartition(":")[2]
    code = build.zipped(handler="def handler(e, c):\n    return e\n")
    local_cloud.client("lambda").update_function_code(FunctionName=name, ZipFile=code)

    sfn.redrive_execution(executionArn=ended["executionArn"])
    again = build.finish(local_cloud, ended["executionArn"])

    assert ended["error"] == "States.ExceedToleratedFailureThreshold"
    counts = before["itemCounts"]
    assert (before["status"], counts["succeeded"], counts["failed"]) == ("FAILED", 1, 1)
    assert counts["pending"] == 1
    assert json.loads(again["output"]) == [1, 2, 3]
    after = map_run(sfn, ended)
    assert (after["status"], after["redriveCount"]) == ("SUCCEEDED", 1)
    assert after["mapRunArn"] == before["mapRunArn"]
    assert after["executionCounts"]["succeeded"] == after["executionCounts"]["total"] == 3


def test_items_in_failed_batches_are_what_is_tolerated(sfn, run, calls):
    state = calls("9 in e['Items']")
    fields = {"ItemBatcher": {"MaxItemsPerBatch": 2}, "ToleratedFailurePercentage": 40}

    ended = run(distributed(inner(**state), **fields), [1, 2, 3, 4, 9])
    found = map_run(sfn, ended)
    failed = run(distributed(inner(**state), **fields), [1, 9, 3])

    assert ended["status"] == "SUCCEEDED"
    assert found["itemCounts"]["failed"] == found["executionCounts"]["failed"] == 1
    assert failed["error"] == "States.ExceedToleratedFailureThreshold"


def test_results_are_written_with_a_manifest_whatever_became_of_them(
    local_cloud, sfn, bucket, run, calls
):
    state = calls("e == 2")
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": bucket, "Prefix": "out"},
        "WriterConfig": {"OutputType": "JSONL", "Transformation": "COMPACT"},
    }
    definition = distributed(inner(**state), ResultWriter=writer, ToleratedFailureCount=1)

    ended = run(definition, [1, 2, 3])

    output = json.loads(ended["output"])
    assert output["MapRunArn"] == map_run(sfn, ended)["mapRunArn"]
    assert map_run(sfn, ended)["itemCounts"]["resultsWritten"] == 3
    s3 = local_cloud.client("s3")

    def read(key):
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    manifest = json.loads(read(output["ResultWriterDetails"]["Key"]))
    files = manifest["ResultFiles"]
    assert files["PENDING"] == []
    assert files["SUCCEEDED"][0]["Key"].endswith("/SUCCEEDED_0.jsonl")
    fine = [json.loads(line) for line in read(files["SUCCEEDED"][0]["Key"]).splitlines()]
    (failed,) = [json.loads(line) for line in read(files["FAILED"][0]["Key"]).splitlines()]
    assert sorted(fine) == [1, 3]
    assert (failed["Status"], failed["Error"], failed["Input"]) == ("FAILED", "ValueError", "2")


def test_a_map_run_is_slowed_down_and_hurried_while_it_runs(local_cloud, sfn, build):
    definition = distributed(inner(Type="Wait", Seconds=1), MaxConcurrency=1)
    machine = build.machine(local_cloud, definition)["stateMachineArn"]
    started = sfn.start_execution(stateMachineArn=machine, input=json.dumps([0] * 60))
    arn = started["executionArn"]
    build.wait_for(lambda: sfn.list_map_runs(executionArn=arn)["mapRuns"])
    (found,) = sfn.list_map_runs(executionArn=arn)["mapRuns"]

    before = sfn.describe_map_run(mapRunArn=found["mapRunArn"])
    sfn.update_map_run(mapRunArn=found["mapRunArn"], maxConcurrency=30)
    ended = build.finish(local_cloud, arn)

    assert before["executionCounts"]["running"] <= 1
    assert ended["status"] == "SUCCEEDED"
    assert (ended["stopDate"] - ended["startDate"]).total_seconds() < 40
    assert map_run(sfn, ended)["maxConcurrency"] == 30
    with pytest.raises(ClientError, match="not running"):
        sfn.update_map_run(mapRunArn=found["mapRunArn"], maxConcurrency=1)


def test_a_stopped_map_run_aborts_what_runs_and_goes_on_when_redriven(local_cloud, sfn, build):
    definition = distributed(inner(Type="Wait", Seconds=2), MaxConcurrency=2)
    machine = build.machine(local_cloud, definition)["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, input="[1, 2, 3]")["executionArn"]
    build.wait_for(lambda: sfn.list_map_runs(executionArn=arn)["mapRuns"])
    (listed,) = sfn.list_map_runs(executionArn=arn)["mapRuns"]
    build.wait_for(lambda: sfn.list_executions(mapRunArn=listed["mapRunArn"])["executions"])

    sfn.stop_execution(executionArn=arn)
    stopped = sfn.describe_map_run(mapRunArn=listed["mapRunArn"])
    sfn.redrive_execution(executionArn=arn)
    ended = build.finish(local_cloud, arn)

    assert stopped["status"] == "ABORTED"
    assert stopped["executionCounts"]["running"] == 0
    assert stopped["executionCounts"]["aborted"] >= 1
    assert json.loads(ended["output"]) == [1, 2, 3]
    assert sfn.describe_map_run(mapRunArn=listed["mapRunArn"])["status"] == "SUCCEEDED"


def test_an_inventory_and_a_long_prefix_are_read_to_their_end(local_cloud, bucket, run):
    s3 = local_cloud.client("s3")
    rows = "".join(f'"{bucket}","photos/{n}.png"\n' for n in range(3))
    s3.put_object(Bucket=bucket, Key="inv/1.csv.gz", Body=gzip.compress(rows.encode()))
    manifest = {
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key",
        "files": [{"key": "inv/1.csv.gz"}],
    }
    s3.put_object(Bucket=bucket, Key="inv/manifest.json", Body=json.dumps(manifest).encode())

    def read(action, parameters, **config):
        reader = {
            "Resource": f"arn:aws:states:::s3:{action}",
            "Parameters": {"Bucket": bucket, **parameters},
            "ReaderConfig": config,
        }
        definition = distributed(
            inner(Type="Pass"),
            "EXPRESS",
            ItemReader=reader,
            ItemSelector={"key.$": "$$.Map.Item.Value.Key"},
            ItemBatcher={"MaxItemsPerBatch": 100},
        )
        batches = json.loads(run(definition, {})["output"])
        return [item["key"] for batch in batches for item in batch["Items"]]

    names = [f"photos/{n}.png" for n in range(3)]
    assert read("getObject", {"Key": "inv/manifest.json"}, InputType="MANIFEST") == names
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    assert read("listObjectsV2", {"Prefix": "photos/", "MaxKeys": 2}) == names


@pytest.mark.parametrize(
    ("limits", "failed", "fine"),
    [
        (Limits(), 0, True),
        (Limits(), 1, False),
        (Limits(count=1), 1, True),
        (Limits(count=1), 2, False),
        (Limits(percentage=10), 1, True),
        (Limits(percentage=10), 2, False),
        (Limits(count=5, percentage=10), 2, False),
    ],
)
def test_either_bound_ends_a_map_run(limits, failed, fine):
    assert limits.tolerate(failed, 10) is fine
