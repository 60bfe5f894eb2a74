"""The state machine of batches: made of the live definition, and one that AWS takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy import batch
from deploy.resources import IamRole, StateMachine
from workflow.asl.validation import diagnose
from workflow.batches import Kind
from workflow.errors import WorkflowError
from workflow.settings import Settings

LIVE = (Path(__file__).parents[2] / "step_function.json").read_text(encoding="utf-8")
SETTINGS = Settings(account="123456789012", region="us-east-1")


def test_the_definition_is_one_that_aws_takes() -> None:
    made = batch.batch_definition(json.loads(LIVE), SETTINGS.bucket)

    assert [one for one in diagnose(json.dumps(made)) if one.severity == "ERROR"] == []
    assert len(json.dumps(made)) < 1 << 20


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_calls_what_is_live_with_its_retries(kind: Any) -> None:
    live = json.loads(LIVE)["States"]
    states = batch.batch_definition(json.loads(LIVE), SETTINGS.bucket)["States"][kind.title()]
    (photos,) = states["ItemProcessor"]["States"].values()
    tasks = photos["ItemProcessor"]["States"]

    for name in ("SerializeImage", "ClassifyImage", "FilterInferences"):
        made = tasks[f"{name}{kind.title()}"]
        assert made["Parameters"] == live[name]["Parameters"]
        assert made["Retry"] == live[name]["Retry"]
        assert made["Catch"][0]["Next"] in tasks


def test_what_is_wrong_with_the_deployment_is_not_caught_as_one_photo() -> None:
    made = json.dumps(batch.batch_definition(json.loads(LIVE), SETTINGS.bucket))

    caught = json.loads(made)["States"]["Csv"]["ItemProcessor"]["States"]["PhotosCsv"]
    errors = caught["ItemProcessor"]["States"]["SerializeImageCsv"]["Catch"][0]["ErrorEquals"]
    assert not {"StorageUnavailable", "EndpointUnavailable", "EndpointNotFound"} & set(errors)
    assert "States.ALL" not in errors


def test_a_definition_of_others_is_refused() -> None:
    with pytest.raises(WorkflowError) as caught:
        batch.batch_stack(
            SETTINGS, '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
        )

    assert caught.value.code == "BatchNeedsWorkflow"


def test_every_resource_can_be_found_again() -> None:
    made = batch.batch_stack(SETTINGS, LIVE)

    assert {one.key for one in made} == set(batch.batch_keys(SETTINGS))
    assert {IamRole.KIND, StateMachine.KIND} <= {one.KIND for one in made}
