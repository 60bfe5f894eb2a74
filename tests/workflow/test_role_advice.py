"""Managed policies of AWS on roles are judged, those of customers are not."""

import pytest

from workflow.advice import Weight
from workflow.role_advice import RoleRecord, role_advice

AWS = "arn:aws:iam::aws:policy/"


@pytest.mark.parametrize(
    ("policy", "weight", "remedy"),
    [
        ("AdministratorAccess", Weight.HIGH, "a policy of its own"),
        ("AmazonS3FullAccess", Weight.HIGH, "s3:GetObject"),
        ("AmazonSageMakerFullAccess", Weight.HIGH, "sagemaker:InvokeEndpoint"),
        ("AWSStepFunctionsFullAccess", Weight.HIGH, "states:StartExecution"),
        ("AWSLambda_FullAccess", Weight.HIGH, "lambda:InvokeFunction"),
        ("CloudWatchLogsFullAccess", Weight.LOW, "AWSLambdaBasicExecutionRole"),
        ("AmazonSQSFullAccess", Weight.LOW, "a policy of its own"),
        ("job-function/PowerUserAccess", Weight.HIGH, "a policy of its own"),
    ],
)
def test_a_policy_that_allows_too_much_is_named_with_what_to_grant_instead(
    policy: str, weight: Weight, remedy: str
) -> None:
    (found,) = role_advice([RoleRecord("classify", (f"{AWS}{policy}",))])

    assert found.subject == "The role classify"
    assert policy.rpartition("/")[2] in found.problem
    assert found.weight is weight
    assert remedy in found.remedy


@pytest.mark.parametrize(
    "arn",
    [
        f"{AWS}service-role/AWSLambdaBasicExecutionRole",
        f"{AWS}AmazonS3ReadOnlyAccess",
        "arn:aws:iam::123456789012:policy/AdministratorAccess",
    ],
)
def test_a_narrow_policy_and_one_of_a_customer_are_not_judged(arn: str) -> None:
    assert role_advice([RoleRecord("classify", (arn,))]) == ()


def test_policies_of_other_partitions_are_judged_likewise() -> None:
    cn = "arn:aws-cn:iam::aws:policy/AdministratorAccess"
    assert role_advice([RoleRecord("classify", (cn,))])
