"""What goes wrong at AWS is waited for where it passes, and said in words where it does not."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from deploy import deployment
from deploy.apply import Applied, Event, Failed, StepProgress
from deploy.plan import Op
from deploy.resources import Key
from tests.deploy.cases import settings
from tests.deploy.conftest import Account
from workflow.errors import WorkflowError

NAME = settings().prefix
ENDPOINT = Key("sagemaker.endpoint", NAME)


def applied(account: Account, **changes: Any) -> list[Event]:
    owner, cloud = settings(**changes), account.session
    return list(deployment.apply(deployment.observe_and_plan(owner, cloud), owner, cloud))


def failure(events: list[Event]) -> WorkflowError:
    last = events[-1]
    assert isinstance(last, Failed)
    return last.error


def messages(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, StepProgress)]


@pytest.fixture(autouse=True)
def no_time_passes(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("deploy.apply.PATIENCE", (0, 0))
    monkeypatch.setattr(deployment, "_open_cloud", lambda owner, _: account.cloud(owner))


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        (
            "lambda.CreateFunction",
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            "stepfunctions.CreateStateMachine",
            "AccessDeniedException",
            (
                "Neither the global service principal states.amazonaws.com, nor the regional one is"
                " authorized to assume the provided role."
            ),
        ),
        (
            "sagemaker.CreateModel",
            "ValidationException",
            "Could not assume role arn:aws:iam::123456789012:role/x.",
        ),
        ("sqs.CreateQueue", "QueueDeletedRecently", "You must wait 60 seconds."),
        ("s3.CreateBucket", "OperationAborted", "A conflicting operation is in progress."),
    ],
)
def test_what_passes_by_itself_is_waited_for(
    account: Account, operation: str, code: str, message: str
) -> None:
    account.answer(operation, (code, message, 400))

    events = applied(account)

    assert not [event for event in events if isinstance(event, Failed)]
    assert any(said.startswith("Waiting") for said in messages(events))


def test_what_does_not_pass_is_not_repeated(account: Account) -> None:
    account.answer("lambda.CreateFunction", ("InvalidParameterValueException", "Bad memory", 400))

    error = failure(applied(account))

    assert error.code == "InvalidParameterValueException"
    assert "Bad memory" in error.message
    assert "lambda:CreateFunction" in error.message


def test_a_permission_the_user_lacks_is_not_waited_for(account: Account) -> None:
    """AWS gives it the same code as a role that is seconds old."""
    refusal = "u is not authorized to perform: states:CreateStateMachine on resource: r"
    account.answer("stepfunctions.CreateStateMachine", ("AccessDeniedException", refusal, 400))

    events = applied(account)

    assert "permission states:CreateStateMachine on r is missing" in failure(events).message
    assert not [said for said in messages(events) if said.startswith("Waiting")]


def test_patience_ends(account: Account) -> None:
    refusal = ("InvalidParameterValueException", "The role cannot be assumed by Lambda.", 400)
    account.answer("lambda.CreateFunction", *[refusal] * 3)

    assert "cannot be assumed" in failure(applied(account)).message


@pytest.mark.parametrize(
    ("operation", "answer", "says"),
    [
        ("s3.HeadBucket", ("403", "Forbidden", 403), "belongs to another account"),
        ("s3.HeadBucket", {"BucketRegion": "eu-west-1"}, "lies in eu-west-1"),
        ("s3.CreateBucket", ("BucketAlreadyExists", "m", 409), "taken by another AWS account"),
        (
            "sagemaker.CreateEndpoint",
            ("ResourceLimitExceeded", "The limit is 0 instances.", 400),
            "The limit is 0 instances",
        ),
        (
            "iam.CreateRole",
            ("AccessDenied", "u is not authorized to perform: iam:CreateRole on resource: r", 403),
            "permission iam:CreateRole on r is missing",
        ),
        ("iam.GetRole", ("ExpiredToken", "m", 403), "session has expired"),
        (
            "iam.GetRole",
            EndpointConnectionError(endpoint_url="https://iam.amazonaws.com/"),
            "could not be reached",
        ),
    ],
)
def test_each_failure_says_which_call_why_and_what_to_do(
    account: Account, operation: str, answer: Any, says: str
) -> None:
    try:
        account.answer(operation, answer)
        error = failure(applied(account))
    except WorkflowError as raised:  # where it fails while planning
        error = raised

    assert says in error.message
    assert error.remedy


def test_a_change_by_somebody_else_meanwhile_is_noticed(account: Account) -> None:
    applied(account)
    refusal = ("PreconditionFailedException", "The Revision Id provided does not match.", 412)
    account.answer("lambda.UpdateFunctionConfiguration", refusal)

    assert "Somebody else" in failure(applied(account, threshold=0.7)).message


def test_the_next_apply_goes_on_from_a_failure(account: Account) -> None:
    account.answer("sagemaker.CreateEndpoint", ("ResourceLimitExceeded", "No instance.", 400))
    failure(applied(account))
    account.calls.clear()

    events = applied(account)

    assert not [event for event in events if isinstance(event, Failed)]
    assert "s3:CreateBucket" not in account.calls
    assert "sagemaker:CreateModel" not in account.calls


def endpoint(status: str, **more: Any) -> dict[str, Any]:
    """An answer of DescribeEndpoint."""
    return {
        "EndpointName": NAME,
        "EndpointArn": f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{NAME}",
        "EndpointConfigName": "c",
        "EndpointStatus": status,
        **more,
    }


def test_an_endpoint_is_waited_for(account: Account) -> None:
    creating = endpoint("Creating")
    account.answer("sagemaker.DescribeEndpoint", None, None, None, creating, creating)

    events = applied(account)

    assert "Waiting for the endpoint: Creating" in messages(events)
    assert isinstance(events[-1], Applied)


def test_an_endpoint_that_shows_late_and_is_being_created_by_then_is_waited_for(
    account: Account,
) -> None:
    unseen = ("ValidationException", "Could not find endpoint", 400)
    creating = endpoint("Creating")
    account.answer("sagemaker.DescribeEndpoint", None, None, None, unseen, creating, creating)

    assert isinstance(applied(account)[-1], Applied)


def test_an_endpoint_that_fails_says_why(account: Account) -> None:
    failed = endpoint("Failed", FailureReason="The image cannot be pulled.")
    account.answer("sagemaker.DescribeEndpoint", None, None, None, failed, failed)

    error = failure(applied(account))

    assert error.code == "EndpointFailed"
    assert "The image cannot be pulled." in error.message
    assert f"/aws/sagemaker/Endpoints/{NAME}" in error.remedy


def test_a_failed_endpoint_is_replaced(account: Account) -> None:
    applied(account)
    failed = endpoint("Failed", FailureReason="No capacity.")
    account.answer("sagemaker.DescribeEndpoint", failed, failed)

    plan = deployment.observe_and_plan(settings(), account.session)
    action = next(one for one in plan.actions if one.key == ENDPOINT)
    events = list(deployment.apply(plan, settings(), account.session))

    assert (action.op, action.reason) == (Op.REPLACE, "It is Failed: No capacity.")
    assert Applied(ENDPOINT, Op.REPLACE) in events


def test_an_endpoint_that_keeps_its_old_configuration_says_so(account: Account) -> None:
    applied(account)
    account.answer("sagemaker.UpdateEndpoint", {"EndpointArn": "arn"})

    error = failure(applied(account, instance_type="ml.c5.large"))

    assert error.code == "EndpointFailed"
    assert "not in service with" in error.message


def test_an_endpoint_that_is_being_deleted_is_waited_for_and_created(account: Account) -> None:
    deleting = endpoint("Deleting")
    account.answer("sagemaker.DescribeEndpoint", None, None, deleting, deleting)
    applied(account)

    assert account.calls.count("sagemaker:CreateEndpoint") == 1


def test_a_function_that_failed_is_replaced(account: Account) -> None:
    applied(account)
    configuration = account.client("lambda").get_function(
        FunctionName=settings().serialize_function
    )
    configuration["Configuration"].update(State="Failed", StateReason="The image is gone.")
    account.answer("lambda.GetFunction", configuration)

    plan = deployment.observe_and_plan(settings(), account.session)

    action = next(one for one in plan.actions if one.op is Op.REPLACE)
    assert (action.key.kind, action.reason) == ("lambda.function", "The image is gone.")


def test_a_function_that_fails_while_it_is_waited_for_says_why(account: Account) -> None:
    state = {"State": "Failed", "StateReason": "The key is gone."}
    account.answer("lambda.GetFunctionConfiguration", {"State": "Pending"}, state)

    error = failure(applied(account))

    assert error.code == "FunctionFailed"
    assert "The key is gone." in error.message


def listed(account: Account) -> None:
    """Put a list of images to train on where the job finds it."""
    account.client("s3").create_bucket(Bucket="data")
    account.client("s3").put_object(Bucket="data", Key="x/train.lst", Body=b"0\t1\ta.png")


def test_a_training_job_is_waited_for(account: Account) -> None:
    progress = {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Downloading"}
    account.answer("sagemaker.DescribeTrainingJob", progress)
    listed(account)

    assert "Training: Downloading" in messages(applied(account, training_data="s3://data/x"))


def test_a_training_job_that_fails_says_why_and_the_next_is_a_new_attempt(
    account: Account,
) -> None:
    failed = {"TrainingJobStatus": "Failed", "FailureReason": "ClientError: no .lst file"}
    account.answer("sagemaker.DescribeTrainingJob", failed)
    listed(account)
    error = failure(applied(account, training_data="s3://data/x"))
    fail_every_attempt(account)

    events = applied(account, training_data="s3://data/x")

    assert error.code == "TrainingFailed"
    assert "no .lst file" in error.message
    names = [
        one["TrainingJobName"]
        for one in account.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    ]
    assert len(names) == 2
    assert {name.removeprefix(min(names)) for name in names} == {"", "-2"}
    assert any("Leaving the failed attempt" in said for said in messages(events))


def fail_every_attempt(account: Account) -> None:
    from moto.sagemaker.models import sagemaker_backends  # noqa: PLC0415 - this case only

    job: Any  # moto reads its reason, and declares none
    for job in sagemaker_backends["123456789012"]["us-east-1"].training_jobs.values():
        job.training_job_status = "Failed"
        job.failure_reason = "ClientError: no .lst file"


def test_a_rule_whose_target_is_refused_says_so(account: Account) -> None:
    entry = {"TargetId": "queue", "ErrorCode": "LimitExceeded", "ErrorMessage": "Too many."}
    account.answer("events.PutTargets", {"FailedEntryCount": 1, "FailedEntries": [entry]})

    error = failure(applied(account))

    assert error.code == "LimitExceeded"
    assert "Too many." in error.message


def test_an_object_that_cannot_be_deleted_is_named(account: Account) -> None:
    applied(account)
    account.client("s3").put_object(Bucket=settings().bucket, Key="images/a.png", Body=b"x")
    error = {"Key": "images/a.png", "Code": "AccessDenied", "Message": "Retained"}
    account.answer("s3.DeleteObjects", {"Errors": [error]})

    events = list(deployment.destroy(settings(), account.session, empty_bucket=settings().bucket))

    assert failure(events).code == "ObjectNotDeleted"
    assert "images/a.png" in failure(events).message


def test_a_state_machine_with_running_executions_is_waited_for(account: Account) -> None:
    applied(account)
    account.answer(
        "stepfunctions.DescribeStateMachine",
        None,
        None,
        None,
        None,
        None,
        {"status": "DELETING"},
    )

    events = list(deployment.destroy(settings(), account.session))

    assert "Waiting until running executions have ended" in messages(events)


def test_a_bucket_without_any_of_its_settings_gets_them_all(account: Account) -> None:
    applied(account)
    s3, bucket = account.client("s3"), settings().bucket
    s3.delete_bucket_lifecycle(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    s3.delete_bucket_encryption(Bucket=bucket)
    s3.delete_bucket_ownership_controls(Bucket=bucket)

    plan = deployment.observe_and_plan(settings(), account.session)
    (action,) = plan.changes
    before = {diff.path: diff.before for diff in action.diffs}
    events = applied(account)

    assert before["public_access"] == "open"
    assert before["encryption"] is None
    assert before["ownership"] is None
    assert isinstance(events[-1], Applied)


def test_tags_of_others_on_our_bucket_survive(account: Account) -> None:
    applied(account)
    s3, bucket = account.client("s3"), settings().bucket
    tags = [{"Key": k, "Value": v} for k, v in {**settings().tags, "cost-centre": "7"}.items()]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    s3.delete_bucket_policy(Bucket=bucket)

    applied(account)

    kept = {one["Key"]: one["Value"] for one in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert kept["cost-centre"] == "7"
