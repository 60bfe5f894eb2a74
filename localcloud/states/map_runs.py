"""Map Runs: the runs of distributed Maps, what may change of them, and their child executions.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeMapRun.html. Counts come
from the child executions that are kept, so they are right after a restart, too.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from localcloud.errors import AwsError
from localcloud.service import now
from localcloud.states.history import AT_ONCE, Event, Flow, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from localcloud.states.executions import Execution, Executions
    from localcloud.store import Store

_LOOK_SECONDS = 0.2
_PERCENT = 100
_ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")

Record = dict[str, Any]


@dataclass(slots=True)
class Limits:
    """What UpdateMapRun may change; None for what the definition does not say.

    Attributes:
        concurrency: How many child executions may run at once; 0 for as many as there can be.
        count: How many items may fail.
        percentage: Which share of the items may fail.
    """

    concurrency: int = 0
    count: int | None = None
    percentage: float | None = None

    def tolerate(self, failed: int, total: int) -> bool:
        """Return whether so many failed items of so many are tolerated."""
        if self.count is None and self.percentage is None:
            return failed == 0
        few = self.count is None or failed <= self.count
        return few and (self.percentage is None or failed * _PERCENT <= self.percentage * total)


@dataclass(slots=True, kw_only=True)
class MapRun:
    """A Map Run that is running.

    Attributes:
        arn: Its ARN.
        execution_arn: The execution that it is part of.
        label: ``machine/label``, the last part of its state machine's ARN.
        express: Whether its children are express executions, which keep no history.
        processor: The machine that its children run.
        role_arn: The role that they run under.
        total: How many children there are.
        items: How many items.
        redrives: How often it was redriven.
        limits: What may change meanwhile.
        failed: How many items have failed.
        over: Whether more failed than is tolerated.
    """

    arn: str
    execution_arn: str
    label: str
    express: bool
    processor: Mapping[str, Any]
    role_arn: str
    total: int
    items: int
    redrives: int
    limits: Limits
    failed: int = 0
    over: bool = False
    _running: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def machine_arn(self) -> str:
        """The state machine of its children."""
        return f"{self._account}:stateMachine:{self.label}"

    def child_arn(self, name: str) -> str:
        """Return the ARN of a child."""
        return f"{self._account}:execution:{self.label}:{name}"

    @property
    def _account(self) -> str:
        return self.execution_arn.partition(":execution:")[0]

    @contextmanager
    def wait_for_slot(self, flow: Flow) -> Iterator[None]:
        """Wait until one more child may run, and let it.

        Raises:
            Stopped: The flow was stopped meanwhile.
        """
        with self._changed:
            while self._running >= (self.limits.concurrency or AT_ONCE):
                # Briefly: neither a stop of the flow nor UpdateMapRun notifies this condition.
                self._changed.wait(_LOOK_SECONDS)
                if flow.stopped:
                    raise Stopped
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify()

    def count_failures(self, items: int) -> None:
        """Count items that failed; no child begins after more than are tolerated."""
        with self._changed:
            self.failed += items
            self.over = not self.limits.tolerate(self.failed, self.items)


class MapRunKeeper(Protocol):
    """Who keeps Map Runs and their children for those who ask."""

    def begin_run(self, run: MapRun) -> None:
        """Keep a Map Run that starts, or is redriven."""

    def end_run(self, run: MapRun, status: str, *, written: bool) -> None:
        """Keep how a Map Run ended, and whether its results were written."""

    def begin_child(
        self, run: MapRun, name: str, data: str, items: int
    ) -> tuple[Execution, int, Callable[[Event], None]]:
        """Keep a child that starts: its record, id of its last event, and what takes events."""

    def end_child(self, child: Execution) -> None:
        """Keep how a child ended."""

    def list_children(self, run: MapRun) -> Sequence[Execution]:
        """Return the children that were begun."""


class MapRuns:
    """The Map Runs of a cloud; see ``MapRunKeeper``."""

    def __init__(self, store: Store, executions: Executions) -> None:
        self._store = store
        self._records = store.load_table("states.map_run")
        self._executions = executions
        self._live: dict[str, MapRun] = {}

    def begin_run(self, run: MapRun) -> None:
        """Keep a Map Run; see ``MapRunKeeper``."""
        self._live[run.arn] = run
        # A redriven Map Run keeps the start and the definition of its first run.
        record = self._records.get(run.arn) or {
            "arn": run.arn,
            "execution": run.execution_arn,
            "machine": run.machine_arn,
            "start": now(),
            "definition": self._store.put_blob(json.dumps(run.processor).encode()),
        }
        changed: Record = {
            "status": "RUNNING",
            "stop": None,
            "written": 0,
            "redrives": run.redrives,
        }
        if run.redrives:
            changed["redrive_date"] = now()
        counts = {"total": run.total, "items": run.items}
        self._records[run.arn] = {**record, **changed, **counts, **_limits_record(run.limits)}

    def end_run(self, run: MapRun, status: str, *, written: bool) -> None:
        """Keep how a Map Run ended; see ``MapRunKeeper``."""
        self._end_record(run.arn, status=status, stop=now(), written=int(written))

    def abort_runs(self, execution_arn: str) -> None:
        """End the Map Runs, and their children, of an execution that has ended."""
        for record in self._records_of(execution_arn):
            stopped = now()
            if self._end_record(record["arn"], status="ABORTED", stop=stopped):
                self._executions.abort_children(record["arn"], stopped)

    def _end_record(self, arn: str, **ended: str | float) -> bool:
        """Keep how a Map Run ended; return whether it was still running."""
        self._live.pop(arn, None)
        with self._store.locked():  # an abort and the last child may come at the same moment
            record = self._records[arn]
            if record["status"] != "RUNNING":
                return False
            self._records[arn] = {**record, **ended}
        return True

    def begin_child(
        self, run: MapRun, name: str, data: str, items: int
    ) -> tuple[Execution, int, Callable[[Event], None]]:
        """Keep a child that starts; see ``MapRunKeeper``."""
        arn = run.child_arn(name)
        before = self._executions.find(arn)
        # Express children keep no history, hence no last event either.
        last = 0 if before is None or run.express else self._executions.last_event_id(arn)
        child = {
            "arn": arn,
            "machine": run.machine_arn,
            "version": None,
            "alias": None,
            "name": name,
            "status": "RUNNING",
            "start": now() if before is None else before["start"],
            "stop": None,
            "redrives": 0 if before is None else before["redrives"] + 1,
            "map_run": run.arn,
            "items": items,
            "body": {
                "input": data,
                "definition": self._records[run.arn]["definition"],
                "role": run.role_arn,
                "machine_name": run.label,
                "machine_type": "EXPRESS" if run.express else "STANDARD",
                "revision": None,
                "variables": {},
                "tokens": {},
                **({} if before is None else {"redrive_date": now()}),
            },
        }
        self._executions.save(child)

        def write(event: Event) -> None:
            if not run.express:
                self._executions.write_event(arn, event)

        return child, last, write

    def end_child(self, child: Execution) -> None:
        """Keep how a child ended; see ``MapRunKeeper``."""
        self._executions.end_child(child)

    def list_children(self, run: MapRun) -> Sequence[Execution]:
        """Return the children that were begun; see ``MapRunKeeper``."""
        return self._executions.list_children(run.arn)

    # -- what the operations ask ---------------------------------------------------------------

    def get(self, arn: str) -> Record:
        """Return the record of a Map Run.

        Raises:
            AwsError: ``ResourceNotFound``.
        """
        record = self._records.get(arn)
        if record is None:
            raise AwsError("ResourceNotFound", f"Resource not found: '{arn}'")
        return record

    def list_runs(self, execution_arn: str) -> list[Record]:
        """Return the Map Runs of an execution as ListMapRuns gives them, newest first."""
        found = sorted(self._records_of(execution_arn), key=lambda one: one["start"], reverse=True)
        return [_summarize_record(record) for record in found]

    def describe_run(self, arn: str) -> Record:
        """Return a Map Run as DescribeMapRun gives it."""
        record = self.get(arn)
        counts = self._executions.child_counts(arn)
        described = {
            "mapRunArn": arn,
            "executionArn": record["execution"],
            "status": record["status"],
            "startDate": record["start"],
            "maxConcurrency": record["concurrency"],
            "toleratedFailureCount": record["count"] or 0,
            "toleratedFailurePercentage": record["percentage"] or 0.0,
            "executionCounts": _count_children(
                record, "total", {s: n for s, (n, _) in counts.items()}
            ),
            "itemCounts": _count_children(record, "items", {s: n for s, (_, n) in counts.items()}),
            "redriveCount": record["redrives"],
        }
        dates = {"stopDate": record["stop"], "redriveDate": record.get("redrive_date")}
        return described | {key: value for key, value in dates.items() if value is not None}

    def change_limits(self, arn: str, given: Mapping[str, Any]) -> None:
        """Change a Map Run that is running, as UpdateMapRun does.

        Raises:
            AwsError: ``ResourceNotFound``, or ``ValidationException`` where it has ended.
        """
        record = self.get(arn)
        run = self._live.get(arn)
        if run is None:
            text = f"Map Run is not running and cannot be updated: '{arn}'"
            raise AwsError("ValidationException", text)
        names = {
            "maxConcurrency": "concurrency",
            "toleratedFailureCount": "count",
            "toleratedFailurePercentage": "percentage",
        }
        for theirs, ours in names.items():
            if theirs in given:
                setattr(run.limits, ours, given[theirs])
        self._records[arn] = {**record, **_limits_record(run.limits)}

    def _records_of(self, execution_arn: str) -> list[Record]:
        return [one for one in self._records.values() if one["execution"] == execution_arn]


class UnkeptMapRuns:
    """Map Runs of a run that nobody looks at afterwards, such as the test of a state."""

    def begin_run(self, run: MapRun) -> None:
        """Keep nothing."""

    def end_run(self, run: MapRun, status: str, *, written: bool) -> None:
        """Keep nothing."""

    def begin_child(
        self, run: MapRun, name: str, data: str, items: int
    ) -> tuple[Execution, int, Callable[[Event], None]]:
        """Return a child that is not kept."""
        child = {
            "arn": run.child_arn(name),
            "name": name,
            "start": now(),
            "redrives": 0,
            "items": items,
        }
        return {**child, "body": {"input": data}}, 0, lambda _event: None

    def end_child(self, child: Execution) -> None:
        """Keep nothing."""

    def list_children(self, run: MapRun) -> Sequence[Execution]:
        """Return none: none was kept."""
        del run
        return ()


def _limits_record(limits: Limits) -> Record:
    return {
        "concurrency": limits.concurrency,
        "count": limits.count,
        "percentage": limits.percentage,
    }


def _summarize_record(record: Record) -> Record:
    listed = {
        "executionArn": record["execution"],
        "mapRunArn": record["arn"],
        "stateMachineArn": record["machine"],
        "startDate": record["start"],
    }
    return listed if record["stop"] is None else {**listed, "stopDate": record["stop"]}


def _count_children(record: Record, total: str, found: Mapping[str, int]) -> Record:
    ended = sum(found.get(status, 0) for status in _ENDED)
    running = found.get("RUNNING", 0)
    over = record["status"] in ("FAILED", "ABORTED")
    failed = sum(found.get(status, 0) for status in ("FAILED", "TIMED_OUT", "ABORTED"))
    return {
        "total": record[total],
        "succeeded": found.get("SUCCEEDED", 0),
        "failed": found.get("FAILED", 0),
        "timedOut": found.get("TIMED_OUT", 0),
        "aborted": found.get("ABORTED", 0),
        "running": running,
        "pending": record[total] - ended - running,
        "resultsWritten": ended if record["written"] else 0,
        "failuresNotRedrivable": 0 if over else failed,
        "pendingRedrive": 0,
    }
