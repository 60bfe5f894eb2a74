"""A rollout from its beginning to its end, against the local cloud and on the page."""

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection
from dashboard.rollout import __main__ as command
from dashboard.rollout import client
from dashboard.rollout.client import IN_SERVICE, NEW_VARIANT, Endpoint
from tests.builders import png
from workflow.captures import SHADOW_VARIANT
from workflow.errors import WorkflowError

pytestmark = pytest.mark.cloud

APP = Path(__file__).parents[3] / "dashboard" / "app.py"
SECONDS = 60


@pytest.fixture
def endpoint(deployed: Connection) -> Iterator[Endpoint]:
    """What the endpoint serves before; it serves it again afterwards."""
    before = client.describe(deployed)
    yield before
    sagemaker = deployed.client("sagemaker")
    settled(deployed)
    sagemaker.update_endpoint(EndpointName=before.name, EndpointConfigName=before.config)
    settled(deployed)


@pytest.fixture
def model(deployed: Connection, endpoint: Endpoint) -> Iterator[str]:
    """Another model of the deployment: the one in use under another name."""
    sagemaker, name = deployed.client("sagemaker"), f"{deployed.settings.prefix}-{token()}"
    described = sagemaker.describe_model(ModelName=endpoint.variants[0].model)
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer=described["PrimaryContainer"],
        ExecutionRoleArn=described["ExecutionRoleArn"],
    )
    yield name
    sagemaker.delete_model(ModelName=name)


def token() -> str:
    return uuid.uuid4().hex[:12]


def settled(cloud: Connection) -> Endpoint:
    deadline = time.monotonic() + SECONDS
    while (found := client.describe(cloud)).status != IN_SERVICE:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def weights(cloud: Connection) -> dict[str, float]:
    return {one.name: one.weight for one in client.describe(cloud).variants}


def test_a_model_is_rolled_out_rolled_back_and_promoted(
    deployed: Connection,
    environ: dict[str, str],
    endpoint: Endpoint,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = endpoint.variants[0].name
    assert model in client.candidates(deployed, endpoint)

    client.start(deployed, endpoint, model, 0.1, token())
    started = settled(deployed)

    assert [one.model for one in started.variants] == [endpoint.variants[0].model, model]
    assert weights(deployed) == pytest.approx({old: 0.9, NEW_VARIANT: 0.1})
    assert model not in client.candidates(deployed, started)
    with pytest.raises(WorkflowError) as caught:
        client.start(deployed, endpoint, model, 0.1, token())
    assert caught.value.code == "RolloutUnderWay"

    page = opened(environ, monkeypatch)
    assert "cannot be told yet" in page.info[0].value
    for button, share in (("Roll back", 0.0), ("Promote", 1.0)):
        pressed(page, button)
        assert weights(deployed) == {old: 1 - share, NEW_VARIANT: share}


def test_of_two_rollouts_that_begin_at_once_one_is_refused_and_leaves_nothing(
    deployed: Connection, endpoint: Endpoint, model: str
) -> None:
    tokens, together = (token(), token()), threading.Barrier(2)

    def begin(one: str) -> str:
        together.wait()
        try:
            client.start(deployed, endpoint, model, 0.1, one)
        except WorkflowError as error:
            return error.code
        return "began"

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(begin, tokens))

    assert sorted(end == "began" for end in ends) == [False, True]
    left = deployed.client("sagemaker").list_endpoint_configs(
        NameContains=tokens[ends.index(next(end for end in ends if end != "began"))]
    )
    assert left["EndpointConfigs"] == []
    assert settled(deployed).config.endswith(tokens[ends.index("began")])


def test_a_rollback_during_the_update_is_refused_and_works_after_it(
    deployed: Connection, endpoint: Endpoint, model: str
) -> None:
    client.start(deployed, endpoint, model, 0.5, token())
    both = (*endpoint.variants, client.Variant(NEW_VARIANT, model, 0.5))
    during = client.describe(deployed)
    if during.status != IN_SERVICE:  # the local cloud may be done already
        with pytest.raises(WorkflowError):
            client.give_share(deployed, replace(during, variants=both), 0.0)
    with pytest.raises(WorkflowError) as caught:
        client.give_share(deployed, endpoint, 0.0)
    assert caught.value.code == "NoRollout"

    client.give_share(deployed, settled(deployed), 0.0)

    assert weights(deployed) == {endpoint.variants[0].name: 1.0, NEW_VARIANT: 0.0}


