"""The feed: one thread of this process that keeps the store of executions in step with AWS."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from dashboard.aws.cloud import Connection
from dashboard.aws.executions import ExecutionReader, open_reader
from dashboard.executions import tables as execution_tables
from dashboard.executions.events import EventQueue
from dashboard.executions.stored_progress import stored_progress
from dashboard.executions.sync import ExecutionSync
from dashboard.shared.cloud_reads import CloudReads
from dashboard.shared.feed_thread import FeedThread
from dashboard.shared.store import SegmentStore
from dashboard.shared.version_cache import VersionCache
from workflow.execution_rules import rules_of
from workflow.executions import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.executions.sync_progress import SyncProgress

PASS_S = 10.0
"""A pass works so long on what is missing before it lists what is new."""

WATCHED_PAUSE_S = 3.0
IDLE_PAUSE_S = 30.0
IDLE_AFTER_S = 300.0
"""After so long without a page looking, passes are rarer; alerts still need them."""
ASKED_S = 60.0
"""The definition and the version, which seldom change, are asked for again after so long."""


class ExecutionFeed:
    """What pages read executions from.

    Of all processes that share a store, one syncs; the others read what it writes.

    Args:
        connection: The cloud.
        root: Directory of the store.
        queue: Status-change events, whose messages are deleted once they are stored; None to do
            without them.

    Attributes:
        store: Keeps ``execution_tables.TABLES``.
        states: Reads executions, for a page that opens one.
        after_pass: Called in the feed's thread after each pass over AWS, with the time.
        progress: Of the last step of the sync, or as the store tells where another process syncs;
            None before the first.
    """

    def __init__(self, connection: Connection, root: Path, queue: EventQueue | None) -> None:
        watched = connection.watched
        self.store = SegmentStore(root, execution_tables.TABLES)
        self.states: ExecutionReader = open_reader(
            connection.session, connection.pacer, watched.state_machine_arn
        )
        self.after_pass: Callable[[datetime], None] = _do_nothing
        self.progress: SyncProgress | None = None
        self._connection = connection
        self._queue = queue
        self._rules = rules_of(watched)
        self._reread = threading.Event()
        self._reads = CloudReads()
        self._cache = VersionCache()
        self._thread = FeedThread("Sync of executions", self._run, connection.alive)

    def listing(self) -> pl.DataFrame:
        """Return ``tables.build_listing``, computed again only when the store has changed."""
        return self._cache.get(
            "listing", self.version, lambda: execution_tables.stored_listing(self.store.scan)
        )

    def visits(self) -> pl.DataFrame:
        """Return ``tables.VISITS``, likewise."""
        return self._cache.get("visits", self.version, self.store.scan("visits").collect)

    def attempts(self) -> tuple[Failure, ...]:
        """Return the failure of every attempt that has one, the latest attempts last; likewise."""

        def read() -> tuple[Failure, ...]:
            found = execution_tables.build_failures(self.store.scan("failures"))
            return tuple(sorted(found, key=lambda one: one.attempt))

        return self._cache.get("attempts", self.version, read)

    def failures(self) -> dict[str, Failure]:
        """Return the failure of the latest attempt of each execution that has one, likewise."""
        return self._cache.get(
            "failures", self.version, lambda: {one.execution_arn: one for one in self.attempts()}
        )

    def definition(self) -> str:
        """Return the definition that a new execution would run; asked once a minute.

        Raises:
            WorkflowError: AWS's own code; ``StillWaiting``.
        """
        read = self.states.current_definition
        return self._reads.get("states", "definition", "the definition", read, fresh_s=ASKED_S)

    def current_version(self) -> str | None:
        """Return the version that a restart would run, None where no alias names one; likewise."""
        watched = self._connection.watched
        alias = watched.started_through
        if alias == watched.state_machine_arn:
            return None
        return self._reads.get(
            "states",
            "alias",
            "the version that is deployed",
            lambda: self.states.live_version(alias),
            fresh_s=ASKED_S,
        )

    @property
    def version(self) -> int:
        """Changes whenever the store has: the key of everything that is computed from it."""
        try:
            return (self.store.root / "manifest.json").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def watch(self) -> None:
        """Note that a page is looking, which keeps the thread running and its passes frequent.

        Raises:
            WorkflowError: What ended the thread; it is started again by the next call.
        """
        if self._connection.watched.lists_executions:
            self._thread.watch()
        else:
            # Imported, captures only or EXPRESS: there is nothing to sync with.
            self._follow_store()

    def refresh(self) -> None:
        """Make the next pass now."""
        self._thread.wake()

    def close(self) -> None:
        """End the thread after the pass at hand; another feed takes over its store."""
        self._thread.close()

    def reread(self) -> None:
        """Forget what was read and read it again: the past itself has changed."""
        self._reread.set()
        self.refresh()

    def _run(self) -> None:
        if self.version:
            self._follow_store()  # what the store knows is shown before AWS has answered
        while self._thread.goes_on():
            # Where another process has it, this one follows what that writes, and tries again.
            with self.store.claim_purpose("execution-sync") as mine:
                if mine:
                    self._sync_until_closed()
            self._follow_store()
            self._rest_between_passes()

    def _follow_store(self) -> None:
        """Tell how far the process that syncs has come."""
        as_of = datetime.fromtimestamp(self.version / 1e9, UTC)
        self.progress = self._cache.get(
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

    def _sync_until_closed(self) -> None:
        sync = self._new_sync()
        while self._thread.goes_on():
            if self._reread.is_set():
                self._reread.clear()
                self.store.clear()
                sync = self._new_sync()
            for progress in sync.run(budget_s=PASS_S):
                self.progress = progress
            self.after_pass(datetime.now(UTC))
            self._rest_between_passes()

    def _rest_between_passes(self) -> None:
        idle = self._thread.unwatched_s > IDLE_AFTER_S
        self._thread.rest(IDLE_PAUSE_S if idle else WATCHED_PAUSE_S)


def _do_nothing(_: datetime) -> None: ...
