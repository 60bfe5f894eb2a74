"""The policies of people are made of the calls of the code, narrowed to one deployment."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult

from deploy.__main__ import DONE, main
from deploy.user_policies import PASSED_TO, READS, User, user_policy
from tests.deploy.cases import ACCOUNT, settings
from tests.deploy.conftest import Account
from tests.deploy.test_aws_calls import ON_TOP, rows
from workflow.organisation import Organisation
from workflow.settings import Settings

CALLS = ("What `deploy` calls", "What the dashboard calls")
OF_OTHERS = {"iam:ListAttachedRolePolicies", "iam:ListRolePolicies"}
"""Made of workflows of others alone, so that operators and viewers do without."""

READING = re.compile(r"\w+:(Get|List|Describe|Filter)")
ANOTHER_STAGE = settings(stage="prod")


def granted(user: User, owner: Settings | None = None) -> list[str]:
    statements = user_policy(user, owner or settings())["Statement"]
    return [action for statement in statements for action in statement["Action"]]


def statements(user: User) -> Iterator[dict[str, Any]]:
    yield from user_policy(user, settings())["Statement"]


def may(user: User, action: str, resource: str) -> bool:
    """Moto's reading of the policy, which shares no code with ours."""
    policy = IAMPolicy(json.dumps(user_policy(user, settings())))
    return bool(policy.is_action_permitted(action, resource) is PermissionResult.PERMITTED)


def test_an_operator_may_make_every_call_and_no_other() -> None:
    needed = {action for title in CALLS for _, action, _ in rows(title)} - OF_OTHERS

    assert set(granted(User.OPERATOR)) == needed | ON_TOP
    assert len(granted(User.OPERATOR)) == len(set(granted(User.OPERATOR)))


def test_a_viewer_may_make_every_call_that_only_reads_and_no_other() -> None:
    needed = {action for title in CALLS for _, action, _ in rows(title) if READING.match(action)}
    paid = {"athena:GetQueryExecution"}
    needed_on_top = {"lambda:ListTags"}

    assert set(granted(User.VIEWER)) == (needed - paid - OF_OTHERS) | needed_on_top
    assert not [action for action in granted(User.VIEWER) if not READING.match(action)]


def test_a_watcher_may_make_every_reading_call_of_the_dashboard_and_no_other() -> None:
    calls = [action for _, action, _ in rows("What the dashboard calls")]
    queue_and_paid = {"sqs:GetQueueUrl", "athena:GetQueryExecution"}

    assert set(granted(User.WATCHER)) == set(filter(READING.match, calls)) - queue_and_paid


@pytest.mark.parametrize("user", User)
def test_a_policy_fits_where_iam_limits_it(user: User) -> None:
    longest = settings(project="a" * 24, stage="b" * 8, region="ap-southeast-1")

    text = json.dumps(user_policy(user, longest), separators=(",", ":"))

    assert len(text) <= 6144


@pytest.mark.parametrize("user", [User.VIEWER, User.OPERATOR])
def test_only_what_has_no_resource_is_granted_on_all(user: User) -> None:
    (unscoped,) = [one["Action"] for one in statements(user) if "*" in one["Resource"]]

    assert "sts:GetCallerIdentity" in unscoped


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:PutObject", f"{settings().bucket_arn}/images/a b.png"),
        ("s3:ListBucket", settings().bucket_arn),
        ("states:StartExecution", settings().alias_arn),
        ("states:RedriveExecution", settings().arn("states", "execution:scones-unlimited-dev:a")),
        ("lambda:PublishVersion", settings().arn("lambda", "function:scones-unlimited-dev-x")),
        ("sqs:ReceiveMessage", settings().arn("sqs", settings().executions_queue)),
        ("sns:Publish", settings().topic_arn),
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/scones-unlimited-dev-states-us-east-1"),
        ("glue:CreateTable", settings().arn("glue", "table/scones_unlimited_dev/captures")),
        ("logs:FilterLogEvents", settings().arn("logs", "log-group:/aws/sagemaker/TrainingJobs")),
        ("sts:GetCallerIdentity", "*"),
    ],
)
def test_an_operator_may_use_the_resources_of_the_deployment(action: str, resource: str) -> None:
    assert may(User.OPERATOR, action, resource)
    assert may(User.VIEWER, action, resource) == bool(READING.match(action) or "List" in action)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", f"{ANOTHER_STAGE.bucket_arn}/images/a.png"),
        ("states:StartExecution", ANOTHER_STAGE.alias_arn),
        ("sns:Publish", ANOTHER_STAGE.topic_arn),
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("s3:PutBucketVersioning", settings().bucket_arn),
        ("iam:AttachRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/scones-unlimited-dev-states"),
        ("logs:FilterLogEvents", settings().arn("logs", "log-group:/aws/sagemaker/TransformJobs")),
    ],
)
def test_nobody_may_use_another_deployment_or_make_another_call(action: str, resource: str) -> None:
    assert not may(User.OPERATOR, action, resource)
    assert not may(User.VIEWER, action, resource)


def test_an_operator_may_pass_roles_to_three_services_only() -> None:
    (statement,) = (one for one in statements(User.OPERATOR) if "iam:PassRole" in one["Action"])

    assert statement["Condition"]["StringEquals"]["iam:PassedToService"] == list(PASSED_TO)


def test_roles_with_a_path_and_training_data_elsewhere_are_in_the_policy() -> None:
    owner = settings(
        organisation=Organisation(role_path="/vans/"), training_data="s3://photos/2026/x"
    )

    text = json.dumps(user_policy(User.OPERATOR, owner))

    assert f"arn:aws:iam::{ACCOUNT}:role/vans/scones-unlimited-dev-*" in text
    assert "arn:aws:s3:::photos/2026/x*" in text


def test_each_service_is_read_by_a_viewer_as_the_table_says() -> None:
    assert {action.partition(":")[0] for action in granted(User.VIEWER)} == READS.keys()


@pytest.mark.usefixtures("account")
def test_the_command_line_prints_a_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "viewer"]) == DONE

    assert json.loads(capsys.readouterr().out) == user_policy(User.VIEWER, settings())


def test_without_a_known_user_there_is_no_policy(account: Account) -> None:
    with pytest.raises(SystemExit):
        main(["policy", "root"])
