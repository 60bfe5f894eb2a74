"""A local cloud that is as unkind as a new account, over HTTP: what boto3 gets to see of it."""

import json
import time

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.conftest import start_local_cloud, stop_local_cloud

pytestmark = pytest.mark.cloud
# Slow enough that a busy machine sees each refusal before it passes.
SPEED = 8


@pytest.fixture(scope="module")
def unkind(tmp_path_factory):
    directory = tmp_path_factory.mktemp("unkind")
    cloud = start_local_cloud(directory, "--aws-like", str(SPEED))
    yield cloud
    stop_local_cloud(cloud)


def patient(cloud, service):
    """A client that tries again, as every program's does."""
    return boto3.client(
        service, endpoint_url=cloud.endpoint_url, region_name=cloud.region, **cloud.keys
    )


def until(make, code):
    """Repeat what is refused with a code until it is not; gives how often it was refused."""
    deadline = time.monotonic() + 60
    refused = 0
    while True:
        try:
            make()
        except ClientError as error:
            if error.response["Error"]["Code"] != code or time.monotonic() > deadline:
                raise
            refused += 1
            time.sleep(0.02)
        else:
            return refused


def test_a_function_is_refused_until_its_role_is_known_and_is_pending_then(unkind, build):
    iam, functions = patient(unkind, "iam"), patient(unkind, "lambda")
    name = build.unique("new")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    code = {"ZipFile": build.zipped(handler="def handler(event, context): return 1")}
    functions.list_functions()  # a first call connects, which takes a while
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]

    def create():
        functions.create_function(
            FunctionName=name,
            Role=role,
            Handler="handler.handler",
            Runtime="python3.13",
            Code=code,
        )

    assert until(create, "InvalidParameterValueException") > 0
    assert until(lambda: functions.get_function(FunctionName=name), "ResourceNotFoundException")
    assert functions.get_function(FunctionName=name)["Configuration"]["State"] == "Pending"
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    assert functions.invoke(FunctionName=name)["Payload"].read() == b"1"


def test_an_account_is_small(unkind, build):
    functions = patient(unkind, "lambda")
    assert functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 10
    pages = patient(unkind, "service-quotas").get_paginator("list_service_quotas")
    quotas = {
        quota["QuotaName"]: quota["Value"]
        for page in pages.paginate(ServiceCode="sagemaker")
        for quota in page["Quotas"]
    }
    assert quotas["ml.m5.large for endpoint usage"] == 2
    sagemaker, s3, iam = (patient(unkind, name) for name in ("sagemaker", "s3", "iam"))
    name = build.unique("large")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="model.tar.gz", Body=b"")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    container = {"Image": "image", "ModelDataUrl": f"s3://{name}/model.tar.gz"}

    def model():
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)

    def config():
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 3,
        }
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])

    def endpoint():
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    assert until(model, "ValidationException")
    assert until(config, "ValidationException")
    with pytest.raises(ClientError, match="for endpoint usage' is 2 Instances"):
        until(endpoint, "ValidationException")


def test_now_and_then_calls_fail_and_a_client_that_tries_again_does_not_notice(unkind):
    hasty, other = unkind.client("s3"), patient(unkind, "s3")
    failures = 0
    for _ in range(600):
        try:
            hasty.list_buckets()
        except Exception:  # noqa: BLE001 - an error or a broken connection
            failures += 1
    assert 1 <= failures <= 16
    for _ in range(300):
        other.list_buckets()


def test_rates_are_enforced_for_what_moto_answers_too(unkind):
    iam = unkind.client("iam")
    codes = set()
    for _ in range(80):
        try:
            iam.list_roles()
        except ClientError as error:
            codes.add(error.response["Error"]["Code"])
        except Exception:  # noqa: BLE001, S112 - a broken connection
            continue
    assert "Throttling" in codes
