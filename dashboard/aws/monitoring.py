"""The edge to an endpoint's monitoring: its data capture, its versions, Model Monitor's schedules.

Model Monitor is closed to new customers: an account without it answers with an error or with
nothing, which is no failure of ours and is told as a sentence.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from dashboard.aws.cloud import Connection
from dashboard.aws.configurations import read_configurations
from dashboard.aws.errors import explained
from workflow.baselines import (
    decode_constraints,
    decode_statistics,
    decode_violations,
    encode_constraints,
    encode_statistics,
)
from workflow.errors import WorkflowError
from workflow.feature_statistics import (
    Baseline,
    ConstraintViolation,
    Statistics,
    suggest_constraints,
)
from workflow.monitoring import CaptureState, DeployedVersion, Schedule
from workflow.spans import Span

_SCHEDULES: Final = 20  # of an endpoint; more would not be read by anybody
_VERSIONS: Final = 50
_FAILED: Final = "Failed"
_ROLLBACKS: Final = (
    "It is taken to have served from its publication until that of the next version: AWS keeps no"
    " record of a rollback, nor of when an alias shifted its traffic."
)
_EARLIER: Final = (
    "It may have served from its creation until that of the next configuration: AWS tells when it"
    " was created, not when an endpoint used it. Whether an older one was used again in that time,"
    " nothing tells."
)
_PRESENT: Final = (
    "It has served since the endpoint's last change at the latest. AWS keeps no list of what an"
    " endpoint served before: earlier configurations are known only where they still exist, and a"
    " deployment of this project retains the ten created last."
)
_AGAIN: Final = "It is used again: others were created after it, and its first use is listed apart."
VIOLATIONS_FILE: Final = "constraint_violations.json"


def capture_state(cloud: Connection, endpoint: str) -> CaptureState:
    """Return what the endpoint says of its data capture.

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
        configuration=described["EndpointConfigName"],
    )


def deployed_versions(cloud: Connection, endpoint: str) -> tuple[DeployedVersion, ...]:
    """List versions of the state machine and configurations of the endpoint, newest first.

    Each lasts until the next one of its kind. AWS keeps no history of either: a rollback and a
    shift of traffic leave no trace in a version, and an endpoint tells only its present
    configuration. Earlier ones are those of our own names that still exist: a deployment retains
    ten. One that is used again has two times where it is the present one; where yet another took
    its place, only its first time is known, and the one between seems to last until that other.

    Raises:
        WorkflowError: Under AWS's code where there is no permission.
    """
    found = [*_state_machine_versions(cloud), *_list_configurations(cloud, endpoint)]
    return tuple(sorted(found, key=lambda version: version.at, reverse=True))


def _state_machine_versions(cloud: Connection) -> Iterable[DeployedVersion]:
    arn = cloud.watched.state_machine_arn
    with explained("states:ListStateMachineVersions", arn):
        listed = cloud.client("stepfunctions").list_state_machine_versions(
            stateMachineArn=arn, maxResults=_VERSIONS
        )
    dated = [
        (
            version["creationDate"],
            f"state machine version {version['stateMachineVersionArn'].rpartition(':')[2]}",
        )
        for version in listed["stateMachineVersions"]
    ]
    return _in_turn(dated, _ROLLBACKS)


def _list_configurations(cloud: Connection, endpoint: str) -> Iterable[DeployedVersion]:
    *earlier, present = read_configurations(cloud, endpoint).served()
    for one in earlier:
        name = f"endpoint configuration {one.name}"
        yield DeployedVersion(
            f"first use of {name}" if one.again else name, one.made, one.span, _EARLIER
        )
    yield DeployedVersion(
        f"endpoint configuration {present.name}",
        present.made,
        present.span,
        f"{_PRESENT} {_AGAIN}" if present.again else _PRESENT,
    )


def _in_turn(dated: Iterable[tuple[datetime, str]], unknown: str) -> Iterable[DeployedVersion]:
    until: datetime | None = None
    for at, name in sorted(dated, reverse=True):
        yield DeployedVersion(name, at, Span(at, until), unknown)
        until = at


def list_schedules(cloud: Connection, endpoint: str) -> tuple[Schedule, ...]:
    """Return the endpoint's monitoring schedules, each with the violations of its last execution.

    What cannot be read of one of them is one of its problems, and hides nothing of the others.

    Raises:
        WorkflowError: Under AWS's code; ``AccessDenied`` and ``ValidationException`` are what
            accounts without Model Monitor answer.
    """
    sagemaker = cloud.client("sagemaker")
    with explained("sagemaker:ListMonitoringSchedules", endpoint):
        listed = sagemaker.list_monitoring_schedules(
            EndpointName=endpoint, MaxResults=_SCHEDULES, SortBy="CreationTime"
        )
    return tuple(
        _read_schedule(cloud, summary) for summary in listed["MonitoringScheduleSummaries"]
    )


