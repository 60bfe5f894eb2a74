"""The edge to an endpoint's monitoring: its data capture, its versions, Model Monitor's schedules.

Model Monitor is closed to new customers: an account without it answers with an error or with
nothing, which is no failure of ours and is told as a sentence.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from workflow.baselines import (
    Baseline,
    ConstraintViolation,
    Statistics,
    decode_constraints,
    decode_statistics,
    decode_violations,
    encode_constraints,
    encode_statistics,
    suggest_constraints,
)
from workflow.errors import WorkflowError
from workflow.monitoring import CaptureState, DeployedVersion, Schedule

_SCHEDULES: Final = 20  # of an endpoint; more would not be read by anybody
_VERSIONS: Final = 50
VIOLATIONS_FILE: Final = "constraint_violations.json"


def capture_state(cloud: Connection, endpoint: str) -> CaptureState:
    """What the endpoint says of its data capture.

    Raises:
        WorkflowError: Under AWS's code where there is no such endpoint or no permission.
    """
    with explained("sagemaker:DescribeEndpoint", endpoint):
        described = cloud.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    capture = described.get("DataCaptureConfig", {})
    on = capture.get("EnableCapture", False) and capture.get("CaptureStatus") != "Stopped"
    return CaptureState(
        enabled=bool(on),
        sampling_percentage=float(capture.get("CurrentSamplingPercentage", 0)),
        variants=tuple(v["VariantName"] for v in described.get("ProductionVariants", ())),
    )


def deployed_versions(cloud: Connection, endpoint: str) -> tuple[DeployedVersion, ...]:
    """Versions of the state machine and changes of the endpoint, newest first.

    Raises:
        WorkflowError: Under AWS's code where there is no permission.
    """
    arn = cloud.settings.state_machine_arn
    with explained("states:ListStateMachineVersions", arn):
        listed = cloud.client("stepfunctions").list_state_machine_versions(
            stateMachineArn=arn, maxResults=_VERSIONS
        )
    found = [
        DeployedVersion(
            f"state machine version {version['stateMachineVersionArn'].rpartition(':')[2]}",
            version["creationDate"],
        )
        for version in listed["stateMachineVersions"]
    ]
    with explained("sagemaker:DescribeEndpoint", endpoint):
        described = cloud.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    found.append(
        DeployedVersion(
            f"endpoint configuration {described['EndpointConfigName']}",
            described["LastModifiedTime"],
        )
    )
    return tuple(sorted(found, key=lambda version: version.at, reverse=True))


def schedules(cloud: Connection, endpoint: str) -> tuple[Schedule, ...]:
    """The endpoint's monitoring schedules, each with the violations of its last execution.

    Raises:
        WorkflowError: Under AWS's code; ``AccessDenied`` and ``ValidationException`` are what
            accounts without Model Monitor answer.
    """
    sagemaker = cloud.client("sagemaker")
    with explained("sagemaker:ListMonitoringSchedules", endpoint):
        listed = sagemaker.list_monitoring_schedules(
            EndpointName=endpoint, MaxResults=_SCHEDULES, SortBy="CreationTime"
        )
    return tuple(_schedule(cloud, summary) for summary in listed["MonitoringScheduleSummaries"])


def _schedule(cloud: Connection, summary: dict[str, Any]) -> Schedule:
    name = summary["MonitoringScheduleName"]
    with explained("sagemaker:ListMonitoringExecutions", name):
        runs = cloud.client("sagemaker").list_monitoring_executions(
            MonitoringScheduleName=name,
            MaxResults=1,
            SortBy="ScheduledTime",
            SortOrder="Descending",
        )["MonitoringExecutionSummaries"]
    last = runs[0] if runs else {}
    return Schedule(
        name=name,
        kind=summary.get("MonitoringType", "DataQuality"),
        status=summary["MonitoringScheduleStatus"],
        last_run=last.get("ScheduledTime"),
        last_status=last.get("MonitoringExecutionStatus", ""),
        violations=tuple(_violations(cloud, last)),
    )


def _violations(cloud: Connection, run: dict[str, Any]) -> Iterable[ConstraintViolation]:
    job = run.get("ProcessingJobArn")
    if not job or run["MonitoringExecutionStatus"] != "CompletedWithViolations":
        return ()
    with explained("sagemaker:DescribeProcessingJob", job):
        described = cloud.client("sagemaker").describe_processing_job(
            ProcessingJobName=job.rpartition("/")[2]
        )
    outputs = described["ProcessingOutputConfig"]["Outputs"]
    found: list[ConstraintViolation] = []
    for output in outputs:
        uri = f"{output['S3Output']['S3Uri'].rstrip('/')}/{VIOLATIONS_FILE}"
        found.extend(decode_violations(_read(cloud, uri), source=uri))
    return found


def read_baseline(cloud: Connection, uri: str) -> Baseline:
    """Read a baseline of Model Monitor: ``statistics.json``, and ``constraints.json`` beside it.

    Args:
        cloud: Where to read.
        uri: ``s3://bucket/prefix`` or the address of the ``statistics.json`` itself.

    Raises:
        WorkflowError: ``AddressInvalid``, ``BaselineUnreadable``, or AWS's code.
    """
    folder = uri.strip().removesuffix("statistics.json").rstrip("/")
    statistics = decode_statistics(
        _read(cloud, f"{folder}/statistics.json"), source=f"{folder}/statistics.json"
    )
    source = f"{folder}/constraints.json"
    try:
        constraints = decode_constraints(_read(cloud, source), source=source)
    except WorkflowError as error:
        if error.code != "NoSuchKey":
            raise
        constraints = None
    return Baseline(f"the Model Monitor baseline in {folder}", statistics, constraints)


def write_violations(cloud: Connection, content: bytes, now: datetime) -> str:
    """Write ``constraint_violations.json`` below the workflow's bucket; its address.

    Raises:
        WorkflowError: Under AWS's code.
    """
    bucket = cloud.settings.bucket
    key = f"monitoring/{now:%Y/%m/%d/%H-%M-%S}/{VIOLATIONS_FILE}"
    with explained("s3:PutObject", f"s3://{bucket}/{key}"):
        cloud.client("s3").put_object(
            Bucket=bucket, Key=key, Body=content, ContentType="application/json"
        )
    return f"s3://{bucket}/{key}"


def write_baseline(cloud: Connection, statistics: Statistics, now: datetime) -> str:
    """Write ``statistics.json`` and the ``constraints.json`` they suggest; their folder.

    Raises:
        WorkflowError: Under AWS's code.
    """
    bucket = cloud.settings.bucket
    folder = f"monitoring/baselines/{now:%Y-%m-%dT%H-%M-%S}"
    files = {
        "statistics.json": encode_statistics(statistics),
        "constraints.json": encode_constraints(suggest_constraints(statistics)),
    }
    for name, content in files.items():
        key = f"{folder}/{name}"
        with explained("s3:PutObject", f"s3://{bucket}/{key}"):
            cloud.client("s3").put_object(
                Bucket=bucket, Key=key, Body=content, ContentType="application/json"
            )
    return f"s3://{bucket}/{folder}"


def _read(cloud: Connection, uri: str) -> bytes:
    address = urlsplit(uri)
    if address.scheme != "s3" or not address.netloc:
        raise WorkflowError(
            "AddressInvalid",
            f"{uri!r} is no address in S3.",
            "Give the folder of a statistics.json as s3://bucket/prefix.",
        )
    with explained("s3:GetObject", uri):
        answer = cloud.client("s3").get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))
        return bytes(answer["Body"].read())
