"""Sync: bring executions, outputs and the histories that matter into the store, under quota.

A pass reads the event queue, lists what is new, and then works off what is missing, whenever the
token bucket of its API allows it: histories of failures newest first, older pages of the listing,
outputs of successes newest first. Each API has a bucket of its own, so outputs never starve
failures. What was read is stored within two seconds and never read again.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import polars as pl

from dashboard.aws.executions import ExecutionReader, Page, encode_events
from dashboard.executions import tables
from dashboard.executions.events import EventQueue
from dashboard.executions.history_reading import Events, read_history
from dashboard.executions.listed_span import ListedSpan, drop_covered, join_spans
from dashboard.executions.read_queue import Attempt, Needs
from dashboard.executions.stored_progress import with_damage
from dashboard.executions.sync_progress import SyncProgress
from dashboard.shared.store import SegmentStore
from workflow.errors import WorkflowError
from workflow.execution_rules import ExecutionRules
from workflow.executions import Execution, Failure, Kind, Status
from workflow.known_errors import is_denial
from workflow.timelines import StateVisit, failure_of

FLUSH_S = 2.0
LIST_EVERY_S = 60.0
"""How often to list where events arrive: they are best effort, so listing still completes them."""

REDRIVEN_PAGES = 5
_NEW_FOR = timedelta(minutes=5)
"""How long AWS's reads may lag behind the start of an execution."""

GONE = "ExecutionDoesNotExist"
K = TypeVar("K")
T = TypeVar("T")


