"""The exported template says what the plan says, and cfn-lint finds nothing in it."""

import json
import re
from typing import Any

import pytest

from deploy import stack
from deploy.resources import CREATION_ORDER, BucketContents, Function, TrainingJob
from deploy.template import _BLOCKS, artifact_names, make_template
from tests.deploy.cases import artifacts, desired, settings
from workflow.errors import WorkflowError

REGIONS = (
    "us-east-1",
    "cn-north-1",
    *(
        pytest.param(region, marks=pytest.mark.nightly)
        for region in ("eu-west-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1")
    ),
)


def exported(**changes: Any) -> dict[str, Any]:
    return make_template(desired(**changes), settings(**changes))


@pytest.mark.parametrize("region", REGIONS)
def test_it_is_lint_clean(region: str) -> None:
    # Slow imports, which other workers do without.
    from cfnlint.api import lint  # noqa: PLC0415
    from cfnlint.core import get_rules  # noqa: PLC0415

    text = json.dumps(exported(region=region, alarm_email="a@example.com"))

    found = lint(text, get_rules([], [], ["W", "E"]), regions=[region])

    assert [str(one) for one in found] == []


def test_every_kind_of_resource_has_its_place_in_it() -> None:
    assert set(_BLOCKS) == set(CREATION_ORDER) - {BucketContents, TrainingJob}


def test_what_a_template_cannot_hold_is_refused() -> None:
    with pytest.raises(WorkflowError, match="cannot hold the training job"):
        exported(training_data="s3://data/images")


def test_no_reference_of_ours_is_left_and_every_one_of_its_own_is_defined() -> None:
    made = exported()
    text = json.dumps(made)

    assert "${ref:" not in text
    names = set(re.findall(r"\$\{(\w+)(?:\.\w+)?\}", text))
    assert names <= made["Resources"].keys() | made["Parameters"].keys()


def test_what_is_to_be_uploaded_is_named_and_given() -> None:
    made = exported()

    assert sorted(artifact_names(desired())) == made["Metadata"]["UploadFirst"]
    assert sum(name.endswith(".zip") for name in artifact_names(desired())) == 3


def test_other_code_is_another_version() -> None:
    def versions(code: str) -> set[str]:
        resources = stack.build_stack(settings(), artifacts(code=code))
        blocks = make_template(resources, settings())["Resources"]
        return {name for name, one in blocks.items() if one["Type"] == "AWS::Lambda::Version"}

    assert len(versions("1")) == sum(isinstance(one, Function) for one in desired())
    assert not versions("1") & versions("2")


def test_an_existing_endpoint_is_not_created() -> None:
    kinds = {one["Type"] for one in exported(existing_endpoint="theirs")["Resources"].values()}

    assert not [kind for kind in kinds if kind.startswith("AWS::SageMaker")]
