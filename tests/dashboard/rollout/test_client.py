"""A rollout from its beginning to its end, against the local cloud and on the page."""

import io
import json
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from botocore.exceptions import ClientError, ReadTimeoutError
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection
from dashboard.captures.feed import CaptureFeed
from dashboard.rollout import __main__ as command
from dashboard.rollout import automatic_rollback as rollback
from dashboard.rollout import client
from dashboard.rollout.client import IN_SERVICE, NEW_VARIANT, ServedEndpoint
from dashboard.shared import components
from deploy import deployment
from tests.builders import png
from tests.served import SECONDS, settled, token, weights
from workflow.captures import SHADOW_VARIANT
from workflow.errors import WorkflowError

pytestmark = pytest.mark.cloud

APP = Path(__file__).parents[3] / "dashboard" / "app.py"


def refusal(code: str, status: int) -> ClientError:
    meta: Any = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": meta}, "UpdateEndpoint")


def test_a_model_is_rolled_out_rolled_back_and_promoted(
    deployed: Connection,
    environ: dict[str, str],
    endpoint: ServedEndpoint,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = endpoint.variants[0].name
    assert model in client.list_candidates(deployed, endpoint)
    held_out = "**The new model on photos held out**"
    assert held_out in [one.value for one in opened(environ, monkeypatch).markdown]

    client.start_rollout(deployed, endpoint, model, 0.1, token())
    started = settled(deployed)

    assert [one.model for one in started.variants] == [endpoint.variants[0].model, model]
    assert weights(deployed) == pytest.approx({old: 0.9, NEW_VARIANT: 0.1})
    assert model not in client.list_candidates(deployed, started)
    with pytest.raises(WorkflowError) as caught:
        client.start_rollout(deployed, endpoint, model, 0.1, token())
    assert caught.value.code == "RolloutUnderWay"

    page = opened(environ, monkeypatch)
    assert page.info[0].value == "No photo has been classified since the rollout began."
    monkeypatch.setattr(rollback, "EVERY_S", 0.1)
    pressed(page, "Roll back automatically")
    watch = components.background_jobs().get(rollback.ROLLBACK)
    assert watch is not None
    for button, share in (("Roll back", 0.0), ("Promote", 1.0)):
        pressed(page, button)
        assert weights(deployed) == {old: 1 - share, NEW_VARIANT: share}
    assert watch.wait(SECONDS)
    watch.raise_failure()
    assert watch.events[-1].text.startswith("The rollout has ended")


def test_of_two_rollouts_that_begin_at_once_one_is_refused_and_leaves_nothing(
    deployed: Connection, endpoint: ServedEndpoint, model: str
) -> None:
    tokens, together = (token(), token()), threading.Barrier(2)

    def begin(one: str) -> str:
        together.wait()
        try:
            client.start_rollout(deployed, endpoint, model, 0.1, one)
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
    deployed: Connection, endpoint: ServedEndpoint, model: str
) -> None:
    client.start_rollout(deployed, endpoint, model, 0.5, token())
    both = (*endpoint.variants, client.Variant(NEW_VARIANT, model, 0.5))
    during = client.describe_endpoint(deployed)
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
    deployed: Connection, endpoint: ServedEndpoint, model: str, *, shadow: bool
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

    client.start_rollout(deployed, endpoint, name, 0.1, token(), shadow=shadow)
    found = settled(deployed)
    sagemaker.delete_model(ModelName=name)

    assert found.config == endpoint.config
    assert len(found.variants) == 1
    assert "health check" in found.failure
    client.start_rollout(deployed, found, model, 0.1, token())
    assert settled(deployed).failure == ""


