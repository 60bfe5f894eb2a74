"""SageMaker endpoints of the local cloud: the shipped inference.py answers, and is captured."""

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.cloud

INFERENCE = """
import json
class Refused(Exception):
    status_code = 415
def model_fn(model_dir):
    return 0.75
def input_fn(body, content_type):
    if content_type != "image/png":
        raise Refused("only image/png")
    return body
def predict_fn(data, model):
    if data == b"crash":
        raise RuntimeError("out of memory")
    return [model, 1 - model]
def output_fn(prediction, accept):
    return json.dumps(prediction), "application/json"
"""


def code(caught):
    return caught.value.response["Error"]["Code"]


def deploy(build, cloud, inference=INFERENCE, *, wait=True, **options):
    name = build.endpoint(cloud, inference, **options)
    if wait:
        build.wait_for(lambda: status(cloud, name) == "InService")
    return name


def status(cloud, name):
    return cloud.client("sagemaker").describe_endpoint(EndpointName=name)["EndpointStatus"]


def captured(build, cloud, name, count):
    s3 = cloud.client("s3")

    def lines():
        listed = s3.list_objects_v2(Bucket=name, Prefix="data_capture/").get("Contents", [])
        bodies = [s3.get_object(Bucket=name, Key=o["Key"])["Body"].read() for o in listed]
        found = [json.loads(line) for body in bodies for line in body.splitlines()]
        return len(found) >= count and ([o["Key"] for o in listed], found)

    return build.wait_for(lines)


@pytest.fixture(scope="module")
def endpoint(local_cloud, build):
    return deploy(build, local_cloud)


def test_an_endpoint_takes_a_moment_to_be_in_service(local_cloud, build):
    name = deploy(build, local_cloud, wait=False)
    assert status(local_cloud, name) == "Creating"
    with pytest.raises(ClientError) as caught:
        local_cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=b"")
    assert code(caught) == "ValidationError"
    build.wait_for(lambda: status(local_cloud, name) == "InService")


def test_an_inference_is_answered_and_captured_as_sagemaker_writes_it(local_cloud, build, endpoint):
    runtime = local_cloud.client("sagemaker-runtime")
    for number in range(3):
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint,
            Body=b"\x89PNG",
            ContentType="image/png",
            InferenceId=f"id-{number}",
            CustomAttributes="a=1",
        )
        assert json.loads(answer["Body"].read()) == [0.75, 0.25]
        assert answer["InvokedProductionVariant"] == "AllTraffic"
    keys, records = captured(build, local_cloud, endpoint, 3)
    prefix, name, variant, *hour, file = keys[0].split("/")
    assert (prefix, name, variant, len(hour)) == ("data_capture", endpoint, "AllTraffic", 4)
    assert file.endswith(".jsonl")
    assert len(keys) < 3
    record = next(r for r in records if r["eventMetadata"]["inferenceId"] == "id-0")
    assert record["captureData"]["endpointInput"] == {
        "observedContentType": "image/png",
        "mode": "INPUT",
        "data": base64.b64encode(b"\x89PNG").decode(),
        "encoding": "BASE64",
    }
    assert record["captureData"]["endpointOutput"] == {
        "observedContentType": "application/json",
        "mode": "OUTPUT",
        "data": "[0.75, 0.25]",
        "encoding": "JSON",
    }
    assert record["eventVersion"] == "0"
    assert record["eventMetadata"]["customAttributes"] == ["a=1"]
    assert record["eventMetadata"]["inferenceTime"].endswith("Z")


def test_without_content_type_headers_everything_is_base64(local_cloud, build):
    name = deploy(build, local_cloud, headers=False)
    local_cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, Body=b"x", ContentType="image/png"
    )
    _, (record,) = captured(build, local_cloud, name, 1)
    output = record["captureData"]["endpointOutput"]
    assert (output["encoding"], base64.b64decode(output["data"])) == ("BASE64", b"[0.75, 0.25]")


