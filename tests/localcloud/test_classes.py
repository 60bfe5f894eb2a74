"""A workflow whose model has more than two classes, from the photo to the decision and back."""

import json

import boto3
import pytest

from deploy import deployment
from deploy.apply import Failed
from tests.builders import png
from workflow import contract
from workflow.settings import Settings
from workflow.silent import read_inference

pytestmark = pytest.mark.cloud

ANSWERS = """
import json
def model_fn(model_dir):
    return None
def input_fn(body, content_type):
    return body
def predict_fn(data, model):
    rest = 0.03 / {rest}
    return [rest] * {rest} + [0.97]
def output_fn(prediction, accept):
    return json.dumps(prediction), "application/json"
"""


@pytest.mark.parametrize("size", [10, 100])
def test_an_execution_names_the_likeliest_of_many_classes(local_cloud, build, monkeypatch, size):
    for name, value in local_cloud.environ.items():
        monkeypatch.setenv(name, value)
    endpoint = build.endpoint(local_cloud, ANSWERS.format(rest=size - 1))
    session = boto3.Session(region_name=local_cloud.region)
    names = tuple(f"kind {number}, of photo" for number in range(size))
    owner = Settings(
        account=local_cloud.account,
        region=local_cloud.region,
        project=f"classes-{size}",
        existing_endpoint=endpoint,
        classes=names,
    )
    sagemaker = local_cloud.client("sagemaker")
    build.wait_for(
        lambda: sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"
    )
    plan = deployment.observe_and_plan(owner, session)
    assert not [one for one in deployment.apply(plan, owner, session) if isinstance(one, Failed)]
    local_cloud.client("s3").put_object(Bucket=owner.bucket, Key="images/a.png", Body=png())

    given = contract.execution_input(contract.ImageLocation(owner.bucket, "images/a.png"))
    ended = build.run(local_cloud, owner.alias_arn, json.dumps(given))

    assert ended["status"] == "SUCCEEDED"
    output = json.loads(ended["output"])
    assert (output["label"], output["confidence"]) == (names[-1], 0.97)
    found = read_inference(ended["output"])
    assert found is not None
    assert (found.label, len(found.probabilities)) == (names[-1], size)
    list(deployment.destroy(owner, session, empty_bucket=owner.bucket))
