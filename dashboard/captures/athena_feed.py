"""The Athena feed: the questions of the capture feed, asked of S3 in place by Athena.

For more captures than one machine should hold; ``SCONES_CAPTURES=athena`` chooses it. Answers are
remembered for as long as Athena reuses its own, so that moving a threshold costs nothing.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import polars as pl

from dashboard.aws.cloud import Connection
from dashboard.aws.error_tables import ERRORS
from dashboard.aws.ground_truth import GroundTruthLog
from dashboard.aws.objects import Bucket
from dashboard.captures import athena_queries as athena
from dashboard.captures import labelled_captures, record_filters
from dashboard.captures.aggregates import COUNTS
from dashboard.captures.athena_client import AthenaQueries
from dashboard.captures.athena_queries import CaptureTable
from dashboard.captures.labelled_captures import JUDGED
from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.selection import Selection
from dashboard.shared.cloud_reads import CloudReads
from workflow.captures import SHADOW_VARIANT
from workflow.errors import WorkflowError
from workflow.monitoring import CapturePlace
from workflow.spans import Span

T = TypeVar("T")

DEFAULT_DAYS: Final = 7
"""Without a first day in the filters so many are read: the bill is by the bytes of the hours."""

_KEPT_SECONDS: Final = 15 * 60.0
_KEPT: Final = 50  # answers, of which one may be large
_DEFAULT: Final = timedelta(days=DEFAULT_DAYS)


class AthenaFeed:
    """What pages read captures from, without a store.

    Args:
        connection: The cloud.
        place: Where the captures are.

    Attributes:
        bucket: Where the captures are, for the images behind them.
        place: The same with the prefix.
        progress: Nothing is synced, so always None.
        problem: Why the ground truths could not be read, or None; a question that fails is raised.
        reads_objects: Whether it knows of each object when it came and what could not be read.
    """

    reads_objects: Final = False

    def __init__(self, connection: Connection, place: CapturePlace) -> None:
        watched = connection.watched
        own = Bucket.of(connection.session, watched.bucket)
        elsewhere = place.bucket != watched.bucket
        self.bucket = Bucket.of(connection.session, place.bucket) if elsewhere else own
        self.place = place
        self.progress = None
        self.problem: WorkflowError | None = None
        self._truths = GroundTruthLog(own, classes=watched.classes)
        self._database = watched.resource_prefix.replace("-", "_")
        self._queries = AthenaQueries(connection, self._database)
        self._made = False
        self._as_of: datetime | None = None
        self._reads = CloudReads(kept=_KEPT)

    syncing = False
    paused = False

    @property
    def version(self) -> tuple[object, ...]:
        """Changes when remembered answers are too old."""
        return (int(time.monotonic() / _KEPT_SECONDS),)

    @property
    def as_of(self) -> datetime | None:
        """When the last question was answered."""
        return self._as_of

    def watch(self) -> None:
        """Do nothing: there is no thread to keep running."""

    def close(self) -> None:
        """Do nothing: there is no thread to end."""

    def pause(self) -> None:
        """Do nothing: there is no sync to stop."""

    def resume(self, *, full: bool = False) -> None:
        """Ask again: forget every answer."""
        del full
        self._reads = CloudReads(kept=_KEPT)

    def period(self, filters: InferenceFilters, now: datetime) -> Period:
        """Return by which period the records of a filter are best counted."""
        start, end = self._bound_filters(filters, now).window()
        span = (end or now) - (start or now)
        return Period.HOUR if span <= timedelta(days=16) else Period.DAY

    def counts(self, filters: InferenceFilters, period: Period, now: datetime) -> pl.DataFrame:
        """Count filtered records by period, endpoint, variant, class and bin."""
        # By the hour: the same SQL all hour long lets Athena reuse its result.
        asked, hour = self._bound_filters(filters, now), _truncate_to_hour(now)
        return self._query_table(
            lambda table: athena.counts_sql(table, asked, period, now=hour), COUNTS
        )

    def counted(self, filters: InferenceFilters, span: Span, now: datetime) -> pl.DataFrame:
        """Count records of another span, to the moment, by day; the filters' days do not matter.

        Without a beginning the time is that of the last days before its end.
        """
        asked = replace(filters, since=None, until=None)
        within, hour = _bound_span(span, now), _truncate_to_hour(now)
        return self._query_table(
            lambda table: athena.counts_sql(table, asked, Period.DAY, now=hour, span=within), COUNTS
        )

    def names(self) -> pl.DataFrame:
        """Return every ``endpoint``, ``variant`` and ``label`` of the last days."""
        now = datetime.now(UTC)
        counts = self.counts(InferenceFilters(), Period.HOUR, now)
        return counts.select("endpoint", "variant", "label").unique().sort(pl.all())

    def records(
        self, filters: InferenceFilters, selection: Selection | None, *, limit: int, offset: int = 0
    ) -> pl.DataFrame:
        """Return single records, newest first; their place in the object is not known."""
        now = datetime.now(UTC)
        asked = self._bound_filters(filters, now)
        span = Span(*asked.window())
        return self._read_records(asked, span, selection, now=now, limit=limit, offset=offset)

    def confidences(self, filters: InferenceFilters) -> pl.Series:
        """Return the confidence of every record: more than it is worth to fetch.

        Raises:
            WorkflowError: ``BinsDoNotAlign``, always.
        """
        raise WorkflowError(
            "BinsDoNotAlign",
            f"Athena counts confidence in bins of 0.005, and this baseline's lie between them"
            f" ({filters.endpoint or 'all endpoints'}).",
            "Choose another baseline, or leave SCONES_CAPTURES out to read into a store.",
        )

    def errors(self) -> pl.DataFrame:
        """Return nothing: Athena leaves out lines that it cannot read, without a word."""
        return pl.DataFrame(schema=pl.Schema(ERRORS))

    def deliveries(self, filters: InferenceFilters, limit: int) -> pl.DataFrame:
        """Return nothing: Athena does not know when an object came."""
        del filters, limit
        time_ = pl.Datetime("us", "UTC")
        return pl.DataFrame(schema={"key": pl.String, "last_modified": time_, "last": time_})

    def sample(self, filters: InferenceFilters, spans: Sequence[Span], size: int) -> pl.DataFrame:
        """Return the newest records of some spans, to the moment; the filters' days do not matter.

        Without a beginning a span is that of the last days before its end.
        """
        asked = replace(filters, since=None, until=None)
        now = datetime.now(UTC)
        begun = [_bound_span(span, now) for span in spans]
        found = [self._read_records(asked, span, None, now=now, limit=size) for span in begun]
        newest = pl.concat(found) if found else pl.DataFrame(schema=athena.RECORD_COLUMNS)
        return record_filters.match_records(newest.lazy(), asked, now=now).head(size).collect()

    def judged(self, filters: InferenceFilters) -> pl.DataFrame:
        """Return the records that have a ground truth, counted, as the filters let through.

        Where there is no ground truth nothing is asked. The class of the filters is not part of the
        question, which costs the same for all.

        Returns:
            A frame of ``labelled_captures.JUDGED``.
        """
        now = _truncate_to_hour(datetime.now(UTC))
        asked, truths = self._bound_filters(filters, now), self._current_labels()
        if truths.is_empty():
            return pl.DataFrame(schema=JUDGED)
        records = self._read_labelled(replace(asked, label=None), truths["event_id"], now)
        return labelled_captures.count_judged(
            labelled_captures.judge_records(records, truths), asked, now
        )

    def _read_labelled(
        self, filters: InferenceFilters, ids: pl.Series, now: datetime
    ) -> pl.DataFrame:
        """Return the records that have one of these ids, each once."""
        table = self._find_table()
        schema = athena.LABELLED_COLUMNS
        found = [pl.DataFrame(schema=schema)]
        if table is not None:
            queries = athena.labelled_sql(table, filters, ids, now=now)
            found += [self._query_cached(table, sql, schema) for sql in queries]
        return pl.concat(found).unique(["event_id", "place"])

    def truth_of(self, ids: Iterable[str]) -> int | None:
        """Return the right class of a record, by its inference id, else its event id, if known."""
        return labelled_captures.truth_of(self._current_labels(), ids)

    def truth_errors(self) -> pl.DataFrame:
        """Return lines and objects that gave no ground truth, newest first."""
        self._current_labels()
        return self._truths.errors()

    def _current_labels(self) -> pl.DataFrame:
        """Return the ground truths, read again when they are too old."""
        self._cache_unless_empty(("truths",), self._refresh_labels)
        return self._truths.truths()

    def _refresh_labels(self) -> bool:
        """Read the ground truths; whether there are any and all could be read."""
        try:
            self._truths.refresh()
        except WorkflowError as error:
            self.problem = error
        else:
            self.problem = None
        return self.problem is None and not self._truths.truths().is_empty()

    def _read_records(
        self,
        filters: InferenceFilters,
        span: Span,
        selection: Selection | None,
        *,
        now: datetime,
        limit: int,
        offset: int = 0,
    ) -> pl.DataFrame:
        def write(table: CaptureTable) -> str:
            return athena.records_sql(
                table,
                filters,
                selection,
                now=_truncate_to_hour(now),
                limit=limit,
                offset=offset,
                span=span,
            )

        return self._query_table(write, athena.RECORD_COLUMNS).with_columns(
            row=pl.lit(0),
            line=pl.lit(None, pl.Int32),
            length=pl.lit(None, pl.Int64),
        )

    def _find_table(self) -> CaptureTable | None:
        """Return the table over what lies below the prefix; None where nothing was captured yet."""
        listed = self._cache_unless_empty(("listed",), self._list_names)
        if listed is None:
            return None
        endpoints, variants = listed
        return CaptureTable(
            database=self._database,
            name=athena.table_name(self.bucket.name, self.place.prefix),
            bucket=self.bucket.name,
            prefix=self.place.prefix,
            endpoints=endpoints,
            variants=variants,
        )

    def _list_names(self) -> tuple[list[str], list[str]] | None:
        """Return the names of endpoints and variants below the prefix; None without any."""
        one = [self.place.folder] if self.place.endpoint else []
        endpoints = one or self.bucket.children(self.place.prefix)[0]
        variants = {
            variant.rpartition("/")[2]
            for endpoint in endpoints
            for variant in self.bucket.children(endpoint)[0]
        }
        names = [endpoint.rpartition("/")[2] for endpoint in endpoints]
        seen = sorted(variants - {SHADOW_VARIANT})
        return (names, seen) if seen else None

    def _bound_filters(self, filters: InferenceFilters, now: datetime) -> InferenceFilters:
        if filters.since is not None:
            return filters
        return replace(filters, since=_truncate_to_hour(filters.until or now) - _DEFAULT)

    def _query_table(self, write: Callable[[CaptureTable], str], schema: pl.Schema) -> pl.DataFrame:
        """Return what a query gives; nothing, and no query, where nothing was captured yet."""
        table = self._find_table()
        if table is None:
            self._as_of = datetime.now(UTC)
            return pl.DataFrame(schema=schema)
        return self._query_cached(table, write(table), schema)

    def _query_cached(self, table: CaptureTable, sql: str, schema: pl.Schema) -> pl.DataFrame:
        """Return what a query gives, once the table is there."""

        def ask() -> pl.DataFrame:
            # Once a process: each statement is a query that takes Athena a second or more.
            if not self._made:
                for statement in athena.create_statements(table):
                    self._queries.execute(statement)
                self._made = True
            found = self._queries.read_rows(sql, schema)
            self._as_of = datetime.now(UTC)
            return found

        return self._cache_answer((sql,), ask)

    def _cache_unless_empty(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """Like ``_remembered``, but an empty answer is not kept: the first record shows at once."""
        found = self._cache_answer(key, make)
        if not found:
            self._reads.forget("athena", key)
        return found

    def _cache_answer(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        return self._reads.get("athena", key, "the answer of Athena", make, fresh_s=_KEPT_SECONDS)


def _bound_span(span: Span, now: datetime) -> Span:
    """Return the span itself, or its last days where it has no beginning."""
    return Span(span.start or (span.end or _truncate_to_hour(now)) - _DEFAULT, span.end)


def _truncate_to_hour(now: datetime) -> datetime:
    """Return the beginning of an hour, so that the same is asked all hour long."""
    return now.replace(minute=0, second=0, microsecond=0)
