"""The edge to Athena: run a query, wait for it, read its result."""

import io
import time
from typing import Any, Final

import polars as pl

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from workflow.errors import WorkflowError

RESULTS_PREFIX: Final = "athena-results"
"""Where results are written in the workflow's own bucket; they can be deleted at any time."""

WORKGROUP: Final = "primary"

_FIRST_WAIT_SECONDS: Final = 0.25
_LONGEST_WAIT_SECONDS: Final = 5.0
_LIMIT_SECONDS: Final = 600.0
_REUSE_MINUTES: Final = 15


class AthenaQueries:
    """Runs SQL in one account.

    Args:
        cloud: Where to run it; results go to the workflow's bucket.
        database: The Glue database that queries run in.
    """

    def __init__(self, cloud: Connection, database: str) -> None:
        self._athena = cloud.client("athena")
        self._s3 = cloud.client("s3")
        self._bucket = cloud.watched.bucket
        self._database = database

    def execute(self, sql: str) -> str:
        """Run a statement to its end.

        Returns:
            The id of the query execution.

        Raises:
            WorkflowError: ``AthenaQueryFailed`` with Athena's own reason; ``AthenaQuerySlow``
                after ten minutes; AWS's code where the call itself is refused.
        """
        with explained("athena:StartQueryExecution", self._database):
            started = self._athena.start_query_execution(
                QueryString=sql,
                QueryExecutionContext={"Database": self._database},
                ResultConfiguration={"OutputLocation": f"s3://{self._bucket}/{RESULTS_PREFIX}/"},
                # The same SQL again then reads nothing and costs nothing (user guide, "Reuse query
                # results").
                ResultReuseConfiguration={
                    "ResultReuseByAgeConfiguration": {
                        "Enabled": True,
                        "MaxAgeInMinutes": _REUSE_MINUTES,
                    }
                },
                WorkGroup=WORKGROUP,
            )
        query_id = str(started["QueryExecutionId"])
        self._wait_for_end(query_id)
        return query_id

    def read_rows(self, sql: str, schema: pl.Schema) -> pl.DataFrame:
        """Run a query and read its rows.

        Args:
            sql: A SELECT.
            schema: Its columns.

        Raises:
            WorkflowError: As ``execute``.
        """
        key = f"{RESULTS_PREFIX}/{self.execute(sql)}.csv"
        with explained("s3:GetObject", f"s3://{self._bucket}/{key}"):
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return parse_result(body, schema)

    def _wait_for_end(self, query_id: str) -> None:
        waited, pause = 0.0, _FIRST_WAIT_SECONDS
        while waited < _LIMIT_SECONDS:
            with explained("athena:GetQueryExecution", query_id):
                query = self._athena.get_query_execution(QueryExecutionId=query_id)
            status = query["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                return
            if status["State"] in {"FAILED", "CANCELLED"}:
                raise _failure_error(query_id, status)
            time.sleep(pause)
            # Athena tells nobody that a query has ended: it is asked ever more rarely.
            waited, pause = waited + pause, min(pause * 2, _LONGEST_WAIT_SECONDS)
        raise WorkflowError(
            "AthenaQuerySlow",
            f"Athena has worked on query {query_id} for {_LIMIT_SECONDS / 60:.0f} minutes.",
            "Choose a shorter time: Athena reads only the hours that the filter leaves.",
        )


def _failure_error(query_id: str, status: dict[str, Any]) -> WorkflowError:
    reason = status.get("StateChangeReason") or "It gave no reason."
    return WorkflowError(
        "AthenaQueryFailed",
        f"Athena ended query {query_id} as {status['State']}: {reason}",
        "Check that the role may use Athena and Glue and read the bucket (docs/scale.md).",
    )


def parse_result(body: bytes, schema: pl.Schema) -> pl.DataFrame:
    """Parse Athena's CSV (every value quoted, NULL as an unquoted nothing) into typed columns."""
    text = pl.read_csv(io.BytesIO(body), infer_schema=False)
    return text.select(_cast_text(pl.col(name), kind).alias(name) for name, kind in schema.items())


def _cast_text(text: pl.Expr, kind: pl.DataType) -> pl.Expr:
    if kind == pl.Datetime("us", "UTC"):
        return text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f UTC", time_unit="us", time_zone="UTC")
    if isinstance(kind, pl.List):
        items = text.str.strip_chars("[]").str.split(", ")
        return items.cast(pl.List(pl.Float64), strict=False)
    return text.cast(kind)
