"""Configurations of an endpoint as SageMaker lists them, and what each captures."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from dashboard.aws.cloud import Connection, connect
from dashboard.aws.configurations import read_configurations, sampling_percentage
from tests.dashboard.aws.unconnected import ACCOUNT, unconnected
from tests.dashboard.conftest import deploy
from workflow.errors import WorkflowError

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def connection() -> Connection:
    return unconnected()


def endpoint(config: str) -> dict[str, Any]:
    return {
        "EndpointName": "e",
        "EndpointArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/e",
        "EndpointConfigName": config,
        "EndpointStatus": "InService",
        "CreationTime": AT.replace(hour=1),
        "LastModifiedTime": AT,
    }


def config(name: str, hour: int) -> dict[str, Any]:
    return {
        "EndpointConfigName": name,
        "EndpointConfigArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint-config/{name}",
        "CreationTime": AT.replace(hour=hour),
    }


def described(**capture: Any) -> dict[str, Any]:
    made: dict[str, Any] = {**config("c", 9), "ProductionVariants": [{"VariantName": "v"}]}
    if capture:
        destination = {"DestinationS3Uri": "s3://b", "CaptureOptions": [{"CaptureMode": "Input"}]}
        made["DataCaptureConfig"] = {**destination, **capture}
    return made


def test_those_of_our_names_are_known_with_their_creation(connection: Connection) -> None:
    prefix = connection.settings.prefix
    present, other = f"{prefix}-{'a' * 12}", f"{prefix}-{'b' * 12}"
    listed = [config(other, 9), config(f"{prefix}-other-{'c' * 12}", 8), config(present, 2)]
    with Stubber(connection.client("sagemaker")) as stub:
        stub.add_response("describe_endpoint", endpoint(present), {"EndpointName": "e"})
        stub.add_response("list_endpoint_configs", {"EndpointConfigs": listed})

        found = read_configurations(connection, "e")

    assert (found.present, found.created, found.changed) == (present, AT.replace(hour=1), AT)
    assert found.made == {other: AT.replace(hour=9), present: AT.replace(hour=2)}


def test_of_somebody_else_s_endpoint_only_the_present_one_is_known(connection: Connection) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        stub.add_response("describe_endpoint", endpoint("theirs"))

        assert read_configurations(connection, "e").made == {}


@pytest.mark.parametrize(
    ("capture", "percentage"),
    [
        ({"EnableCapture": True, "InitialSamplingPercentage": 25}, 25),
        ({"InitialSamplingPercentage": 25}, 25),
        ({"EnableCapture": False, "InitialSamplingPercentage": 25}, 0),
        ({}, 0),
    ],
)
def test_what_a_configuration_captures(
    connection: Connection, capture: dict[str, Any], percentage: float
) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        stub.add_response(
            "describe_endpoint_config", described(**capture), {"EndpointConfigName": "c"}
        )

        assert sampling_percentage(connection, "c") == percentage


def test_a_refusal_keeps_its_code(connection: Connection) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        stub.add_client_error("describe_endpoint_config", "AccessDeniedException", "no")

        with pytest.raises(WorkflowError) as caught:
            sampling_percentage(connection, "c")

    assert "AccessDenied" in caught.value.code


@pytest.mark.cloud
def test_what_a_deployment_replaced_is_still_known_and_what_it_captured(
    environ: dict[str, str],
) -> None:
    own = {**environ, "SCONES_PROJECT": "served"}
    all_of_it, half = connect(own), connect({**own, "SCONES_SAMPLING_PERCENTAGE": "50"})
    for deployed in (all_of_it, half, all_of_it):
        deploy(deployed)

    found = read_configurations(all_of_it, all_of_it.settings.endpoint)

    first, second, present = found.served()
    assert first.name == present.name != second.name
    assert (first.again, second.again, present.again) == (True, False, True)
    assert first.span.end == second.span.start
    assert second.span.end == present.span.start == found.changed
    shares = {name: sampling_percentage(all_of_it, name) for name in found.made}
    assert sorted(shares.values()) == [50, 100]
    samplings = found.samplings(shares)
    assert [one.percentage for one in samplings] == [100, 100]
    assert samplings[-1].span.start == found.changed
