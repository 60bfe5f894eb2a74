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
from dashboard.rollout import client
from dashboard.rollout.client import IN_SERVICE, NEW_VARIANT, Endpoint
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

    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    page = AppTest.from_file(str(APP), default_timeout=SECONDS).run()
    page.switch_page("app_pages/rollout.py").run()
    assert not page.exception
    assert "cannot be told yet" in page.info[0].value
    for button, share in (("Roll back", 0.0), ("Promote", 1.0)):
        next(one for one in page.button if one.label == button).click().run()
        assert not page.exception
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


def test_a_model_that_never_serves_leaves_what_was_served(
    deployed: Connection, endpoint: Endpoint
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

    client.start(deployed, endpoint, name, 0.1, token())
    found = settled(deployed)
    sagemaker.delete_model(ModelName=name)

    assert found.config == endpoint.config
    assert len(found.variants) == 1
    assert "health check" in found.failure
