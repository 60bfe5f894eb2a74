"""A rollout that is watched, and rolled back by itself."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.rollout.automatic_rollback import EVERY_S, Said, next_period, watch_rollout
from dashboard.rollout.model import reason_to_roll_back
from workflow.errors import WorkflowError
from workflow.intervals import Share
from workflow.sequential import Comparison

NOTHING = Comparison(Share(0, 900), Share(0, 100))


@pytest.mark.parametrize(
    ("rejected", "failed", "begins"),
    [
        (Comparison(Share(90, 900), Share(60, 100)), NOTHING, "the new model rejects 60.0%"),
        (NOTHING, Comparison(Share(1, 900), Share(30, 100)), "the new model fails 30.0%"),
        (Comparison(Share(90, 900), Share(11, 100)), NOTHING, ""),
        (Comparison(Share(500, 900), Share(2, 100)), NOTHING, ""),  # better is no reason
        (Comparison(Share(0, 0), Share(0, 0)), Comparison(Share(0, 0), Share(0, 0)), ""),
    ],
)
def test_only_a_model_that_is_worse_is_rolled_back(
    rejected: Comparison, failed: Comparison, begins: str
) -> None:
    found = reason_to_roll_back(rejected, failed)

    assert found.startswith(begins)
    assert bool(found) == bool(begins)


def run(looks: Iterator[str | WorkflowError | None]) -> tuple[list[str], int]:
    """What was done and said, and how often was waited."""
    done: list[str] = []
    waits: list[float] = []

    def look() -> str | None:
        found = next(looks)
        if isinstance(found, WorkflowError):
            raise found
        return found

    def roll_back(_: str) -> None:
        done.append("rolled back")

    def report(said: Said) -> None:
        done.append(said.text)

    watch_rollout(look, roll_back, report, waits.append)
    assert set(waits) <= {EVERY_S}
    return done, len(waits)


def test_it_looks_until_there_is_a_reason_and_rolls_back_once() -> None:
    done, waited = run(iter(["", "", "the new model fails."]))

    assert done[-2:] == ["rolled back", "Rolled back: the new model fails."]
    assert waited == 2


def test_it_ends_with_the_rollout() -> None:
    done, waited = run(iter(["", None]))

    assert "rolled back" not in done
    assert "has ended" in done[-1]
    assert waited == 1


def test_a_look_that_fails_is_said_and_tried_again() -> None:
    throttled = WorkflowError("Throttling", "Rate exceeded.", "Wait.")

    done, waited = run(iter([throttled, "worse."]))

    assert done[0] == "The last look failed: Rate exceeded."
    assert done[1:] == ["rolled back", "Rolled back: worse."]
    assert waited == 1


@given(
    st.floats(0, 4e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from([timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)]),
)
def test_failures_count_from_the_first_whole_period(moment: datetime, every: timedelta) -> None:
    start = next_period(moment, every)

    assert moment <= start < moment + every
    assert (start - datetime(1970, 1, 1, tzinfo=UTC)) % every == timedelta(0)
