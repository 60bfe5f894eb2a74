"""The edge to workflows of others: state machines, functions, endpoints and what they lead to.

Everything here only reads. What may not be read is left out and named in ``refused``, so that a
reader with few permissions still gets the rest. Sources: API references of Step Functions, Lambda,
IAM and SageMaker.
"""

import io
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from workflow.discovery import (
    EndpointRecord,
    FunctionRecord,
    Guess,
    called_functions,
    described,
    endpoints_named,
    guess_endpoint,
)
from workflow.errors import WorkflowError
from workflow.known_errors import is_denial
from workflow.monitoring import CapturePlace
from workflow.role_advice import RoleRecord
from workflow.watched import WatchedWorkflow

T = TypeVar("T")

MOST_MACHINES: Final = 5_000
MOST_ENDPOINTS: Final = 50
_DAY: Final = timedelta(hours=24)
_COUNTED: Final = 100
"""Failures that are counted of a state machine; more are said to be "100 or more"."""

_MOST_CODE_BYTES: Final = 5 << 20
_CODE_SECONDS: Final = 10
_SOURCES: Final = (".py", ".js", ".mjs", ".ts")


@dataclass(frozen=True, slots=True)
class ListedMachine:
    """A state machine of the region; ``express`` ones keep no executions to list."""

    name: str
    arn: str
    created_at: datetime
    express: bool


