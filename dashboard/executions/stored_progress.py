"""How complete the store of executions is, as it says itself."""

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from dashboard.executions import tables
from dashboard.executions.listed_span import ListedSpan, drop_covered
from dashboard.executions.sync_progress import SyncProgress
from dashboard.shared.store import SegmentStore
from workflow.errors import WorkflowError
from workflow.executions import Outcome, Status


def stored_progress(store: SegmentStore, *, as_of: datetime) -> SyncProgress:
    """Return how complete a store is that another process keeps in step.

    Args:
        store: Keeps ``execution_tables.TABLES``.
        as_of: When it was last written.
    """
    scan = store.scan
    rows = tables.stored_listing(scan)
    outcome = pl.col("outcome")
    wanted = rows.filter(outcome.is_in([one.value for one in _WANTED]))
    # A history may have been stored twice: by two processes, or again after a crash.
    read = scan("histories").select("arn", "redrive_count").unique().collect()
    succeeded = rows.filter(pl.col("status") == Status.SUCCEEDED.value)
    spans = drop_covered(ListedSpan(**row) for row in scan("spans").collect().iter_rows(named=True))
    return SyncProgress(
        executions=rows.height,
        listed=bool(spans) and spans[0].complete,
        histories=wanted.join(read, on=["arn", "redrive_count"], how="semi").height,
        wanted=wanted.height,
        examined=succeeded.filter(outcome != Outcome.UNEXAMINED.value).height,
        succeeded=succeeded.height,
        problems=with_damage({}, store),
        as_of=as_of,
    )


def with_damage(
    problems: Mapping[str, WorkflowError], store: SegmentStore
) -> dict[str, WorkflowError]:
    """Return the problems of a pass, and that the store was damaged until what it lost is back."""
    damage = store.problem
    return {**problems, **({"Damage": damage} if damage else {})}


_WANTED = (Outcome.REJECTED, Outcome.FAULTED, Outcome.SILENT)
