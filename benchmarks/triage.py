"""Triage at 1k, 10k and 100k failures: grouping, the inbox and the Executions page's model.

Run: ``python -m benchmarks.triage``. Beside each time stands that of a plain loop over the same
records that only counts them by error: the floor that any grouping in Python pays.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from dashboard.executions import model as executions
from dashboard.executions import tables
from dashboard.failures import model as failures
from dashboard.shared.time_range import LONGEST, RANGES
from workflow.executions import Execution, Failure, Status
from workflow.triage import group

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SIZES = (1_000, 10_000, 100_000)
ERRORS = (
    ("ThrottlingException", "Rate exceeded (request {at})"),
    ("KeyError", "'s3_key'"),
    ("ImageNotFound", "There is no object for s3://bucket/images/{at}.png."),
    ("EndpointUnavailable", "The endpoint cannot answer now ({at})."),
    ("Exception", "THRESHOLD_CONFIDENCE_NOT_MET"),
)


def failed(at: int) -> Failure:
    """One failure of five problems; everything that may differ does."""
    error, cause = ERRORS[at % len(ERRORS)]
    return Failure(
        execution_arn=f"arn:aws:states:us-east-1:123456789012:execution:m:e{at}",
        state="ClassifyImage",
        error=error,
        cause=cause.format(at=at),
        failed_at=NOW - timedelta(seconds=at % 86_400),
        version=str(at % 3),
        image=f"s3://bucket/images/{at}.png",
    )


def listing(count: int) -> pl.DataFrame:
    """Return the joined table of so many executions, three in a hundred failed."""
    rows = [
        tables.execution_row(
            Execution(
                arn=f"arn:{at}",
                name=f"e{at}",
                state_machine_arn="arn:m",
                version="1",
                status=Status.FAILED if at % 33 == 0 else Status.SUCCEEDED,
                started_at=NOW - timedelta(seconds=at),
                stopped_at=NOW - timedelta(seconds=at - 2),
            ),
            NOW,
        )
        for at in range(count)
    ]
    return tables.build_listing(
        tables.build_frame(rows, tables.EXECUTIONS).lazy(),
        tables.build_frame([], tables.DETAILS).lazy(),
        tables.build_frame([], tables.FAILURES).lazy(),
    )


def page(rows: pl.DataFrame) -> None:
    """What one run of the Executions page computes."""
    span = RANGES[LONGEST]
    chosen = executions.select_executions(rows, executions.ExecutionFilters(), since=NOW - span)
    executions.compute_rates(chosen, span)
    executions.outcomes_over_time(chosen, span)
    executions.list_versions(rows)
    chosen.head(executions.LISTED).to_pandas()


def timed(work: Callable[[], Any]) -> float:
    """Milliseconds of CPU, the best of three."""
    times = []
    for _ in range(3):
        started = time.process_time()
        work()
        times.append(1000 * (time.process_time() - started))
    return min(times)


def main() -> None:
    """Print one line a size."""
    print("   count  group ms  floor ms  ratio  inbox ms  page ms")
    for count in SIZES:
        found = [failed(at) for at in range(count)]
        floor = timed(lambda: Counter((one.state, one.error) for one in found))  # noqa: B023 - called here
        grouping = timed(lambda: group(found, (), now=NOW))  # noqa: B023
        groups = group(found, (), now=NOW)
        assert len(groups) == len(ERRORS)  # noqa: S101 - a wrong grouping is no benchmark
        shown = failures.FailureFilters()
        inbox = timed(lambda: failures.build_cards(groups, shown, now=NOW, zone=UTC_ZONE))  # noqa: B023
        rows = listing(count)
        model = timed(lambda: page(rows))  # noqa: B023
        ratio = grouping / floor
        print(f"{count:8,}{grouping:10.0f}{floor:10.1f}{ratio:7.0f}{inbox:10.1f}{model:9.1f}")


if __name__ == "__main__":
    main()
