"""The feed: one thread of this process that keeps the store of executions in step with AWS."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import polars as pl

from dashboard.alerts.client import group_alerts, rejection_alert
from dashboard.alerts.outbox import AlertOutbox
from dashboard.aws.cloud import Connection
from dashboard.aws.executions import States, states
from dashboard.executions import tables as execution_tables
from dashboard.executions.events import EventQueue
from dashboard.executions.sync import ExecutionSync, stored_progress
from dashboard.failures import inbox as failure_inbox
from dashboard.failures.local_objects import LocalObjects
from dashboard.failures.notes import NoteLog, Notes
from dashboard.failures.redrives import RepairLog
from dashboard.failures.repair_plan import RepairRun
from dashboard.failures.team_notes import TeamNotes
from dashboard.shared.cloud_reads import STILL_WAITING, CloudReads
from dashboard.shared.jobs import Job
from dashboard.shared.store import SegmentStore
from workflow.errors import WorkflowError
from workflow.execution_rules import rules_of
from workflow.executions import Failure
from workflow.known_errors import is_denial
from workflow.triage import FailureGroup

if TYPE_CHECKING:
    from dashboard.executions.sync_progress import SyncProgress

T = TypeVar("T")

PASS_S = 10.0
"""A pass works so long on what is missing before it lists what is new."""

WATCHED_PAUSE_S = 3.0
SHARED_S = 3.0
"""Notes and repairs are read so often, whatever the number of pages that look."""

IDLE_PAUSE_S = 30.0
ALERT_EVERY_S = 60.0
ALERT_RETRY_S = 5.0
ALERT_LONGEST_S = 300.0
"""Alerts that SNS refuses are tried again after 5 s, 10 s, 20 s and so on up to this."""

IDLE_AFTER_S = 300.0
"""After so long without a page looking, passes are rarer; alerts still need them."""


class ExecutionFeed:
    """What pages read executions from.

    Of all processes that share a store, one syncs; the others read what it writes.

    Attributes:
        store: Keeps ``execution_tables.TABLES``.
        states: Reads executions, for a page that opens one.
        notes: What the team decided, and what this reader did where only reading is permitted.
        repairs: Bulk repairs, under way and done.
        denied: What may not be read of notes and repairs, by what it is.
        alert_problem: What kept alerts from being published, or None.
        progress: Of the last step of the sync, or as the store tells where another process syncs;
            None before the first.
    """

    def __init__(self, connection: Connection, root: Path) -> None:
        watched = connection.watched
        self.store = SegmentStore(root, execution_tables.TABLES)
        self.states: States = states(
            connection.session, connection.pacer, watched.state_machine_arn
        )
        cloud = connection.cloud
        here = root.parent / f"notes-{cloud.account}-{cloud.region}-{watched.store_name}"
        s3, local = connection.client("s3"), LocalObjects(here).as_client()
        shared = NoteLog(s3, watched.bucket) if watched.bucket else None
        self.notes = TeamNotes(shared, NoteLog(local, "local"))
        self.progress: SyncProgress | None = None
        self.repairs = (
            RepairLog(s3, watched.bucket) if watched.bucket else RepairLog(local, "local")
        )
        self.denied: dict[str, WorkflowError] = {}
        self.alert_problem: WorkflowError | None = None
        self._outbox = (
            AlertOutbox(s3, connection.client("sns"), watched.bucket, watched.topic_arn)
            if watched.topic_arn
            else None
        )
        self._alerts_version = 0
        self._alerts_due = float("-inf")
        self._alerts_failed = 0
        self._connection = connection
        self._closed = False
        self._rules = rules_of(watched)
        self._queue = EventQueue(connection.client("sqs"), watched.queue) if watched.queue else None
        self._watched_at = time.monotonic()
        self._wake = threading.Event()
        self._reread = threading.Event()
        self._reads = CloudReads()
        self._memory: dict[str, tuple[object, object]] = {}
        self._lock = threading.Lock()
        self._job: Job | None = None

    def listing(self) -> pl.DataFrame:
        """``execution_tables.listing``, read again only when the store has changed."""
        return self._remembered("listing", self.version, lambda: failure_inbox.listing(self.store))

    def visits(self) -> pl.DataFrame:
        """``execution_tables.VISITS``, likewise."""
        return self._remembered("visits", self.version, self.store.scan("visits").collect)

    def attempts(self) -> tuple[Failure, ...]:
        """Return the failure of every attempt that has one, the latest attempts last; likewise."""

        def read() -> tuple[Failure, ...]:
            found = execution_tables.failures(self.store.scan("failures"))
            return tuple(sorted(found, key=lambda one: one.attempt))

        return self._remembered("attempts", self.version, read)

    def failures(self) -> dict[str, Failure]:
        """Return the failure of the latest attempt of each execution that has one, likewise."""
        return self._remembered(
            "failures", self.version, lambda: {one.execution_arn: one for one in self.attempts()}
        )

    def inbox(self, now: datetime) -> tuple[FailureGroup, ...]:
        """Return the inbox, grouped again when the store, the notes or the minute have changed.

        As long as notes and repairs are still awaited, groups are shown without them.

        Raises:
            WorkflowError: AWS's own code, where notes or repairs cannot be read.
        """
        notes, restarts = self.read_notes().events, self.restarts()
        key = (self.version, len(notes), len(restarts), f"{now:%H%M}")

        def group() -> tuple[FailureGroup, ...]:
            return failure_inbox.inbox(self.attempts(), self.listing(), notes, restarts, now=now)

        return self._remembered("inbox", key, group)

    def definition(self, now: datetime) -> str:
        """Return the definition that a new execution would run; asked once a minute.

        Raises:
            WorkflowError: AWS's own code; ``StillWaiting``.
        """
        read = self.states.current_definition
        return self._reads.get("states", f"definition {now:%H%M}", "the definition", read)

    def current_version(self, now: datetime) -> str | None:
        """Return the version that a restart would run, None where no alias names one; likewise."""
        watched = self._connection.watched
        alias = watched.started_through
        if alias == watched.state_machine_arn:
            return None
        return self._reads.get(
            "states",
            f"alias {now:%H%M}",
            "the version that is deployed",
            lambda: self.states.live_version(alias),
        )

    def read_notes(self) -> Notes:
        """Return every note of the team; those known so far while S3 is awaited.

        Raises:
            WorkflowError: AWS's own code.
        """
        log = self.notes
        self._read_log("notes", "the decisions of the team", log.read, Notes())
        return log.known()

    def repair_runs(self) -> tuple[RepairRun, ...]:
        """Return every bulk repair, the newest first; likewise."""
        return self._read_log("repairs", "the repairs of the team", self.repairs.runs, ())

    def restarts(self) -> dict[str, str]:
        """ARN of the execution that restarts another, by the ARN of that other; likewise."""
        return self._read_log("restarts", "the restarts of the team", self.repairs.restarts, {})

    def _read_log(self, key: str, title: str, read: Callable[[], T], nothing: T) -> T:
        try:
            found = self._reads.get("s3", key, title, read, fresh_s=SHARED_S)
        except WorkflowError as error:
            if is_denial(error.code):
                self.denied[title] = error
            elif error.code != STILL_WAITING:
                raise
            return nothing
        self.denied.pop(title, None)
        return found

    @property
    def version(self) -> int:
        """Changes whenever the store has: the key of everything that is computed from it."""
        try:
            return (self.store.root / "manifest.json").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def watch(self) -> None:
        """A page is looking: keep the thread running and its passes frequent.

        Raises:
            WorkflowError: What ended the thread; it is started again by the next call.
        """
        self._watched_at = time.monotonic()
        if not self._connection.watched.lists_executions:
            self._follow()  # imported, captures only or EXPRESS: there is nothing to sync with
            return
        with self._lock:
            ended = self._job if self._job and not self._job.running else None
            if self._job is None or ended:
                self._job = self._started()
        if ended:
            ended.check()

    def refresh(self) -> None:
        """Make the next pass now, and read notes and repairs again when they are asked for."""
        self._reads.expire("s3")
        self._wake.set()

    def close(self) -> None:
        """End the thread after the pass at hand; another feed takes over its store."""
        self._closed = True
        self._wake.set()

    def _goes_on(self) -> bool:
        return not self._closed and self._connection.alive()

    def reread(self) -> None:
        """Forget what was read and read it again: the past itself has changed."""
        self._reread.set()
        self.refresh()

    def _remembered(self, name: str, version: object, make: Callable[[], T]) -> T:
        with self._lock:
            known = self._memory.get(name)
        if known is None or known[0] != version:
            known = (version, make())
            with self._lock:
                self._memory[name] = known
        return cast("T", known[1])

    def _started(self) -> Job:
        job = Job("Sync of executions")
        work = threading.Thread(
            target=job.run, args=(lambda _: self._run(),), name="execution-feed", daemon=True
        )
        work.start()
        return job

    def _run(self) -> None:
        if self.version:
            self._follow()  # what the store knows is shown before AWS has answered
        while self._goes_on():
            with self.store.claimed("execution-sync") as mine:
                if mine:
                    self._sync()
            self._follow()
            self._pause()

    def _follow(self) -> None:
        """Tell how far the process that syncs has come."""
        as_of = datetime.fromtimestamp(self.version / 1e9, UTC)
        self.progress = self._remembered(
            "progress", self.version, lambda: stored_progress(self.store, as_of=as_of)
        )

    def _new_sync(self) -> ExecutionSync:
        return ExecutionSync(
            self.states,
            self.store,
            self._queue,
            rules=self._rules,
            now=lambda: datetime.now(UTC),
        )

    def _sync(self) -> None:
        sync = self._new_sync()
        while self._goes_on():
            if self._reread.is_set():
                self._reread.clear()
                self.store.clear()
                sync = self._new_sync()
            for progress in sync.run(budget_s=PASS_S):
                self.progress = progress
            self._alert(datetime.now(UTC))
            self._pause()

    def _alert(self, now: datetime) -> None:
        """Publish what is due, once a minute; what could not be published, again and again."""
        if self._outbox is None or time.monotonic() < self._alerts_due:
            return
        try:
            self._write_alerts(self._outbox, now)
            problems = self._outbox.deliver(now=now)
        except WorkflowError as error:
            problems = (error,)
        self.alert_problem = next(iter(problems), None)
        self._alerts_failed = self._alerts_failed + 1 if problems else 0
        self._alerts_due = time.monotonic() + alert_pause(self._alerts_failed)

    def _write_alerts(self, outbox: AlertOutbox, now: datetime) -> None:
        """Write what is due into the outbox, where anything has changed."""
        version = self.version
        if version == self._alerts_version:
            return
        rejections = rejection_alert(self.listing(), now=now)
        due = group_alerts(self.inbox(now), now=now)
        for alert in (*due, *([rejections] if rejections else [])):
            outbox.add(alert)
        self._alerts_version = version

    def _pause(self) -> None:
        idle = time.monotonic() - self._watched_at > IDLE_AFTER_S
        self._wake.wait(IDLE_PAUSE_S if idle else WATCHED_PAUSE_S)
        self._wake.clear()


def alert_pause(failed: int) -> float:
    """Seconds until alerts are tried next, after so many failures in a row."""
    if not failed:
        return ALERT_EVERY_S
    return min(ALERT_LONGEST_S, ALERT_RETRY_S * 2.0 ** (failed - 1))
