"""SQL for Athena over the capture objects in S3, for the aggregates of ``captures.aggregates``.

For more captures than one machine should hold. Nothing is copied: a table by partition projection
lays over the prefix that SageMaker writes to, a query decodes each answer, drops what is no
classification, counts an event once, and groups. The SQL is Athena's (Trino); the tests
transpile it to DuckDB's and run these very queries on real lines.

Endpoint and variant are *injected*: Athena takes them from the query, which must name each by
constants. So the table never has to know them, and a new endpoint needs no change of it; but a
query needs somebody who has listed them, and there is none before the first capture.

Source: Amazon Athena user guide, "Supported types for partition projection" and "Use dynamic ID
partitioning"; Trino documentation, functions.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import polars as pl

from dashboard.captures.aggregates import AHEAD, BINS, EARLIEST, ROUNDING
from dashboard.captures.periods import Period
from dashboard.captures.record_filters import COUNTED, InferenceFilters
from dashboard.captures.selection import Selection
from workflow.errors import WorkflowError
from workflow.spans import Span

QUERY_BYTES: Final = 262_144
"""The longest query that Athena takes (user guide, "Service Quotas")."""

_HOUR: Final = "%Y/%m/%d/%H"
_FIRST_HOUR: Final = "2017/11/29/00"
_INSTANT: Final = timedelta(microseconds=1)
_NUMBER: Final = r"[-+0-9.eE]+"
_BARE: Final = r"^[^{}]*$"
"""Answers without names: where there are names, SQL that takes every number for a probability would
give some to the wrong class."""

_ROW: Final = r"\s*(?:\r?\n|\]\s*,\s*\[)\s*"
_SUM_TOLERANCE: Final = "1e-2"
_UNITS: Final = {
    Period.TEN_SECONDS: "minute",  # date_trunc knows nothing between a second and a minute
    Period.MINUTE: "minute",
    Period.HOUR: "hour",
    Period.DAY: "day",
}
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
_ID: Final = re.compile(r"\S[ -~]{0,63}")  # all that InvokeEndpoint takes; event ids are UUIDs


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTable:
    """Where the captures lie, and what the table over them is called.

    Attributes:
        database: Glue database, lower-case letters, digits and underscores.
        name: Table, of the same letters.
        bucket: Of the captures.
        prefix: Before ``/endpoint/variant/yyyy/mm/dd/hh``; no slash at its ends.
        endpoints: Names of the endpoints that wrote there; at least one.
        variants: Names of their production variants; at least one.

    Raises:
        WorkflowError: ``AthenaNameInvalid``; ``NothingCaptured`` without an endpoint or variant:
            no query can be asked then, for SQL has no empty list.
    """

    database: str
    name: str
    bucket: str
    prefix: str
    endpoints: Sequence[str]
    variants: Sequence[str]

    def __post_init__(self) -> None:
        for part in (self.database, self.name):
            if not _NAME.fullmatch(part):
                raise WorkflowError(
                    "AthenaNameInvalid",
                    f"{part!r} cannot be the name of a database or table in Athena.",
                    "Use lower-case letters, digits and underscores.",
                )
        if not self.endpoints or not self.variants:
            raise WorkflowError(
                "NothingCaptured",
                f"No endpoint has captured anything below s3://{self.bucket}/{self.prefix} yet.",
                "Classify a photo, and look again when SageMaker has delivered what it captured.",
            )

    @property
    def full_name(self) -> str:
        """``database.table``."""
        return f"{self.database}.{self.name}"


def table_name(bucket: str, prefix: str) -> str:
    """Return the name of the table over a prefix; another one when we would define it otherwise.

    ``CREATE TABLE IF NOT EXISTS`` keeps a table as it once was, so a name that did not follow the
    definition would go on reading by an old one.
    """
    digest = hashlib.sha256(_table_definition(bucket, prefix).encode()).hexdigest()
    return f"captures_{digest[:8]}"


def create_statements(table: CaptureTable) -> tuple[str, str]:
    """Return the statements that make the database and the table unless they exist."""
    definition = _table_definition(table.bucket, table.prefix)
    return (
        f"CREATE DATABASE IF NOT EXISTS {table.database}",
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {table.full_name} {definition}",
    )


def _table_definition(bucket: str, prefix: str) -> str:
    """Return columns, partitions and place of the table, as DDL.

    The captured input, nearly all of a line, is not declared, so it is never decoded. Partitions
    are projected from their names: there is no crawler to run and no partition to add.
    """
    root = f"s3://{bucket}/{prefix}"
    properties = {
        "projection.enabled": "true",
        "projection.endpoint.type": "injected",
        "projection.variant.type": "injected",
        "projection.hour.type": "date",
        "projection.hour.format": "yyyy/MM/dd/HH",
        "projection.hour.range": f"{_FIRST_HOUR},NOW",
        "projection.hour.interval": "1",
        "projection.hour.interval.unit": "HOURS",
        "storage.location.template": f"{root}/${{endpoint}}/${{variant}}/${{hour}}/",
    }
    listed = ",\n  ".join(
        f"{_quote_text(name)} = {_quote_text(value)}" for name, value in properties.items()
    )
    return f"""(
  capturedata struct<endpointoutput:struct<data:string,encoding:string>>,
  eventmetadata struct<eventid:string,inferenceid:string,inferencetime:string>
)
PARTITIONED BY (endpoint string, variant string, hour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
LOCATION {_quote_text(root + "/")}
TBLPROPERTIES (
  {listed}
)"""


def counts_sql(
    table: CaptureTable,
    filters: InferenceFilters,
    period: Period,
    *,
    now: datetime,
    span: Span | None = None,
) -> str:
    """Write ``aggregates.count_captures`` in SQL: by period, endpoint, variant, class and bin.

    Args:
        table: Where they lie.
        filters: Which of them.
        period: By what length of time.
        now: Decides which times are usable.
        span: The time to count, to the moment; None for that of the filters.
    """
    return f"""WITH {_with_captures(table, filters, span or _filter_span(filters), now)}
SELECT CASE WHEN {_is_usable(now)} THEN date_trunc('{_UNITS[period]}', inference_time) END AS time,
  endpoint, variant, label,
  CAST(floor(confidence * {BINS} + {ROUNDING!r}) AS INTEGER) AS bin, count(*) AS count
FROM captures
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5"""  # noqa: S608 - names are checked, texts are made literals by _text


def records_sql(
    table: CaptureTable,
    filters: InferenceFilters,
    selection: Selection | None,
    *,
    now: datetime,
    limit: int,
    offset: int = 0,
    span: Span | None = None,
) -> str:
    """Select single records, newest first, those without a usable time last.

    It is ``record_filters.match_records`` in SQL: a time filter leaves those out.

    Args:
        table: Where they lie.
        filters: Which of them.
        selection: Of a chart's bars; None for all.
        now: Decides which times are usable.
        limit: At most so many.
        offset: Without the first so many.
        span: As in ``counts_sql``.
    """
    return f"""WITH {_with_captures(table, filters, span or _filter_span(filters), now, selection)}
SELECT event_id, inference_id, inference_time, endpoint, variant, probabilities, label,
  confidence, key
FROM captures
ORDER BY CASE WHEN {_is_usable(now)} THEN inference_time END DESC NULLS LAST, event_id, place
OFFSET {int(offset)}
LIMIT {int(limit)}"""  # noqa: S608 - as above


def labelled_sql(
    table: CaptureTable, filters: InferenceFilters, ids: Iterable[str], *, now: datetime
) -> list[str]:
    """Return the records of some ids, to be judged: in as few queries as Athena's limit leaves.

    Each query reads all that the filters let through, whatever the number of its ids. A record
    comes twice where its two ids are in different ones.

    Args:
        table: Where they lie.
        filters: Which of them.
        ids: Inference ids and event ids; what no record can have is not asked for.
        now: Decides which times are usable.
    """
    query = partial(_labelled_query, table, filters, now)
    values = [f"({_quote_text(one)})" for one in sorted(set(filter(_ID.fullmatch, ids)))]
    # Bytes, not characters: Athena's limit is on the UTF-8 text.
    room = QUERY_BYTES - len(query([]).encode())
    return [query(batch) for batch in _split_batches(values, room)]


def _labelled_query(
    table: CaptureTable, filters: InferenceFilters, now: datetime, values: Sequence[str]
) -> str:
    return f"""WITH labelled (id) AS (
  VALUES {", ".join(values)}
), {_with_captures(table, filters, _filter_span(filters), now)}
SELECT {", ".join(LABELLED_COLUMNS)}
FROM captures
WHERE event_id IN (SELECT id FROM labelled) OR inference_id IN (SELECT id FROM labelled)
ORDER BY event_id, place"""  # noqa: S608 - as above


def _split_batches(values: Iterable[str], room: int) -> Iterator[list[str]]:
    """Yield batches of values, each of so many bytes at most, with what is put between them."""
    batch: list[str] = []
    left = room
    for value in values:
        size = len(value.encode()) + len(", ")
        if batch and size > left:
            yield batch
            batch, left = [], room
        batch.append(value)
        left -= size
    if batch:
        yield batch


_RECORD_COLUMNS: Mapping[str, Any] = {
    "event_id": pl.String,
    "inference_id": pl.String,
    "inference_time": pl.Datetime("us", "UTC"),
    "endpoint": pl.String,
    "variant": pl.String,
    "probabilities": pl.List(pl.Float64()),
    "label": pl.Int32,
    "confidence": pl.Float64,
    "key": pl.String,
}
RECORD_COLUMNS: Final = pl.Schema(_RECORD_COLUMNS)
"""The columns that ``records_sql`` selects."""

_LABELLED_COLUMNS: Mapping[str, Any] = {
    "event_id": pl.String,
    "place": pl.Int32,
    "inference_id": pl.String,
    **{name: _RECORD_COLUMNS[name] for name in COUNTED},
}
LABELLED_COLUMNS: Final = pl.Schema(_LABELLED_COLUMNS)
"""The columns that ``labelled_sql`` selects; ``place`` is that of the record in its answer."""


def _filter_span(filters: InferenceFilters) -> Span:
    return Span(*filters.window())


def _with_captures(
    table: CaptureTable,
    filters: InferenceFilters,
    span: Span,
    now: datetime,
    selection: Selection | None = None,
) -> str:
    """Write common table expressions that end in ``captures``, with that table's columns."""
    kept = " AND ".join(["copy = 1", *_record_conditions(filters, span, now, selection)])
    return rf"""lines AS (
  SELECT eventmetadata.eventid AS event_id, eventmetadata.inferenceid AS inference_id,
    TRY(from_iso8601_timestamp(eventmetadata.inferencetime)) AS inference_time,
    endpoint, variant, "$path" AS key,
    CASE WHEN capturedata.endpointoutput.encoding = 'BASE64'
      THEN TRY(from_utf8(from_base64(capturedata.endpointoutput.data)))
      ELSE capturedata.endpointoutput.data END AS answer
  FROM {table.full_name}
  WHERE {" AND ".join(_partition_conditions(table, filters, span))}
), answers AS (
  SELECT event_id, inference_id, inference_time, endpoint, variant, key, place,
    transform(regexp_extract_all(one, {_quote_text(_NUMBER)}), v -> TRY_CAST(v AS DOUBLE))
      AS probabilities
  FROM lines CROSS JOIN UNNEST(regexp_split(trim(answer), {_quote_text(_ROW)}))
    WITH ORDINALITY AS rows_of (one, place)
  WHERE regexp_like(answer, {_quote_text(_BARE)})
), classified AS (
  SELECT event_id, inference_id, inference_time, endpoint, variant, key, place, probabilities,
    array_max(probabilities) AS confidence,
    array_position(probabilities, array_max(probabilities)) - 1 AS label,
    row_number() OVER (PARTITION BY event_id, place ORDER BY key) AS copy
  FROM answers
  WHERE cardinality(probabilities) >= 2 AND array_min(probabilities) >= 0
    AND abs(reduce(probabilities, 0e0, (s, x) -> s + x, s -> s) - 1) <= {_SUM_TOLERANCE}
), captures AS (
  SELECT * FROM classified WHERE {kept}
)"""  # noqa: S608 - as above


def _partition_conditions(
    table: CaptureTable, filters: InferenceFilters, span: Span
) -> Iterable[str]:
    """Yield which objects are read at all; the bill is by their bytes."""
    for column, wanted, known in (
        ("endpoint", filters.endpoint, table.endpoints),
        ("variant", filters.variant, table.variants),
    ):
        names = [wanted] if wanted else known
        yield f"{column} IN ({', '.join(map(_quote_text, names))})"
    start = span.start.astimezone(UTC).strftime(_HOUR) if span.start else _FIRST_HOUR
    yield f"hour >= {_quote_text(start)}"
    if span.end is not None:
        # The hour that holds the last instant before the end is read too.
        beyond = span.end.astimezone(UTC) - _INSTANT + timedelta(hours=1)
        yield f"hour < {_quote_text(beyond.strftime(_HOUR))}"


def _record_conditions(
    filters: InferenceFilters, span: Span, now: datetime, selection: Selection | None
) -> Iterable[str]:
    if filters.window() != (None, None):
        yield _is_usable(now)
    if span.start is not None:
        yield f"inference_time >= {_format_moment(span.start)}"
    if span.end is not None:
        yield f"inference_time < {_format_moment(span.end)}"
    if filters.label is not None:
        yield f"label = {filters.label:d}"
    if selection is None:
        return
    if selection.labels:
        labels = ", ".join(str(int(label)) for label in selection.labels)
        yield f"label {'NOT IN' if selection.others else 'IN'} ({labels})"
    # As in the counts: 0.145 * 200 is a little less than 29 in floating point.
    slack = ROUNDING / BINS
    yield f"confidence >= {float(selection.low) - slack!r}"
    if selection.high < 1:
        yield f"confidence < {float(selection.high) - slack!r}"


def _is_usable(now: datetime) -> str:
    return f"inference_time BETWEEN {_format_moment(EARLIEST)} AND {_format_moment(now + AHEAD)}"


def _format_moment(moment: datetime) -> str:
    return f"from_iso8601_timestamp('{moment.astimezone(UTC).isoformat()}')"


def _quote_text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
