"""View models of the Inferences page at a million and at twenty million records, beside DuckDB.

Run: ``python -m benchmarks.inferences [--records N ...] [--rounds N]``. Both engines have the same
columns in memory. Ours counts once and draws every chart from the counts; DuckDB is asked for the
three main aggregates (histogram, hourly quantiles, threshold sweep) by a statement each, as a user
would. The limit is reading the columns once. The least of ``rounds`` is compared, for the noise of
a shared machine only adds; compare ratios, not milliseconds.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import polars as pl

from dashboard.captures import aggregates as tables
from dashboard.captures import record_filters
from dashboard.captures.aggregates import count_captures
from dashboard.captures.periods import Period
from dashboard.inferences import model as inferences

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAYS = 14
TARGET_MS = {1_000_000: 100.0, 20_000_000: 500.0}
THRESHOLD = 0.93
MOTORCYCLES = 0.4
SQL = (
    "SELECT label, floor(confidence * 200)::INT b, count(*) FROM captures GROUP BY 1, 2",
    """SELECT date_trunc('hour', inference_time) h, count(*),
    quantile_cont(confidence, [0.05, 0.25, 0.5]) FROM captures GROUP BY 1""",
    """SELECT b, sum(n) OVER (ORDER BY b DESC) FROM
    (SELECT floor(confidence * 200)::INT b, count(*) n FROM captures GROUP BY 1)""",
)


def captures(records: int) -> pl.DataFrame:
    """So many captures over two weeks, the counted columns only."""
    rng = np.random.default_rng(1)
    first = rng.beta(8, 0.6, records)
    start = np.datetime64((NOW - timedelta(days=DAYS)).replace(tzinfo=None), "us")
    step = DAYS * 86_400_000_000 / records
    times = start + (np.arange(records) * step).astype("timedelta64[us]")
    return pl.DataFrame(
        {
            "inference_time": pl.Series(times).dt.replace_time_zone("UTC"),
            "endpoint": pl.repeat("endpoint", records, eager=True).cast(pl.Categorical),
            "variant": pl.repeat("AllTraffic", records, eager=True).cast(pl.Categorical),
            "label": (rng.random(records) < MOTORCYCLES).astype(np.int32),
            "confidence": np.maximum(first, 1 - first),
        }
    )


def best(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the least elapsed and the least CPU time of several, in ms, after one to warm up."""
    work()
    elapsed, spent = [], []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        work()
        elapsed.append(time.perf_counter() - started)
        spent.append(time.process_time() - used)
    return min(elapsed) * 1e3, min(spent) * 1e3


def aggregates(frame: pl.DataFrame) -> None:
    """Everything the page shows of a first look, from the records."""
    from_counts(count_captures(frame, Period.HOUR, now=NOW))


def from_counts(counts: pl.DataFrame) -> None:
    """Everything the page shows after a filter or a threshold was moved."""
    chosen = record_filters.select_counts(counts, record_filters.InferenceFilters(label=0))
    inferences.summarise_counts(chosen, THRESHOLD)
    tables.build_histogram(counts, 50)
    tables.count_volume(counts, Period.HOUR, THRESHOLD)
    tables.compute_quantiles(counts, Period.HOUR)
    tables.sweep_thresholds(counts)


def measure(records: int, rounds: int) -> None:
    """Print one table."""
    frame = captures(records)
    counts = count_captures(frame, Period.HOUR, now=NOW)
    connection = duckdb.connect()
    connection.execute("CREATE TABLE captures AS SELECT * FROM frame")
    limit = best(
        lambda: frame.select(pl.col("confidence", "label").sum(), pl.col("inference_time").max()),
        rounds,
    )
    peer = best(lambda: [connection.execute(sql).fetchall() for sql in SQL], rounds)
    ours = best(lambda: aggregates(frame), rounds)
    moved = best(lambda: from_counts(counts), rounds)
    target = TARGET_MS.get(records)
    print(f"\n{records:,} records, {counts.height:,} rows of counts; load {os.getloadavg()[0]:.0f}")
    print(f"{'what':38} {'ms':>9} {'CPU ms':>9} {'CPU to DuckDB':>14} {'CPU to limit':>13}")
    for name, (elapsed, spent) in (
        ("read the columns once (limit)", limit),
        ("DuckDB, three aggregates", peer),
        ("ours, counts and every aggregate", ours),
        ("ours, a filter or threshold moved", moved),
    ):
        ratios = f"{spent / peer[1]:13.2f}x {spent / limit[1]:12.1f}x"
        print(f"{name:38} {elapsed:9.1f} {spent:9.1f} {ratios}")
    if target:
        said = "met" if ours[0] <= target else "missed"
        print(f"target {target:.0f} ms elapsed: {said} on {os.cpu_count()} cores")


def main() -> None:
    """Measure each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=list(TARGET_MS))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for records in options.records:
        measure(records, options.rounds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory {peak:,.0f} MB, the records of both engines included")


if __name__ == "__main__":
    main()
