"""The tables that executions are kept in: their columns, and what they say taken together.

Each table is a log of observations: rows are added and never changed, so several sessions may write
at once and a repeated observation does no harm. ``select_current`` and its neighbours fold a log
into what holds now.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl

from workflow.contract import read_rejection
from workflow.execution_rules import ExecutionRules
from workflow.executions import Execution, Failure, Kind, Outcome, Status
from workflow.timelines import StateVisit

_TIME = pl.Datetime("us", "UTC")

EXECUTIONS: Mapping[str, Any] = {
    "arn": pl.String,
    "name": pl.String,
    "version": pl.String,
    "alias": pl.String,
    "status": pl.String,
    "started_at": _TIME,
    "stopped_at": _TIME,
    "redrive_count": pl.Int64,
    "observed_at": _TIME,
}
"""One row an observation of an execution, by a listing, an event or a description."""

DETAILS: Mapping[str, Any] = {
    "arn": pl.String,
    "redrive_count": pl.Int64,
    "status": pl.String,
    "source": pl.String,
    "outcome": pl.String,
    "input": pl.String,
    "output": pl.String,
    "error": pl.String,
    "cause": pl.String,
    "redrive_status": pl.String,
    "redrive_reason": pl.String,
    "image": pl.String,
    "label": pl.String,
    "confidence": pl.Float64,
    "observed_at": _TIME,
}
"""One row an ended attempt whose input and output were seen: ``source`` is event, describe or gone.

``gone``: AWS does not know the execution any more, and nothing else is filled.
"""

HISTORIES: Mapping[str, Any] = {
    "arn": pl.String,
    "redrive_count": pl.Int64,
    "events": pl.Binary,
    "problem": pl.String,
    "observed_at": _TIME,
}
"""One row a history read to its end: its events as JSON, or why AWS will never give them."""

VISITS: Mapping[str, Any] = {
    "arn": pl.String,
    "redrive_count": pl.Int64,
    "state": pl.String,
    "type": pl.String,
    "status": pl.String,
    "entered_at": _TIME,
    "seconds": pl.Float64,
    "retries": pl.Int64,
}
"""One row a visit of a state, of every history read; ``seconds`` is null where it has no end."""

FAILURES: Mapping[str, Any] = {
    "execution_arn": pl.String,
    "state": pl.String,
    "error": pl.String,
    "cause": pl.String,
    "failed_at": _TIME,
    "kind": pl.String,
    "version": pl.String,
    "image": pl.String,
    "attempt": pl.Int64,
    "ended_in": pl.String,
    "observed_at": _TIME,
}
"""One row a ``workflow.executions.Failure``; a later row of the same attempt knows more."""

SPANS: Mapping[str, Any] = {
    "newest": _TIME,
    "oldest": _TIME,
    "token": pl.String,
    "token_at": _TIME,
}
"""One row a ``dashboard.executions.listed_span.Span``."""

TABLES = {
    "executions": EXECUTIONS,
    "execution_details": DETAILS,
    "histories": HISTORIES,
    "visits": VISITS,
    "failures": FAILURES,
    "spans": SPANS,
}
"""Every table by its name in the store."""


def execution_row(execution: Execution, observed_at: datetime) -> dict[str, Any]:
    """Return one row of ``EXECUTIONS``."""
    known = {name: getattr(execution, name) for name in EXECUTIONS if name != "observed_at"}
    return known | {"status": execution.status.value, "observed_at": observed_at}


def detail_row(
    execution: Execution,
    source: str,
    observed_at: datetime,
    *,
    rules: ExecutionRules,
    visits: tuple[StateVisit, ...] = (),
) -> dict[str, Any]:
    """Return one row of ``DETAILS``, by the rules of the workflow."""
    rejection = read_rejection(execution.cause)
    inference = rejection or rules.inference(execution, visits)
    return {
        "arn": execution.arn,
        "redrive_count": execution.redrive_count,
        "status": execution.status.value,
        "source": source,
        "outcome": rules.outcome(execution, visits).value,
        "input": execution.input,
        "output": execution.output,
        "error": execution.error,
        "cause": execution.cause,
        "redrive_status": execution.redrive_status,
        "redrive_reason": execution.redrive_reason,
        "image": rules.image(execution, visits),
        "label": inference.label if inference else None,
        "confidence": inference.confidence if inference else None,
        "observed_at": observed_at,
    }


def visit_row(attempt: tuple[str, int], visit: StateVisit) -> dict[str, Any]:
    """Return one row of ``VISITS``; where clocks disagree a visit took no time, never less."""
    ended = visit.exited_at
    return {
        "arn": attempt[0],
        "redrive_count": attempt[1],
        "state": visit.name,
        "type": visit.type,
        "status": visit.status.value,
        "entered_at": visit.entered_at,
        "seconds": max(0.0, (ended - visit.entered_at).total_seconds()) if ended else None,
        "retries": max(0, len(visit.attempts) - 1),
    }


def failure_row(failure: Failure, observed_at: datetime) -> dict[str, Any]:
    """Return one row of ``FAILURES``."""
    return asdict(failure) | {
        "kind": failure.kind.value if failure.kind else None,
        "observed_at": observed_at,
    }


def build_frame(rows: Iterable[Mapping[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return rows as a frame with exactly the columns of a table."""
    return pl.DataFrame(list(rows), schema=dict(schema), orient="row")


