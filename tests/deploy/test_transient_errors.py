"""Which refusals pass by themselves, and in which words they are waited for."""

import pytest

from deploy.resources import (
    CloudResource,
    EndpointConfig,
    Function,
    IamRole,
    SageMakerEndpoint,
    SageMakerModel,
)
from deploy.transient_errors import PATIENCE, waiting_message
from tests.deploy.cases import desired


def one(kind: type[CloudResource]) -> CloudResource:
    return next(item for item in desired() if isinstance(item, kind))


def said(kind: type[CloudResource], code: str, message: str, *needs: type[CloudResource]) -> str:
    """What is told of a refusal while a resource of a kind is being created."""
    return waiting_message(
        code, message, writing=one(kind), made=True, needs=[one(k) for k in needs]
    )


@pytest.mark.parametrize(
    ("kind", "code", "message", "needs"),
    [
        # IAM, as Terraform's provider waits for it.
        (IamRole, "NoSuchEntity", "The role with name x cannot be found.", ()),
        (IamRole, "MalformedPolicyDocument", 'Invalid principal in policy: "AWS":"arn"', ()),
        (
            Function,
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            (IamRole,),
        ),
        (
            Function,
            "InvalidParameterValueException",
            (
                "Lambda was unable to configure access to your environment variables because the"
                " KMS key is invalid for CreateGrant. Please check your KMS key CreateGrant"
                " permissions"
            ),
            (IamRole,),
        ),
        (
            Function,
            "InvalidParameterValueException",
            (
                "The provided execution role does not have permissions to call"
                " CreateNetworkInterface on EC2"
            ),
            (IamRole,),
        ),
        (
            Function,
            "ResourceConflictException",
            (
                "The operation cannot be performed at this time. An update is in progress for"
                " resource: f"
            ),
            (),
        ),
        (
            Function,
            "ResourceConflictException",
            "The function is currently in the following state: Pending",
            (),
        ),
        (EndpointConfig, "ValidationException", 'Could not find model "m".', (SageMakerModel,)),
        (
            SageMakerEndpoint,
            "ValidationException",
            'Could not find endpoint configuration "c".',
            (EndpointConfig,),
        ),
        (
            SageMakerModel,
            "ValidationException",
            "Could not access model data at s3://b/k.",
            (IamRole,),
        ),
        (
            SageMakerModel,
            "ValidationException",
            (
                "The execution role ARN is invalid. Please ensure that the role exists and that"
                " its trust relationship policy allows the action sts:AssumeRole"
            ),
            (IamRole,),
        ),
        (
            SageMakerEndpoint,
            "ValidationException",
            'Cannot create already existing endpoint "e".',
            (),
        ),
    ],
)
def test_these_pass(
    kind: type[CloudResource], code: str, message: str, needs: tuple[type[CloudResource], ...]
) -> None:
    assert said(kind, code, message, *needs)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "AccessDenied",
            "User: u is not authorized to perform: iam:CreateRole on resource: role r",
        ),
        ("AccessDeniedException", "u is not authorized to perform: iam:PassRole on resource: r"),
        ("ResourceLimitExceeded", "The limit is 0 instances. Please try again after a request."),
        ("PreconditionFailedException", "The Revision Id provided does not match."),
        ("BucketAlreadyExists", "The requested bucket name is not available."),
        ("TooManyBuckets", "You have attempted to create more buckets than allowed"),
        ("InvalidParameterValueException", "'MemorySize' value failed to satisfy constraint"),
        ("ValidationException", "1 validation error detected: Value 'x' at 'instanceType' failed"),
        ("ExpiredToken", "The security token included in the request is expired"),
        ("InternalFailure", "We encountered an internal error. Please try again."),
    ],
)
def test_these_last(code: str, message: str) -> None:
    assert not said(Function, code, message, IamRole)


def test_what_this_run_did_not_create_is_not_waited_for() -> None:
    config = one(EndpointConfig)

    told = waiting_message(
        "ValidationException", 'Could not find model "m".', writing=config, made=False, needs=[]
    )

    assert not told


def test_what_exists_already_is_looked_at_only_where_we_created_it() -> None:
    refusal = ("EntityAlreadyExists", "Role with name r already exists.")

    assert "looking" in waiting_message(*refusal, writing=one(IamRole), made=True, needs=[])
    assert not waiting_message(*refusal, writing=one(IamRole), made=False, needs=[])


def test_the_words_name_the_service_and_what_it_does_not_know_yet() -> None:
    role, model = one(IamRole), one(SageMakerModel)

    assert said(IamRole, "NoSuchEntity", f"The role with name {role.name} cannot be found.") == (
        f"Waiting until IAM has made the IAM role {role.name} known"
    )
    assert said(
        EndpointConfig, "ValidationException", "Could not find model m.", SageMakerModel
    ) == (f"Waiting until SageMaker has made the SageMaker model {model.name} known")
    assert (
        said(Function, "InvalidParameterValueException", "cannot be assumed by Lambda", IamRole)
        == f"Waiting until Lambda accepts the new IAM role {role.name}"
    )


def test_patience_is_bounded_and_outlasts_iam_and_a_deleted_queue() -> None:
    assert 90 <= sum(PATIENCE) <= 150
