"""A threshold is read from what is deployed, and told apart from the one that is asked for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.errors import WorkflowError
from workflow.thresholds import (
    DeployedThreshold,
    check_threshold,
    deciding_function,
    lowest_threshold,
    of_plan,
    read_threshold,
    standing,
    weighed,
)

ARN = "arn:aws:lambda:us-east-1:123456789012:function:s-dev-filter-inferences"
DENIED = WorkflowError("AccessDenied", "You may not.", "Ask.")
ONE = (DeployedThreshold(0.8, 100),)


def definition(arn: str) -> str:
    state = {"Type": "Task", "Parameters": {"FunctionName": arn}, "End": True}
    return json.dumps({"StartAt": "F", "States": {"F": state}})


@pytest.mark.parametrize("arn", [ARN, f"{ARN}:12", f"{ARN}:$LATEST", ARN.replace("aws", "aws-cn")])
def test_a_definition_names_the_function_that_decides(arn: str) -> None:
    assert deciding_function(definition(arn), "s-dev-filter-inferences") == arn


@pytest.mark.parametrize("arn", ["", f"{ARN}-2", f"{ARN}-2:1", ARN.replace("s-dev", "t-s-dev")])
def test_a_definition_without_it_tells_no_threshold(arn: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        deciding_function(definition(arn), "s-dev-filter-inferences")

    assert caught.value.code == "ThresholdUnknown"


@pytest.mark.parametrize(("text", "value"), [("0.8", 0.8), ("1", 1.0), ("0.50", 0.5), ("0.3", 0.3)])
def test_a_threshold_is_a_number(text: str, value: float) -> None:
    assert read_threshold(text, "f") == value


@pytest.mark.parametrize("text", [None, "", "high", "nan", "0", "-0.4", "93", "inf"])
def test_what_is_no_confidence_is_no_threshold(text: str | None) -> None:
    with pytest.raises(WorkflowError) as caught:
        read_threshold(text, "f")

    assert caught.value.code == "ThresholdUnknown"


def test_the_threshold_of_most_executions_comes_first_and_equal_ones_are_one() -> None:
    values = {"3": 0.8, "2": 0.93, "1": 0.8}

    assert weighed([("3", 10), ("2", 90)], values.__getitem__) == (
        DeployedThreshold(0.93, 90),
        DeployedThreshold(0.8, 10),
    )
    assert weighed([("3", 60), ("1", 40)], values.__getitem__) == (DeployedThreshold(0.8, 100),)


def test_a_version_without_weight_is_not_asked() -> None:
    assert weighed([("3", 100), ("gone", 0)], {"3": 0.8}.__getitem__) == ONE
    assert weighed([], dict[str, float]().__getitem__) == ()


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


@given(classes=st.integers(1, 5_000))
def test_no_threshold_is_too_low_that_can_reject_an_answer(classes: int) -> None:
    lowest = lowest_threshold(classes)

    assert 0 < lowest <= max(1 / classes, 0.005)
    assert lowest > 1 / classes - 0.005
    check_threshold(lowest, classes)


@pytest.mark.parametrize(
    ("threshold", "classes", "lowest"), [(0.49, 2, "0.5"), (0.09, 10, "0.1"), (0.32, 3, "0.33")]
)
def test_a_threshold_that_accepts_every_answer_is_refused(
    threshold: float, classes: int, lowest: str
) -> None:
    with pytest.raises(WorkflowError, match=f"outside {lowest} to 1") as caught:
        check_threshold(threshold, classes)

    assert caught.value.code == "SettingInvalid"