@dataclass(frozen=True, slots=True)
class MachineHealth:
    """How a state machine does.

    Attributes:
        last_started: When its last execution started; None before the first.
        failures: Executions that failed or timed out within 24 hours; rejections are among them.
        more: Whether there are more than were counted.
        gone: Whether there is no such state machine.
    """

    last_started: datetime | None
    failures: int
    more: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRecord:
    """A state machine with what it leads to.

    Attributes:
        definition: ASL as JSON text; empty where it may not be read.
        express: Whether it is of type EXPRESS.
        log_group: ARN of the log group that it writes to; empty where it writes to none.
        changed_at: When it was last changed; None where that is not known.
        role: ARN of its role.
        functions: Those that its tasks call, as far as they may be read.
        endpoints: Those of the region, likewise.
        roles: Those of the state machine and of the functions, likewise.
        refused: What may not be read, each once.
    """

    definition: str = ""
    express: bool = False
    log_group: str = ""
    changed_at: datetime | None = None
    role: str = ""
    functions: tuple[FunctionRecord, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    roles: tuple[RoleRecord, ...] = ()
    refused: tuple[WorkflowError, ...] = ()


def list_machines(cloud: Connection) -> tuple[ListedMachine, ...]:
    """List the state machines of the region by name, at most ``MOST_MACHINES``.

    Raises:
        WorkflowError: Under AWS's own code.
    """
    found: list[ListedMachine] = []
    with explained("states:ListStateMachines"):
        pages = cloud.client("stepfunctions").get_paginator("list_state_machines")
        for page in pages.paginate(PaginationConfig={"PageSize": 1000}):
            found += [
                ListedMachine(
                    one["name"], one["stateMachineArn"], one["creationDate"], _is_express(one)
                )
                for one in page["stateMachines"]
            ]
            if len(found) >= MOST_MACHINES:
                break
    return tuple(sorted(found, key=lambda one: one.name.lower()))


def machine_health(cloud: Connection, arn: str, now: datetime) -> MachineHealth:
    """Ask for the last execution of a state machine, and what failed in 24 hours; three calls.

    Raises:
        WorkflowError: Under AWS's own code.
    """
    try:
        newest = _list_executions(cloud, arn, maxResults=1)
    except WorkflowError as error:
        if error.code != "StateMachineDoesNotExist":
            raise
        return MachineHealth(None, 0, gone=True)
    failed: list[Mapping[str, Any]] = []
    # ListExecutions filters by one status a call.
    for status in ("FAILED", "TIMED_OUT"):
        failed += _list_executions(cloud, arn, maxResults=_COUNTED, statusFilter=status)
    recent = [one for one in failed if one["stopDate"] > now - _DAY]
    last = newest[0]["startDate"] if newest else None
    return MachineHealth(last, len(recent), more=len(recent) >= _COUNTED)


def list_endpoints(
    cloud: Connection,
) -> tuple[tuple[EndpointRecord, ...], tuple[WorkflowError, ...]]:
    """List the newest endpoints of the region with their data capture, and what may not be read.

    Raises:
        WorkflowError: Under AWS's own code, where they may not be listed.
    """
    refused = _Refused()
    return tuple(_listed_endpoints(cloud, refused)), refused.each_once()


def read_machine(cloud: Connection, workflow: WatchedWorkflow) -> MachineRecord:
    """Read a state machine and all that it leads to.

    Raises:
        WorkflowError: Under AWS's own code, where the state machine does not exist.
    """
    arn, refused = workflow.state_machine_arn, _Refused()
    machine: Mapping[str, Any] = {}
    if arn:
        machine = refused.read_or(lambda: _describe_machine(cloud, arn), machine, is_denial)
    definition = str(machine.get("definition", ""))
    nothing: tuple[EndpointRecord, ...] = ()
    endpoints = refused.read_or(lambda: tuple(_listed_endpoints(cloud, refused)), nothing)
    names = called_functions(definition)
    functions = tuple(filter(None, (_describe_function(cloud, name, refused) for name in names)))
    # Code and policies take calls and a download: read only where nothing else tells.
    if functions and guess_endpoint(definition, functions, ()) is None:
        functions = tuple(_search_function(cloud, one, endpoints, refused) for one in functions)
    endpoints = _add_guessed(
        cloud, endpoints, guess_endpoint(definition, functions, endpoints), refused
    )
    destinations = machine.get("loggingConfiguration", {}).get("destinations", [])
    roles = dict.fromkeys([str(machine.get("roleArn", "")), *(one.role for one in functions)])
    groups = [one.get("cloudWatchLogsLogGroup", {}).get("logGroupArn", "") for one in destinations]
    return MachineRecord(
        definition=definition,
        express=_is_express(machine),
        log_group=next(iter(groups), ""),
        changed_at=machine.get("updateDate", machine.get("creationDate")),
        role=str(machine.get("roleArn", "")),
        functions=functions,
        endpoints=endpoints,
        roles=tuple(filter(None, (_describe_role(cloud, role, refused) for role in roles))),
        refused=refused.each_once(),
    )


def describe_workflow(cloud: Connection, workflow: WatchedWorkflow) -> WatchedWorkflow:
    """Return a workflow with everything that can be found of it.

    Raises:
        WorkflowError: As ``read_machine``.
    """
    found = read_machine(cloud, workflow)
    known = described(workflow, found.definition, found.functions, found.endpoints)
    return replace(known, express=found.express)


class _Refused:
    """Collects what may not be read."""

    def __init__(self) -> None:
        self._errors: list[WorkflowError] = []

    def read_or(
        self, read: Callable[[], T], otherwise: T, left_out: Callable[[str], bool] = lambda _: True
    ) -> T:
        try:
            return read()
        except WorkflowError as error:
            if not left_out(error.code):
                raise
            self._errors.append(error)
            return otherwise

    def each_once(self) -> tuple[WorkflowError, ...]:
        return tuple({error.message: error for error in self._errors}.values())


def _is_express(machine: Mapping[str, Any]) -> bool:
    return machine.get("type") == "EXPRESS"


def _list_executions(cloud: Connection, arn: str, **asked: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - boto3's
    client = cloud.client("stepfunctions")
    with explained("states:ListExecutions", arn):
        answer = cloud.pacer.call(
            "ListExecutions", lambda: client.list_executions(stateMachineArn=arn, **asked)
        )
    return list(answer["executions"])


def _describe_machine(cloud: Connection, arn: str) -> Mapping[str, Any]:
    with explained("states:DescribeStateMachine", arn):
        found: Mapping[str, Any] = cloud.client("stepfunctions").describe_state_machine(
            stateMachineArn=arn
        )
    return found


def _listed_endpoints(cloud: Connection, refused: "_Refused") -> Iterator[EndpointRecord]:
    with explained("sagemaker:ListEndpoints"):
        listed = cloud.client("sagemaker").list_endpoints(
            SortBy="CreationTime", SortOrder="Descending", MaxResults=MOST_ENDPOINTS
        )
    for one in listed["Endpoints"]:
        yield _describe_endpoint(cloud, one["EndpointName"], refused)


def _describe_endpoint(cloud: Connection, name: str, refused: "_Refused") -> EndpointRecord:
    """Return an endpoint, with as much of it as may be read."""
    sagemaker = cloud.client("sagemaker")

    def tell() -> Mapping[str, Any]:
        with explained("sagemaker:DescribeEndpoint", name):
            return dict(sagemaker.describe_endpoint(EndpointName=name))

    def configure() -> Mapping[str, Any]:
        with explained("sagemaker:DescribeEndpointConfig", configuration):
            return dict(sagemaker.describe_endpoint_config(EndpointConfigName=configuration))

    nothing: Mapping[str, Any] = {}
    told = refused.read_or(tell, nothing)
    configuration = str(told.get("EndpointConfigName", ""))
    configured = refused.read_or(configure, nothing) if configuration else nothing
    # What the endpoint does now comes before what its configuration asked for.
    capture = {**configured.get("DataCaptureConfig", {}), **told.get("DataCaptureConfig", {})}
    bucket, _, prefix = (
        str(capture.get("DestinationS3Uri", "")).removeprefix("s3://").partition("/")
    )
    share = capture.get("CurrentSamplingPercentage", capture.get("InitialSamplingPercentage", 0))
    types = capture.get("CaptureContentTypeHeader", {})
    return EndpointRecord(
        name=name,
        status=str(told.get("EndpointStatus", "")),
        captures=CapturePlace(bucket, prefix.strip("/"), name) if bucket else None,
        capturing=bool(bucket) and bool(capture.get("EnableCapture", True)),
        sampling_percentage=float(share),
        keeps_text=bool(types),
        variants=tuple(one["VariantName"] for one in told.get("ProductionVariants", ())),
        configuration=configuration,
    )


def _add_guessed(
    cloud: Connection,
    endpoints: tuple[EndpointRecord, ...],
    guess: Guess | None,
    refused: _Refused,
) -> tuple[EndpointRecord, ...]:
    """Return the endpoints, and the one that was guessed where it was not among them."""
    if guess is None or any(one.name == guess.value for one in endpoints):
        return endpoints
    found = _describe_endpoint(cloud, guess.value, refused)
    return (*endpoints, found) if found.status else endpoints


def _describe_function(cloud: Connection, name: str, refused: _Refused) -> FunctionRecord | None:
    def read() -> Mapping[str, Any]:
        with explained("lambda:GetFunctionConfiguration", name):
            answer: Mapping[str, Any] = cloud.client("lambda").get_function_configuration(
                FunctionName=name
            )
            return answer

    nothing: Mapping[str, Any] = {}
    found = refused.read_or(read, nothing)
    if not found:
        return None
    return FunctionRecord(
        name=name,
        runtime=str(found.get("Runtime", "")),
        last_modified=str(found.get("LastModified", "")),
        role=str(found.get("Role", "")),
        timeout_s=int(found.get("Timeout", 0)),
        variables=found.get("Environment", {}).get("Variables", {}),
    )


def _search_function(
    cloud: Connection,
    function: FunctionRecord,
    endpoints: Iterable[EndpointRecord],
    refused: _Refused,
) -> FunctionRecord:
    """Return a function with the endpoints that its code names and the policies of its role."""
    known = [one.name for one in endpoints]
    code = refused.read_or(lambda: _read_code(cloud, function.name), b"") if known else b""
    none: tuple[str, ...] = ()
    policies = refused.read_or(lambda: tuple(_iterate_policies(cloud, function.role)), none)
    return replace(function, code_endpoints=endpoints_named(code, known), policies=policies)


def _read_code(cloud: Connection, name: str) -> bytes:
    """Return the source files of a function, joined; nothing where they cannot be had."""
    with explained("lambda:GetFunction", name):
        found = cloud.client("lambda").get_function(FunctionName=name)
    url = str(found.get("Code", {}).get("Location", ""))
    size = int(found.get("Configuration", {}).get("CodeSize", 0))
    if not url.startswith(("http://", "https://")) or size > _MOST_CODE_BYTES:
        return b""
    try:
        with urllib.request.urlopen(url, timeout=_CODE_SECONDS) as answer:  # noqa: S310 - a presigned address of AWS
            packed = zipfile.ZipFile(io.BytesIO(answer.read(_MOST_CODE_BYTES)))
            names = [one for one in packed.namelist() if one.endswith(_SOURCES)]
            return b"\n".join(packed.read(one) for one in names[:50])
    except (urllib.error.URLError, OSError, zipfile.BadZipFile):
        return b""  # the guess is then made without it


def _describe_role(cloud: Connection, arn: str, refused: _Refused) -> RoleRecord | None:
    name = arn.rpartition("/")[2]

    def read() -> RoleRecord:
        with explained("iam:ListAttachedRolePolicies", name):
            pages = cloud.client("iam").get_paginator("list_attached_role_policies")
            found = [
                one for page in pages.paginate(RoleName=name) for one in page["AttachedPolicies"]
            ]
        return RoleRecord(name, tuple(one["PolicyArn"] for one in found))

    return refused.read_or(read, None) if name else None


def _iterate_policies(cloud: Connection, role: str) -> Iterator[str]:
    """Yield the documents of a role's inline policies, as JSON text."""
    name = role.rpartition("/")[2]
    if not name:
        return
    iam = cloud.client("iam")
    with explained("iam:ListRolePolicies", name):
        inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    for policy in inline:
        with explained("iam:GetRolePolicy", name):
            found = iam.get_role_policy(RoleName=name, PolicyName=policy)
        yield json.dumps(found["PolicyDocument"])
