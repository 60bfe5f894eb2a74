"""What the local cloud's tests build: roles, functions, state machines, models."""

import io
import json
import tarfile
import time
import uuid
import zipfile

import pytest

EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:*", "lambda:InvokeFunction", "sagemaker:InvokeEndpoint"],
            "Resource": "*",
        }
    ],
}


def unique(word):
    return f"{word}-{uuid.uuid4().hex[:8]}"


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return out.getvalue()


def packed(inference):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("code/inference.py")
        entry.size = len(inference.encode())
        archive.addfile(entry, io.BytesIO(inference.encode()))
    return out.getvalue()


def make_role(cloud, policy=None):
    iam = cloud.client("iam")
    name = unique("role")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if policy is not None:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    return arn


def make_function(cloud, code, *, role=None, **options):
    functions = cloud.client("lambda")
    name = unique("function")
    functions.create_function(
        FunctionName=name,
        Role=role or make_role(cloud, EVERYTHING),
        Handler="handler.handler",
        Runtime="python3.13",
        Code={"ZipFile": zipped(handler=code)},
        **options,
    )
    while functions.get_function_configuration(FunctionName=name)["State"] != "Active":
        time.sleep(0.05)
    return name


def make_machine(cloud, definition, **options):
    return cloud.client("stepfunctions").create_state_machine(
        name=unique("machine"),
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::123456789012:role/unknown-to-iam",
        **options,
    )


def one_state(**state):
    return {"StartAt": "A", "States": {"A": state}}


def invoke_state(function, **fields):
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        **({} if "Next" in fields else {"End": True}),
        **fields,
    }


def finish(cloud, arn, seconds=60):
    states = cloud.client("stepfunctions")
    deadline = time.monotonic() + seconds
    while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, "the execution still runs"
        time.sleep(0.02)
    return found


def run(cloud, machine, given="{}", **options):
    states = cloud.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine, input=given, **options)["executionArn"]
    return finish(cloud, arn)


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def make_endpoint(cloud, inference, *, percentage=100, headers=True):
    """An endpoint that captures, being created; bucket, model and endpoint share its name."""
    s3, sagemaker = cloud.client("s3"), cloud.client("sagemaker")
    name = unique("endpoint")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="model.tar.gz", Body=packed(inference))
    container = {"Image": "image", "ModelDataUrl": f"s3://{name}/model.tar.gz"}
    sagemaker.create_model(
        ModelName=name, ExecutionRoleArn=make_role(cloud), PrimaryContainer=container
    )
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": percentage,
        "DestinationS3Uri": f"s3://{name}/data_capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    if headers:
        capture["CaptureContentTypeHeader"] = {"JsonContentTypes": ["application/json"]}
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant], DataCaptureConfig=capture
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return name


class Builders:
    """The functions of this module, for tests that cannot import it."""

    unique = staticmethod(unique)
    zipped = staticmethod(zipped)
    packed = staticmethod(packed)
    role = staticmethod(make_role)
    function = staticmethod(make_function)
    machine = staticmethod(make_machine)
    endpoint = staticmethod(make_endpoint)
    one_state = staticmethod(one_state)
    invoke_state = staticmethod(invoke_state)
    finish = staticmethod(finish)
    run = staticmethod(run)
    wait_for = staticmethod(wait_for)


@pytest.fixture(scope="session")
def build():
    return Builders
