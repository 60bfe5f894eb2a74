"""A rollback goes to the version that executions ran on before."""

from datetime import UTC, datetime

import pytest

from deploy.versions import Version, rollback_target
from workflow.errors import WorkflowError


def versions(**weights: int) -> list[Version]:
    return [
        Version(
            arn=f"arn:{name}",
            number=int(name[1:]),
            created=datetime(2026, 1, 1, tzinfo=UTC),
            weight=weight,
        )
        for name, weight in weights.items()
    ]


@pytest.mark.parametrize(
    ("weights", "target"),
    [
        ({"v1": 0, "v2": 100}, 1),
        ({"v3": 100, "v1": 0, "v2": 0}, 2),
        ({"v1": 0, "v2": 100, "v3": 0}, 1),
        ({"v1": 90, "v2": 10}, 1),
        ({"v1": 60, "v2": 0, "v3": 40}, 1),
    ],
    ids=str,
)
def test_goes_back_to_what_was_in_use_before(weights: dict[str, int], target: int) -> None:
    assert rollback_target(versions(**weights)).number == target


@pytest.mark.parametrize("weights", [{}, {"v1": 0}, {"v1": 100}, {"v1": 100, "v2": 0}], ids=str)
def test_says_so_where_there_is_nothing_before(weights: dict[str, int]) -> None:
    with pytest.raises(WorkflowError) as caught:
        rollback_target(versions(**weights))

    assert caught.value.code == "NothingToRollBackTo"
