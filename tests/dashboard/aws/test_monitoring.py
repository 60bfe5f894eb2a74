"""What an endpoint says of its capture, its versions and its monitoring; and baselines in S3."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from dashboard.aws import monitoring
from tests.dashboard.aws.unconnected import ACCOUNT, unconnected
from workflow.baselines import encode_violations
from workflow.errors import WorkflowError
from workflow.feature_statistics import ConstraintViolation, NumericalStatistics, Statistics
from workflow.monitoring import CaptureState
from workflow.spans import Span

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
STATISTICS = Statistics(2, (NumericalStatistics.of("confidence", [0.6, 0.9], (0.0, 0.5, 1.0)),))


class Stubbed:
    """A connection whose every answer is given beforehand, checked against AWS's models."""

    def __init__(self) -> None:
        self.connection = unconnected()
        self._stubs: dict[str, Stubber] = {}

    def stub(self, service: str) -> Stubber:
        if service not in self._stubs:
            self._stubs[service] = Stubber(self.connection.client(service))
            self._stubs[service].activate()
        return self._stubs[service]

    def answer(
        self, service: str, operation: str, response: dict[str, Any], expected: Any = None
    ) -> None:
        self.stub(service).add_response(operation, response, expected)

    def refuse(self, service: str, operation: str, code: str) -> None:
        self.stub(service).add_client_error(operation, code, "no")

    def done(self) -> None:
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()


@pytest.fixture
def aws() -> Iterator[Stubbed]:
    stubbed = Stubbed()
    yield stubbed
    stubbed.done()


def endpoint(**capture: Any) -> dict[str, Any]:
    described: dict[str, Any] = {
        "EndpointName": "e",
        "EndpointArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/e",
        "EndpointConfigName": "e-1a2b",
        "EndpointStatus": "InService",
        "CreationTime": AT,
        "LastModifiedTime": AT,
    }
    if capture:
        described["DataCaptureConfig"] = {
            "EnableCapture": True,
            "CaptureStatus": "Started",
            "CurrentSamplingPercentage": 100,
            "DestinationS3Uri": "s3://b/data_capture",
            "KmsKeyId": "key",
            **capture,
        }
    return described


def body(content: bytes) -> dict[str, Any]:
    return {"Body": StreamingBody(io.BytesIO(content), len(content))}


@pytest.mark.parametrize(
    ("capture", "state"),
    [
        (
            {"CurrentSamplingPercentage": 25},
            CaptureState(enabled=True, sampling_percentage=25, configuration="e-1a2b"),
        ),
        (
            {"CaptureStatus": "Stopped"},
            CaptureState(enabled=False, sampling_percentage=100, configuration="e-1a2b"),
        ),
        (
            {"EnableCapture": False},
            CaptureState(enabled=False, sampling_percentage=100, configuration="e-1a2b"),
        ),
        ({}, CaptureState(enabled=False, sampling_percentage=0, configuration="e-1a2b")),
    ],
)
def test_an_endpoint_says_whether_it_captures(
    aws: Stubbed, capture: dict[str, Any], state: CaptureState
) -> None:
    aws.answer("sagemaker", "describe_endpoint", endpoint(**capture), {"EndpointName": "e"})

    assert monitoring.capture_state(aws.connection, "e") == state


def test_an_endpoint_names_its_variants(aws: Stubbed) -> None:
    variants = {"ProductionVariants": [{"VariantName": "blue"}, {"VariantName": "green"}]}
    aws.answer("sagemaker", "describe_endpoint", endpoint() | variants)

    assert monitoring.capture_state(aws.connection, "e").variants == ("blue", "green")


