"""A watched workflow is named by people in many ways, and derives names in none but its own."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.errors import WorkflowError
from workflow.settings import Settings
from workflow.watched import (
    DEFAULT_TEMPLATE,
    StateMachineName,
    WatchedWorkflow,
    captured_at,
    filled_input,
    named,
    of_deployment,
    read_captures_uri,
    read_state_machine,
)

ACCOUNT = "123456789012"
ARN = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:Wörk flow".replace(" ", "-")


def read(text: str) -> StateMachineName:
    return read_state_machine(text, partition="aws", region="eu-west-1", account=ACCOUNT)


@pytest.mark.parametrize(
    ("text", "started_through"),
    [
        ("Wörk-flow", ARN),
        (ARN, ARN),
        (f" '{ARN}' ", ARN),
        (f"{ARN}:live", f"{ARN}:live"),
        (f"{ARN}:7", ARN),
        (ARN.replace("stateMachine", "execution") + ":run-1", ARN),
        (ARN.replace("stateMachine", "express") + ":run-1:abc", ARN),
    ],
)
def test_a_state_machine_is_found_by_whatever_names_it(text: str, started_through: str) -> None:
    assert read(text) == StateMachineName(ARN, started_through)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "StateMachineNameInvalid"),
        ("two words", "StateMachineNameInvalid"),
        ("x" * 81, "StateMachineNameInvalid"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", "StateMachineNameInvalid"),
        (ARN.replace("eu-west-1", "us-east-1"), "OtherRegion"),
        (ARN.replace(ACCOUNT, "210987654321"), "OtherAccount"),
    ],
)
def test_what_cannot_be_watched_from_here_is_refused_with_a_way_on(text: str, code: str) -> None:
    with pytest.raises(WorkflowError) as refused:
        read(text)
    assert refused.value.code == code
    assert refused.value.remedy


@given(st.text(max_size=120))
def test_any_text_is_a_name_or_is_refused(text: str) -> None:
    try:
        found = read(text)
    except WorkflowError:
        return
    assert read(found.arn).arn == found.arn


@pytest.mark.parametrize("text", ["s3://my-bucket/a/b", "s3://my-bucket/a/b/", "my-bucket/a/b"])
def test_captures_lie_under_a_prefix_with_or_without_a_slash(text: str) -> None:
    assert str(read_captures_uri(text)) == "s3://my-bucket/a/b"


@pytest.mark.parametrize("text", ["", "s3://", "s3://Bad_Bucket/x", "https://host/x"])
def test_what_is_no_place_of_captures_is_refused(text: str) -> None:
    with pytest.raises(WorkflowError) as refused:
        read_captures_uri(text)
    assert refused.value.code == "CapturesUriInvalid"


def test_the_deployed_workflow_has_the_names_of_its_settings() -> None:
    settings = Settings(account=ACCOUNT, region="eu-west-1", existing_endpoint="theirs")
    own = of_deployment(settings)
    assert own.deployed
    assert own.state_machine_arn == settings.state_machine_arn
    assert own.started_through == settings.alias_arn
    assert own.captures is None  # of an endpoint that deploy did not make, the endpoint is asked
    assert own.store_name == settings.prefix


def test_each_workflow_has_a_store_of_its_own() -> None:
    one, other = named(read("a")), named(read("b"))
    captures = captured_at(read_captures_uri("s3://bucket/a"))
    names = {one.store_name, other.store_name, captures.store_name}
    assert len(names) == 3
    assert all(name.startswith("watched-") and "/" not in name for name in names)


@given(st.text(min_size=1), st.sampled_from([DEFAULT_TEMPLATE, '{"a": ["s3://{bucket}/{key}"]}']))
def test_a_key_of_any_characters_goes_into_the_input_whole(key: str, template: str) -> None:
    value = json.loads(filled_input(template, "my-bucket", key))
    assert key in (value.get("s3_key"), value.get("a", [""])[0].removeprefix("s3://my-bucket/"))


@pytest.mark.parametrize("template", ["", "{}", '{"key": {key}}', "[1"])
def test_a_template_without_a_key_or_without_json_is_refused(template: str) -> None:
    with pytest.raises(WorkflowError) as refused:
        filled_input(template, "b", "k")
    assert refused.value.code == "TemplateInvalid"


def test_a_workflow_that_nobody_described_demands_nothing() -> None:
    assert WatchedWorkflow(name="x").owes_inference is False
