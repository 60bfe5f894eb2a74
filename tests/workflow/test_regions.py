"""One region is meant, whoever asks; its partition is the one that botocore gives."""

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.errors import WorkflowError
from workflow.regions import console_url, partition_of, resolve

maybe = st.sampled_from([None, "", "eu-west-1", "us-west-2", "ap-south-1"])
SESSION = boto3.Session(region_name="us-east-1")
EVERY_REGION = sorted(
    {
        region
        for partition in SESSION.get_available_partitions()
        for region in SESSION.get_available_regions("s3", partition)
    }
)


@given(maybe, maybe, maybe, maybe)
def test_the_strongest_that_names_a_region_wins(
    explicit: str | None, strong: str | None, weak: str | None, profile: str | None
) -> None:
    environ = {
        name: value
        for name, value in (("AWS_REGION", strong), ("AWS_DEFAULT_REGION", weak))
        if value is not None
    }
    named = [one for one in (explicit, strong, weak, profile) if one]
    if not named:
        with pytest.raises(WorkflowError, match="No AWS region is set"):
            resolve(environ, explicit=explicit, profile=profile)
        return

    assert resolve(environ, explicit=explicit, profile=profile).name == named[0]


@pytest.mark.parametrize(
    ("given_", "source"),
    [
        ({"explicit": "eu-west-1"}, "--region"),
        ({"environ": {"AWS_REGION": "eu-west-1"}}, "AWS_REGION"),
        ({"environ": {"AWS_DEFAULT_REGION": "eu-west-1"}}, "AWS_DEFAULT_REGION"),
        ({"environ": {"AWS_PROFILE": "work"}, "profile": "eu-west-1"}, "profile work"),
        ({"profile": "eu-west-1"}, "profile default"),
    ],
    ids=str,
)
def test_says_where_the_region_comes_from(given_: dict[str, object], source: str) -> None:
    assert resolve(**{"environ": {}, **given_}).source == source  # type: ignore[arg-type]


@pytest.mark.parametrize("region", EVERY_REGION)
def test_the_partition_of_every_region_is_botocores(region: str) -> None:
    partition = partition_of(region)

    assert partition.name == SESSION.get_partition_for_region(region)
    assert region in partition.regions


def test_a_region_of_tomorrow_has_the_partition_of_its_name() -> None:
    assert partition_of("eu-west-9").name == "aws"
    assert "eu-west-9" not in partition_of("eu-west-9").regions


@pytest.mark.parametrize("region", ["", "us-east", "US-EAST-1", "xx-foo-1", "aws-global-1"])
def test_what_is_no_region_has_no_partition(region: str) -> None:
    with pytest.raises(WorkflowError, match="is not an AWS region"):
        partition_of(region)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "eu-central-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_console_of_a_region_is_in_its_partition(region: str, host: str) -> None:
    assert console_url(region, "states/home?region={region}") == (
        f"https://{host}/states/home?region={region}"
    )
