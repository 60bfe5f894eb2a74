"""The feed of failures: groups of them, from executions and from what the team wrote about them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from dashboard.aws.cloud import Connection
from dashboard.executions.feed import ExecutionFeed
from dashboard.failures import inbox as failure_inbox
from dashboard.failures.inbox import DAY
from dashboard.failures.local_objects import LocalObjects
from dashboard.failures.notes import NoteLog, Notes
from dashboard.failures.redrives import RepairLog
from dashboard.failures.repair_plan import RepairRun
from dashboard.failures.team_notes import TeamNotes
from dashboard.shared.cloud_reads import STILL_WAITING, CloudReads
from dashboard.shared.version_cache import VersionCache
from workflow.errors import WorkflowError
from workflow.known_errors import is_denial
from workflow.triage import FailureGroup

T = TypeVar("T")

SHARED_S = 3.0
"""Notes and repairs are read so often, whatever the number of pages that look."""


class FailureFeed:
    """What pages read failures from; it has no thread of its own.

    Args:
        connection: The cloud.
        executions: Knows which executions failed.
        root: Directory of the notes that stay on this machine.

    Attributes:
        executions: As given.
        notes: What the team decided, and what this reader did where only reading is permitted.
        repairs: Bulk repairs, under way and done.
        denied: What may not be read of notes and repairs, by what it is.
    """

    def __init__(self, connection: Connection, executions: ExecutionFeed, root: Path) -> None:
        bucket = connection.watched.bucket
        s3, local = connection.client("s3"), LocalObjects(root).as_client()
        self.executions = executions
        self.notes = TeamNotes(NoteLog(s3, bucket) if bucket else None, NoteLog(local, "local"))
        self.repairs = RepairLog(s3, bucket) if bucket else RepairLog(local, "local")
        self.denied: dict[str, WorkflowError] = {}
        self._reads = CloudReads()
        self._cache = VersionCache()

    def read_inbox(self, now: datetime, trend: timedelta = DAY) -> tuple[FailureGroup, ...]:
        """Return the inbox, grouped again when the store, the notes or the minute have changed.

        As long as notes and repairs are still awaited, groups are shown without them.

        Args:
            now: Aware.
            trend: Length of the trend of each group.

        Raises:
            WorkflowError: AWS's own code, where notes or repairs cannot be read.
        """
        notes, restarts = self.read_notes().events, self.read_restarts()
        # The minute too: silences end and ages grow without anything being written.
        version = (self.executions.version, len(notes), len(restarts), f"{now:%H%M}")

        def group() -> tuple[FailureGroup, ...]:
            attempts, listing = self.executions.attempts(), self.executions.listing()
            return failure_inbox.build_inbox(
                attempts, listing, notes, restarts, now=now, trend=trend
            )

        return self._cache.get(f"inbox {trend}", version, group)

    def read_notes(self) -> Notes:
        """Return every note of the team; those known so far while S3 is awaited.

        Raises:
            WorkflowError: AWS's own code.
        """
        log = self.notes
        self._read_log("notes", "the decisions of the team", log.read, Notes())
        return log.known_notes()

    def repair_runs(self) -> tuple[RepairRun, ...]:
        """Return every bulk repair, the newest first; likewise."""
        return self._read_log("repairs", "the repairs of the team", self.repairs.read_runs, ())

    def read_restarts(self) -> dict[str, str]:
        """Return the ARN of the execution that restarts another, by that other's ARN; likewise."""
        return self._read_log(
            "restarts", "the restarts of the team", self.repairs.read_restarts, {}
        )

    def refresh(self) -> None:
        """Read notes and repairs again when they are asked for, and executions now."""
        self._reads.expire("s3")
        self.executions.refresh()

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