@pytest.mark.parametrize("shadow", [False, True])
def test_a_model_that_never_serves_leaves_what_was_served(
    deployed: Connection, endpoint: Endpoint, model: str, *, shadow: bool
) -> None:
    sagemaker, name = deployed.client("sagemaker"), f"{deployed.settings.prefix}-{token()}"
    described = sagemaker.describe_model(ModelName=endpoint.variants[0].model)
    bucket = deployed.settings.bucket
    deployed.client("s3").put_object(Bucket=bucket, Key="broken/model.tar.gz", Body=b"broken")
    container = {
        **described["PrimaryContainer"],
        "ModelDataUrl": f"s3://{bucket}/broken/model.tar.gz",
    }
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer=container,
        ExecutionRoleArn=described["ExecutionRoleArn"],
    )

    client.start(deployed, endpoint, name, 0.1, token(), shadow=shadow)
    found = settled(deployed)
    sagemaker.delete_model(ModelName=name)

    assert found.config == endpoint.config
    assert len(found.variants) == 1
    assert "health check" in found.failure
    client.start(deployed, found, model, 0.1, token())
    assert settled(deployed).failure == ""


def opened(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The Rollout page in a new session."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=SECONDS).run()
    page.switch_page("app_pages/rollout.py").run()
    assert not page.exception
    return page


def pressed(page: AppTest, button: str) -> None:
    next(one for one in page.button if one.label == button).click().run()
    assert not page.exception


def test_a_shadow_is_compared_on_the_same_requests_and_promoted_on_the_page(
    deployed: Connection,
    environ: dict[str, str],
    endpoint: Endpoint,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.start(deployed, endpoint, model, 1.0, token(), shadow=True)
    started = settled(deployed)
    assert started.shadow == client.Variant(SHADOW_VARIANT, model, 1.0)
    assert weights(deployed) == {endpoint.variants[0].name: 1.0}
    assert model not in client.candidates(deployed, started)
    with pytest.raises(WorkflowError) as caught:
        client.start(deployed, started, model, 0.1, token())
    assert caught.value.code == "RolloutUnderWay"
    for _ in range(3):
        deployed.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint.name,
            Body=png(),
            ContentType="image/png",
            InferenceId=f"shadow-{token()}",
        )

    page = opened(environ, monkeypatch)
    deadline = time.monotonic() + SECONDS
    while not page.metric and time.monotonic() < deadline:
        page.run()
    assert [one.value for one in page.metric] == ["3", "100.0%", "0", "0"]
    assert "cannot be told yet" in " ".join(one.value for one in page.info)
    pressed(page, "Promote")

    ended = settled(deployed)
    assert [one.model for one in ended.variants] == [model]
    assert ended.shadow is None
    with pytest.raises(WorkflowError) as caught:
        client.end_shadow(deployed, started, token(), promote=False)
    assert caught.value.code == "NoShadow"


@pytest.fixture
def at_command(
    deployed: Connection, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Connection:
    """The deployed workflow, which the environment names for a command."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return deployed


def test_the_command_line_starts_and_ends_a_shadow_and_a_rollout(
    at_command: Connection, endpoint: Endpoint, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed = at_command

    def said(*arguments: str) -> str:
        assert command.main(arguments) == 0
        settled(deployed)
        return capsys.readouterr().out

    assert f"not served: {model}" in said("status")
    assert "Started" in said("start", model, "--shadow", "--percent", "50")
    assert f"{model}, shadow with a copy of 50%" in said("status")
    said("stop")
    assert client.describe(deployed).variants == endpoint.variants
    said("start", model, "--percent", "20")
    said("promote")
    assert weights(deployed) == {endpoint.variants[0].name: 0.0, NEW_VARIANT: 1.0}
    said("stop")
    assert weights(deployed) == {endpoint.variants[0].name: 1.0, NEW_VARIANT: 0.0}
    assert command.main(["start", "nothing"]) == 1
    assert "ModelNotFound" in capsys.readouterr().err
