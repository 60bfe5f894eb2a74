"""A Step Functions in memory, on a clock of its own, with AWS's quotas: for tests and benchmarks.

It answers like a boto3 client, in the shapes that botocore's model gives, and refuses like AWS. The
buckets are its own, so a caller that paces itself wrongly is throttled.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

REGION = "us-east-1"
MACHINE = f"arn:aws:states:{REGION}:123456789012:stateMachine:scones-unlimited-dev"
EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
CAPACITY = {
    "ListExecutions": (200, 5),
    "DescribeExecution": (300, 15),
    "GetExecutionHistory": (400, 20),
    "StartExecution": (1300, 300),
    "RedriveExecution": (1300, 300),
}


class Clock:
    """Time that passes only when somebody sleeps, or a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        """Seconds passed."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds

    def now(self) -> datetime:
        """Return the time of day."""
        return EPOCH + timedelta(days=20, seconds=self.seconds)


def refusal(operation: str, code: str, message: str = "refused") -> ClientError:
    """Return what boto3 raises when AWS refuses."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def arn_of(name: str) -> str:
    """Return the ARN of an execution by its name."""
    return MACHINE.replace(":stateMachine:", ":execution:") + f":{name}"


class SimulatedStates:
    """Executions as dictionaries in DescribeExecution's shape, histories as lists of events.

    Attributes:
        calls: How often each operation was asked, throttled or not.
        refusals: Error code by operation: every call of it is refused.
        latency: Seconds that each call takes.
    """

    def __init__(self, clock: Clock, *, quotas: bool = True, latency: float = 0.0) -> None:
        self.clock = clock
        self.executions: dict[str, dict[str, Any]] = {}
        self.histories: dict[str, list[dict[str, Any]]] = {}
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.refusals: dict[str, str] = {}
        self.redrives: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()
        self.unredrivable: set[str] = set()
        self.latency = latency
        self._quotas = quotas
        self._tokens: dict[str, tuple[float, float]] = {}
        self._client_tokens: dict[str, tuple[str, float]] = {}
        self._newest: list[dict[str, Any]] | None = None

    def add(
        self,
        name: str,
        *,
        started: float = 0.0,
        status: str = "SUCCEEDED",
        history: list[dict[str, Any]] | None = None,
        **fields: object,
    ) -> str:
        """Put an execution there that started so many seconds after ``EPOCH``."""
        begun = EPOCH + timedelta(seconds=started)
        ended = None if status == "RUNNING" else begun + timedelta(seconds=2)
        execution = {
            "executionArn": arn_of(name),
            "stateMachineArn": MACHINE,
            "stateMachineVersionArn": f"{MACHINE}:1",
            "name": name,
            "status": status,
            "startDate": begun,
            "stopDate": ended,
            "redriveCount": 0,
            "input": '{"s3_bucket":"b","s3_key":"images/1.png"}',
        }
        self.executions[arn_of(name)] = execution | fields
        self.histories[arn_of(name)] = history if history is not None else []
        self._newest = None
        return arn_of(name)

    def list_executions(
        self,
        *,
        stateMachineArn: str,  # noqa: N803 - boto3's spelling
        maxResults: int = 100,  # noqa: N803
        nextToken: str | None = None,  # noqa: N803
        statusFilter: str | None = None,  # noqa: N803
        redriveFilter: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        """ListExecutions."""
        self._admit("ListExecutions")
        if stateMachineArn != MACHINE:
            raise refusal("ListExecutions", "StateMachineDoesNotExist")
        rows = self._sorted()
        if statusFilter:
            rows = [row for row in rows if row["status"] == statusFilter]
        if redriveFilter:
            rows = [
                row
                for row in rows
                if (row["redriveCount"] > 0) == (redriveFilter != "NOT_REDRIVEN")
            ]
        left = len(rows) if nextToken is None else int(nextToken)
        begin = len(rows) - left
        page = rows[begin : begin + maxResults]
        answer: dict[str, Any] = {"executions": [_listed(row) for row in page]}
        if left > maxResults:
            answer["nextToken"] = str(left - maxResults)
        return answer

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        """DescribeExecution."""
        self._admit("DescribeExecution")
        return dict(self._find("DescribeExecution", executionArn))

    def get_execution_history(
        self,
        *,
        executionArn: str,  # noqa: N803
        maxResults: int = 100,  # noqa: N803
        nextToken: str | None = None,  # noqa: N803
        reverseOrder: bool = False,  # noqa: N803
    ) -> dict[str, Any]:
        """GetExecutionHistory."""
        self._admit("GetExecutionHistory")
        self._find("GetExecutionHistory", executionArn)
        events = self.histories[executionArn]
        if reverseOrder:
            events = events[::-1]
        begin = int(nextToken or 0)
        answer: dict[str, Any] = {"events": events[begin : begin + maxResults]}
        if begin + maxResults < len(events):
            answer["nextToken"] = str(begin + maxResults)
        return answer

    def redrive_execution(
        self,
        *,
        executionArn: str,  # noqa: N803
        clientToken: str,  # noqa: N803
    ) -> dict[str, Any]:
        """RedriveExecution."""
        self._admit("RedriveExecution")
        execution = self._find("RedriveExecution", executionArn)
        asked, at = self._client_tokens.get(clientToken, ("", -1e9))
        if asked == executionArn and self.clock.seconds - at < 15 * 60:
            return {"redriveDate": execution["redriveDate"]}
        if executionArn in self.unredrivable or execution["status"] in ("RUNNING", "SUCCEEDED"):
            raise refusal(
                "RedriveExecution", "ExecutionNotRedrivable", "Execution is not redrivable"
            )
        self._client_tokens[clientToken] = (executionArn, self.clock.seconds)
        execution["redriveCount"] += 1
        execution["redriveDate"] = self.clock.now()
        execution["status"] = "RUNNING"
        execution["stopDate"] = None
        execution.pop("error", None)
        execution.pop("cause", None)
        self.redrives[executionArn] += 1
        return {"redriveDate": execution["redriveDate"]}

    def start_execution(
        self,
        *,
        stateMachineArn: str,  # noqa: N803
        name: str,
        input: str,  # noqa: A002 - boto3's spelling
    ) -> dict[str, Any]:
        """StartExecution."""
        self._admit("StartExecution")
        if not stateMachineArn.startswith(MACHINE):
            raise refusal("StartExecution", "StateMachineDoesNotExist")
        if (arn := arn_of(name)) in self.executions:
            existing = self.executions[arn]
            if existing["status"] != "RUNNING" or existing["input"] != input:
                raise refusal(
                    "StartExecution", "ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'"
                )
        else:
            seconds = (self.clock.now() - EPOCH).total_seconds()
            self.add(name, started=seconds, status="RUNNING", input=input)
            self.starts[arn] += 1
        return {"executionArn": arn, "startDate": self.executions[arn]["startDate"]}

    def finish(self, arn: str, status: str = "SUCCEEDED", **fields: object) -> None:
        """Let a running execution end now."""
        self.executions[arn] |= {"status": status, "stopDate": self.clock.now()} | fields

    def _sorted(self) -> list[dict[str, Any]]:
        if self._newest is None:
            self._newest = sorted(
                self.executions.values(), key=lambda row: row["startDate"], reverse=True
            )
        return self._newest

    def _find(self, operation: str, arn: str) -> dict[str, Any]:
        if arn not in self.executions:
            raise refusal(operation, "ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return self.executions[arn]

    def _admit(self, operation: str) -> None:
        self.calls[operation] += 1
        self.clock.sleep(self.latency)
        if code := self.refusals.get(operation):
            raise refusal(operation, code)
        if not self._quotas:
            return
        capacity, refill = CAPACITY[operation]
        tokens, at = self._tokens.get(operation, (float(capacity), self.clock.seconds))
        tokens = min(capacity, tokens + (self.clock.seconds - at) * refill)
        if tokens < 1 - 1e-9:
            self.throttled[operation] += 1
            self._tokens[operation] = (tokens, self.clock.seconds)
            raise refusal(operation, "ThrottlingException", "Rate exceeded")
        self._tokens[operation] = (tokens - 1, self.clock.seconds)


_LISTED = [
    "executionArn",
    "stateMachineArn",
    "stateMachineVersionArn",
    "stateMachineAliasArn",
    "name",
    "status",
    "startDate",
    "stopDate",
    "redriveCount",
    "redriveDate",
]


def _listed(execution: Mapping[str, Any]) -> dict[str, Any]:
    return {key: execution[key] for key in _LISTED if execution.get(key) is not None}


def failed_history(
    *,
    state: str = "ClassifyImage",
    error: str = "EndpointUnavailable",
    cause: str = '{"errorMessage": "The endpoint does not answer."}',
    began: datetime = EPOCH,
    image: str = "images/1.png",
) -> list[dict[str, Any]]:
    """GetExecutionHistory's events of a one-state execution that failed in that state."""
    entered = f'{{"s3_bucket":"b","s3_key":"{image}"}}'
    moments = [began + timedelta(milliseconds=20 * step) for step in range(6)]
    failure = {"error": error, "cause": cause}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("ExecutionStarted", {"executionStartedEventDetails": {"input": entered}}),
        ("TaskStateEntered", {"stateEnteredEventDetails": {"name": state, "input": entered}}),
        (
            "TaskScheduled",
            {
                "taskScheduledEventDetails": {
                    "resourceType": "lambda",
                    "resource": "invoke",
                    "region": REGION,
                    "parameters": "{}",
                }
            },
        ),
        (
            "TaskStarted",
            {"taskStartedEventDetails": {"resourceType": "lambda", "resource": "invoke"}},
        ),
        (
            "TaskFailed",
            {"taskFailedEventDetails": {"resourceType": "lambda", "resource": "invoke"} | failure},
        ),
        ("ExecutionFailed", {"executionFailedEventDetails": failure}),
    ]
    return [
        {"id": at + 1, "previousEventId": at, "type": kind, "timestamp": moments[at]} | details
        for at, (kind, details) in enumerate(bodies)
    ]
