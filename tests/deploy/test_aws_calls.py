"""docs/aws.md lists every call, its permission and its cost: the code, as run, makes no other.

Every call below goes through botocore, which validates its parameters against AWS's own service
models before anything is sent.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name

from deploy import deployment, permissions
from deploy.apply import Failed
from deploy.providers import iam, lambda_, quotas
from deploy.providers import session as sessions
from tests.deploy.cases import ACCOUNT, artifacts, settings
from tests.deploy.conftest import Account
from workflow.aws_errors import permission
from workflow.organisation import Organisation

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/aws.md").read_text()
PROVIDERS = {
    "s3": "s3",
    "lock": "s3",
    "audit": "s3",
    "iam": "iam",
    "logs": "logs",
    "sns": "sns",
    "sqs": "sqs",
    "events": "events",
    "cloudwatch": "cloudwatch",
    "lambda_": "lambda",
    "states": "stepfunctions",
    "sagemaker": "sagemaker",
    "training": "sagemaker",
    "training_sets": "s3",
    "quotas": "service-quotas",
    "session": "sts",
}
NO_CLIENTS = {"aws", "clients", "errors", "parsing", "algorithms", "__init__"}
DASHBOARD_SERVICES = (
    "athena cloudwatch iam lambda logs s3 sagemaker sns sqs stepfunctions sts".split()  # noqa: SIM905
)
ON_TOP = {
    "cloudwatch:TagResource",
    "events:TagResource",
    "glue:CreateDatabase",
    "glue:CreateTable",
    "glue:GetDatabase",
    "glue:GetPartitions",
    "glue:GetTable",
    "iam:PassRole",
    "iam:TagRole",
    "lambda:ListTags",
    "lambda:TagResource",
    "logs:TagResource",
    "s3:GetBucketLocation",
    "s3:TagResource",
    "sns:TagResource",
    "sqs:TagQueue",
    "states:TagResource",
}
"""What AWS asks for beside the call: tags at creation, roles passed on, Athena's catalogue."""


def section(title: str) -> str:
    return DOCUMENT.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str) -> list[tuple[str, str, str]]:
    found = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (.+?) \|$", section(title), re.MULTILINE)
    return [(call, action, cost) for call, action, cost in found]


def calls_in(paths: Iterable[Path], services: Iterable[str]) -> set[str]:
    """Operations of these services that a file names, as a method or for a paginator."""
    model = boto3.Session()._session.get_service_model
    known = {
        (service, xform_name(operation)): f"{service}:{operation}"
        for service in services
        for operation in model(service).operation_names
    }
    names = {name for path in paths for name in _names(path)}
    return {call for (_, name), call in known.items() if name in names}


def _names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def calls_of_deploy() -> set[str]:
    folder = ROOT / "deploy/providers"
    return {
        call
        for module, service in PROVIDERS.items()
        for call in calls_in([folder / f"{module}.py"], [service])
    }


def test_every_module_with_a_client_is_looked_at() -> None:
    modules = {path.stem for path in (ROOT / "deploy/providers").glob("*.py")}

    assert modules == PROVIDERS.keys() | NO_CLIENTS


def test_the_calls_of_deploy_are_those_of_the_document() -> None:
    assert calls_of_deploy() == {call for call, _, _ in rows("What `deploy` calls")}


def test_the_calls_of_the_functions_are_those_of_the_document() -> None:
    handlers = (ROOT / "lambdas").rglob("handler.py")

    found = calls_in(handlers, ["s3", "sagemaker-runtime"])

    assert found == {call for call, _, _ in rows("What the functions call")}


def test_the_calls_of_the_dashboard_are_in_the_document() -> None:
    # obstore lists and reads without boto3; SageMaker's Search is only a namesake. An import makes
    # its bucket in the local cloud, and is refused on AWS (dashboard/workflows/bundle.py).
    undocumented = {"sagemaker:Search", "s3:CreateBucket", "s3:ListBuckets"}
    found = calls_in((ROOT / "dashboard").rglob("*.py"), DASHBOARD_SERVICES) - undocumented

    documented = {call for call, _, _ in rows("What the dashboard calls")}
    assert found <= documented
    assert documented - found <= {"s3:ListObjectsV2", "s3:GetObject"}


@pytest.mark.parametrize(
    "title", ["What `deploy` calls", "What the functions call", "What the dashboard calls"]
)
def test_each_call_has_its_permission_and_its_cost(title: str) -> None:
    for call, action, cost in rows(title):
        assert action == permission(call)
        assert cost