def select_current(executions: pl.LazyFrame) -> pl.LazyFrame:
    """Return what holds of each execution now, newest start first.

    Observations arrive in any order: a later redrive beats an earlier one, an end beats a start of
    the same attempt, and only then does the time of observation count.
    """
    ended = pl.col("status").is_in([status.value for status in Status if status.ended])
    return (
        executions.with_columns(ended=ended)
        # Logs have no order of their own: processes append as messages and pages reach them.
        .sort("redrive_count", "ended", "observed_at", maintain_order=True)
        .unique("arn", keep="last", maintain_order=True)
        .drop("ended")
        .sort("started_at", "arn", descending=[True, False])
    )


def select_latest(observations: pl.LazyFrame, *key: str) -> pl.LazyFrame:
    """Return the last observation of each key."""
    ordered = observations.sort("observed_at", maintain_order=True)
    return ordered.unique(list(key), keep="last", maintain_order=True)


def stored_listing(scan: Callable[[str], pl.LazyFrame]) -> pl.DataFrame:
    """Return ``build_listing`` of a store, given what reads one of its tables."""
    return build_listing(scan("executions"), scan("execution_details"), scan("failures"))


def build_listing(
    executions: pl.LazyFrame, details: pl.LazyFrame, failures: pl.LazyFrame
) -> pl.DataFrame:
    """Return one row an execution with all that is known of it, newest start first.

    Args:
        executions: ``EXECUTIONS``.
        details: ``DETAILS``.
        failures: ``FAILURES``.

    Returns:
        The columns of ``EXECUTIONS``, and ``seconds`` (null while it runs, and once it was
        redriven), ``outcome`` (a value of ``workflow.executions.Outcome``), ``image``, ``label``,
        ``confidence``, ``error``, and ``state``, where it failed. A failure whose history is not
        read yet counts as a fault.
    """
    key = ["arn", "redrive_count"]
    seen = select_latest(details, *key).select(
        *key, "outcome", "image", "label", "confidence", "error", gone=pl.col("source") == "gone"
    )
    failed = select_latest(failures, "execution_arn", "attempt").select(
        pl.col("execution_arn").alias("arn"),
        pl.col("attempt").alias("redrive_count"),
        "state",
        pl.col("error").alias("failure"),
    )
    unseen = pl.col("status").replace_strict(_UNSEEN, default=Outcome.RUNNING.value)
    ended = pl.col("stopped_at") - pl.col("started_at")
    rows = select_current(executions).join(seen, on=key, how="left", maintain_order="left")
    return (
        rows.join(failed, on=key, how="left", maintain_order="left")
        .with_columns(
            # Of an execution that was redriven, most of it may be the wait for that.
            seconds=pl.when(pl.col("redrive_count") == 0).then(ended.dt.total_microseconds() / 1e6),
            outcome=pl.coalesce("outcome", unseen),
            error=pl.coalesce("failure", "error"),
            gone=pl.col("gone").fill_null(value=False),
        )
        .drop("failure")
        .collect()
    )


def stored_execution(executions: pl.LazyFrame, details: pl.LazyFrame, arn: str) -> Execution | None:
    """Return what the store knows of one execution, or None."""
    mine = select_current(executions.filter(pl.col("arn") == arn)).drop("observed_at")
    seen = select_latest(details.filter(pl.col("arn") == arn), "arn", "redrive_count").select(
        "arn", "redrive_count", "input", "output", "error", "cause", "redrive_status"
    )
    rows = mine.join(seen, on=["arn", "redrive_count"], how="left").collect().to_dicts()
    if not rows:
        return None
    machine = arn.rpartition(":")[0].replace(":execution:", ":stateMachine:")
    return Execution(
        **{**rows[0], "status": Status(rows[0]["status"]), "state_machine_arn": machine}
    )


def stored_history(histories: pl.LazyFrame, arn: str, redrive_count: int) -> bytes | None:
    """Return the events of an attempt as JSON; None where they were not read."""
    mine = (pl.col("arn") == arn) & (pl.col("redrive_count") == redrive_count)
    found = histories.filter(mine & pl.col("events").is_not_null()).select("events").collect()
    return bytes(found["events"][0]) if found.height else None


_UNSEEN = {
    Status.SUCCEEDED.value: Outcome.UNEXAMINED.value,
    Status.FAILED.value: Outcome.FAULTED.value,
    Status.TIMED_OUT.value: Outcome.FAULTED.value,
    Status.ABORTED.value: Outcome.ABORTED.value,
}


def build_failures(observations: pl.LazyFrame) -> tuple[Failure, ...]:
    """Return the failures in rows of ``FAILURES``, the best known one of each attempt."""
    rows = select_latest(observations, "execution_arn", "attempt").drop("observed_at").collect()
    return tuple(
        Failure(**row | {"kind": Kind(row["kind"]) if row["kind"] else None})
        for row in rows.iter_rows(named=True)
    )
