"""Repairs in bulk: redrive or restart many executions once each, whatever happens in between.

The plan of a run is written to S3 before anything is done, the results as they come. A run that is
stopped or killed is resumed from what has no result yet, by any dashboard. Nothing is done twice:

- before each item AWS is asked where the execution stands, and one redriven since the plan was
  made is left alone;
- a redrive carries a ``clientToken`` made of run and execution, idempotent for 15 minutes;
- a restart has a name made of run and execution, and AWS takes a name once.

No more executions are under way at once than Lambda has room for: a repair that is throttled would
only fail again.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dashboard.aws.errors import explained
from dashboard.aws.executions import VISIBLE_SECONDS, ExecutionReader
from dashboard.aws.write_once import create_once
from dashboard.failures.canary import check_canary
from dashboard.failures.notes import TRIAGE_PREFIX
from dashboard.failures.repair_plan import (
    ItemResult,
    ItemStatus,
    RepairItem,
    RepairPlan,
    RepairRun,
    client_token,
)
from workflow.errors import WorkflowError
from workflow.known_errors import passes_by_itself
from workflow.redrive import RedriveAction

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_stepfunctions import SFNClient

T = TypeVar("T")

REPAIRS_PREFIX = f"{TRIAGE_PREFIX}repairs/"
BATCH = 16
"""Items whose results are written together: so many are looked at again after a kill."""

_AT_ONCE = 8
_MORE_TRIES = 2
"""How often an item is tried again after the pacer has given up asking for it."""

_PAUSE_SECONDS = 1.0
"""Between two looks at what is under way: DescribeExecution refills 10 to 15 times a second."""
_REFUSES_ONE = frozenset(
    {
        "ExecutionDoesNotExist",
        "ExecutionNotRedrivable",
        "InvalidExecutionInput",
        "ValidationException",
    }
)
"""Codes that are about one item; any other would refuse the next one likewise."""


class RepairLog:
    """Plans and results in S3; objects once read are never read again.

    Args:
        client: A boto3 ``s3`` client.
        bucket: The workflow's bucket.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._bodies: dict[str, bytes] = {}

    def add_plan(self, plan: RepairPlan) -> None:
        """Write a plan, before anything of it is done.

        Raises:
            WorkflowError: AWS's own code; nothing was written then.
        """
        key = f"{REPAIRS_PREFIX}{plan.id}/plan.json"
        create_once(self._client, self._bucket, key, msgspec.json.encode(plan))

    def add_results(self, plan: RepairPlan, results: tuple[ItemResult, ...]) -> None:
        """Write results, beside those there are.

        Raises:
            WorkflowError: AWS's own code; nothing was written then.
        """
        # Named after its first item: a batch that is written twice is one object.
        key = f"{REPAIRS_PREFIX}{plan.id}/results/{client_token(plan.id, results[0].arn)}.json"
        create_once(self._client, self._bucket, key, msgspec.json.encode(results))

    def read_runs(self) -> tuple[RepairRun, ...]:
        """Return every run, the newest first.

        Raises:
            WorkflowError: AWS's own code, where listing or reading is refused;
                ``RepairUnreadable``.
        """
        keys = self._read_new()
        plans = [key for key in keys if key.endswith("/plan.json")]
        return tuple(self._read_run(key, keys) for key in sorted(plans, reverse=True))

    def read_restarts(self) -> dict[str, str]:
        """Return the ARN of the execution that restarts another, by that other's ARN."""
        return {
            result.arn: result.started
            # The oldest first, so that of several restarts the newest is what remains.
            for run in reversed(self.read_runs())
            for result in run.results.values()
            if result.started
        }

    def _read_run(self, plan_key: str, keys: list[str]) -> RepairRun:
        folder = plan_key.removesuffix("plan.json") + "results/"
        batches = [
            self._decode_object(key, tuple[ItemResult, ...])
            for key in keys
            if key.startswith(folder)
        ]
        return RepairRun(
            plan=self._decode_object(plan_key, RepairPlan),
            results={result.arn: result for batch in batches for result in batch},
        )

    def _decode_object(self, key: str, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(self._bodies[key], type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WorkflowError(
                "RepairUnreadable",
                f"The object {key} in {self._bucket} is damaged: {error}.",
                "Move it elsewhere: the other repairs are shown then.",
            ) from error

    def _read_new(self) -> list[str]:
        with explained("s3:ListObjectsV2", f"s3://{self._bucket}/{REPAIRS_PREFIX}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=REPAIRS_PREFIX
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
            unread = [key for key in keys if key not in self._bodies]
            # Objects never change: only those not read yet are fetched, and at once.
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                self._bodies |= dict(zip(unread, pool.map(self._fetch_object, unread), strict=True))
        return keys

    def _fetch_object(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()


def _repaired_arn(result: ItemResult) -> str | None:
    """Return the ARN of the execution that a result says was set going, if any."""
    if result.status is ItemStatus.REDRIVEN:
        return result.arn
    return result.started


class Repairer:
    """Does what a plan says.

    Args:
        client: A boto3 ``stepfunctions`` client that does not retry.
        states: Reads where an execution stands.
        log: Where plan and results are kept.
        most: How many executions may be under way at once (``concurrency.repairs_at_once``).
        now: The time, aware UTC.
        pause: Sleeps a number of seconds.
    """

    def __init__(
        self,
        client: "SFNClient",
        states: ExecutionReader,
        log: RepairLog,
        *,
        most: int,
        now: Callable[[], datetime],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._states = states
        self._log = log
        self._most = most
        self._now = now
        self._pause = pause

    def run(
        self, run: RepairRun, *, stopped: Callable[[], bool] = lambda: False
    ) -> Generator[ItemResult, None, None]:
        """Work off what is pending, yielding each result once it is in S3.

        Args:
            run: The plan with the results there are; for a new plan, none.
            stopped: Asked between batches, and while a batch waits for room.

        Raises:
            WorkflowError: What would refuse every item alike, such as a missing permission, or
                ``CanaryFailed``. Items without a result are pending still.
        """
        # A resumed run may have left executions under way: they take up room as well.
        latest = sorted(run.results.values(), key=lambda result: result.at)[-self._most :]
        under_way = deque(filter(_repaired_arn, latest))
        first = {item.arn for item in run.plan.items[: run.plan.canary]}
        tried = [result for arn, result in run.results.items() if arn in first]
        others = [item for item in run.pending if item.arn not in first]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="repair") as pool:

            def work(items: Iterable[RepairItem]) -> Iterator[ItemResult]:
                return self._repair_pending(pool, run.plan, deque(items), under_way, stopped)

            for result in work(item for item in run.pending if item.arn in first):
                tried.append(result)
                yield result
            # Stopped in the middle of the canary, the others must wait for a later run.
            if len(tried) == len(first) and (
                not others or self._wait_for_canary(run.plan, tried, stopped)
            ):
                yield from work(others)

    def _wait_for_canary(
        self, plan: RepairPlan, tried: Iterable[ItemResult], stopped: Callable[[], bool]
    ) -> bool:
        """Wait for the ends of those tried first; whether the others may follow.

        Raises:
            WorkflowError: ``CanaryFailed`` where one has failed again.
        """
        before = {item.arn: item.redrive_count for item in plan.items}
        ended = []
        for result in filter(_repaired_arn, tried):
            # A redrive is shown late: the old FAILED must not count as the end of the canary.
            while self._is_running(result) or not self._shows_redrive(result, before[result.arn]):
                if stopped():
                    return False
                self._pause(_PAUSE_SECONDS)
            ended.append(self._states.describe(_repaired_arn(result) or ""))
        check_canary(ended)
        return not stopped()

    def _shows_redrive(self, result: ItemResult, redrives: int) -> bool:
        """Return whether AWS shows a redrive; DescribeExecution is eventually consistent."""
        if result.status is not ItemStatus.REDRIVEN:
            return True
        shown = self._states.describe(result.arn).redrive_count > redrives
        return shown or (self._now() - result.at).total_seconds() >= VISIBLE_SECONDS

    def _repair_pending(
        self,
        pool: ThreadPoolExecutor,
        plan: RepairPlan,
        pending: deque[RepairItem],
        under_way: deque[ItemResult],
        stopped: Callable[[], bool],
    ) -> Iterator[ItemResult]:
        """Work off items in batches, as many at once as there is room."""
        while pending:
            room = self._wait_for_room(under_way, stopped)
            if not room:
                return
            batch = [pending.popleft() for _ in range(min(room, BATCH, len(pending)))]
            # All of them, also after a refusal: what was set going must be recorded.
            answers = list(pool.map(lambda item: self._repair_insistently(plan, item), batch))
            results = tuple(one for one in answers if isinstance(one, ItemResult))
            if results:
                # Before an error is raised below: these executions run already.
                self._log.add_results(plan, results)
            under_way.extend(filter(_repaired_arn, results))
            yield from results
            for one in answers:
                if isinstance(one, WorkflowError):
                    raise one

    def _wait_for_room(self, under_way: deque[ItemResult], stopped: Callable[[], bool]) -> int:
        """Wait until another execution may run; gives how many, or 0 once stopped.

        Those that have ended leave ``under_way``. They are looked at in turn, until one has: the
        quota of DescribeExecution is shared with the whole account.
        """
        looked_at = 0
        while not stopped():
            if len(under_way) < self._most:
                return self._most - len(under_way)
            result = under_way.popleft()
            if self._is_running(result):
                under_way.append(result)
            looked_at += 1
            if looked_at % self._most == 0:
                self._pause(_PAUSE_SECONDS)
        return 0

    def _is_running(self, result: ItemResult) -> bool:
        try:
            return not self._states.describe(_repaired_arn(result) or "").status.ended
        except WorkflowError as error:
            if error.code not in _REFUSES_ONE:
                raise
            # Not visible yet where it was just started, else deleted meanwhile.
            return (self._now() - result.at).total_seconds() < VISIBLE_SECONDS

    def _repair_insistently(self, plan: RepairPlan, item: RepairItem) -> ItemResult | WorkflowError:
        """Repair an item, again where the error passes by itself: all of it may be done twice."""
        answer = self._repair_or_error(plan, item)
        for _ in range(_MORE_TRIES):
            if isinstance(answer, ItemResult) or not passes_by_itself(answer.code):
                break
            answer = self._repair_or_error(plan, item)
        return answer

    def _repair_or_error(self, plan: RepairPlan, item: RepairItem) -> ItemResult | WorkflowError:
        try:
            return self._repair_item(plan, item)
        except WorkflowError as error:
            if error.code not in _REFUSES_ONE:
                return error
            message = f"{error.message} {error.remedy}"
            return self._build_result(item, ItemStatus.REFUSED, message=message)

    def _repair_item(self, plan: RepairPlan, item: RepairItem) -> ItemResult:
        execution = self._states.describe(item.arn)
        # Somebody, or an earlier try of ours, has redriven it since the plan was made.
        if execution.redrive_count > item.redrive_count:
            return self._build_result(item, ItemStatus.ALREADY)
        if item.action is RedriveAction.REDRIVE:
            # With the token a repeated call does nothing (API reference, "RedriveExecution").
            token = client_token(plan.id, item.arn)
            request = {"executionArn": item.arn, "clientToken": token}
            self._call_paced(
                "RedriveExecution", lambda: self._client.redrive_execution(**request), item.arn
            )
            return self._build_result(item, ItemStatus.REDRIVEN)
        if execution.input is None:
            message = "AWS no longer has its input, so it cannot be started again."
            return self._build_result(item, ItemStatus.REFUSED, message=message)
        started = self._restart_execution(plan, item.arn, execution.input)
        return self._build_result(item, ItemStatus.RESTARTED, started=started)

    def _restart_execution(self, plan: RepairPlan, arn: str, text: str) -> str:
        name = f"restart-{client_token(plan.id, arn)}"
        request = {"stateMachineArn": plan.target, "name": name, "input": text}
        try:
            answer = self._call_paced(
                "StartExecution", lambda: self._client.start_execution(**request), arn
            )
        except WorkflowError as error:
            # That is an earlier try whose answer was lost: the name comes from plan and item.
            if error.code != "ExecutionAlreadyExists":
                raise
            return f"{arn.rpartition(':')[0]}:{name}"
        return str(answer["executionArn"])

    def _call_paced(
        self, operation: str, request: Callable[[], Any], arn: str
    ) -> Mapping[str, Any]:
        with explained(f"states:{operation}", arn):
            answer: Mapping[str, Any] = self._states.pacer.call(operation, request)
            return answer

    def _build_result(
        self,
        item: RepairItem,
        status: ItemStatus,
        *,
        message: str = "",
        started: str | None = None,
    ) -> ItemResult:
        return ItemResult(
            arn=item.arn, status=status, at=self._now(), message=message, started=started
        )
