"""Step Functions' read side: paced calls that answer in the workflow's own records."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from dashboard.aws.errors import explained
from dashboard.aws.quotas import Pacer
from workflow.errors import WorkflowError
from workflow.executions import Execution, HistoryEvent, Status, parse_event, parse_execution

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

PAGE = 1000
"""The most that ListExecutions and GetExecutionHistory give at once."""

VISIBLE_SECONDS = 15.0
"""How long after its start an execution may not be found: reads of AWS lag behind its starts."""

# The pacer repeats what is throttled. Were botocore to repeat it too, calls would go uncounted.
UNREPEATED = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=32)
"""For clients whose calls are paced; timeouts are those of the session."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of ListExecutions, newest start first; ``token`` is None on the last one."""

    executions: tuple[Execution, ...]
    token: str | None


class ExecutionReader:
    """Reads the executions of one state machine.

    Every method raises ``WorkflowError``: AWS's own code, or ``Throttled``.

    Args:
        client: A boto3 ``stepfunctions`` client that does not retry.
        pacer: Shared by everything that reads in this account and region.
        state_machine_arn: Without version or alias, so that executions of all of them are listed.
    """

    def __init__(self, client: "SFNClient", pacer: Pacer, state_machine_arn: str) -> None:
        self._client = client
        self.pacer = pacer
        self.state_machine_arn = state_machine_arn

    def list_page(
        self, token: str | None = None, *, status: Status | None = None, redriven: bool = False
    ) -> Page:
        """List up to 1,000 executions; one call.

        Args:
            token: From the page before, given with the same filters.
            status: Only executions of this status.
            redriven: Only executions that were redriven at least once.
        """
        request: dict[str, Any] = {"stateMachineArn": self.state_machine_arn, "maxResults": PAGE}
        request |= {"nextToken": token} if token else {}
        request |= {"statusFilter": status.value} if status else {}
        request |= {"redriveFilter": "REDRIVEN"} if redriven else {}
        answer = self._call_paced(
            "ListExecutions",
            lambda: self._client.list_executions(**request),
            self.state_machine_arn,
        )
        executions = tuple(parse_execution(item) for item in answer["executions"])
        return Page(executions, answer.get("nextToken"))

    def describe(self, arn: str) -> Execution:
        """Read one execution with input, output, error and cause; one call."""
        return parse_execution(
            self._call_paced(
                "DescribeExecution",
                lambda: self._client.describe_execution(executionArn=arn),
                arn,
            )
        )

    def read_history(self, arn: str) -> tuple[Mapping[str, Any], ...]:
        """Return every event of an execution, oldest first, as AWS gives them; 1,000 a call."""
        return tuple(self._read_events(arn))

    def read_definition(self, arn: str) -> str:
        """Return the definition that an execution runs, as JSON text; one call."""
        answer = self._call_paced(
            "DescribeStateMachineForExecution",
            lambda: self._client.describe_state_machine_for_execution(executionArn=arn),
            arn,
        )
        return str(answer["definition"])

    def current_definition(self) -> str:
        """Return the definition that a new execution would run, as JSON text; one call."""
        answer = self._call_paced(
            "DescribeStateMachine",
            lambda: self._client.describe_state_machine(stateMachineArn=self.state_machine_arn),
            self.state_machine_arn,
        )
        return str(answer["definition"])

    def live_version(self, alias_arn: str) -> str | None:
        """Return the version that an alias routes most starts to, None without alias; one call."""
        try:
            answer = self._call_paced(
                "DescribeStateMachineAlias",
                lambda: self._client.describe_state_machine_alias(stateMachineAliasArn=alias_arn),
                alias_arn,
            )
        except WorkflowError as error:
            if error.code != "ResourceNotFound":
                raise
            return None
        # During a canary an alias has two versions: most starts run the heavier one.
        heaviest = max(answer["routingConfiguration"], key=lambda route: int(route["weight"]))
        return str(heaviest["stateMachineVersionArn"]).rpartition(":")[2]

    def _read_events(self, arn: str) -> Iterator[Mapping[str, Any]]:
        request: dict[str, Any] = {"executionArn": arn, "maxResults": PAGE}
        while True:
            answer = self._call_paced(
                "GetExecutionHistory",
                lambda: self._client.get_execution_history(**request),
                arn,
            )
            yield from answer["events"]
            if "nextToken" not in answer:
                return
            request["nextToken"] = answer["nextToken"]

    def _call_paced(
        self, operation: str, request: Callable[[], Any], arn: str
    ) -> Mapping[str, Any]:
        with explained(f"states:{operation}", arn):
            answer: Mapping[str, Any] = self.pacer.call(operation, request)
            return answer


def open_reader(session: boto3.Session, pacer: Pacer, state_machine_arn: str) -> ExecutionReader:
    """Read executions through a session, with a client of its own that leaves retrying to us."""
    return ExecutionReader(
        session.client("stepfunctions", config=UNREPEATED), pacer, state_machine_arn
    )


def encode_events(events: tuple[Mapping[str, Any], ...]) -> bytes:
    """Encode events as JSON, to be stored; times become ISO 8601 text."""
    return json.dumps(events, default=_format_iso, separators=(",", ":")).encode()


def decode_events(data: bytes) -> tuple[HistoryEvent, ...]:
    """Decode events as ``encode_events`` stored them."""
    return tuple(parse_event(raw) for raw in json.loads(data))


def _format_iso(value: datetime) -> str:
    return value.isoformat()
