"""SageMaker endpoints of the local cloud: the shipped inference.py answers, and is captured."""

import base64
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from localcloud.endpoints import Endpoints
from localcloud.store import Store
from tests.damage import DAMAGES
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from localcloud.cloud import LocalCloud as Cloud

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
    weights = [{"VariantName": "AllTraffic", "DesiredWeight": 1.0}]
    with pytest.raises(ClientError) as caught:
        local_cloud.client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=name, DesiredWeightsAndCapacities=weights
        )
    assert code(caught) == "ValidationException"


def test_weights_are_of_variants_that_there_are_and_one_is_above_zero(local_cloud, endpoint):
    sagemaker = local_cloud.client("sagemaker")

    def shift(variant, weight):
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint,
            DesiredWeightsAndCapacities=[{"VariantName": variant, "DesiredWeight": weight}],
        )

    with pytest.raises(ClientError) as caught:
        shift("Nobody", 1.0)
    assert code(caught) == "ValidationException"
    shift("AllTraffic", 0.0)
    with pytest.raises(ClientError) as caught:
        local_cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=b"")
    assert code(caught) == "ValidationError"


def test_an_endpoint_whose_model_finds_no_room_on_the_disk_fails(tmp_path, build, monkeypatch):
    store = Store(tmp_path)
    full = WorkflowError("DiskFull", "The disk is full.", "Free space there.")
    monkeypatch.setattr(Endpoints, "_fetch_model", Mock(side_effect=full))
    wanted = {"config": "c", "variants": [{"VariantName": "AllTraffic"}]}
    kept = store.load_table("sagemaker.endpoint")
    kept["e"] = {"EndpointStatus": "Creating", "wanted": wanted, "deployed": None}
    durations = SimpleNamespace(endpoint_creating=0)
    cloud = SimpleNamespace(store=store, allows=SimpleNamespace(durations=durations))
    endpoints = Endpoints(cast("Cloud", cloud))
    endpoints.start()
    build.wait_for(lambda: endpoints._endpoints["e"].get("FailureReason") == "The disk is full.")
    assert endpoints._endpoints["e"]["EndpointStatus"] == "Failed"
    store.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_process_unpacks_models_again_so_that_none_stays_damaged(tmp_path, damage):
    store = Store(tmp_path)
    unpacked = tmp_path / "models" / "a-digest" / "model.onnx"
    unpacked.parent.mkdir(parents=True)
    unpacked.write_bytes(b"weights")
    DAMAGES[damage](unpacked)
    Endpoints(cast("Cloud", SimpleNamespace(store=store)))
    assert list((tmp_path / "models").iterdir()) == []
    store.close()


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
    listed = {e["EndpointName"]: e for e in sagemaker.list_endpoints()["Endpoints"]}
    assert listed[name]["EndpointStatus"] == "InService"
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


def shadowed(build, cloud, inference, *, weight=1.0):
    """An endpoint whose model is shadowed by one with other code."""
    name, sagemaker = deploy(build, cloud), cloud.client("sagemaker")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    other = f"{name}-shadow"
    cloud.client("s3").put_object(Bucket=name, Key="shadow.tar.gz", Body=build.packed(inference))
    container = {"Image": "image", "ModelDataUrl": f"s3://{name}/shadow.tar.gz"}
    sagemaker.create_model(
        ModelName=other, ExecutionRoleArn=build.role(cloud), PrimaryContainer=container
    )
    (variant,) = config["ProductionVariants"]
    shadow = {
        **variant,
        "VariantName": "ShadowModel",
        "ModelName": other,
        "InitialVariantWeight": weight,
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName=other,
        ProductionVariants=[variant],
        ShadowProductionVariants=[shadow],
        DataCaptureConfig=config["DataCaptureConfig"],
    )
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=other)
    build.wait_for(lambda: status(cloud, name) == "InService")
    return name


def test_a_shadow_variant_gets_a_copy_and_only_its_capture_shows_it(local_cloud, build):
    name = shadowed(build, local_cloud, INFERENCE.replace("0.75", "0.25"))
    described = local_cloud.client("sagemaker").describe_endpoint(EndpointName=name)
    assert [one["VariantName"] for one in described["ShadowProductionVariants"]] == ["ShadowModel"]

    answer = local_cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, Body=b"\x89PNG", ContentType="image/png", InferenceId="same"
    )

    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert json.loads(answer["Body"].read()) == [0.75, 0.25]
    keys, records = captured(build, local_cloud, name, 2)
    assert {key.split("/")[2] for key in keys} == {"AllTraffic", "ShadowModel"}
    assert {one["eventMetadata"]["inferenceId"] for one in records} == {"same"}
    assert len({one["eventMetadata"]["eventId"] for one in records}) == 2
    outputs = [one["captureData"]["endpointOutput"]["data"] for one in records]
    assert sorted(outputs) == ["[0.25, 0.75]", "[0.75, 0.25]"]


def test_a_shadow_variant_that_fails_or_gets_nothing_is_not_noticed(local_cloud, build):
    failing = shadowed(build, local_cloud, INFERENCE.replace('b"crash"', 'b"fine"'))
    idle = shadowed(build, local_cloud, INFERENCE.replace("0.75", "0.25"), weight=0.0)
    runtime = local_cloud.client("sagemaker-runtime")

    for name in (failing, idle):
        answer = runtime.invoke_endpoint(EndpointName=name, Body=b"fine", ContentType="image/png")
        assert json.loads(answer["Body"].read()) == [0.75, 0.25]
        keys, _ = captured(build, local_cloud, name, 1)
        assert [key.split("/")[2] for key in keys] == ["AllTraffic"]


def test_a_shadow_variant_cannot_be_asked_by_its_name(local_cloud, build):
    name = shadowed(build, local_cloud, INFERENCE)
    with pytest.raises(ClientError) as caught:
        local_cloud.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=b"x", ContentType="image/png", TargetVariant="ShadowModel"
        )
    assert code(caught) == "ValidationError"


@pytest.mark.parametrize(("production", "shadows"), [(("A", "B"), ("S",)), (("A",), ("S", "T"))])
def test_one_shadow_variant_of_one_production_variant_is_taken(
    local_cloud, build, endpoint, production, shadows
):
    sagemaker = local_cloud.client("sagemaker")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint)
    (variant,) = config["ProductionVariants"]
    with pytest.raises(ClientError) as caught:
        sagemaker.create_endpoint_config(
            EndpointConfigName=f"{endpoint}-many",
            ProductionVariants=[{**variant, "VariantName": one} for one in production],
            ShadowProductionVariants=[{**variant, "VariantName": one} for one in shadows],
        )
    assert code(caught) == "ValidationException"
