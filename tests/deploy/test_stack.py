"""The stack holds every resource of a deployment, each after those it needs."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from deploy import stack
from deploy.package import ROOT, read_definition
from deploy.resources import (
    CloudResource,
    EndpointConfig,
    ExistingEndpoint,
    Function,
    IamRole,
    LogGroup,
    ModelArchive,
    Queue,
    Rule,
    SageMakerEndpoint,
    SageMakerModel,
    StateMachine,
    StorageBucket,
    Subscription,
    TrainingJob,
)
from tests.deploy.cases import artifacts, desired, settings
from workflow.errors import WorkflowError

WAYS = [{}, {"existing_endpoint": "Theirs"}, {"training_data": "s3://data/images/"}]


def one(kind: type[CloudResource], **changes: object) -> CloudResource:
    return next(item for item in desired(**changes) if isinstance(item, kind))


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_each_resource_refers_only_to_earlier_ones_and_to_outputs_they_have(
    how: dict[str, str],
) -> None:
    seen: set[object] = set()
    for resource in desired(**how):
        assert {key for key, _ in resource.refs()} <= seen, resource.key
        assert resource.key not in seen
        seen.add(resource.key)


@pytest.mark.parametrize("how", WAYS, ids=str)
def test_every_fixed_name_can_be_found_again_without_the_stack(how: dict[str, str]) -> None:
    by_digest = {SageMakerModel, EndpointConfig, TrainingJob, ModelArchive}
    with_parent = {Subscription, ExistingEndpoint}
    fixed = {
        item.key
        for item in desired(**how, alarm_email="a@example.com")
        if type(item) not in by_digest | with_parent
    }

    assert fixed <= set(stack.stack_keys(settings(**how)))


def test_every_resource_that_can_carry_tags_carries_ours() -> None:
    without = {type(item) for item in desired(alarm_email="a@example.com") if not item.tags}

    assert without == {ModelArchive, Subscription}


def test_four_roles_and_one_for_the_endpoint() -> None:
    names = [item.name for item in desired() if isinstance(item, IamRole)]

    assert sorted(name.removeprefix("scones-unlimited-dev-") for name in names) == [
        f"{part}-us-east-1" for part in ("classify", "filter", "sagemaker", "serialize", "states")
    ]


def test_an_existing_endpoint_needs_neither_model_nor_role_nor_archive() -> None:
    kinds = {type(item) for item in desired(existing_endpoint="Theirs")}

    assert ExistingEndpoint in kinds
    assert not kinds & {
        SageMakerEndpoint,
        EndpointConfig,
        SageMakerModel,
        ModelArchive,
        TrainingJob,
    }
    assert len([item for item in desired(existing_endpoint="Theirs") if type(item) is IamRole]) == 4


def test_training_follows_the_starter_notebook() -> None:
    job = one(TrainingJob, training_data="s3://data/images/")

    assert isinstance(job, TrainingJob)
    assert job.hyperparameters == {
        "image_shape": "3,32,32",
        "num_classes": "2",
        "num_training_samples": "1000",
    }
    assert job.instance_type == "ml.g4dn.xlarge"
    assert job.channels == {
        "train": "s3://data/images/train/",
        "validation": "s3://data/images/test/",
        "train_lst": "s3://data/images/train.lst",
        "validation_lst": "s3://data/images/test.lst",
    }
    assert ModelArchive not in {type(item) for item in desired(training_data="s3://data/images")}


@examples(deadline=None)
@given(st.sampled_from(["ml.m5.large", "ml.c5.large"]), st.integers(0, 100), st.sampled_from("ab"))
def test_what_cannot_change_is_named_by_what_it_is(
    instance_type: str, percentage: int, model: str
) -> None:
    def names(instance_type: str, percentage: int, model: str) -> tuple[str, str]:
        items = stack.build_stack(
            settings(instance_type=instance_type, sampling_percentage=percentage),
            artifacts(model=model),
        )
        by_kind = {type(item): item.name for item in items}
        return by_kind[SageMakerModel], by_kind[EndpointConfig]

    plain = names("ml.m5.large", 100, "a")
    changed = names(instance_type, percentage, model)

    assert (plain[0] == changed[0]) == (model == "a")
    assert (plain[1] == changed[1]) == (
        (instance_type, percentage, model) == ("ml.m5.large", 100, "a")
    )
    assert all(re.fullmatch(r"scones-unlimited-dev-[0-9a-f]{12}", name) for name in changed)


def test_a_name_is_not_digested_over_what_the_kind_does_not_have() -> None:
    with pytest.raises(TypeError, match="colour"):
        stack.name_with_digest("p", SageMakerModel, colour="red")


def test_captures_name_the_content_types_and_keep_every_inference_by_default() -> None:
    config = one(EndpointConfig)

    assert isinstance(config, EndpointConfig)
    assert config.sampling_percentage == 100
    assert config.json_content_types == ("application/json",)
    assert config.csv_content_types == ("text/csv",)
    assert config.capture_modes == ("Input", "Output")
    assert config.capture_url.endswith("/data_capture")


def test_captures_expire_but_images_do_not() -> None:
    bucket = one(StorageBucket)

    assert isinstance(bucket, StorageBucket)
    assert list(bucket.expire_days) == ["data_capture/"]


def test_functions_are_told_their_endpoint_and_threshold() -> None:
    by_name = {item.name: item for item in desired(threshold=0.8) if isinstance(item, Function)}

    assert by_name["scones-unlimited-dev-classify-image"].environment == {
        "SCONES_ENDPOINT": "scones-unlimited-dev",
        "SCONES_CLASSES": '["bicycle", "motorcycle"]',
    }
    assert by_name["scones-unlimited-dev-filter-inferences"].environment == {
        "SCONES_THRESHOLD": "0.8",
        "SCONES_CLASSES": '["bicycle", "motorcycle"]',
    }
    assert {item.runtime for item in by_name.values()} == {"python3.13"}
    assert {item.architecture for item in by_name.values()} == {"arm64"}


def test_a_model_may_take_the_60_seconds_that_sagemaker_allows() -> None:
    """Each limit is longer than the one inside it, so that the innermost is what is told."""
    definition = read_definition(ROOT / "step_function.json")
    functions = {item.handler.split(".")[1]: item for item in desired() if type(item) is Function}
    states = {
        "serialize_image": definition["States"]["SerializeImage"],
        "classify_image": definition["States"]["ClassifyImage"],
        "filter_inferences": definition["States"]["FilterInferences"],
    }
    assert functions["classify_image"].timeout_seconds > 60 + 2 * 23  # the model, and S3 before it
    for part, state in states.items():
        assert state["TimeoutSeconds"] > functions[part].timeout_seconds
    attempts = 1 + states["classify_image"]["Retry"][0]["MaxAttempts"]
    assert definition["TimeoutSeconds"] > attempts * 73 + 60


def test_the_definition_calls_versions_not_functions() -> None:
    machine = one(StateMachine)

    assert isinstance(machine, StateMachine)
    text = str(machine.definition)
    assert "Arn}" not in text
    assert {key.name for key, name in machine.refs() if name == "version_arn"} == {
        "scones-unlimited-dev-serialize-image",
        "scones-unlimited-dev-classify-image",
        "scones-unlimited-dev-filter-inferences",
    }


def test_status_changes_of_this_state_machine_go_to_the_queue() -> None:
    rules = {item.name: item for item in desired() if isinstance(item, Rule)}
    queue = one(Queue)

    assert len(rules) == 3
    for rule in rules.values():
        assert rule.pattern["detail"]["stateMachineArn"] == [settings().state_machine_arn]
        assert rule.refs() == ((queue.key, "arn"),)
    assert rules[settings().executions_rule].pattern["detail"].keys() == {"stateMachineArn"}
    assert queue.properties()["retention_seconds"] == 1_209_600


def test_every_log_group_forgets() -> None:
    assert {item.retention_days for item in desired() if isinstance(item, LogGroup)} == {30}


def test_names_fit_where_aws_limits_them() -> None:
    longest = {"project": "a" * 24, "stage": "b" * 8, "region": "ap-southeast-1"}

    for item in desired(**longest):
        if isinstance(
            item, IamRole | Function | SageMakerModel | EndpointConfig | SageMakerEndpoint
        ):
            assert len(item.name) <= 63, item.key


def test_a_threshold_may_be_as_low_as_the_number_of_classes_lets_it_decide() -> None:
    ten = replace(artifacts(), classes=tuple(f"kind {number}" for number in range(10)))

    assert stack.build_stack(settings(threshold=0.3), ten)
    with pytest.raises(WorkflowError, match=r"outside 0\.5 to 1"):
        stack.build_stack(settings(threshold=0.3), artifacts())
