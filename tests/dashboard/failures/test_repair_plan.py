"""The result of a repair adds up."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.failures.repair_plan import (
    ItemResult,
    ItemStatus,
    RepairItem,
    RepairPlan,
    RepairRun,
    RepairTally,
    count_items,
    estimated_seconds,
)
from workflow.executions import Outcome
from workflow.redrive import RedriveAction

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def run(results: dict[str, ItemStatus], *waiting: str) -> RepairRun:
    items = tuple(
        RepairItem(arn=arn, action=RedriveAction.REDRIVE, redrive_count=0)
        for arn in (*results, *waiting)
    )
    plan = RepairPlan(id="r", at=NOW, author="ada", fingerprint="f", target="t", items=items)
    return RepairRun(
        plan=plan,
        results={
            arn: ItemResult(
                arn=arn,
                status=status,
                at=NOW,
                started=f"{arn}-new" if status is ItemStatus.RESTARTED else None,
            )
            for arn, status in results.items()
        },
    )


def test_each_item_is_counted_once_by_what_became_of_it() -> None:
    redriven = dict.fromkeys("abcd", ItemStatus.REDRIVEN)
    results = redriven | {"e": ItemStatus.RESTARTED, "f": ItemStatus.REFUSED}
    standing = {
        "a": (Outcome.ACCEPTED, 1),
        "b": (Outcome.REJECTED, 1),
        "c": (Outcome.FAULTED, 1),
        "d": (Outcome.FAULTED, 0),  # the redrive is not listed yet
        "e-new": (Outcome.UNEXAMINED, 0),
    }

    found = count_items(run(results, "g"), standing)

    assert found == RepairTally(
        succeeded=2, rejected=1, failed_again=1, running=1, refused=1, not_started=1
    )
    assert found.format_sentence() == (
        "2 succeeded, 1 rejected, 1 failed again, 1 running, 1 refused, 1 not started"
    )


@given(
    st.dictionaries(st.text(max_size=3), st.sampled_from(ItemStatus)),
    st.dictionaries(
        st.text(max_size=3), st.tuples(st.sampled_from(Outcome), st.integers(0, 2)), max_size=9
    ),
)
def test_the_numbers_add_up(
    results: dict[str, ItemStatus], standing: dict[str, tuple[Outcome, int]]
) -> None:
    found = count_items(run(results, "waiting"), standing)
    numbers = [getattr(found, name) for name in RepairTally.__dataclass_fields__]

    assert sum(numbers) == len(results) + 1


@pytest.mark.parametrize(("items", "seconds"), [(1, 2.0), (10, 2.0), (11, 4.0), (0, 0.0)])
def test_a_repair_takes_rounds_of_the_median_duration(items: int, seconds: float) -> None:
    assert estimated_seconds(items, 10, 2.0) == seconds
    assert math.isnan(estimated_seconds(5, 10, math.nan))
