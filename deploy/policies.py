"""IAM documents as pure functions: who may assume a role, and what it may do there.

Each function is one grant, no wider than the calls in ``docs/aws.md``. Every trust of an AWS
service carries ``aws:SourceAccount`` and ``aws:SourceArn``, so that nobody else's resource can make
the service act in our name (the confused deputy, IAM User Guide).
"""

from typing import Any

from deploy.alarms import faults_rule, input_rule
from deploy.resources import Document
from workflow.batches import RESULTS_PREFIX
from workflow.regions import partition_of
from workflow.settings import Settings

VERSION = "2012-10-17"


def canonical(document: Document) -> dict[str, Any]:
    """Return the document with one form for each meaning, for comparing what AWS gives back.

    AWS may turn a list of one into its item and may reorder actions and resources.
    """
    statements = document.get("Statement", ())
    # IAM allows a single statement without a list (IAM JSON policy grammar).
    if isinstance(statements, dict):
        statements = (statements,)
    return {**document, "Statement": [_canonical_statement(one) for one in statements]}


def _canonical_statement(statement: Document) -> dict[str, Any]:
    lists = {"Action", "Resource", "NotAction", "NotResource"}
    return {
        name: sorted([value] if isinstance(value, str) else value) if name in lists else value
        for name, value in statement.items()
    }


def _make_document(*statements: Document) -> dict[str, Any]:
    return canonical({"Version": VERSION, "Statement": statements})


def trust(service: str, settings: Settings, *source_arns: str) -> dict[str, Any]:
    """Return a trust policy for one AWS service, acting for resources of this account only.

    Args:
        service: The service principal, such as ``lambda.amazonaws.com``: of the services used here
            it is the same in every partition (Terraform's aws_service_principal lists the others).
        settings: Whose account.
        source_arns: Patterns of the ARNs of the resources it acts for.
    """
    return _make_document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": settings.account},
                # ArnLike, because versions and aliases are patterns; StringEquals takes no
                # wildcards.
                "ArnLike": {"aws:SourceArn": list(source_arns)},
            },
        }
    )