@pytest.mark.parametrize(
    ("body", "kind", "original", "text"),
    [
        (b"x", "text/csv", 415, "only image/png"),
        (b"crash", "image/png", 500, "RuntimeError: out of memory"),
    ],
)
def test_errors_of_the_container_are_model_errors(  # noqa: PLR0917 - a case has these parts
    local_cloud, endpoint, body, kind, original, text
):
    with pytest.raises(ClientError) as caught:
        local_cloud.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, Body=body, ContentType=kind
        )
    answer: Any = caught.value.response
    assert (code(caught), answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
    assert answer["OriginalStatusCode"] == original
    assert text in answer["OriginalMessage"]
    assert f"/aws/sagemaker/Endpoints/{endpoint}" in answer["Error"]["Message"]


def test_a_body_over_the_limit_is_refused(local_cloud, endpoint):
    with pytest.raises(ClientError) as caught:
        local_cloud.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, Body=b"x" * 6_291_457
        )
    assert code(caught) == "ValidationError"


def test_a_model_that_does_not_load_makes_a_failed_endpoint(local_cloud, build):
    name = deploy(build, local_cloud, "import not_there\n", wait=False)
    build.wait_for(lambda: status(local_cloud, name) == "Failed")
    found = local_cloud.client("sagemaker").describe_endpoint(EndpointName=name)
    assert "not_there" in found["FailureReason"]


def test_an_update_swaps_the_model_without_a_gap(local_cloud, build):
    sagemaker, s3 = local_cloud.client("sagemaker"), local_cloud.client("s3")
    runtime = local_cloud.client("sagemaker-runtime")
    name = deploy(build, local_cloud)
    other = INFERENCE.replace("0.75", "0.5")
    s3.put_object(Bucket=name, Key="other.tar.gz", Body=build.packed(other))
    container = {"Image": "image", "ModelDataUrl": f"s3://{name}/other.tar.gz"}
    sagemaker.create_model(
        ModelName=f"{name}-2", ExecutionRoleArn=build.role(local_cloud), PrimaryContainer=container
    )
    variant = {"VariantName": "AllTraffic", "ModelName": f"{name}-2", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-2", ProductionVariants=[variant])
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2")
    assert status(local_cloud, name) == "Updating"
    given = {"EndpointName": name, "Body": b"x", "ContentType": "image/png"}
    seen = set()
    while status(local_cloud, name) != "InService":
        seen.add(runtime.invoke_endpoint(**given)["Body"].read())
    assert seen <= {b"[0.75, 0.25]", b"[0.5, 0.5]"}
    assert runtime.invoke_endpoint(**given)["Body"].read() == b"[0.5, 0.5]"
    described = sagemaker.describe_endpoint(EndpointName=name)
    assert described["EndpointConfigName"] == f"{name}-2"


def test_a_deleted_endpoint_is_not_found(local_cloud, build):
    sagemaker = local_cloud.client("sagemaker")
    name = deploy(build, local_cloud)
    assert name in [e["EndpointName"] for e in sagemaker.list_endpoints()["Endpoints"]]
    sagemaker.delete_endpoint(EndpointName=name)
    with pytest.raises(ClientError) as caught:
        local_cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=b"")
    assert code(caught) == "ValidationError"
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.describe_endpoint(EndpointName=name)


def test_invocations_are_counted(local_cloud, build, endpoint):
    cloudwatch = local_cloud.client("cloudwatch")
    listed = cloudwatch.list_metrics(
        Namespace="AWS/SageMaker", Dimensions=[{"Name": "EndpointName", "Value": endpoint}]
    )["Metrics"]
    names = {metric["MetricName"] for metric in listed}
    assert {"Invocations", "ModelLatency", "Invocation4XXErrors", "Invocation5XXErrors"} <= names
    dimensions = {d["Name"] for d in listed[0]["Dimensions"]}
    assert dimensions == {"EndpointName", "VariantName"}


def test_monitoring_schedules_are_none(local_cloud, endpoint):
    sagemaker = local_cloud.client("sagemaker")
    listed = sagemaker.list_monitoring_schedules(EndpointName=endpoint)
    assert listed["MonitoringScheduleSummaries"] == []
