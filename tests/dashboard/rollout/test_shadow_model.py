"""A shadow beside the model in use, on the same requests."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from dashboard.captures.tables import CAPTURES
from dashboard.rollout.shadow_model import PAIRS, compare_shadow, pair_answers
from tests.captured import NOW


def answer(name: str, label: int = 0, confidence: float = 0.95, **fields: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(CAPTURES)
    given = {"event_id": f"event of {name}", "inference_id": name, "inference_time": NOW, "row": 0}
    return {**nothing, **given, "label": label, "confidence": confidence, **fields}


def table(*answers: dict[str, Any]) -> pl.LazyFrame:
    return pl.LazyFrame(list(answers), schema=pl.Schema(CAPTURES))


def pairs(*outcomes: tuple[float, float, int]) -> pl.DataFrame:
    """Confidences of both, and how many such pairs; of the same class where both are sure."""
    rows = [
        (f"{old} {new} {i}", 0, old, int(old != new), new)
        for old, new, count in outcomes
        for i in range(count)
    ]
    return pl.DataFrame(rows, schema=PAIRS, orient="row")


def test_requests_are_paired_by_inference_id_or_else_by_event_id() -> None:
    old = table(
        answer("a"),
        answer("without id", inference_id=None, event_id="e"),
        answer("not copied"),
    )
    new = table(
        answer("a", 1, 0.5),
        answer("without id", inference_id=None, event_id="e", confidence=0.7),
        answer("captured of the copy only"),
    )

    found = pair_answers(old, new).sort("id")

    assert found.schema == PAIRS
    assert found.rows() == [("a", 0, 0.95, 1, 0.5), ("e", 0, 0.95, 0, 0.7)]


def test_of_a_request_that_was_repeated_the_last_answers_are_paired() -> None:
    later = NOW + timedelta(seconds=5)
    old = table(answer("a", 1, inference_time=later), answer("a", 0))
    new = table(answer("a", 0), answer("a", 1, inference_time=later))

    assert pair_answers(old, new).rows() == [("a", 1, 0.95, 1, 0.95)]


def test_rows_of_one_request_are_paired_by_their_place() -> None:
    both = [table(answer("a", 0, row=0), answer("a", 1, row=1))] * 2

    assert sorted(pair_answers(*both)["new_label"]) == [0, 1]


@pytest.mark.parametrize(
    ("only_old", "only_new", "says", "decided"),
    [
        (2, 40, "rejects more", True),
        (40, 2, "rejects fewer", True),
        (20, 22, "not clear yet", False),
        (0, 0, "not clear yet", False),
    ],
)
def test_only_pairs_in_which_one_rejects_decide(
    only_old: int, only_new: int, says: str, decided: object
) -> None:
    seen = pairs((0.95, 0.95, 300), (0.5, 0.5, 100), (0.5, 0.95, only_old), (0.95, 0.5, only_new))

    said = compare_shadow(seen, "Old", "New", 0.9)

    assert (said.only_old, said.only_new) == (only_old, only_new)
    assert says in said.rejected.says
    assert said.rejected.decided is decided
    assert said.agreement.hits == 400
    assert said.interval[0] <= said.agreement.value <= said.interval[1]
    assert [row.records for row in said.rejected.rows] == [len(seen), len(seen)]


def test_nothing_paired_says_nothing() -> None:
    said = compare_shadow(pairs(), "Old", "New", 0.9)

    assert said.agreement.count == 0
    assert said.interval == (0.0, 1.0)
    assert not said.rejected.decided
