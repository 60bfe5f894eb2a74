"""The SQL for Athena gives, run by DuckDB on real lines, what the reader and the tables give."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import polars as pl
import pytest
import sqlglot
from sqlglot import exp

from dashboard.captures import athena_queries as athena
from dashboard.captures import record_filters
from dashboard.captures.aggregates import COUNTS, count_captures
from dashboard.captures.athena_queries import CaptureTable
from dashboard.captures.periods import Period
from dashboard.captures.record_filters import InferenceFilters
from dashboard.captures.selection import Selection
from dashboard.captures.tables import capture_rows
from tests.captured import NOW
from tests.dashboard.captures.duckdb_sql import for_duckdb
from workflow.captures import read_objects
from workflow.errors import WorkflowError
from workflow.spans import Span

TABLE = CaptureTable(
    database="scones_dev",
    name="captures",
    bucket="bucket",
    prefix="data_capture",
    endpoints=["endpoint", "o'brien"],
    variants=["AllTraffic"],
)
KEY = "data_capture/endpoint/AllTraffic/2026/11/23/{hour:02}/00-00-000-{n}.jsonl"


def line(event: str, data: str, *, encoding: str = "JSON", time: str = "") -> dict[str, Any]:
    return {
        "captureData": {
            "endpointInput": {
                "observedContentType": "image/png",
                "mode": "INPUT",
                "data": "x",
                "encoding": "BASE64",
            },
            "endpointOutput": {"mode": "OUTPUT", "data": data, "encoding": encoding},
        },
        "eventMetadata": {
            "eventId": event,
            "inferenceId": f"inference-{event}",
            "inferenceTime": time or "2026-11-23T10:20:30Z",
        },
        "eventVersion": "0",
    }


LINES: Sequence[tuple[int, dict[str, Any]]] = (
    (10, line("a", "[0.93, 0.07]")),
    (10, line("b", "0.25,0.75\n", encoding="CSV", time="2026-11-23T10:40:00Z")),
    (10, line("c", base64.b64encode(b"[0.5, 0.5]").decode(), encoding="BASE64")),
    (11, line("d", '["0.1", "0.9"]', time="2026-11-23T11:00:00Z")),
    (11, line("e", "[[0.2, 0.8]]", time="2026-11-23T11:59:59Z")),
    (11, line("f", "0.6,0.4\n0.3,0.7", encoding="CSV", time="2026-11-23T11:00:00Z")),
    (11, line("g", "[1e-3, 0.999]", time="{%s}")),
    (11, line("a", "[0.93, 0.07]")),
    (11, line("h", "[3.5, 3.5]")),
    (11, line("i", "an error")),
    (11, line("j", "[-0.5, 1.5]")),
    (11, line("k", "not base64!", encoding="BASE64")),
    (11, line("l", "[0.2, 0.3, 0.5]")),
    (11, line("m", "[0.8, 0.2]", time="2031-01-01T00:00:00Z")),
    (10, line("n", "[0.3, 0.7]", time="1970-01-01T00:00:00Z")),
    (11, line("o", "[0.9, 0.1]", time="2026-11-24T11:59:59Z")),
    (11, line("p", "[0.1, 0.9]", time="2026-11-24T12:00:01Z")),
    (
        11,
        line(
            "q", json.dumps([0.5 if label == 700 else 0.0005 for label in range(1_000)]), time="-"
        ),
    ),
)


@pytest.fixture
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """The table as Athena would see it, in DuckDB."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA scones_dev")
    connection.execute(
        "CREATE TABLE scones_dev.captures ("
        " capturedata STRUCT(endpointoutput STRUCT(data VARCHAR, encoding VARCHAR)),"
        " eventmetadata STRUCT(eventid VARCHAR, inferenceid VARCHAR, inferencetime VARCHAR),"
        ' endpoint VARCHAR, variant VARCHAR, hour VARCHAR, "$path" VARCHAR)'
    )
    for n, (hour, record) in enumerate(LINES):
        output, event = record["captureData"]["endpointOutput"], record["eventMetadata"]
        connection.execute(
            "INSERT INTO scones_dev.captures VALUES (?, ?, 'endpoint', 'AllTraffic', ?, ?)",
            [
                {"endpointoutput": {"data": output["data"], "encoding": output["encoding"]}},
                {
                    "eventid": event["eventId"],
                    "inferenceid": event["inferenceId"],
                    "inferencetime": event["inferenceTime"],
                },
                f"2026/11/23/{hour:02}",
                f"s3://bucket/{KEY.format(hour=hour, n=n)}",
            ],
        )
    yield connection
    connection.close()