def test_versions_come_newest_first(aws: Stubbed) -> None:
    arn = aws.connection.settings.state_machine_arn
    versions = [
        {"stateMachineVersionArn": f"{arn}:2", "creationDate": AT.replace(hour=13)},
        {"stateMachineVersionArn": f"{arn}:1", "creationDate": AT.replace(hour=9)},
    ]
    aws.answer("stepfunctions", "list_state_machine_versions", {"stateMachineVersions": versions})
    aws.answer("sagemaker", "describe_endpoint", endpoint(EnableCapture=True))

    found = monitoring.deployed_versions(aws.connection, "e")

    assert [version.name for version in found] == [
        "state machine version 2",
        "endpoint configuration e-1a2b",
        "state machine version 1",
    ]


def test_a_version_lasts_until_the_next_of_its_kind(aws: Stubbed) -> None:
    arn = aws.connection.settings.state_machine_arn
    versions = [
        {"stateMachineVersionArn": f"{arn}:{n}", "creationDate": AT.replace(hour=8 + n)}
        for n in (3, 2, 1)
    ]
    aws.answer("stepfunctions", "list_state_machine_versions", {"stateMachineVersions": versions})
    aws.answer("sagemaker", "describe_endpoint", endpoint(EnableCapture=True))

    found = monitoring.deployed_versions(aws.connection, "e")

    spans = {version.name: version.span for version in found}
    assert spans["state machine version 1"] == Span(AT.replace(hour=9), AT.replace(hour=10))
    assert spans["state machine version 3"] == Span(AT.replace(hour=11), None)
    assert all("AWS keeps no" in version.unknown for version in found)


def configuration(name: str, hour: int) -> dict[str, Any]:
    return {
        "EndpointConfigName": name,
        "EndpointConfigArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint-config/{name}",
        "CreationTime": AT.replace(hour=hour),
    }


def test_earlier_configurations_are_those_of_our_names_that_are_still_there(aws: Stubbed) -> None:
    prefix = aws.connection.settings.prefix
    first, second, present = (f"{prefix}-{digit * 12}" for digit in "abc")
    aws.answer("stepfunctions", "list_state_machine_versions", {"stateMachineVersions": []})
    aws.answer("sagemaker", "describe_endpoint", {**endpoint(), "EndpointConfigName": present})
    listed = [
        configuration(f"{prefix}-{'d' * 12}", 13),  # made after the endpoint's last change
        configuration(present, 11),
        configuration(second, 9),
        configuration(f"{prefix}-other-{'e' * 12}", 8),
        configuration(first, 7),
    ]
    aws.answer("sagemaker", "list_endpoint_configs", {"EndpointConfigs": listed})

    found = monitoring.deployed_versions(aws.connection, "e")

    assert [(version.name.rpartition(" ")[2], version.span) for version in found] == [
        (present, Span(AT)),
        (second, Span(AT.replace(hour=9), AT.replace(hour=11))),
        (first, Span(AT.replace(hour=7), AT.replace(hour=9))),
    ]
    assert "not when an endpoint used it" in found[-1].unknown


def test_a_configuration_that_is_used_again_has_two_times(aws: Stubbed) -> None:
    prefix = aws.connection.settings.prefix
    first, second = (f"{prefix}-{digit * 12}" for digit in "ab")
    aws.answer("stepfunctions", "list_state_machine_versions", {"stateMachineVersions": []})
    aws.answer("sagemaker", "describe_endpoint", {**endpoint(), "EndpointConfigName": first})
    listed = [configuration(second, 9), configuration(first, 7)]
    aws.answer("sagemaker", "list_endpoint_configs", {"EndpointConfigs": listed})

    found = monitoring.deployed_versions(aws.connection, "e")

    assert [(version.name, version.span) for version in found] == [
        (f"endpoint configuration {first}", Span(AT)),
        (f"endpoint configuration {second}", Span(AT.replace(hour=9), AT)),
        (
            f"first use of endpoint configuration {first}",
            Span(AT.replace(hour=7), AT.replace(hour=9)),
        ),
    ]
    assert "It is used again" in found[0].unknown
    assert "Whether an older one was used again" in found[1].unknown