def test_a_whole_life_makes_every_call_of_the_document_and_no_other(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Create, change, drift, roll back and destroy: all of it validated by botocore."""
    asked(account)
    account.client("s3").create_bucket(Bucket="data")
    account.client("s3").put_object(Bucket="data", Key="images/train.lst", Body=b"0\t1\ta.png")
    go(account, training_data="s3://data/images")
    go(account, alarm_email="a@example.com")
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/bounds"
    go(account, organisation=Organisation(permissions_boundary=boundary))
    go(account, threshold=0.8, instance_type="ml.c5.large", alarm_email="a@example.com")
    monkeypatch.setattr(deployment, "collect_artifacts", lambda *_, **__: artifacts(code="2"))
    go(account)
    list(deployment.rollback(settings(), account.session))
    drift(account)
    go(account)
    lock_held(account)
    account.client("s3").put_object(Bucket=settings().bucket, Key="images/a.png", Body=b"x")
    bucket = settings().bucket
    list(deployment.destroy(settings(), account.session, empty_bucket=bucket))

    documented = {call for call, _, _ in rows("What `deploy` calls")}
    assert set(account.calls) | ANSWERED_HERE == documented


def go(account: Account, **changes: Any) -> None:
    owner = settings(**changes)
    plan = deployment.observe_and_plan(owner, account.session)
    events = list(deployment.apply(plan, owner, account.session))
    assert not [event for event in events if isinstance(event, Failed)]


ANSWERED_HERE = {
    "iam:SimulatePrincipalPolicy",
    "lambda:GetAccountSettings",
    "service-quotas:ListServiceQuotas",
}
"""What moto does not have: answered by ``asked``, and so not counted by the account."""


def asked(account: Account) -> None:
    """The checks before a deployment."""
    account.answer("lambda.GetAccountSettings", {"AccountLimit": {"ConcurrentExecutions": 10}})
    account.answer("service-quotas.ListServiceQuotas", {"Quotas": []})
    nothing: dict[str, list[str]] = {"EvaluationResults": []}
    account.answer(
        "iam.SimulatePrincipalPolicy", *[nothing] * len(permissions.needed_actions(settings()))
    )
    aws = account.cloud().aws
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/ana"

    assert sessions.account_of(account.session) == ACCOUNT
    assert iam.find_denied(aws, role, permissions.needed_actions(settings())) == []
    assert quotas.sagemaker_quotas(aws, ["ml.m5.large for endpoint usage"]) == {}
    assert lambda_.read_concurrency(aws) == 10


def test_apply_asks_beforehand_for_what_it_needs() -> None:
    """All that the document has, but for training, for data of others, and for the checks."""
    needed = {one for actions in permissions.needed_actions(settings()).values() for one in actions}
    documented = {action for _, action, _ in rows("What `deploy` calls")}

    assert needed - ON_TOP <= documented
    assert documented - needed == {
        "cloudwatch:DescribeAlarms",
        "iam:DeleteRolePermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
        "iam:SimulatePrincipalPolicy",
        "lambda:GetAccountSettings",
        "logs:DescribeLogGroups",
        "logs:FilterLogEvents",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:PutObject",
        "sagemaker:CreateTrainingJob",
        "sagemaker:DescribeTrainingJob",
        "sagemaker:ListEndpointConfigs",
        "sagemaker:ListModels",
        "sagemaker:ListTrainingJobs",
        "servicequotas:ListServiceQuotas",
        "sts:GetCallerIdentity",
    }


def drift(account: Account) -> None:
    """Somebody changes what deploy made, by hand, in every place that deploy can put right."""
    name, role = settings().prefix, f"{settings().prefix}-filter-us-east-1"
    account.client("iam").put_role_policy(
        RoleName=role,
        PolicyName="permissions",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
            }
        ),
    )
    account.client("logs").put_retention_policy(
        logGroupName=f"/aws/lambda/{name}-filter-inferences", retentionInDays=1
    )
    # SageMaker writes the last lines of an endpoint that is gone, and so creates its group again.
    group = f"/aws/sagemaker/Endpoints/{name}"
    account.client("logs").delete_log_group(logGroupName=group)
    account.client("logs").create_log_group(logGroupName=group)
    account.client("logs").untag_resource(
        resourceArn=f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}",
        tagKeys=list(settings().tags),
    )
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}-alerts"
    account.client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue='{"Statement": []}'
    )
    sqs = account.client("sqs")
    queue = sqs.get_queue_url(QueueName=f"{name}-executions")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"MessageRetentionPeriod": "60"})
    account.client("events").put_targets(
        Rule=f"{name}-executions", Targets=[{"Id": "other", "Arn": topic}]
    )
    account.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{name}-faults",
        MetricName="m",
        Namespace="n",
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    account.client("s3").delete_bucket_policy(Bucket=settings().bucket)
    states = account.client("stepfunctions")
    arn = settings().state_machine_arn
    now = states.describe_state_machine(stateMachineArn=arn)
    # A definition put back by hand: as wanted, but no version of it is the newest.
    states.update_state_machine(stateMachineArn=arn, definition="{}", publish=True)
    states.update_state_machine(stateMachineArn=arn, definition=now["definition"])


def lock_held(account: Account) -> None:
    account.client("s3").put_object(
        Bucket=settings().bucket, Key="deploy.lock", Body=b'{"holder": "ana"}'
    )
    owner = settings(threshold=0.7)
    plan = deployment.observe_and_plan(owner, account.session)
    last = list(deployment.apply(plan, owner, account.session))[-1]
    assert isinstance(last, Failed)
    assert "ana" in last.error.message
    account.client("s3").delete_object(Bucket=settings().bucket, Key="deploy.lock")