def _read_schedule(cloud: Connection, summary: dict[str, Any]) -> Schedule:
    name, status = summary["MonitoringScheduleName"], summary["MonitoringScheduleStatus"]
    problems: list[str] = []
    with _keep_problem(problems):
        if status == _FAILED:
            problems += _failure_sentences("The schedule", _describe_schedule(cloud, name))
    last: dict[str, Any] = {}
    with _keep_problem(problems):
        last = _last_run(cloud, name)
    problems += _failure_sentences("Its last run", last)
    violations: list[ConstraintViolation] = []
    with _keep_problem(problems):
        for uri in _list_reports(cloud, last):
            with _keep_problem(problems):
                violations += decode_violations(_read_object(cloud, uri), source=uri)
    return Schedule(
        name=name,
        kind=summary.get("MonitoringType", "DataQuality"),
        status=status,
        last_run=last.get("ScheduledTime"),
        last_status=last.get("MonitoringExecutionStatus", ""),
        violations=tuple(violations),
        problems=tuple(problems),
    )


@contextmanager
def _keep_problem(problems: list[str]) -> Iterator[None]:
    """Keep what goes wrong as a sentence."""
    try:
        yield
    except WorkflowError as error:
        problems.append(f"{error.message} {error.remedy}")


def _failure_sentences(what: str, said: Mapping[str, Any]) -> list[str]:
    reason = said.get("FailureReason")
    return [f"{what} failed: {reason}"] if reason else []


def _describe_schedule(cloud: Connection, name: str) -> Mapping[str, Any]:
    with explained("sagemaker:DescribeMonitoringSchedule", name):
        found = cloud.client("sagemaker").describe_monitoring_schedule(MonitoringScheduleName=name)
    return dict(found)


def _last_run(cloud: Connection, name: str) -> dict[str, Any]:
    with explained("sagemaker:ListMonitoringExecutions", name):
        runs = cloud.client("sagemaker").list_monitoring_executions(
            MonitoringScheduleName=name,
            MaxResults=1,
            SortBy="ScheduledTime",
            SortOrder="Descending",
        )["MonitoringExecutionSummaries"]
    return dict(runs[0]) if runs else {}


def _list_reports(cloud: Connection, run: Mapping[str, Any]) -> list[str]:
    """Return the addresses of the violations that a run reported."""
    job = run.get("ProcessingJobArn")
    if not job or run.get("MonitoringExecutionStatus") != "CompletedWithViolations":
        return []
    with explained("sagemaker:DescribeProcessingJob", job):
        described = cloud.client("sagemaker").describe_processing_job(
            ProcessingJobName=job.rpartition("/")[2]
        )
    outputs = described["ProcessingOutputConfig"]["Outputs"]
    folders = [output["S3Output"]["S3Uri"] for output in outputs if "S3Output" in output]
    return [f"{folder.rstrip('/')}/{VIOLATIONS_FILE}" for folder in folders]


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
        _read_object(cloud, f"{folder}/statistics.json"), source=f"{folder}/statistics.json"
    )
    source = f"{folder}/constraints.json"
    try:
        constraints = decode_constraints(_read_object(cloud, source), source=source)
    except WorkflowError as error:
        # Constraints are optional: a baseline of statistics alone can be compared with.
        if error.code != "NoSuchKey":
            raise
        constraints = None
    return Baseline(f"the Model Monitor baseline in {folder}", statistics, constraints)


def write_violations(cloud: Connection, content: bytes, now: datetime) -> str:
    """Write ``constraint_violations.json`` below the workflow's bucket; its address.

    Raises:
        WorkflowError: Under AWS's code.
    """
    bucket = cloud.watched.bucket
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
    bucket = cloud.watched.bucket
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


def _read_object(cloud: Connection, uri: str) -> bytes:
    address = urlsplit(uri)
    if address.scheme != "s3" or not address.netloc:
        raise WorkflowError(
            "AddressInvalid",
            f"{uri!r} is not an address in S3.",
            "Give the folder of a statistics.json as s3://bucket/prefix.",
        )
    with explained("s3:GetObject", uri):
        answer = cloud.client("s3").get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))
        return bytes(answer["Body"].read())
