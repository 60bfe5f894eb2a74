"""A rollback goes to the version that executions ran on before."""

from datetime import UTC, datetime

import pytest

from deploy.versions import Version, compare_versions, promotion_target, rollback_target
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


@pytest.mark.parametrize(
    ("weights", "before", "target"),
    [
        ({"v1": 0, "v2": 100, "v3": 0}, 3, 3),
        ({"v1": 100, "v2": 0}, 2, 2),
        ({"v1": 0, "v2": 0, "v3": 100}, 1, 1),
        ({"v1": 0, "v2": 0, "v3": 100}, 9, 2),
        ({"v2": 0, "v3": 100}, 3, 2),
        ({"v1": 60, "v2": 0, "v3": 40}, 2, 1),
    ],
    ids=str,
)
def test_goes_back_to_what_is_recorded_to_have_been_live(
    weights: dict[str, int], before: int, target: int
) -> None:
    assert rollback_target(versions(**weights), before).number == target


@pytest.mark.parametrize("weights", [{"v1": 90, "v2": 10}, {"v1": 10, "v2": 90}], ids=str)
def test_a_promotion_goes_to_the_newer_of_two_versions(weights: dict[str, int]) -> None:
    assert promotion_target(versions(**weights)).number == 2


@pytest.mark.parametrize("weights", [{}, {"v1": 0}, {"v1": 0, "v2": 100}], ids=str)
def test_without_two_versions_that_share_there_is_nothing_to_promote(
    weights: dict[str, int],
) -> None:
    with pytest.raises(WorkflowError, match="No two versions"):
        promotion_target(versions(**weights))


def test_a_rollback_shows_what_changes_of_the_definition() -> None:
    live, target = versions(v1=100, v2=0)

    found = compare_versions(live, target, ('{"StartAt": "A"}', '{"StartAt": "B"}'))

    assert (found.live, found.target) == (live.number, target.number)
    assert '-  "StartAt": "A"' in found.diff
    assert '+  "StartAt": "B"' in found.diff
    assert compare_versions(live, target, ("{}", "{}")).diff == ""


@pytest.mark.parametrize("weights", [{}, {"v1": 0}, {"v1": 100}, {"v1": 100, "v2": 0}], ids=str)
def test_says_so_where_there_is_nothing_before(weights: dict[str, int]) -> None:
    with pytest.raises(WorkflowError) as caught:
        rollback_target(versions(**weights))

    assert caught.value.code == "NothingToRollBackTo"