def test_a_version_is_made_at_a_time_that_the_next_one_does_not_change(aws: Stubbed) -> None:
    prefix = aws.connection.settings.prefix
    first, second = (f"{prefix}-{digit * 12}" for digit in "ab")
    made = {}
    for present, listed in (
        (first, [configuration(first, 7)]),
        (second, [configuration(second, 9), configuration(first, 7)]),
    ):
        aws.answer("stepfunctions", "list_state_machine_versions", {"stateMachineVersions": []})
        aws.answer("sagemaker", "describe_endpoint", {**endpoint(), "EndpointConfigName": present})
        aws.answer("sagemaker", "list_endpoint_configs", {"EndpointConfigs": listed})
        found = monitoring.deployed_versions(aws.connection, "e")
        made[present] = {version.name: version.made for version in found}

    assert made[first].items() < made[second].items()


def schedule() -> dict[str, Any]:
    return {
        "MonitoringScheduleName": "daily",
        "MonitoringScheduleArn": "arn:aws:sagemaker:us-east-1:123456789012:monitoring-schedule/d",
        "CreationTime": AT,
        "LastModifiedTime": AT,
        "MonitoringScheduleStatus": "Scheduled",
        "EndpointName": "e",
        "MonitoringType": "DataQuality",
    }


def run(status: str) -> dict[str, Any]:
    return {
        "MonitoringScheduleName": "daily",
        "ScheduledTime": AT,
        "CreationTime": AT,
        "LastModifiedTime": AT,
        "MonitoringExecutionStatus": status,
        "ProcessingJobArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:processing-job/job-1",
    }


def test_a_schedule_comes_with_the_violations_of_its_last_run(aws: Stubbed) -> None:
    violations = (ConstraintViolation("confidence", "baseline_drift_check", "far"),)
    aws.answer(
        "sagemaker", "list_monitoring_schedules", {"MonitoringScheduleSummaries": [schedule()]}
    )
    aws.answer(
        "sagemaker",
        "list_monitoring_executions",
        {"MonitoringExecutionSummaries": [run("CompletedWithViolations")]},
    )
    output = {
        "OutputName": "result",
        "S3Output": {
            "S3Uri": "s3://b/reports/",
            "LocalPath": "/opt/ml/processing/output",
            "S3UploadMode": "Continuous",
        },
    }
    aws.answer(
        "sagemaker",
        "describe_processing_job",
        {
            "ProcessingJobName": "job-1",
            "ProcessingJobArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:processing-job/job-1",
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.m5.xlarge",
                    "VolumeSizeInGB": 20,
                }
            },
            "AppSpecification": {"ImageUri": "image"},
            "ProcessingJobStatus": "Completed",
            "CreationTime": AT,
            "ProcessingOutputConfig": {"Outputs": [output]},
        },
        {"ProcessingJobName": "job-1"},
    )
    aws.answer(
        "s3",
        "get_object",
        body(encode_violations(violations)),
        {"Bucket": "b", "Key": "reports/constraint_violations.json"},
    )

    (found,) = monitoring.list_schedules(aws.connection, "e")

    assert (found.name, found.kind, found.status) == ("daily", "DataQuality", "Scheduled")
    assert found.last_run == AT
    assert found.violations == violations


@pytest.mark.parametrize("runs", [[], [run("Completed")]])
def test_a_schedule_without_violations_reads_no_report(
    aws: Stubbed, runs: list[dict[str, Any]]
) -> None:
    aws.answer(
        "sagemaker", "list_monitoring_schedules", {"MonitoringScheduleSummaries": [schedule()]}
    )
    aws.answer("sagemaker", "list_monitoring_executions", {"MonitoringExecutionSummaries": runs})

    assert monitoring.list_schedules(aws.connection, "e")[0].violations == ()


