"""Where an endpoint captures is asked of the endpoint."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from dashboard.aws.cloud import Connection
from dashboard.captures.places import capture_place, read_setup
from tests.dashboard.aws.unconnected import ACCOUNT, unconnected
from workflow.errors import WorkflowError

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
URI = "s3://their-bucket/model-monitor/data-capture"


@pytest.fixture
def connection() -> Connection:
    made = unconnected()
    return replace(made, settings=replace(made.settings, existing_endpoint="theirs"))


def described(**fields: Any) -> dict[str, Any]:
    return {
        "EndpointName": "theirs",
        "EndpointArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/theirs",
        "EndpointConfigName": "c",
        "EndpointStatus": "InService",
        "CreationTime": AT,
        "LastModifiedTime": AT,
        **fields,
    }


def summary(**fields: Any) -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": URI,
        "KmsKeyId": "",
        **fields,
    }


def configured(**fields: Any) -> dict[str, Any]:
    modes = [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": URI,
        "CaptureOptions": modes,
        **fields,
    }
    return {
        "EndpointConfigName": "c",
        "EndpointConfigArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint-config/c",
        "ProductionVariants": [{"VariantName": "v"}],
        "CreationTime": AT,
        "DataCaptureConfig": capture,
    }


def test_our_own_endpoint_is_not_asked() -> None:
    own = unconnected()

    place = capture_place(own)

    assert str(place) == f"s3://{own.settings.bucket}/data_capture"
    assert place.notes == ()


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        (URI, f"{URI}/theirs"),
        (f"{URI}/", f"{URI}/theirs"),
        ("s3://their-bucket", "s3://their-bucket/theirs"),
    ],
)
def test_another_endpoint_says_where_it_captures(
    connection: Connection, uri: str, folder: str
) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        answer = described(DataCaptureConfig=summary(DestinationS3Uri=uri))
        stub.add_response("describe_endpoint", answer, {"EndpointName": "theirs"})
        stub.add_response("describe_endpoint_config", configured())

        place = capture_place(connection)

    assert (str(place), place.notes) == (folder, ())


def test_an_endpoint_that_is_being_updated_is_known_by_its_configuration(
    connection: Connection,
) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        stub.add_response("describe_endpoint", described(EndpointStatus="Updating"))
        stub.add_response("describe_endpoint_config", configured())

        assert str(capture_place(connection)) == f"{URI}/theirs"


@pytest.mark.parametrize(
    ("said", "options", "note"),
    [
        ({"CaptureStatus": "Stopped"}, {}, "is switched off"),
        ({"EnableCapture": False}, {}, "is switched off"),
        ({"CurrentSamplingPercentage": 20}, {}, "captures 20 % of its invocations"),
        ({}, {"CaptureOptions": [{"CaptureMode": "Input"}]}, "captures inputs only"),
        ({}, {"CaptureOptions": [{"CaptureMode": "Output"}]}, "captures outputs only"),
        ({"KmsKeyId": "alias/captures"}, {}, "kms:Decrypt with alias/captures"),
    ],
)
def test_what_is_missing_there_is_said(
    connection: Connection, said: dict[str, Any], options: dict[str, Any], note: str
) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        stub.add_response("describe_endpoint", described(DataCaptureConfig=summary(**said)))
        stub.add_response("describe_endpoint_config", configured(**options))

        (found,) = capture_place(connection).notes

    assert note in found


def test_a_configuration_that_may_not_be_read_hides_no_place(connection: Connection) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        stub.add_response("describe_endpoint", described(DataCaptureConfig=summary()))
        stub.add_client_error("describe_endpoint_config", "AccessDeniedException")

        place = capture_place(connection)

    assert str(place) == f"{URI}/theirs"
    assert "is not known" in place.notes[0]


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ([{"VariantName": "v"}], "has no data capture"),
        (
            [
                {
                    "VariantName": "v",
                    "CurrentServerlessConfig": {"MaxConcurrency": 1, "MemorySizeInMB": 2048},
                }
            ],
            "is serverless",
        ),
    ],
)
def test_an_endpoint_without_capture_says_what_to_do(
    connection: Connection, variants: list[dict[str, Any]], message: str
) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        stub.add_response("describe_endpoint", described(ProductionVariants=variants))
        without = configured()
        del without["DataCaptureConfig"]
        stub.add_response("describe_endpoint_config", without)

        with pytest.raises(WorkflowError, match=message) as caught:
            capture_place(connection)

    assert caught.value.code == "CaptureNotConfigured"
    assert caught.value.remedy


def test_shadow_variants_and_place_come_with_one_description(connection: Connection) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        shadows = [{"VariantName": "Candidate"}]
        answer = described(DataCaptureConfig=summary(), ShadowProductionVariants=shadows)
        stub.add_response("describe_endpoint", answer)
        stub.add_response("describe_endpoint_config", configured())

        found = read_setup(connection)

        stub.assert_no_pending_responses()
    assert str(found.place) == f"{URI}/theirs"
    assert found.shadows == {"ShadowModel", "Candidate"}


def test_an_endpoint_that_may_not_be_asked_hides_no_place_that_is_known() -> None:
    own = unconnected()
    with Stubber(own.client("sagemaker")) as stub:
        shadows = [{"VariantName": "Candidate"}]
        stub.add_response("describe_endpoint", described(ShadowProductionVariants=shadows))
        stub.add_client_error("describe_endpoint", "AccessDeniedException")

        assert read_setup(own).shadows == {"ShadowModel", "Candidate"}
        found = read_setup(own)

    assert found.place == own.watched.captures
    assert found.shadows == {"ShadowModel"}


def test_an_endpoint_that_may_not_be_asked_for_its_place_is_an_error(
    connection: Connection,
) -> None:
    with Stubber(connection.client("sagemaker")) as stub:
        stub.add_client_error("describe_endpoint", "AccessDeniedException")

        with pytest.raises(WorkflowError):
            read_setup(connection)