class ExecutionSync:
    """Keeps one store in step with one state machine; one instance at a time writes to a store.

    Args:
        states: Reads executions.
        store: Keeps ``execution_tables.TABLES``.
        queue: Status-change events, where deployed.
        rules: How executions of the workflow are read and judged.
        now: The time, aware UTC.
        clock: Seconds that never go backwards.
        at_once: Calls in flight: enough to use the histories' burst of 400 within seconds.
    """

    def __init__(
        self,
        states: ExecutionReader,
        store: SegmentStore,
        queue: EventQueue | None,
        *,
        rules: ExecutionRules,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
        at_once: int = 8,
    ) -> None:
        self._states = states
        self._store = store
        self._queue = queue
        self._rules = rules
        self._now = now
        self._clock = clock
        self._needs = Needs()
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="execution-sync")
        self._at_once = at_once
        self._listed_at = float("-inf")
        self._spans: tuple[ListedSpan, ...] = ()
        self._span: ListedSpan | None = None
        self._buffers: dict[str, list[dict[str, Any]]] = {name: [] for name in tables.TABLES}
        self._flushed_at = clock()
        self._problems: dict[str, WorkflowError] = {}
        self._as_of = now()
        self._damaged: tuple[str, ...] = ()
        self._load_store()

    def run(
        self, *, budget_s: float, stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[SyncProgress]:
        """Make one pass, yielding after every step.

        Args:
            budget_s: When to stop working off what is missing, so that the next pass can list what
                is new first.
            stopped: Asked between steps.

        Raises:
            WorkflowError: Never for what AWS refuses: that is in ``SyncProgress.problems``.
        """
        self._problems = {}
        self._note_refusal("Store", self._flush_buffers)
        if self._store.damaged != self._damaged:
            self._load_store()
        deadline = self._clock() + budget_s
        self._note_refusal("ReceiveMessage", self._drain_queue)
        self._note_refusal("ListExecutions", self._list_newest)
        yield self.progress()
        while not stopped() and self._clock() < deadline and self._do_next_step():
            yield self.progress()
        self._note_refusal("Store", self._flush_buffers)
        yield self.progress()

    def progress(self) -> SyncProgress:
        """Return how complete the store is now, what is buffered included."""
        histories, wanted = self._needs.histories
        examined, succeeded = self._needs.examined
        return SyncProgress(
            executions=len(self._needs),
            listed=self._span is not None and self._span.complete,
            histories=histories,
            wanted=wanted,
            examined=examined,
            succeeded=succeeded,
            problems=with_damage(self._problems, self._store),
            as_of=self._as_of,
        )

    def _load_store(self) -> None:
        """Take up what the store has, until no damage was found on the way."""
        damaged: tuple[str, ...] | None = None
        while damaged != self._store.damaged:
            damaged = self._damaged = self._store.damaged
            self._needs, self._spans, self._span = Needs(), (), None
            self._load_once()

    def _load_once(self) -> None:
        """Take up what earlier runs, perhaps killed, have stored."""
        scan = self._store.scan
        for attempt in scan("histories").select("arn", "redrive_count").collect().iter_rows():
            self._needs.history_read(attempt)
        for attempt in (
            scan("execution_details").select("arn", "redrive_count").collect().iter_rows()
        ):
            self._needs.details_seen(attempt)
        silent = scan("failures").filter(pl.col("kind") == Kind.SILENT.value)
        wrong = set(silent.select("execution_arn", "attempt").collect().iter_rows())
        unread = self._without_inference()
        known = tables.select_current(scan("executions")).drop("observed_at").collect()
        # Sampled successes first, so that they are counted before new ones are sampled.
        read = scan("histories").select("arn", "redrive_count", read=True).collect()
        known = known.join(read.unique(), on=["arn", "redrive_count"], how="left")
        for row in known.sort("read", nulls_last=True).drop("read").iter_rows(named=True):
            execution = self._rebuild_execution(row)
            self._needs.observe(execution)
            attempt = (execution.arn, execution.redrive_count)
            if attempt in wrong or attempt in unread:
                self._needs.silently_wrong(execution)
        if not self._store.damaged:  # else what was lost with a segment must be listed again
            rows = scan("spans").collect().iter_rows(named=True)
            self._spans = drop_covered(ListedSpan(**row) for row in rows)

    def _without_inference(self) -> frozenset[Attempt]:
        """Return successes of somebody else's workflow whose output named no inference."""
        if not (self._rules.foreign and self._rules.owes_inference):
            return frozenset()
        details = tables.select_latest(
            self._store.scan("execution_details"), "arn", "redrive_count"
        )
        bare = details.filter(status=Status.SUCCEEDED.value).filter(pl.col("label").is_null())
        return frozenset(bare.select("arn", "redrive_count").collect().iter_rows())

    def _rebuild_execution(self, row: Mapping[str, Any]) -> Execution:
        machine = self._states.state_machine_arn
        return Execution(**{**row, "status": Status(row["status"]), "state_machine_arn": machine})

    def _note_refusal(self, operation: str, work: Callable[[], None]) -> None:
        """Do one piece of work; what AWS refuses is noted, and not asked again in this pass."""
        try:
            work()
        except WorkflowError as error:
            self._problems[operation] = error

    def _do_next_step(self) -> bool:
        """Do what can be done soonest, the most urgent first; whether there was anything."""
        work = (
            ("GetExecutionHistory", self._needs.lacks_histories, self._read_histories),
            ("ListExecutions", bool(self._span and self._span.token), self._list_older),
            ("DescribeExecution", self._needs.lacks_details, self._describe_attempts),
        )
        open_work = [one for one in work if one[1] and one[0] not in self._problems]
        if not open_work or "Store" in self._problems:  # what cannot be kept is not read
            return False
        operation, _, do = min(
            open_work, key=lambda one: self._states.pacer.get_bucket(one[0]).seconds_to_wait()
        )
        self._note_refusal(operation, do)
        if self._clock() - self._flushed_at >= FLUSH_S:
            self._note_refusal("Store", self._flush_buffers)
        return True

    def _drain_queue(self) -> None:
        if self._queue is None:
            return
        for messages in self._queue.receive():
            for message in messages:
                execution = message.execution
                if execution and execution.state_machine_arn == self._states.state_machine_arn:
                    self._observe_execution(execution)
                    self._note_details(execution, "event")
            self._flush_buffers()  # before the deletion: a crash repeats messages and loses none
            self._queue.delete(messages)

    def _list_newest(self) -> None:
        """List the newest executions, what became of those still open, and what was redriven."""
        if self._has_events() and self._clock() - self._listed_at < LIST_EVERY_S:
            self._as_of = self._now()
            return
        page = self._states.list_page()
        self._as_of, self._listed_at = self._now(), self._clock()
        self._take_page(page, newest=None)
        self._list_open(since=min((one.started_at for one in page.executions), default=None))
        self._list_redriven()

    def _has_events(self) -> bool:
        refused = "ReceiveMessage" in self._problems  # then listing alone tells what is new
        return self._queue is not None and not refused and self._queue.is_deployed()

    def _list_open(self, since: datetime | None) -> None:
        """Find which of the executions that had not ended, and were not listed just now, have."""
        unlisted = self._needs.open_arns(before=since) if since else frozenset()
        if not unlisted:
            return
        running: set[str] = set()
        page = self._states.list_page(status=Status.RUNNING)
        while True:
            running |= {execution.arn for execution in page.executions}
            if page.token is None:
                break
            page = self._states.list_page(page.token, status=Status.RUNNING)
        self._needs.ended_unseen(unlisted - running)

    def _list_redriven(self) -> None:
        """Find attempts beyond the first of executions that had ended, whoever redrove them."""
        page = self._states.list_page(redriven=True)
        for _ in range(REDRIVEN_PAGES):
            news = [self._observe_execution(execution) for execution in page.executions]
            if page.token is None or not any(news):
                return
            page = self._states.list_page(page.token, redriven=True)

    def _list_older(self) -> None:
        span = self._span
        if span is None:
            return
        try:
            page = self._states.list_page(span.token)
        except WorkflowError as error:
            if error.code != "InvalidToken":
                raise
            self._spans = ()  # their tokens lead nowhere: list from the top
            page, span = self._states.list_page(), None
        self._take_page(page, newest=span.newest if span else None)

    def _take_page(self, page: Page, *, newest: datetime | None) -> None:
        for execution in page.executions:
            self._observe_execution(execution)
        now = self._now()
        starts = [execution.started_at for execution in page.executions]
        top = newest or max(starts, default=now)
        span = ListedSpan(top, min(starts, default=top), page.token, now)
        met = join_spans(span, self._spans, now=now)
        if replace(met, token_at=now) != (self._span and replace(self._span, token_at=now)):
            self._buffers["spans"].append(asdict(met))
        self._span = met
        self._spans = drop_covered([*self._spans, met])

    def _read_histories(self) -> None:
        executions = self._needs.next_histories(self._count_affordable("GetExecutionHistory"))
        refusal = None
        for execution, answer in self._in_parallel(self._read_history, executions):
            if isinstance(answer, WorkflowError) and not self._is_gone(execution.arn, answer):
                self._needs.history_refused(execution)
                refusal = answer
            else:
                self._take_history(execution, answer)
        if refusal:
            if is_denial(refusal.code):  # no history will come: a description has the cause
                self._needs.describe_failures()
            raise refusal

    def _is_gone(self, arn: str, answer: WorkflowError) -> bool:
        """Return whether AWS will never know an execution again: a new one it may not know yet."""
        return answer.code == GONE and self._needs.age_of(arn, self._now()) > _NEW_FOR

    def _read_history(self, execution: Execution) -> Events:
        return self._states.read_history(execution.arn)

    def _take_history(self, execution: Execution, answer: Events | WorkflowError) -> None:
        attempt = (execution.arn, execution.redrive_count)
        row = {"arn": attempt[0], "redrive_count": attempt[1], "observed_at": self._now()}
        self._needs.history_read(attempt)
        if isinstance(answer, WorkflowError):
            self._buffers["histories"].append(row | {"events": None, "problem": answer.code})
            return
        reading = read_history(execution, answer, rules=self._rules)
        if reading.execution.redrive_count > execution.redrive_count:
            return  # redriven since it was listed: the listing will tell, and the end is to come
        data = encode_events(answer)
        self._buffers["histories"].append(row | {"events": data, "problem": reading.problem})
        self._buffers["visits"] += [tables.visit_row(attempt, visit) for visit in reading.visits]
        self._note_details(reading.execution, "history", reading.visits)
        if reading.failure:
            self._buffer_failure(reading.failure)

    def _describe_attempts(self) -> None:
        attempts = self._needs.next_details(self._count_affordable("DescribeExecution"))
        refusal = None
        for attempt, answer in self._in_parallel(lambda it: self._states.describe(it[0]), attempts):
            if isinstance(answer, Execution):
                self._observe_execution(answer)
                self._note_details(answer, "describe")
            elif self._is_gone(attempt[0], answer):
                self._note_gone(attempt)
            else:
                self._needs.details_refused(attempt)
                refusal = answer
        if refusal:
            raise refusal

    def _observe_execution(self, execution: Execution) -> bool:
        news = self._needs.observe(execution)
        if news:
            self._buffers["executions"].append(tables.execution_row(execution, self._now()))
        return news

    def _note_details(
        self, execution: Execution, source: str, visits: tuple[StateVisit, ...] = ()
    ) -> None:
        """Take note of what an ended attempt was given and gave, where it is all there."""
        complete = execution.status is not Status.SUCCEEDED or execution.output is not None
        if not execution.status.ended or not complete:
            return
        attempt = (execution.arn, execution.redrive_count)
        first = self._needs.details_seen(attempt)
        # The states of somebody else's workflow may tell what its output does not.
        if not first and not (self._rules.foreign and visits):
            return
        detail = tables.detail_row(execution, source, self._now(), rules=self._rules, visits=visits)
        self._buffers["execution_details"].append(detail)
        image = self._rules.image(execution, visits)
        silent = self._rules.silent(execution, visits, image=image)
        if silent or self._rules.needs_history(execution):
            self._needs.silently_wrong(execution)
        without_history = "GetExecutionHistory" in self._problems
        failure = silent or (failure_of(execution, (), image=image) if without_history else None)
        if failure:
            self._buffer_failure(failure)

    def _note_gone(self, attempt: Attempt) -> None:
        """Note that AWS no longer knows the execution: nothing more can ever be read of it."""
        self._needs.details_seen(attempt)
        empty = dict.fromkeys(tables.DETAILS)
        known = {"arn": attempt[0], "redrive_count": attempt[1], "source": "gone"}
        self._buffers["execution_details"].append(empty | known | {"observed_at": self._now()})

    def _buffer_failure(self, failure: Failure) -> None:
        self._buffers["failures"].append(tables.failure_row(failure, self._now()))

    def _count_affordable(self, operation: str) -> int:
        """Return how many calls to make at once: as many as there are tokens, and at least one."""
        return max(1, min(self._at_once, self._states.pacer.get_bucket(operation).count_ready()))

    def _in_parallel(
        self, ask: Callable[[K], T], items: list[K]
    ) -> Iterator[tuple[K, T | WorkflowError]]:
        def answer(item: K) -> T | WorkflowError:
            try:
                return ask(item)
            except WorkflowError as error:  # as a value: it must not lose what was read beside it
                return error

        answers = self._pool.map(answer, items) if len(items) > 1 else map(answer, items)
        return zip(items, answers, strict=True)

    def _flush_buffers(self) -> None:
        frames = {
            name: tables.build_frame(rows, tables.TABLES[name])
            for name, rows in self._buffers.items()
            if rows
        }
        if frames:
            self._store.commit(frames)
            self._buffers = {name: [] for name in tables.TABLES}  # only once it is stored
        complete = self._span is not None and self._span.complete
        if self._damaged and self._damaged == self._store.damaged and complete:
            self._store.forget_damage()
            self._damaged = ()
        self._flushed_at = self._clock()
