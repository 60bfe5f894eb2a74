"""The same deployment on the local cloud, over HTTP, without any patch."""

from typing import Any

import boto3
import pytest

from deploy import deployment, package
from deploy.apply import Failed
from deploy.plan import Op
from tests.deploy.cases import artifacts
from workflow.settings import Settings

pytestmark = pytest.mark.cloud


@pytest.fixture
def there(local_cloud: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, boto3.Session]:
    """A deployment of its own on the shared local cloud, reached by the environment alone."""
    for name, value in local_cloud.environ.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(region_name=local_cloud.region)
    owner = Settings(account=local_cloud.account, region=local_cloud.region, project="deploy-test")
    return owner, session


def test_a_whole_life(
    there: tuple[Settings, boto3.Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, session = there
    events = list(deployment.apply(deployment.observe_and_plan(owner, session), owner, session))
    assert not [event for event in events if isinstance(event, Failed)]
    again = deployment.observe_and_plan(owner, session)
    assert {action.op for action in again.actions} == {Op.KEEP}
    promote_another_model(owner, session)
    plan = deployment.observe_and_plan(owner, session)
    assert f"Kept: the promoted model {owner.prefix}-00000000000b." in plan.kept
    assert not [one for one in deployment.apply(plan, owner, session) if isinstance(one, Failed)]
    assert served(owner, session) == [f"{owner.prefix}-00000000000b"]
    again = deployment.observe_and_plan(owner, session)
    assert {action.op for action in again.actions} == {Op.KEEP}

    real = package.collect_artifacts(owner, wheels=False)
    changed = {**real.functions, "filter_inferences": artifacts().functions["filter_inferences"]}
    monkeypatch.setattr(
        deployment,
        "collect_artifacts",
        lambda *_, **__: type(real)(
            functions=changed,
            definition=real.definition,
            model=real.model,
            model_digest=real.model_digest,
            image=real.image,
        ),
    )
    plan = deployment.observe_and_plan(owner, session, weight=25)
    assert not [one for one in deployment.apply(plan, owner, session) if isinstance(one, Failed)]
    assert weights(owner, session) == [(2, 25), (1, 75)]
    list(deployment.rollback(owner, session))
    assert weights(owner, session) == [(2, 0), (1, 100)]

    outputs = deployment.read_status(owner, session)
    assert outputs.endpoint_status == "InService"
    assert outputs.links == {}
    events = list(deployment.destroy(owner, session))
    assert not [event for event in events if isinstance(event, Failed)]
    left = deployment.observe_and_plan(owner, session)
    assert {action.op for action in left.actions} == {Op.CREATE}


def weights(owner: Settings, session: boto3.Session) -> list[tuple[int, int]]:
    return [(one.number, one.weight) for one in deployment.read_status(owner, session).versions]


def promote_another_model(owner: Settings, session: boto3.Session) -> None:
    """Serve a copy of the model beside it, then give the copy all traffic."""
    sagemaker: Any = session.client("sagemaker")
    tags = [{"Key": key, "Value": value} for key, value in owner.tags.items()]
    config = sagemaker.describe_endpoint_config(
        EndpointConfigName=sagemaker.describe_endpoint(EndpointName=owner.endpoint)[
            "EndpointConfigName"
        ]
    )
    (variant,) = config["ProductionVariants"]
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    name = f"{owner.prefix}-00000000000b"
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer=model["PrimaryContainer"],
        ExecutionRoleArn=model["ExecutionRoleArn"],
        Tags=tags,
    )
    both = [variant, {**variant, "VariantName": "NewModel", "ModelName": name}]
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=both,
        DataCaptureConfig=config["DataCaptureConfig"],
        Tags=tags,
    )
    sagemaker.update_endpoint(EndpointName=owner.endpoint, EndpointConfigName=name)
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName=owner.endpoint, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    assert deployment.observe_and_plan(owner, session).kept.startswith("Kept: the rollout of")
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=owner.endpoint,
        DesiredWeightsAndCapacities=[
            {"VariantName": variant["VariantName"], "DesiredWeight": 0},
            {"VariantName": "NewModel", "DesiredWeight": 1},
        ],
    )


def served(owner: Settings, session: boto3.Session) -> list[str]:
    sagemaker = session.client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=owner.endpoint)["EndpointConfigName"]
    described = sagemaker.describe_endpoint_config(EndpointConfigName=config)
    return [one["ModelName"] for one in described["ProductionVariants"]]