def read() -> pl.DataFrame:
    """The same lines by the reader."""
    objects = [
        (KEY.format(hour=hour, n=n), json.dumps(record).encode())
        for n, (hour, record) in enumerate(LINES)
    ]
    return capture_rows(read_objects(objects))


def rows(lake: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return lake.execute(for_duckdb(sql)).fetchall()


FILTERS = [
    InferenceFilters(),
    InferenceFilters(label=1),
    InferenceFilters(
        endpoint="endpoint", variant="AllTraffic", since=datetime(2026, 11, 23, tzinfo=UTC)
    ),
    InferenceFilters(until=datetime(2026, 11, 23, tzinfo=UTC)),
    InferenceFilters(until=datetime(2026, 11, 25, tzinfo=UTC)),
    InferenceFilters(endpoint="o'brien"),
]


@pytest.mark.parametrize("filters", FILTERS)
def test_counts_are_those_of_the_reader(
    lake: duckdb.DuckDBPyConnection, filters: InferenceFilters
) -> None:
    expected = record_filters.select_counts(count_captures(read(), Period.HOUR, now=NOW), filters)

    found = pl.DataFrame(
        rows(lake, athena.counts_sql(TABLE, filters, Period.HOUR, now=NOW)),
        schema=COUNTS,
        orient="row",
    )

    key = COUNTS.names()
    assert found.sort(key).rows() == expected.sort(key).rows()


@pytest.mark.parametrize(
    ("selection", "events"),
    [
        (None, set("abcdefglmnopq")),
        (Selection(0.7, 0.95), set("abdefmnop")),
        (Selection(0.5, 1.0, (1,), others=False), set("bdefgnp")),
        (Selection(0.5, 1.0, (0, 700), others=False), set("acfmoq")),
        (Selection(0.5, 1.0, (0, 1)), set("lq")),
        (Selection(0.5, 0.6, (0, 1, 2)), set("q")),
    ],
)
def test_a_bar_selects_its_records(
    lake: duckdb.DuckDBPyConnection, selection: Selection | None, events: set[str]
) -> None:
    sql = athena.records_sql(TABLE, InferenceFilters(), selection, now=NOW, limit=100)

    assert {row[0] for row in rows(lake, sql)} == events


@pytest.mark.parametrize(
    "selection", [None, Selection(0.7, 0.95), Selection(0.5, 1.0, (1,), others=False)]
)
@pytest.mark.parametrize("filters", FILTERS)
def test_records_are_those_of_the_reader_in_their_order(
    lake: duckdb.DuckDBPyConnection, filters: InferenceFilters, selection: Selection | None
) -> None:
    expected = record_filters.match_records(read().lazy(), filters, selection, now=NOW).collect()

    found = rows(lake, athena.records_sql(TABLE, filters, selection, now=NOW, limit=100))

    timed = [row for row in found if record_filters.has_usable_time(row[2], NOW)]
    untimed = found[len(timed) :]
    assert [(row[0], row[5], row[6]) for row in timed + sorted(untimed)] == [
        (row["event_id"], row["probabilities"], row["label"])
        for row in expected.iter_rows(named=True)
    ]


def test_pages_follow_each_other(lake: duckdb.DuckDBPyConnection) -> None:
    whole = rows(lake, athena.records_sql(TABLE, InferenceFilters(), None, now=NOW, limit=100))

    pages = [
        row
        for offset in range(0, 100, 3)
        for row in rows(
            lake,
            athena.records_sql(TABLE, InferenceFilters(), None, now=NOW, limit=3, offset=offset),
        )
    ]

    assert pages == whole


IDS = ["inference-a", "b", "inference-b", "f", "inference-m", "o'brien", "nobody", "", "é" * 65]


def labelled(
    lake: duckdb.DuckDBPyConnection, filters: InferenceFilters, ids: Sequence[str] = IDS
) -> pl.DataFrame:
    found = [
        row for sql in athena.labelled_sql(TABLE, filters, ids, now=NOW) for row in rows(lake, sql)
    ]
    return pl.DataFrame(found, schema=athena.LABELLED_COLUMNS, orient="row")


@pytest.mark.parametrize("filters", FILTERS)
def test_records_of_some_ids_are_those_of_the_reader(
    lake: duckdb.DuckDBPyConnection, filters: InferenceFilters
) -> None:
    mine = pl.col("event_id").is_in(IDS) | pl.col("inference_id").is_in(IDS)
    expected = record_filters.match_records(read().lazy().filter(mine), filters, now=NOW).collect()

    found = labelled(lake, filters)

    columns = [name for name in athena.LABELLED_COLUMNS if name != "place"]
    assert found.select(columns).rows() == expected.sort("event_id", "row").select(columns).rows()
    assert found.filter(event_id="f")["place"].to_list() in ([], [1], [2], [1, 2])


def test_ids_are_asked_for_in_queries_that_athena_takes(
    lake: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = labelled(lake, InferenceFilters())
    (sql,) = athena.labelled_sql(TABLE, InferenceFilters(), IDS, now=NOW)
    most = len(sql.encode()) - 60
    monkeypatch.setattr(athena, "QUERY_BYTES", most)

    queries = athena.labelled_sql(TABLE, InferenceFilters(), IDS, now=NOW)

    assert len(queries) > 1
    assert all(len(sql.encode()) <= most for sql in queries)
    assert labelled(lake, InferenceFilters()).unique().sort("event_id", "place").equals(whole)
    assert labelled(lake, InferenceFilters()).height == whole.height + 1  # b, by both its ids


def test_many_ids_are_few_queries() -> None:
    ids = [f"{n:08}-0000-4000-8000-000000000000" for n in range(10_000)]

    queries = athena.labelled_sql(TABLE, InferenceFilters(), ids, now=NOW)

    assert [len(sql.encode()) <= athena.QUERY_BYTES for sql in queries] == [True, True]
    assert sum(sql.count("-0000-4000-8000-") for sql in queries) == len(ids)


def test_no_id_is_no_query() -> None:
    assert athena.labelled_sql(TABLE, InferenceFilters(), ["", "é" * 65], now=NOW) == []


def every_statement() -> list[str]:
    return [
        *athena.create_statements(TABLE),
        athena.counts_sql(TABLE, InferenceFilters(label=0), Period.DAY, now=NOW),
        athena.records_sql(TABLE, InferenceFilters(), Selection(0.5, 0.6), now=NOW, limit=5),
        *athena.labelled_sql(TABLE, InferenceFilters(), IDS, now=NOW),
    ]


@pytest.mark.parametrize("sql", every_statement())
def test_every_statement_is_athenas_sql(sql: str) -> None:
    assert sqlglot.parse_one(sql, read="athena", error_level=sqlglot.ErrorLevel.RAISE)


def test_a_filter_reads_only_its_hours_and_its_endpoint() -> None:
    filters = InferenceFilters(
        endpoint="endpoint",
        since=datetime(2026, 11, 1, tzinfo=UTC),
        until=datetime(2026, 11, 3, tzinfo=UTC),
    )

    sql = athena.counts_sql(TABLE, filters, Period.HOUR, now=NOW)

    assert "endpoint IN ('endpoint')" in sql
    assert "hour >= '2026/11/01/00'" in sql
    assert "hour < '2026/11/03/00'" in sql


def test_partitions_are_projected_on_the_hour_over_sagemakers_keys() -> None:
    _, sql = athena.create_statements(TABLE)

    properties = dict(re.findall(r"'([\w.]+)' = '([^']*)'", sql))
    assert properties["projection.enabled"] == "true"
    assert properties["projection.hour.format"] == "yyyy/MM/dd/HH"
    assert properties["projection.hour.interval.unit"] == "HOURS"
    location = "s3://bucket/data_capture/${endpoint}/${variant}/${hour}/"
    assert properties["storage.location.template"] == location


def test_endpoints_are_taken_from_the_query_so_the_table_need_not_know_them() -> None:
    renamed = replace(TABLE, endpoints=["renamed"], variants=["Blue"])

    _, sql = athena.create_statements(TABLE)

    properties = dict(re.findall(r"'([\w.]+)' = '([^']*)'", sql))
    assert properties["projection.endpoint.type"] == "injected"
    assert properties["projection.variant.type"] == "injected"
    assert athena.create_statements(renamed) == athena.create_statements(TABLE)


@pytest.mark.parametrize("filters", FILTERS)
def test_every_query_names_endpoint_and_variant_by_constants(filters: InferenceFilters) -> None:
    for sql in (
        athena.counts_sql(TABLE, filters, Period.HOUR, now=NOW),
        athena.records_sql(TABLE, filters, None, now=NOW, limit=5),
        *athena.labelled_sql(TABLE, filters, IDS, now=NOW),
    ):
        for column in ("endpoint", "variant"):
            named = [
                condition
                for condition in sqlglot.parse_one(sql, read="athena").find_all(exp.In)
                if condition.this.name == column
            ]
            assert named
            assert all(isinstance(value, exp.Literal) for one in named for value in one.expressions)


@pytest.mark.parametrize("missing", ["endpoints", "variants"])
def test_no_query_is_made_where_nothing_was_captured(missing: str) -> None:
    names: dict[str, Any] = {missing: []}

    with pytest.raises(WorkflowError) as caught:
        replace(TABLE, **names)

    assert caught.value.code == "NothingCaptured"


def test_a_table_that_is_defined_otherwise_has_another_name() -> None:
    name = athena.table_name("bucket", "data_capture")

    assert name == athena.table_name("bucket", "data_capture")
    assert name != athena.table_name("bucket", "elsewhere")
    assert replace(TABLE, name=name).full_name == f"scones_dev.{name}"


@pytest.mark.parametrize(
    ("start", "end", "events"),
    [
        (None, "2026-11-23T10:40:00", {"a", "c", "n"}),
        ("2026-11-23T10:40:00", None, {"b", "d", "e", "f", "m", "o", "p"}),
        ("2026-11-23T10:20:30", "2026-11-23T11:00:00", {"a", "b", "c"}),
        ("2026-11-23T10:20:31", "2026-11-23T11:00:01", {"b", "d", "f"}),
    ],
)
def test_a_span_is_cut_at_its_moments(
    lake: duckdb.DuckDBPyConnection, start: str | None, end: str | None, events: set[str]
) -> None:
    span = Span(
        *(datetime.fromisoformat(f"{text}+00:00") if text else None for text in (start, end))
    )

    found = rows(
        lake, athena.records_sql(TABLE, InferenceFilters(), None, now=NOW, limit=100, span=span)
    )
    counts = rows(
        lake, athena.counts_sql(TABLE, InferenceFilters(), Period.DAY, now=NOW, span=span)
    )

    assert {row[0] for row in found} == events
    assert sum(row[-1] for row in counts) == len(found)


def test_no_name_breaks_out_of_its_quotes(lake: duckdb.DuckDBPyConnection) -> None:
    nasty = InferenceFilters(endpoint="x' OR '1'='1")

    assert rows(lake, athena.counts_sql(TABLE, nasty, Period.HOUR, now=NOW)) == []


def test_a_database_of_another_alphabet_is_refused() -> None:
    with pytest.raises(WorkflowError) as caught:
        CaptureTable(
            database="scones-dev",
            name="captures",
            bucket="b",
            prefix="p",
            endpoints=[],
            variants=[],
        )

    assert caught.value.code == "AthenaNameInvalid"


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        ("[[0.2, 0.8]]", 1),
        ('{"predictions": [[0.2, 0.8]], "label": 0}', 0),
        ('{"prediction": 0, "probabilities": [0.2, 0.8]}', 0),
        ('{"0": 0.2, "1": 0.8}', 0),
        ('[{"label": "motorcycle", "score": 0.8}, {"label": "bicycle", "score": 0.2}]', 0),
    ],
)
def test_numbers_of_an_answer_with_names_are_given_to_no_wrong_class(
    lake: duckdb.DuckDBPyConnection, answer: str, counted: int
) -> None:
    lake.execute(
        "INSERT INTO scones_dev.captures VALUES (?, ?, 'named', 'AllTraffic', ?, 'k')",
        [
            {"endpointoutput": {"data": answer, "encoding": "JSON"}},
            {"eventid": "n", "inferenceid": None, "inferencetime": "2026-11-23T10:05:00Z"},
            "2026/11/23/10",
        ],
    )
    table = replace(TABLE, endpoints=("named",))

    found = rows(lake, athena.counts_sql(table, InferenceFilters(), Period.HOUR, now=NOW))

    assert len(found) == counted