def bucket_policy(settings: Settings) -> dict[str, Any]:
    """Refuse every request to the bucket that does not come by TLS."""
    arn = settings.bucket_arn
    return _make_document(
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": (arn, f"{arn}/*"),
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def serialize_policy(settings: Settings, log_group: str) -> dict[str, Any]:
    """Let SerializeImage read submitted images and write its log.

    ``s3:ListBucket`` is no call of its own: without it S3 answers a missing key with 403 instead
    of 404, and a typing error would look like a missing permission.
    """
    return _make_document(
        _read_images(settings),
        {
            "Sid": "TellMissingFromForbidden",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": settings.bucket_arn,
        },
        _write_log(settings, log_group),
    )


def classify_policy(settings: Settings, log_group: str) -> dict[str, Any]:
    """Let ClassifyImage read images, invoke one endpoint and write its log."""
    return _make_document(
        _read_images(settings),
        {
            "Sid": "InvokeEndpoint",
            "Effect": "Allow",
            "Action": "sagemaker:InvokeEndpoint",
            "Resource": endpoint_arn(settings),
        },
        _write_log(settings, log_group),
    )


def filter_policy(settings: Settings, log_group: str) -> dict[str, Any]:
    """Let FilterInferences write its log, and nothing else."""
    return _make_document(_write_log(settings, log_group))


def states_policy(settings: Settings) -> dict[str, Any]:
    """Let the state machine invoke versions of the three functions and deliver its own log.

    CloudWatch Logs has no resource-level permissions for log delivery (Step Functions Developer
    Guide, "Logging to CloudWatch Logs"), hence ``*`` there.
    """
    return _make_document(_invoke_functions(settings), _deliver_logs())


def batch_policy(settings: Settings) -> dict[str, Any]:
    """Return what the state machine of batches may do.

    Source: Step Functions Developer Guide, "IAM policies for using Distributed Map state": a Map
    Run starts, watches, stops and redrives child executions in the name of the same role.
    """
    bucket = settings.bucket_arn
    children = settings.arn("states", f"execution:{settings.batch_machine}")
    return _make_document(
        _invoke_functions(settings),
        _deliver_logs(),
        _allow_actions(
            "StartChildren",
            "states:StartExecution",
            settings.batch_machine_arn,
        ),
        _allow_actions(
            "FollowChildren",
            ("states:DescribeExecution", "states:StopExecution"),
            (f"{children}:*", settings.arn("states", f"express:{settings.batch_machine}/*:*:*")),
        ),
        _allow_actions("RedriveChildren", "states:RedriveExecution", f"{children}/*"),
        _allow_actions("ListPhotos", "s3:ListBucket", bucket),
        _allow_actions("ReadManifests", "s3:GetObject", f"{bucket}/*"),
        _allow_actions(
            "WriteResults",
            ("s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"),
            f"{bucket}/{RESULTS_PREFIX}*",
        ),
    )


def endpoint_policy(
    settings: Settings, image: str, *, training_data: str | None = None
) -> dict[str, Any]:
    """Let SageMaker read models, write captures, pull one image, write logs and metrics.

    Args:
        settings: Whose bucket.
        image: URI of the container image.
        training_data: ``s3://bucket/prefix`` that a training job reads, or None.
    """
    bucket = settings.bucket_arn
    statements: list[Document] = [
        _allow_actions("ReadModels", "s3:GetObject", f"{bucket}/{settings.model_prefix}*"),
        _allow_actions("WriteCaptures", "s3:PutObject", f"{bucket}/{settings.capture_prefix}/*"),
        # GetAuthorizationToken has no resource-level permissions (Service Authorization Reference,
        # ECR).
        _allow_actions("ImageLogin", "ecr:GetAuthorizationToken", "*"),
        _allow_actions(
            "PullImage",
            (
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ),
            repository_arn(image),
        ),
        _allow_actions(
            "WriteLogs",
            (
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ),
            settings.arn("logs", "log-group:/aws/sagemaker/*"),
        ),
        {
            **_allow_actions("WriteMetrics", "cloudwatch:PutMetricData", "*"),
            "Condition": {
                "StringLike": {"cloudwatch:namespace": ("/aws/sagemaker/*", "aws/sagemaker/*")}
            },
        },
    ]
    if training_data is not None:
        source, _, prefix = training_data.removeprefix("s3://").partition("/")
        data = f"arn:{settings.partition}:s3:::{source}"
        statements += [
            _allow_actions("ReadTrainingData", "s3:GetObject", f"{data}/{prefix}*"),
            _allow_actions("ListTrainingData", "s3:ListBucket", data),
            _allow_actions("WriteModels", "s3:PutObject", f"{bucket}/{settings.model_prefix}*"),
        ]
    return _make_document(*statements)


def topic_policy(settings: Settings, topic_arn: str) -> dict[str, Any]:
    """Let CloudWatch alarms of this deployment publish to the topic, by TLS only."""
    alarms = settings.arn("cloudwatch", f"alarm:{settings.prefix}-*")
    return _make_document(
        {
            "Sid": "AlarmsPublish",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": settings.account},
                "ArnLike": {"aws:SourceArn": alarms},
            },
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )


def queue_policy(settings: Settings, queue_arn: str) -> dict[str, Any]:
    """Let EventBridge send what three rules match to the queue, and nobody without TLS."""
    return _make_document(
        {
            "Sid": "RulesSend",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": settings.account},
                "ArnEquals": {"aws:SourceArn": rule_arns(settings)},
            },
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": queue_arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )


def prescribed(settings: Settings, policy: Document, *, part: str) -> dict[str, Any]:
    """Return a role's policy with what a VPC and a key of the organisation need on top.

    Source: Lambda Developer Guide, "Giving Lambda functions access to resources in a VPC";
    SageMaker Developer Guide, "Execution role permissions" (CreateModel with a VPC). EC2 has no
    resource-level permissions for what describes network interfaces, hence ``*``.
    """
    statements = list(policy["Statement"])
    if settings.organisation.subnets and part != "states":
        interfaces = _SAGEMAKER_VPC if part == "sagemaker" else _LAMBDA_VPC
        statements.append(_allow_actions("UseVpc", interfaces, "*"))
    if settings.organisation.kms_key and part in _KEY_USES:
        statements.append(_allow_actions("UseKey", _KEY_USES[part], settings.organisation.kms_key))
    return _make_document(*statements)


_LAMBDA_VPC = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
_SAGEMAKER_VPC = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
_KEY_USES = {
    "serialize": ("kms:Decrypt",),
    "classify": ("kms:Decrypt",),
    "sagemaker": ("kms:Decrypt", "kms:GenerateDataKey"),
}


def endpoint_arn(settings: Settings) -> str:
    """Return the ARN of the endpoint; SageMaker writes its name in lower case there."""
    return settings.arn("sagemaker", f"endpoint/{settings.endpoint.lower()}")


def rule_arns(settings: Settings) -> list[str]:
    """Return the ARNs of the EventBridge rules on status changes of executions."""
    names = (settings.executions_rule, faults_rule(settings), input_rule(settings))
    return [settings.arn("events", f"rule/{name}") for name in names]


def repository_arn(image: str) -> str:
    """Return the ARN of the ECR repository that an image URI names.

    Args:
        image: ``account.dkr.ecr.region.suffix/repository:tag``.
    """
    # account.dkr.ecr.region.amazonaws.com, with .cn at its end in China.
    host, _, path = image.partition("/")
    account, _, _, region, *_ = host.split(".")
    repository = path.partition("@")[0].partition(":")[0]
    return f"arn:{partition_of(region).name}:ecr:{region}:{account}:repository/{repository}"


def _allow_actions(
    sid: str, actions: str | tuple[str, ...], resource: str | tuple[str, ...]
) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


def _read_images(settings: Settings) -> dict[str, Any]:
    return _allow_actions(
        "ReadImages", "s3:GetObject", f"{settings.bucket_arn}/{settings.upload_prefix}*"
    )


def _invoke_functions(settings: Settings) -> dict[str, Any]:
    names = (settings.serialize_function, settings.classify_function, settings.filter_function)
    versions = tuple(settings.arn("lambda", f"function:{name}:*") for name in names)
    return _allow_actions("InvokeFunctionVersions", "lambda:InvokeFunction", versions)


def _deliver_logs() -> dict[str, Any]:
    actions = (
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    )
    return _allow_actions("DeliverLogs", actions, "*")


def _write_log(settings: Settings, log_group: str) -> dict[str, Any]:
    arn = settings.arn("logs", f"log-group:{log_group}:*")
    return _allow_actions("WriteLog", ("logs:CreateLogStream", "logs:PutLogEvents"), arn)
