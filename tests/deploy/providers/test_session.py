"""The command line and the dashboard mean the same cloud and region, or both refuse."""

from collections.abc import Mapping
from pathlib import Path

import boto3
import pytest

from dashboard.aws.cloud import connect
from deploy import deployment
from deploy.providers.session import console_host, open_session
from tests.deploy.conftest import Account
from workflow.errors import WorkflowError

ENVIRONMENTS = {
    "AWS_REGION": {"AWS_REGION": "eu-west-1"},
    "AWS_DEFAULT_REGION": {"AWS_DEFAULT_REGION": "eu-west-1"},
    "the profile": {"AWS_PROFILE": "ireland"},
    "AWS_REGION over the profile": {"AWS_PROFILE": "oregon", "AWS_REGION": "eu-west-1"},
    "AWS_REGION over the other": {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"},
    "nothing": {},
}


@pytest.fixture(autouse=True)
def profiles(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two profiles, each with a region of its own, and an environment that names no region."""
    config = tmp_path / "config"
    config.write_text(
        "[profile ireland]\nregion = eu-west-1\n[profile oregon]\nregion = us-west-2\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


def regions(environ: Mapping[str, str]) -> list[str]:
    """What each of the two says: its region, or the code of its refusal."""
    said = []
    for ask in (
        lambda: connect(environ).settings,
        lambda: deployment.connect(environ)[0],
        lambda: deployment.connect(environ)[1],
    ):
        try:
            found = ask()
        except WorkflowError as error:
            said.append(error.code)
        else:
            said.append(found.region_name if isinstance(found, boto3.Session) else found.region)
    return said


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_command_line_and_dashboard_mean_the_same_region(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"SCONES_CLOUD": "aws", **ENVIRONMENTS[name]}
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)

    assert set(regions(environ)) == {"RegionMissing" if name == "nothing" else "eu-west-1"}


def test_an_argument_overrides_the_environment() -> None:
    environ = {"SCONES_CLOUD": "aws", "AWS_REGION": "eu-west-1"}

    session, region = open_session(environ, region="us-west-2")

    assert (session.region_name, region.source) == ("us-west-2", "--region")


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({}, "CloudNotNamed"),
        ({"SCONES_CLOUD": "azure"}, "SettingInvalid"),
        ({"SCONES_CLOUD": "aws", "AWS_REGION": "atlantis-1"}, "SettingInvalid"),
    ],
)
def test_refuses_before_anything_is_asked(environ: Mapping[str, str], code: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        deployment.connect({"AWS_REGION": "eu-west-1", **environ})

    assert caught.value.code == code
    assert caught.value.remedy


def test_an_endpoint_names_the_cloud() -> None:
    environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "eu-west-1"}

    assert open_session(environ)[1].name == "eu-west-1"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_the_console_is_that_of_the_partition(region: str, host: str) -> None:
    assert console_host(boto3.Session("a", "b", region_name=region)) == host
