"""The inbox: failures of the store, with the team's notes and what became of repairs, as groups."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

import polars as pl

from workflow.executions import Failure, Outcome
from workflow.triage import FailureGroup, group
from workflow.triage_notes import TriageEvent

DAY = timedelta(hours=24)


def build_inbox(
    failures: Collection[Failure],
    rows: pl.DataFrame,
    notes: Iterable[TriageEvent],
    restarts: Mapping[str, str],
    *,
    now: datetime,
    trend: timedelta = DAY,
) -> tuple[FailureGroup, ...]:
    """Return the groups that are not settled, the most urgent first.

    Args:
        failures: The failure of every attempt.
        rows: ``execution_tables.listing``.
        notes: Every note of the team.
        restarts: ARN of the execution that restarts another, by the ARN of that other.
        now: Aware.
        trend: Length of the trend of each group.
    """
    arns = {failure.execution_arn for failure in failures} | set(restarts.values())
    return group(
        failures,
        notes,
        now=now,
        window=trend,
        outcomes=find_outcomes(rows, arns),
        restarts=restarts,
    )


def find_outcomes(rows: pl.DataFrame, arns: Iterable[str]) -> dict[str, Outcome]:
    """Return how the named executions stand by now.

    Args:
        rows: ``execution_tables.listing``.
        arns: Executions that failed, and those that restarted them.
    """
    wanted = rows.join(pl.DataFrame({"arn": list(arns)}, {"arn": pl.String}), on="arn", how="semi")
    return {arn: Outcome(value) for arn, value in wanted.select("arn", "outcome").iter_rows()}
