"""The facade, through every provider, against moto."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from deploy import deployment
from deploy.apply import Applied, Event, Failed, Started
from deploy.plan import Op, Plan
from deploy.providers import lock
from deploy.resources import Function, TrainingJob
from tests.deploy.cases import ACCOUNT, artifacts, settings
from tests.deploy.conftest import Account
from workflow.errors import WorkflowError
from workflow.settings import Settings

READS = ("Get", "Describe", "List", "Head")


def applied(account: Account, owner: Settings | None = None, weight: int = 100) -> list[Event]:
    owner = owner or settings()
    plan = deployment.observe_and_plan(owner, account.session, weight=weight)
    return list(deployment.apply(plan, owner, account.session))


def ops(plan: Plan) -> dict[Op, int]:
    return {op: n for op in Op if (n := sum(action.op is op for action in plan.actions))}


def done(events: Iterable[Event]) -> list[tuple[str, Op]]:
    return [(event.key.kind, event.op) for event in events if isinstance(event, Applied)]


def writes(account: Account) -> list[str]:
    return [call for call in account.calls if not call.partition(":")[2].startswith(READS)]


def test_a_first_apply_creates_everything(account: Account) -> None:
    events = applied(account, settings(alarm_email="a@example.com"))

    assert not [event for event in events if isinstance(event, Failed)]
    assert {op for _, op in done(events)} == {Op.CREATE}
    assert len(done(events)) == 33


def test_a_second_plan_keeps_everything_and_costs_only_reads(account: Account) -> None:
    owner = settings(alarm_email="a@example.com")
    applied(account, owner)
    account.calls.clear()

    plan = deployment.observe_and_plan(owner, account.session)

    assert ops(plan) == {Op.KEEP: 33}
    assert not writes(account)
    assert len(account.calls) <= 100


def test_a_second_apply_writes_nothing_not_even_the_lock(account: Account) -> None:
    applied(account)
    account.calls.clear()

    applied(account)

    assert not writes(account)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_buckets_are_created_in_any_region(account: Account, region: str) -> None:
    owner = settings(region=region)

    events = list(
        deployment.apply(
            deployment.observe_and_plan(owner, account.session), owner, account.session
        )
    )

    assert not [event for event in events if isinstance(event, Failed)]


def test_new_code_becomes_new_versions_behind_the_alias(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(account)
    monkeypatch.setattr(deployment, "collect_artifacts", lambda *_, **__: artifacts(code="2"))

    events = applied(account)

    changed = [kind for kind, op in done(events) if op is Op.UPDATE]
    assert changed == ["lambda.function"] * 3 + ["states.machine", "states.alias"]
    outputs = deployment.read_status(settings(), account.session)
    assert [(one.number, one.weight) for one in outputs.versions] == [(2, 100), (1, 0)]
    definition = account.client("stepfunctions").describe_state_machine(
        stateMachineArn=f"{settings().state_machine_arn}:2"
    )["definition"]
    assert ":function:scones-unlimited-dev-serialize-image:2" in definition


def test_a_canary_gets_its_share_and_the_next_apply_finishes_it(account: Account) -> None:
    applied(account)

    applied(account, settings(threshold=0.8), weight=10)
    assert weights(account) == [(2, 10), (1, 90)]
    applied(account, settings(threshold=0.8), weight=50)
    assert weights(account) == [(2, 50), (1, 50)]
    applied(account, settings(threshold=0.8), weight=10)
    assert weights(account) == [(2, 50), (1, 50)]
    applied(account, settings(threshold=0.8))
    assert weights(account) == [(2, 100), (1, 0)]


def test_a_canary_of_a_canary_leaves_the_rest_where_most_was(account: Account) -> None:
    applied(account)
    applied(account, settings(threshold=0.8), weight=10)

    applied(account, settings(threshold=0.7), weight=20)

    assert weights(account) == [(3, 20), (2, 0), (1, 80)]


def weights(account: Account) -> list[tuple[int, int]]:
    versions = deployment.read_status(settings(), account.session).versions
    return [(version.number, version.weight) for version in versions]


def test_a_rollback_moves_the_alias_and_touches_nothing_else(account: Account) -> None:
    applied(account)
    applied(account, settings(threshold=0.8))
    account.calls.clear()

    events = list(deployment.rollback(settings(threshold=0.8), account.session))

    assert done(events) == [("states.alias", Op.UPDATE)]
    assert weights(account) == [(2, 0), (1, 100)]
    changes = [call for call in writes(account) if not call.startswith("s3:")]
    assert changes == ["stepfunctions:UpdateStateMachineAlias"]


def test_a_rollback_of_a_canary_takes_its_share_away(account: Account) -> None:
    applied(account)
    applied(account, settings(threshold=0.8), weight=10)

    list(deployment.rollback(settings(), account.session))

    assert weights(account) == [(2, 0), (1, 100)]


def test_a_rollback_of_a_canary_is_previewed_from_the_new_version(account: Account) -> None:
    applied(account)
    applied(account, settings(threshold=0.8), weight=10)

    back = deployment.preview_rollback(settings(), account.session)

    assert back is not None
    assert (back.live, back.target) == (2, 1)
    assert back.diff


def test_a_promotion_moves_the_alias_and_keeps_what_the_new_version_is(account: Account) -> None:
    applied(account)
    applied(account, settings(threshold=0.8), weight=10)

    plan = deployment.plan_promotion(settings(threshold=0.7), account.session)
    events = list(deployment.apply(plan, settings(threshold=0.7), account.session))

    assert done(events) == [("states.alias", Op.UPDATE)]
    assert weights(account) == [(2, 100), (1, 0)]
    back = deployment.preview_rollback(settings(), account.session)
    assert back is not None
    assert back.target == 1


def test_an_apply_after_a_rollback_goes_forward_again(account: Account) -> None:
    applied(account)
    applied(account, settings(threshold=0.8))
    list(deployment.rollback(settings(threshold=0.8), account.session))

    applied(account, settings(threshold=0.8))

    assert weights(account) == [(2, 100), (1, 0)]


def test_another_instance_moves_the_endpoint_and_retains_the_old_configuration(
    account: Account,
) -> None:
    applied(account)

    events = applied(account, settings(instance_type="ml.c5.large"))

    assert [one for one in done(events) if one[1] is not Op.KEEP] == [
        ("sagemaker.endpoint-config", Op.CREATE),
        ("sagemaker.endpoint", Op.UPDATE),
    ]
    assert len(configs(account)) == 2
    account.calls.clear()
    again = deployment.observe_and_plan(settings(instance_type="ml.c5.large"), account.session)
    assert ops(again) == {Op.KEEP: 32}
    assert [key.kind for key in again.retained] == ["sagemaker.endpoint-config"]
    assert not writes(account)


def configs(account: Account) -> set[str]:
    listed = account.client("sagemaker").list_endpoint_configs(MaxResults=100)["EndpointConfigs"]
    return {one["EndpointConfigName"] for one in listed}


def test_a_configuration_that_is_wanted_again_is_used_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(account)
    first = configs(account)
    monkeypatch.setattr(deployment, "collect_artifacts", lambda *_, **__: artifacts(model="b"))
    applied(account)
    monkeypatch.setattr(deployment, "collect_artifacts", lambda *_, **__: artifacts())

    plan = deployment.observe_and_plan(settings(), account.session)
    events = list(deployment.apply(plan, settings(), account.session))

    assert ops(plan) == {Op.UPDATE: 1, Op.KEEP: 31}
    assert [one for one in done(events) if one[1] is not Op.KEEP] == [
        ("sagemaker.endpoint", Op.UPDATE)
    ]
    sagemaker = account.client("sagemaker")
    serving = sagemaker.describe_endpoint(EndpointName=settings().endpoint)["EndpointConfigName"]
    assert {serving} == first
    again = deployment.observe_and_plan(settings(), account.session)
    assert ops(again) == {Op.KEEP: 32}
    assert [key.kind for key in again.retained] == ["sagemaker.endpoint-config", "sagemaker.model"]


def test_ten_earlier_configurations_are_retained_and_destroy_leaves_none(
    account: Account,
) -> None:
    for percentage in range(12):
        applied(account, settings(sampling_percentage=percentage))

    assert len(configs(account)) == 11
    again = deployment.observe_and_plan(settings(sampling_percentage=11), account.session)
    assert ops(again) == {Op.KEEP: 32}
    assert len(again.retained) == 10, "the model of them all is wanted, so it is an action"
    list(deployment.destroy(settings(), account.session))
    assert not configs(account)
    assert not account.client("sagemaker").list_models()["Models"]


def test_an_existing_endpoint_replaces_the_created_one(account: Account) -> None:
    applied(account)
    theirs(account)
    owner = settings(existing_endpoint="Theirs")

    events = applied(account, owner)

    assert not [event for event in events if isinstance(event, Failed)]
    endpoints = account.client("sagemaker").list_endpoints()["Endpoints"]
    assert [one["EndpointName"] for one in endpoints] == ["Theirs"]
    assert ops(deployment.observe_and_plan(owner, account.session)) == {Op.KEEP: 27}


def theirs(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    variant = {
        "VariantName": "TheirVariant",
        "ModelName": "m",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.t2.medium",
    }
    sagemaker.create_model(
        ModelName="m",
        ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/r",
        PrimaryContainer={"Image": "i"},
    )
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="Theirs", EndpointConfigName="c")


def test_an_existing_endpoint_that_does_not_exist_blocks_the_plan(account: Account) -> None:
    events = applied(account, settings(existing_endpoint="Missing"))

    assert len(events) == 1
    assert isinstance(events[0], Failed)
    assert events[0].error.code == "ResourceMissing"
    assert not writes(account)


def test_training_makes_the_model_that_is_served(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = settings(training_data="s3://data/images")
    listed(account, b"0\t0\tbike_1.png\n1\t1\tmotorbike_1.png\n\n")

    events = applied(account, owner)

    assert not [event for event in events if isinstance(event, Failed)]
    sagemaker = account.client("sagemaker")
    job = sagemaker.list_training_jobs()["TrainingJobSummaries"][0]["TrainingJobName"]
    described = sagemaker.describe_training_job(TrainingJobName=job)
    artifact = described["ModelArtifacts"]
    model = sagemaker.list_models()["Models"][0]["ModelName"]
    container = sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
    assert container["ModelDataUrl"] == artifact["S3ModelArtifacts"]
    assert described["HyperParameters"]["num_training_samples"] == "2"
    assert described["HyperParameters"]["num_classes"] == "2"
    assert ops(deployment.observe_and_plan(owner, account.session)).keys() == {Op.KEEP}


@pytest.mark.parametrize("size", [2, 10, 100])
def test_the_classes_that_are_trained_on_reach_the_job_and_the_functions(
    account: Account, size: int
) -> None:
    names = {str(label): f"kind {label}" for label in range(size)}
    listed(account, b"".join(b"%d\t%d\tp.png\n" % (row, row) for row in range(size)))
    manifest = json.dumps({"classes": names}).encode()
    account.client("s3").put_object(Bucket="data", Key="images/manifest.json", Body=manifest)

    plan = deployment.observe_and_plan(settings(training_data="s3://data/images"), account.session)

    made = [one.resource for one in plan.actions]
    (job,) = (one for one in made if isinstance(one, TrainingJob))
    assert job.hyperparameters["num_classes"] == str(size)
    told = [one.environment.get("SCONES_CLASSES") for one in made if isinstance(one, Function)]
    assert sorted(map(str, told)) == ["None", *[json.dumps(list(names.values()))] * 2]


def test_classes_that_a_training_set_does_not_name_are_numbered(account: Account) -> None:
    listed(account, b"0\t0\ta.png\n1\t2\tb.png\n")

    plan = deployment.observe_and_plan(settings(training_data="s3://data/images"), account.session)

    functions = [one.resource for one in plan.actions if isinstance(one.resource, Function)]
    assert {one.environment.get("SCONES_CLASSES") for one in functions} == {
        None,
        '["class 0", "class 1", "class 2"]',
    }


@pytest.mark.parametrize("line", [b"0\tbicycle\ta.png", b"0 0 a.png", b"0\t-1\ta.png"])
def test_a_list_of_another_form_is_refused_with_its_line(account: Account, line: bytes) -> None:
    listed(account, b"0\t0\ta.png\n" + line)

    with pytest.raises(WorkflowError) as caught:
        deployment.observe_and_plan(settings(training_data="s3://data/images"), account.session)

    assert caught.value.code == "TrainingListInvalid"
    assert caught.value.message.startswith("Line 2 of s3://data/images/train.lst")


def listed(account: Account, lines: bytes) -> None:
    """Put a list file where the training data lies."""
    client = account.client("s3")
    client.create_bucket(Bucket="data")
    client.put_object(Bucket="data", Key="images/train.lst", Body=lines)


@pytest.mark.parametrize("lines", [None, b"", b"\n \n"])
def test_training_on_nothing_is_refused_before_anything_is_made(
    account: Account, lines: bytes | None
) -> None:
    if lines is not None:
        listed(account, lines)

    with pytest.raises(WorkflowError, match=r"s3://data/images/train\.lst") as caught:
        deployment.observe_and_plan(settings(training_data="s3://data/images"), account.session)

    assert caught.value.code == "TrainingDataMissing"
    assert not writes(account)


def test_destroy_leaves_an_empty_account(account: Account) -> None:
    applied(account, settings(alarm_email="a@example.com"))

    events = list(deployment.destroy(settings(), account.session))

    assert {op for _, op in done(events)} == {Op.DELETE}
    assert not account.client("s3").list_buckets()["Buckets"]
    assert not account.client("iam").list_roles()["Roles"]
    assert not account.client("lambda").list_functions()["Functions"]
    assert not account.client("stepfunctions").list_state_machines()["stateMachines"]
    assert not account.client("sagemaker").list_models()["Models"]
    assert not account.client("sagemaker").list_endpoint_configs()["EndpointConfigs"]
    assert not account.client("sagemaker").list_endpoints()["Endpoints"]
    assert not account.client("sns").list_topics()["Topics"]
    assert not account.client("sqs").list_queues().get("QueueUrls")
    assert not account.client("events").list_rules()["Rules"]
    assert not account.client("logs").describe_log_groups()["logGroups"]
    assert not account.client("cloudwatch").describe_alarms()["MetricAlarms"]


def test_destroy_keeps_a_bucket_with_images(account: Account) -> None:
    applied(account)
    account.client("s3").put_object(Bucket=settings().bucket, Key="images/a b.png", Body=b"x")

    list(deployment.destroy(settings(), account.session))

    keys = account.client("s3").list_objects_v2(Bucket=settings().bucket)["Contents"]
    assert "images/a b.png" in {one["Key"] for one in keys}
    assert "deploy.lock" not in {one["Key"] for one in keys}


def test_destroy_empties_a_bucket_that_is_named(account: Account) -> None:
    applied(account)
    for number in range(3):
        key = f"images/{number}.png"
        account.client("s3").put_object(Bucket=settings().bucket, Key=key, Body=b"x")

    list(deployment.destroy(settings(), account.session, empty_bucket=settings().bucket))

    assert not account.client("s3").list_buckets()["Buckets"]


def test_an_image_that_arrives_while_destroying_saves_its_bucket(account: Account) -> None:
    applied(account)
    plan = deployment.plan_destroy(settings(), account.session)
    account.client("s3").put_object(Bucket=settings().bucket, Key="images/late.png", Body=b"x")

    events = list(deployment.apply(plan, settings(), account.session))

    assert isinstance(events[-1], Failed)
    assert events[-1].error.code == "BucketNotEmpty"
    assert account.client("s3").head_object(Bucket=settings().bucket, Key="images/late.png")


def test_status_of_nothing_is_nothing(account: Account) -> None:
    outputs = deployment.read_status(settings(), account.session)

    assert (outputs.bucket, outputs.alias_arn, outputs.endpoint_status) == (None, None, None)
    assert outputs.versions == ()


def test_status_is_json(account: Account) -> None:
    applied(account)

    read = json.loads(json.dumps(deployment.read_status(settings(), account.session).to_json()))

    assert read["bucket"] == settings().bucket
    assert read["alias_arn"] == settings().alias_arn
    assert read["endpoint_status"] == "InService"
    assert read["queue_url"].endswith("/scones-unlimited-dev-executions")
    assert read["versions"][0]["weight"] == 100
    assert read["links"]["State machine"] == (
        "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1"
        f"#/statemachines/view/{settings().state_machine_arn}"
    )


def test_there_are_no_console_links_for_another_cloud(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "is_aws", lambda _: False)

    assert deployment.read_status(settings(), account.session).links == {}


def test_connects_to_the_account_of_the_credentials(account: Account) -> None:
    owner, _ = deployment.connect(
        {"SCONES_CLOUD": "aws", "SCONES_PROJECT": "vans", "AWS_REGION": "eu-west-1"}
    )

    assert (owner.account, owner.project, owner.region) == (ACCOUNT, "vans", "eu-west-1")


def test_says_so_where_there_are_no_credentials(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(WorkflowError, match="No AWS credentials") as caught:
        deployment.connect({"SCONES_CLOUD": "aws", "AWS_REGION": "us-east-1"})

    assert caught.value.code == "NoCredentialsError"


def test_a_profile_that_does_not_exist_is_named(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(WorkflowError, match="nobody"):
        deployment.connect({"SCONES_CLOUD": "aws", "AWS_REGION": "us-east-1"})


def test_every_started_resource_is_shown_with_its_title(account: Account) -> None:
    started = [event for event in applied(account) if isinstance(event, Started)]

    assert started[0].action.title == "S3 bucket"
    assert started[-1].index == started[-1].total


def test_an_alias_of_somebody_elses_state_machine_is_neither_moved_nor_deleted(
    account: Account,
) -> None:
    states = account.client("stepfunctions")
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    machine = {"name": settings().state_machine, "definition": "{}", "roleArn": role}
    first = states.create_state_machine(**machine, publish=True)
    arn = first["stateMachineArn"]
    states.update_state_machine(stateMachineArn=arn, definition="[]", publish=True)
    routes = [{"stateMachineVersionArn": f"{arn}:2", "weight": 100}]
    states.create_state_machine_alias(name="live", routingConfiguration=routes)

    rolled_back = list(deployment.rollback(settings(), account.session))
    list(deployment.destroy(settings(), account.session))

    assert isinstance(rolled_back[-1], Failed)
    assert rolled_back[-1].error.code == "ResourceNotOwned"
    alias = states.describe_state_machine_alias(stateMachineAliasArn=f"{arn}:live")
    assert alias["routingConfiguration"] == routes


@pytest.mark.parametrize(
    "nth", [1, 21, 44, *(pytest.param(nth, marks=pytest.mark.nightly) for nth in (0, 5, 12, 30))]
)
def test_an_apply_that_is_killed_at_any_write_is_finished_by_the_next(
    account: Account, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through moto, so that the halves are those that AWS would be left with."""
    written = 0

    def kill(model: Any) -> None:
        nonlocal written
        if not model.name.startswith(READS):
            if written == nth:
                raise KeyboardInterrupt
            written += 1

    account.before_call = kill
    with pytest.raises(KeyboardInterrupt):
        applied(account)
    account.before_call = lambda _: None
    monkeypatch.setattr(lock, "LEASE_SECONDS", -1)

    events = applied(account)

    assert not [event for event in events if isinstance(event, Failed)]
    assert ops(deployment.observe_and_plan(settings(), account.session)).keys() == {Op.KEEP}