def opened(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The Rollout page in a new session."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=SECONDS)
    page.switch_page("app_pages/rollout.py").run()
    assert not page.exception
    return page


def pressed(page: AppTest, button: str) -> None:
    next(one for one in page.button if one.label == button).click().run()
    assert not page.exception


def test_a_shadow_is_compared_on_the_same_requests_and_promoted_on_the_page(
    deployed: Connection,
    environ: dict[str, str],
    endpoint: ServedEndpoint,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.start_rollout(deployed, endpoint, model, 1.0, token(), shadow=True)
    started = settled(deployed)
    assert started.shadow == client.Variant(SHADOW_VARIANT, model, 1.0)
    assert weights(deployed) == {endpoint.variants[0].name: 1.0}
    assert model not in client.list_candidates(deployed, started)
    with pytest.raises(WorkflowError) as caught:
        client.start_rollout(deployed, started, model, 0.1, token())
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
    assert "not clear yet" in " ".join(one.value for one in page.info)
    pressed(page, "Promote")

    ended = settled(deployed)
    assert [one.model for one in ended.variants] == [model]
    assert ended.shadow is None
    plan = deployment.observe_and_plan(deployed.settings, deployed.session)
    assert plan.kept.startswith(f"Kept: the promoted model {model}.")
    # Tests of the same worker may have changed the state machine of this deployment.
    assert not [one for one in plan.changes if one.key.kind.startswith("sagemaker.")]
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
    at_command: Connection, endpoint: ServedEndpoint, model: str, capsys: pytest.CaptureFixture[str]
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
    assert client.describe_endpoint(deployed).variants == endpoint.variants
    said("start", model, "--percent", "20")
    said("promote")
    assert weights(deployed) == {endpoint.variants[0].name: 0.0, NEW_VARIANT: 1.0}
    said("stop")
    assert weights(deployed) == {endpoint.variants[0].name: 1.0, NEW_VARIANT: 0.0}
    assert command.main(["start", "nothing"]) == 1
    assert "ModelNotFound" in capsys.readouterr().err


CODE = """
def model_fn(model_dir):
    return None
def input_fn(body, content_type):
    return body
def predict_fn(data, model):
    {predicts}
def output_fn(prediction, accept):
    return prediction, "application/json"
"""
REFUSES = CODE.format(predicts="raise RuntimeError('out of memory')")
UNSURE = CODE.format(predicts="return '[0.5, 0.5]'")


def with_code(cloud: Connection, endpoint: ServedEndpoint, code: str) -> str:
    """Make a model of the deployment that runs some code; return its name."""
    archive, entry = io.BytesIO(), tarfile.TarInfo("code/inference.py")
    entry.size = len(code)
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.addfile(entry, io.BytesIO(code.encode()))
    sagemaker, name = cloud.client("sagemaker"), f"{cloud.settings.prefix}-{token()}"
    place = {"Bucket": cloud.settings.bucket, "Key": f"rollouts/{name}.tar.gz"}
    cloud.client("s3").put_object(**place, Body=archive.getvalue())
    described = sagemaker.describe_model(ModelName=endpoint.variants[0].model)
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={
            **described["PrimaryContainer"],
            "ModelDataUrl": f"s3://{place['Bucket']}/{place['Key']}",
        },
        ExecutionRoleArn=described["ExecutionRoleArn"],
    )
    return name


def ask(cloud: Connection, endpoint: ServedEndpoint, variant: str) -> float:
    """Ask one variant; return its confidence, 0 where it fails."""
    try:
        answer = cloud.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint.name,
            Body=png(),
            ContentType="image/png",
            TargetVariant=variant,
        )
    except ClientError:
        return 0.0
    return float(max(json.loads(answer["Body"].read())))


@pytest.mark.parametrize(("code", "why"), [(REFUSES, "fails"), (UNSURE, "rejects")])
def test_a_model_whose_faults_or_rejections_leave_their_band_is_rolled_back_by_itself(  # noqa: PLR0917 - fixtures
    deployed: Connection,
    endpoint: ServedEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    why: str,
) -> None:
    new, old = with_code(deployed, endpoint, code), endpoint.variants[0].name
    client.start_rollout(deployed, endpoint, new, 0.5, token())
    started = settled(deployed)
    sure = min(ask(deployed, endpoint, old) for _ in range(15))
    answered = {ask(deployed, endpoint, NEW_VARIANT) for _ in range(15)}
    assert answered == {0.0 if why == "fails" else 0.5}
    assert sure > 0.5
    if why == "fails":  # or else its whole minutes begin with the next one
        earlier = replace(
            client.describe_endpoint(deployed), since=started.since - timedelta(minutes=1)
        )
        monkeypatch.setattr(client, "describe_endpoint", lambda _: earlier)
    said: list[rollback.Said] = []
    feed, deadline = CaptureFeed(deployed, tmp_path), time.monotonic() + SECONDS

    def wait(_: float) -> None:
        assert time.monotonic() < deadline, said
        time.sleep(0.2)

    try:
        rollback.watch_rollout(
            lambda: rollback.find_reason(deployed, feed, sure),
            lambda _: client.give_share(deployed, started, 0.0),
            said.append,
            wait,
        )
    finally:
        feed.close()
        monkeypatch.undo()

    assert said[-1].text.startswith(f"Rolled back: the new model {why} ")
    assert weights(deployed) == {old: 1.0, NEW_VARIANT: 0.0}
    assert rollback.find_reason(deployed, feed, sure) is None


@pytest.mark.parametrize(
    ("error", "deleted"),
    [
        (refusal("ValidationException", 400), ["new"]),
        (refusal("InternalFailure", 500), []),
        (refusal("RequestTimeoutException", 408), []),
        (ReadTimeoutError(endpoint_url="https://sagemaker"), []),
    ],
)
def test_an_update_that_may_have_begun_keeps_its_configuration(
    error: Exception, deleted: list[str]
) -> None:
    gone: list[str] = []

    def fail(**_: object) -> None:
        raise error

    sagemaker = SimpleNamespace(
        create_endpoint_config=lambda **_: None,
        update_endpoint=fail,
        describe_endpoint=lambda **_: {"EndpointConfigName": "old"},
        delete_endpoint_config=lambda **request: gone.append(request["EndpointConfigName"][-3:]),
    )
    watched = SimpleNamespace(resource_prefix="p", tags=())
    cloud: Any = SimpleNamespace(client=lambda _: sagemaker, watched=watched)
    now = ServedEndpoint("e", IN_SERVICE, "", "old", datetime.now(UTC), ())

    with pytest.raises(WorkflowError):
        client._update_variants(cloud, now, {}, "new", [])

    assert gone == deleted