def test_why_a_run_failed_is_told(aws: Stubbed) -> None:
    aws.answer(
        "sagemaker", "list_monitoring_schedules", {"MonitoringScheduleSummaries": [schedule()]}
    )
    failed = run("Failed") | {"FailureReason": "AlgorithmError: no captures in the hour"}
    aws.answer(
        "sagemaker", "list_monitoring_executions", {"MonitoringExecutionSummaries": [failed]}
    )

    (found,) = monitoring.list_schedules(aws.connection, "e")

    assert found.problems == ("Its last run failed: AlgorithmError: no captures in the hour",)
    assert (found.last_status, found.violations) == ("Failed", ())


def test_a_report_that_is_missing_hides_no_other_schedule(aws: Stubbed) -> None:
    second = schedule() | {"MonitoringScheduleName": "weekly"}
    aws.answer(
        "sagemaker",
        "list_monitoring_schedules",
        {"MonitoringScheduleSummaries": [schedule(), second]},
    )
    aws.refuse("sagemaker", "list_monitoring_executions", "ThrottlingException")
    aws.answer(
        "sagemaker",
        "list_monitoring_executions",
        {"MonitoringExecutionSummaries": [run("Completed")]},
    )

    first, other = monitoring.list_schedules(aws.connection, "e")

    assert len(first.problems) == 1
    assert (other.name, other.last_status, other.problems) == ("weekly", "Completed", ())


def test_an_account_without_model_monitor_is_an_error_of_its_own_code(aws: Stubbed) -> None:
    aws.refuse("sagemaker", "list_monitoring_schedules", "AccessDeniedException")

    with pytest.raises(WorkflowError) as caught:
        monitoring.list_schedules(aws.connection, "e")

    assert "AccessDenied" in caught.value.code


def test_a_baseline_is_read_where_it_was_written(aws: Stubbed) -> None:
    written: dict[str, bytes] = {}
    aws.connection.client("s3").meta.events.register(
        "provide-client-params.s3.PutObject",
        lambda params, **_: written.update({params["Key"]: params["Body"]}),
    )
    aws.answer("s3", "put_object", {})
    aws.answer("s3", "put_object", {})

    folder = monitoring.write_baseline(aws.connection, STATISTICS, AT)
    for content in written.values():
        aws.answer("s3", "get_object", body(content))
    found = monitoring.read_baseline(aws.connection, f"{folder}/statistics.json")

    assert found.statistics == STATISTICS
    assert found.constraints is not None
    assert found.constraints.features[0].name == "confidence"
    assert found.name == f"the Model Monitor baseline in {folder}"


def test_constraints_may_be_absent(aws: Stubbed) -> None:
    aws.answer("s3", "get_object", body(b'{"features": []}'))
    aws.refuse("s3", "get_object", "NoSuchKey")

    assert monitoring.read_baseline(aws.connection, "s3://b/baseline/").constraints is None


def test_constraints_that_may_not_be_read_are_not_taken_for_absent(aws: Stubbed) -> None:
    aws.answer("s3", "get_object", body(b'{"features": []}'))
    aws.refuse("s3", "get_object", "AccessDenied")

    with pytest.raises(WorkflowError) as caught:
        monitoring.read_baseline(aws.connection, "s3://b/baseline")

    assert caught.value.code == "AccessDenied"


def test_an_address_outside_s3_is_refused(aws: Stubbed) -> None:
    with pytest.raises(WorkflowError) as caught:
        monitoring.read_baseline(aws.connection, "https://example.com/statistics.json")

    assert caught.value.code == "AddressInvalid"


def test_violations_are_written_under_the_moment(aws: Stubbed) -> None:
    bucket = aws.connection.settings.bucket
    key = "monitoring/2026/11/23/12-00-00/constraint_violations.json"
    expected = {
        "Bucket": bucket,
        "Key": key,
        "Body": b"{}",
        "ContentType": "application/json",
    }
    aws.answer("s3", "put_object", {}, expected)

    assert monitoring.write_violations(aws.connection, b"{}", AT) == f"s3://{bucket}/{key}"
