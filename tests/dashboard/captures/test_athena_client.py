"""Queries of Athena: run, waited for, read; and what goes wrong said in words."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from dashboard.aws.cloud import Connection
from dashboard.captures import athena_client as athena
from dashboard.captures.aggregates import COUNTS
from dashboard.captures.athena_client import AthenaQueries, parse_result
from dashboard.captures.athena_queries import RECORD_COLUMNS
from tests.dashboard.aws.unconnected import unconnected
from workflow.errors import WorkflowError

ID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setattr("dashboard.captures.athena_client.time.sleep", lambda _: None)
    return unconnected()


@pytest.fixture
def stub(connection: Connection) -> Iterator[Stubber]:
    with Stubber(connection.client("athena")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def started(stub: Stubber) -> None:
    stub.add_response(
        "start_query_execution",
        {"QueryExecutionId": ID},
        {
            "QueryString": "SELECT 1",
            "QueryExecutionContext": {"Database": "scones"},
            "ResultConfiguration": ANY,
            "ResultReuseConfiguration": ANY,
            "WorkGroup": "primary",
        },
    )


def status(stub: Stubber, state: str, **more: str) -> None:
    answer: dict[str, Any] = {"QueryExecution": {"Status": {"State": state, **more}}}
    stub.add_response("get_query_execution", answer, {"QueryExecutionId": ID})


def test_a_query_is_waited_for_and_read(connection: Connection, stub: Stubber) -> None:
    started(stub)
    for state in ("QUEUED", "RUNNING", "SUCCEEDED"):
        status(stub, state)
    content = b'"time","endpoint"\n"2026-11-23 10:00:00.000 UTC","e"\n,"f"\n'
    with Stubber(connection.client("s3")) as s3:
        answer = {"Body": StreamingBody(io.BytesIO(content), len(content))}
        expected = {"Bucket": connection.settings.bucket, "Key": f"athena-results/{ID}.csv"}
        s3.add_response("get_object", answer, expected)
        schema = pl.Schema({"time": COUNTS["time"], "endpoint": pl.String()})

        rows = AthenaQueries(connection, "scones").read_rows("SELECT 1", schema)

    assert rows.rows() == [(datetime(2026, 11, 23, 10, tzinfo=UTC), "e"), (None, "f")]


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_failure_gives_athenas_reason(connection: Connection, stub: Stubber, state: str) -> None:
    started(stub)
    status(stub, state, StateChangeReason="SYNTAX_ERROR: line 1")

    with pytest.raises(WorkflowError, match="SYNTAX_ERROR") as caught:
        AthenaQueries(connection, "scones").execute("SELECT 1")

    assert caught.value.code == "AthenaQueryFailed"


def test_a_query_without_end_is_given_up(
    connection: Connection, stub: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(athena, "_LIMIT_SECONDS", 0.5)
    started(stub)
    status(stub, "RUNNING")
    status(stub, "RUNNING")

    with pytest.raises(WorkflowError) as caught:
        AthenaQueries(connection, "scones").execute("SELECT 1")

    assert caught.value.code == "AthenaQuerySlow"


def test_a_refusal_keeps_its_code(connection: Connection, stub: Stubber) -> None:
    stub.add_client_error("start_query_execution", "AccessDeniedException", "no")

    with pytest.raises(WorkflowError) as caught:
        AthenaQueries(connection, "scones").execute("SELECT 1")

    assert caught.value.code.startswith("AccessDenied")


def test_records_come_with_their_types() -> None:
    content = (
        b'"event_id","inference_id","inference_time","endpoint","variant","probabilities",'
        b'"label","confidence","key"\n'
        b'"a",,"2026-11-23 10:00:00.123 UTC","e","v","[0.25, 7.5E-1]","1","0.75","s3://b/k"\n'
    )

    row = parse_result(content, RECORD_COLUMNS).row(0, named=True)

    assert row["probabilities"] == [0.25, 0.75]
    assert row["inference_id"] is None
    assert row["inference_time"].microsecond == 123000
    assert (row["label"], row["confidence"]) == (1, 0.75)
