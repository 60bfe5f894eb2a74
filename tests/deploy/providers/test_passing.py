"""Every create is refused once in each way that passes by itself; the first apply ends well."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.models import botocore_stubber

from deploy import deployment
from deploy.apply import Failed, StepProgress
from deploy.plan import Op
from tests.deploy.cases import settings
from tests.deploy.conftest import Account

ROLE = (
    ("InvalidParameterValueException", "The role cannot be assumed by Lambda.", 400),
    (
        "InvalidParameterValueException",
        "The KMS key is invalid for CreateGrant: ARN does not refer to a valid principal.",
        400,
    ),
)
BUSY = ("OperationAborted", "A conflicting conditional operation is currently in progress", 409)
NO_BUCKET = ("NoSuchBucket", "The specified bucket does not exist", 404)
NO_ENTITY = ("NoSuchEntity", "The role with name x cannot be found.", 404)
CONFLICT = ("ConflictException", "A concurrent modification is in progress. Try again.", 409)
NO_FUNCTION = ("ResourceNotFoundException", "Function not found: f", 404)
NO_RESOURCE = ("ResourceNotFoundException", "The resource does not exist.", 400)
REFUSALS: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    "s3.CreateBucket": (BUSY,),
    **{
        f"s3.{operation}": (NO_BUCKET, BUSY)
        for operation in (
            "PutBucketTagging",
            "PutPublicAccessBlock",
            "PutBucketOwnershipControls",
            "PutBucketEncryption",
            "PutBucketPolicy",
            "PutBucketLifecycleConfiguration",
        )
    },
    "iam.CreateRole": (("ConcurrentModification", "m", 409),),
    "iam.PutRolePolicy": (NO_ENTITY, ("MalformedPolicyDocument", "Invalid principal", 400)),
    "logs.CreateLogGroup": (("OperationAbortedException", "A conflicting operation", 400),),
    "logs.PutRetentionPolicy": (
        ("ResourceNotFoundException", "The specified log group does not exist.", 400),
        ("OperationAbortedException", "A conflicting operation is in progress", 400),
    ),
    "sns.CreateTopic": (("ConcurrentAccess", "Another request is in progress", 400),),
    "sns.Subscribe": (("NotFound", "Topic does not exist", 404),),
    "sqs.CreateQueue": (("QueueDeletedRecently", "You must wait 60 seconds.", 400),),
    "events.PutRule": (("ConcurrentModificationException", "m", 400),),
    "events.PutTargets": (("ResourceNotFoundException", "Rule r does not exist", 400),),
    "lambda.CreateFunction": (*ROLE, NO_FUNCTION, CONFLICT),
    "lambda.GetFunctionConfiguration": (NO_FUNCTION,),
    "stepfunctions.CreateStateMachine": (
        (
            "AccessDeniedException",
            "The state machine IAM Role is not authorized to access the Log Destination",
            400,
        ),
        ("StateMachineDeleting", "State Machine is being deleted", 400),
        ("InvalidLoggingConfiguration", "m", 400),
    ),
    "stepfunctions.CreateStateMachineAlias": (
        ("ResourceNotFound", "The version does not exist", 400),
        ("ConflictException", "The version is pending", 409),
    ),
    "sagemaker.CreateModel": (
        ("ValidationException", "Could not assume role r.", 400),
        ("ValidationException", "Could not access model data at s3://b/k.", 400),
    ),
    "sagemaker.CreateEndpointConfig": (("ValidationException", 'Could not find model "m".', 400),),
    "sagemaker.CreateEndpoint": (
        ("ValidationException", 'Could not find endpoint configuration "c".', 400),
    ),
    "cloudwatch.PutMetricAlarm": (("ResourceNotFound", "The topic does not exist", 404),),
}
CREATES = {
    "CreateBucket",
    "CreateRole",
    "CreateLogGroup",
    "CreateTopic",
    "Subscribe",
    "CreateQueue",
    "PutRule",
    "CreateModel",
    "CreateEndpointConfig",
    "CreateEndpoint",
    "CreateFunction",
    "CreateStateMachine",
    "CreateStateMachineAlias",
    "PutMetricAlarm",
}


@pytest.fixture(autouse=True)
def no_time_passes(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(deployment, "_open_cloud", lambda owner, _: account.cloud(owner))


def apply_once(account: Account) -> list[str]:
    """The first apply ends well and leaves nothing to do; what it waited for."""
    owner = settings(alarm_email="a@example.com")
    plan = deployment.observe_and_plan(owner, account.session)
    events = list(deployment.apply(plan, owner, account.session))
    assert not [event for event in events if isinstance(event, Failed)]
    again = deployment.observe_and_plan(owner, account.session)
    assert {action.op for action in again.actions} == {Op.KEEP}
    return [event.message for event in events if isinstance(event, StepProgress)]


def test_every_passing_refusal_of_every_create_is_waited_for(account: Account) -> None:
    for operation, answers in REFUSALS.items():
        account.answer(operation, *answers)

    messages = apply_once(account)

    waited = [said for said in messages if said.startswith("Waiting until ")]
    assert len(waited) >= sum(len(answers) for answers in REFUSALS.values())
    assert not [said for said in waited if "None" in said]


def test_an_endpoint_that_does_not_show_at_once_is_waited_for(account: Account) -> None:
    refusal = ("ValidationException", "Could not find endpoint", 400)
    # Before it is created the endpoint is looked for by the plan, by the run and by the create.
    account.answer("sagemaker.DescribeEndpoint", None, None, None, refusal, refusal)

    assert any("SageMaker endpoint" in said and "known" in said for said in apply_once(account))


@pytest.mark.parametrize(
    "operations",
    [CREATES, *(pytest.param({one}, marks=pytest.mark.nightly) for one in sorted(CREATES))],
)
def test_a_create_whose_answer_was_lost_looks_and_converges(
    account: Account, operations: set[str]
) -> None:
    """The create is carried out, its answer is a 500, and botocore sends it again."""
    lost: set[str] = set()

    def lose(event_name: str, request: Any, **given: Any) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        if operation in lost or operation not in operations:
            return None
        lost.add(operation)
        botocore_stubber(event_name, request, **given)
        return AWSResponse(request.url, 500, HTTPHeaders(), _Nothing())

    account.before_send = lose

    apply_once(account)

    assert lost == operations


class _Nothing:
    """The body of an answer that has none."""

    def stream(self, **_: Any) -> list[bytes]:
        return []
