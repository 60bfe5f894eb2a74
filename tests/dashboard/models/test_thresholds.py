"""The threshold that is deployed is told apart from the one that is asked for."""

import pytest

from dashboard.models.thresholds import of_plan, standing
from workflow.errors import WorkflowError
from workflow.thresholds import DeployedThreshold

DENIED = WorkflowError("AccessDenied", "You may not.", "Ask.")
ONE = (DeployedThreshold(0.8, 100),)


def test_what_is_deployed_is_what_holds_and_what_a_plan_keeps() -> None:
    found = standing(ONE, 0.93, explicit=False)

    assert (found.now, found.wanted, found.absent, found.wish) == (0.8, 0.8, False, "")
    assert found.says == "0.8 is what is deployed."


def test_a_variable_that_differs_is_a_wish_beside_what_is_deployed() -> None:
    found = standing(ONE, 0.93, explicit=True)

    assert (found.now, found.wanted) == (0.8, 0.93)
    assert found.wish == "SCONES_THRESHOLD asks for 0.93: the deployment plan would change it."
    assert standing(ONE, 0.8, explicit=True).wish == ""


def test_two_versions_at_work_are_both_told() -> None:
    found = standing((DeployedThreshold(0.9, 75), DeployedThreshold(0.8, 25)), 0.93, explicit=False)

    assert found.now == 0.9
    assert found.says == "0.9 is what is deployed for 75 % of new executions, 0.8 for 25 %."


def test_where_nothing_is_deployed_the_settings_hold_and_are_called_so() -> None:
    found = standing((), 0.93, explicit=False)

    assert (found.now, found.wanted, found.absent) == (0.93, 0.93, True)
    assert found.says == "Nothing is deployed; 0.93 is the threshold of the settings."
    assert standing((), 0.93, explicit=True).wish == ""


def test_where_it_cannot_be_read_it_is_said_why() -> None:
    found = standing(DENIED, 0.93, explicit=False)

    assert (found.now, found.absent) == (0.93, False)
    assert found.says == (
        "What is deployed cannot be read (You may not.) 0.93 is the threshold of the settings."
    )


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (0.8, "Threshold of the plan: 0.8. 0.8 is what is deployed."),
        (
            0.93,
            "Threshold of the plan: 0.93. 0.8 is what is deployed. The plan would change it.",
        ),
    ],
)
def test_a_plan_says_whether_it_changes_the_threshold(asked: float, says: str) -> None:
    assert of_plan(standing(ONE, 0.93, explicit=False), asked) == says


def test_a_plan_for_nothing_changes_nothing() -> None:
    assert "would change" not in of_plan(standing((), 0.93, explicit=False), 0.8)
    assert "would change" not in of_plan(standing(DENIED, 0.93, explicit=False), 0.8)
