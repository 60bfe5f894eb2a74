"""A threshold is read from what is deployed, or it is said why it cannot be."""

import json

import pytest

from workflow.errors import WorkflowError
from workflow.thresholds import deciding_function, read_threshold

ARN = "arn:aws:lambda:us-east-1:123456789012:function:s-dev-filter-inferences"


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


@pytest.mark.parametrize(("text", "value"), [("0.8", 0.8), ("1", 1.0), ("0.50", 0.5)])
def test_a_threshold_is_a_number(text: str, value: float) -> None:
    assert read_threshold(text, "f") == value


@pytest.mark.parametrize("text", [None, "", "high", "nan", "0.4", "93", "inf"])
def test_what_is_no_confidence_is_no_threshold(text: str | None) -> None:
    with pytest.raises(WorkflowError) as caught:
        read_threshold(text, "f")

    assert caught.value.code == "ThresholdUnknown"
