"""Settings name every resource, and refuse what AWS would refuse later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.errors import WorkflowError
from workflow.regions import Region
from workflow.settings import Settings

ACCOUNT = "123456789012"
REGION = "us-east-1"
IRELAND = Region("eu-west-1", "AWS_REGION")
slugs = st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True)


def test_defaults_are_those_of_the_original_project() -> None:
    settings = Settings.from_env({}, account=ACCOUNT, region=IRELAND)

    assert settings.threshold == 0.93
    assert (settings.region, settings.region_source) == ("eu-west-1", "AWS_REGION")
    assert settings.sampling_percentage == 100
    assert settings.capture_prefix == "data_capture"
    assert settings.endpoint == settings.prefix == "scones-unlimited-dev"


def test_reads_every_variable() -> None:
    settings = Settings.from_env(
        {
            "SCONES_PROJECT": "vans",
            "SCONES_STAGE": "prod",
            "SCONES_THRESHOLD": "0.8",
            "SCONES_ENDPOINT": "my-Endpoint",
            "SCONES_SAMPLING_PERCENTAGE": "20",
            "SCONES_ALARM_EMAIL": "a@example.com",
            "SCONES_CLASSES": '["van", "truck", "bus"]',
        },
        account=ACCOUNT,
        region=IRELAND,
    )

    assert (settings.prefix, settings.region, settings.threshold) == ("vans-prod", "eu-west-1", 0.8)
    assert settings.endpoint == "my-Endpoint"
    assert settings.sampling_percentage == 20
    assert settings.alarm_email == "a@example.com"
    assert settings.classes == ("van", "truck", "bus")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SCONES_PROJECT", "Upper"),
        ("SCONES_PROJECT", "a--b"),
        ("SCONES_PROJECT", "a" * 25),
        ("SCONES_PROJECT", "sthree-cakes"),
        ("SCONES_PROJECT", "amzn-s3-demo-cakes"),
        ("SCONES_STAGE", "production"),
        ("SCONES_STAGE", "9"),
        ("SCONES_THRESHOLD", "high"),
        ("SCONES_THRESHOLD", "0"),
        ("SCONES_THRESHOLD", "nan"),
        ("SCONES_THRESHOLD", "1.01"),
        ("SCONES_SAMPLING_PERCENTAGE", "101"),
        ("SCONES_SAMPLING_PERCENTAGE", "-1"),
        ("SCONES_SAMPLING_PERCENTAGE", "12.5"),
        ("SCONES_SAMPLING_PERCENTAGE", "nan"),
        ("SCONES_SAMPLING_PERCENTAGE", "inf"),
        ("SCONES_ENDPOINT", "arn:aws:sagemaker:::endpoint/x"),
        ("SCONES_ENDPOINT", "scones-unlimited-dev"),
        ("SCONES_TRAINING_DATA", "/home/me/images"),
        ("SCONES_TRAINING_DATA", "s3://Not_A_Bucket/x"),
        ("SCONES_INSTANCE_TYPE", "t3.large"),
        ("SCONES_ALARM_EMAIL", "nobody"),
        ("SCONES_CLASSES", "bicycle, motorcycle"),
        ("SCONES_CLASSES", '["bicycle"]'),
    ],
)
def test_refuses_what_cannot_be_used_and_says_what_to_do(variable: str, value: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        Settings.from_env({variable: value}, account=ACCOUNT, region=IRELAND)

    assert caught.value.code == "SettingInvalid"
    assert caught.value.remedy


@pytest.mark.parametrize("account", ["", "12345678901", "12345678901x"])
def test_refuses_what_is_no_account_id(account: str) -> None:
    with pytest.raises(WorkflowError, match="not an AWS account id"):
        Settings(account=account, region=REGION)


@pytest.mark.parametrize("region", ["", "us-east", "US-EAST-1", "http://x"])
def test_refuses_what_is_no_region(region: str) -> None:
    with pytest.raises(WorkflowError, match="not an AWS region"):
        Settings(account=ACCOUNT, region=region)


def test_the_longest_bucket_name_is_within_the_limit_of_s3() -> None:
    settings = Settings(account=ACCOUNT, project="a" * 24, stage="b" * 8, region="ap-southeast-1")

    assert len(settings.bucket) <= 63


@given(project=slugs, stage=slugs)
def test_names_are_within_the_limits_of_their_services(project: str, stage: str) -> None:
    settings = Settings(account=ACCOUNT, region=REGION, project=project, stage=stage)

    assert len(settings.bucket) <= 63
    functions = {
        settings.serialize_function,
        settings.classify_function,
        settings.filter_function,
    }
    assert len(functions) == 3
    assert all(len(name) <= 64 for name in functions)
    assert len(settings.state_machine) <= 80
    assert settings.alias_arn.startswith(settings.state_machine_arn + ":")


def test_tags_say_who_owns_a_resource() -> None:
    settings = Settings(account=ACCOUNT, region=REGION, project="vans", stage="prod")

    assert settings.tags == {"project": "vans", "stage": "prod", "managed-by": "scones-unlimited"}


def test_an_endpoint_is_either_existing_or_trained() -> None:
    with pytest.raises(WorkflowError, match="only one can be used"):
        Settings(
            account=ACCOUNT,
            region=REGION,
            existing_endpoint="theirs",
            training_data="s3://data/images",
        )


def test_reads_how_the_endpoint_is_made() -> None:
    settings = Settings.from_env(
        {
            "SCONES_TRAINING_DATA": "s3://data/images",
            "SCONES_TRAINING_INSTANCE": "ml.g5.xlarge",
            "SCONES_INSTANCE_TYPE": "ml.c5.xlarge",
        },
        account=ACCOUNT,
        region=IRELAND,
    )

    assert settings.training_data == "s3://data/images"
    assert settings.training_instance == "ml.g5.xlarge"
    assert settings.instance_type == "ml.c5.xlarge"
