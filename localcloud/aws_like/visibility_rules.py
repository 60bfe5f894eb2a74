"""Visibility rules: which calls do not know yet of what was just made or deleted, in AWS's words.

Sources: the API references (CreateEndpoint, CreateQueue, DeleteBucket, DescribeExecution and
others say that they are eventually consistent), and the errors that Terraform's AWS provider
retries after a creation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["RULES", "Lag", "LaggedChange"]


@dataclass(frozen=True, slots=True)
class Lag:
    """Calls that a change has not reached yet.

    Attributes:
        service: botocore's name of the service that is called.
        operations: Names of its operations, with a space between.
        fields: Where such a call names what was changed: paths with dots, a space between.
        seconds: The longest time until the change has reached them.
        code: The error that they answer meanwhile; empty where they answer ``empty``.
        message: Its message; ``{value}`` is what the call named, ``{name}`` the resource.
        status: Its HTTP status.
        empty: The result that they answer where ``code`` is empty.
        listed: Where the answer of a listing names what was changed, a path; it is left out of it.
        given: A path that the call must have, too.
    """

    service: str
    operations: str
    fields: str
    seconds: float
    code: str = ""
    message: str = ""
    status: int = 400
    empty: Mapping[str, object] | None = None
    listed: str = ""
    given: str = ""


@dataclass(frozen=True, slots=True)
class LaggedChange:
    """A call after whose success others lag behind.

    Attributes:
        service: botocore's name of the service.
        operation: The operation.
        source: Where the name of what is made or deleted stands: ``params`` or ``answer``.
        field: The path to it there.
        lags: The calls that lag behind.
        undoes: The operation of the same service whose change of the same name this one ends.
    """

    service: str
    operation: str
    source: str
    field: str
    lags: tuple[Lag, ...] = ()
    undoes: str = ""


def _sagemaker_lag(operations: str, fields: str, seconds: float, kind: str, words: str) -> Lag:
    arn = f"arn:{{partition}}:sagemaker:{{region}}:{{account}}:{kind}/{{lower}}"
    message = f'Could not find {words} "{arn}".'
    return Lag("sagemaker", operations, fields, seconds, "ValidationException", message)


_NOT_ASSUMED: Final = (
    "Could not assume role {value}. Please ensure that the role exists and allows principal "
    "'sagemaker.amazonaws.com' to assume the role."
)
_NO_MODEL_DATA: Final = (
    'Could not access model data. Please ensure that the role "{value}" exists and that its '
    'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
    '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that '
    "the object is located in {region}."
)
_NO_MACHINE: Final = ("StateMachineDoesNotExist", "State Machine Does Not Exist: '{value}'")
_NO_VERSION: Final = ("ResourceNotFound", "Resource not found: '{value}'")
_VERSION: Final = "routingConfiguration.stateMachineVersionArn"

RULES: Final = (
    LaggedChange("iam", "CreateRole", "params", "RoleName", (
        Lag("iam", "GetRole GetRolePolicy PutRolePolicy UpdateAssumeRolePolicy TagRole",
            "RoleName", 2, "NoSuchEntity", "The role with name {name} cannot be found.", 404),
        Lag("lambda", "CreateFunction UpdateFunctionConfiguration", "Role", 8,
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda."),
        Lag("stepfunctions", "CreateStateMachine UpdateStateMachine", "roleArn", 8,
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is "
            "authorized to assume the provided role."),
        Lag("sagemaker", "CreateModel CreateTrainingJob", "ExecutionRoleArn RoleArn", 8,
            "ValidationException", _NOT_ASSUMED),
    )),
    LaggedChange("iam", "DeleteRole", "params", "RoleName", undoes="CreateRole"),
    LaggedChange("iam", "PutRolePolicy", "params", "RoleName", (
        Lag("stepfunctions", "CreateStateMachine UpdateStateMachine", "roleArn", 10,
            "AccessDeniedException",
            "The state machine IAM Role is not authorized to access the Log Destination",
            given="loggingConfiguration.destinations"),
        Lag("sagemaker", "CreateModel", "ExecutionRoleArn", 10, "ValidationException",
            _NO_MODEL_DATA),
    )),
    LaggedChange("iam", "DeleteRolePolicy", "params", "RoleName", undoes="PutRolePolicy"),
    LaggedChange("s3", "CreateBucket", "params", "Bucket", (
        Lag("s3", "PutPublicAccessBlock PutBucketPolicy PutBucketEncryption PutBucketTagging "
            "PutBucketLifecycleConfiguration PutBucketOwnershipControls PutBucketVersioning "
            "GetBucketTagging", "Bucket", 2,
            "NoSuchBucket", "The specified bucket does not exist", 404),
    )),
    LaggedChange("s3", "DeleteBucket", "params", "Bucket", (
        Lag("s3", "CreateBucket", "Bucket", 40, "OperationAborted",
            "A conflicting conditional operation is currently in progress against this resource. "
            "Please try again.", 409),
    ), undoes="CreateBucket"),
    LaggedChange("sqs", "CreateQueue", "params", "QueueName", (
        Lag("sqs", "GetQueueUrl GetQueueAttributes SetQueueAttributes TagQueue ListQueueTags "
            "SendMessage ReceiveMessage", "QueueUrl QueueName", 1,
            "QueueDoesNotExist", "The specified queue does not exist."),
    )),
    LaggedChange("sqs", "DeleteQueue", "params", "QueueUrl", (
        Lag("sqs", "CreateQueue", "QueueName", 60, "QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with "
            "the same name."),
    ), undoes="CreateQueue"),
    LaggedChange("sns", "CreateTopic", "params", "Name", (
        Lag("sns", "Subscribe GetTopicAttributes SetTopicAttributes Publish", "TopicArn", 1.5,
            "NotFound", "Topic does not exist", 404),
    )),
    LaggedChange("sns", "DeleteTopic", "params", "TopicArn", undoes="CreateTopic"),
    LaggedChange("logs", "CreateLogGroup", "params", "logGroupName", (
        Lag("logs", "PutRetentionPolicy TagResource ListTagsForResource FilterLogEvents",
            "logGroupName resourceArn", 1.5,
            "ResourceNotFoundException", "The specified log group does not exist."),
    )),
    LaggedChange("logs", "DeleteLogGroup", "params", "logGroupName", undoes="CreateLogGroup"),
    LaggedChange("events", "PutRule", "params", "Name", (
        Lag("events", "PutTargets DescribeRule ListTargetsByRule TagResource ListTagsForResource",
            "Rule Name ResourceARN", 1.5, "ResourceNotFoundException",
            "Rule {name} does not exist on EventBus default."),
    )),
    LaggedChange("events", "DeleteRule", "params", "Name", undoes="PutRule"),
    LaggedChange("cloudwatch", "PutMetricAlarm", "params", "AlarmName", (
        Lag("cloudwatch", "DescribeAlarms", "AlarmNames", 1.5,
            empty={"MetricAlarms": [], "CompositeAlarms": []}),
    )),
    LaggedChange("cloudwatch", "DeleteAlarms", "params", "AlarmNames", undoes="PutMetricAlarm"),
    LaggedChange("lambda", "CreateFunction", "params", "FunctionName", (
        Lag("lambda", "GetFunction GetFunctionConfiguration UpdateFunctionCode PublishVersion "
            "UpdateFunctionConfiguration ListVersionsByFunction AddPermission", "FunctionName", 1.5,
            "ResourceNotFoundException",
            "Function not found: arn:{partition}:lambda:{region}:{account}:function:{name}", 404),
    )),
    LaggedChange("lambda", "DeleteFunction", "params", "FunctionName", undoes="CreateFunction"),
    LaggedChange("stepfunctions", "CreateStateMachine", "params", "name", (
        Lag("stepfunctions", "DescribeStateMachine UpdateStateMachine ListStateMachineVersions "
            "StartExecution", "stateMachineArn", 2, *_NO_MACHINE),
        Lag("stepfunctions", "CreateStateMachineAlias", _VERSION, 3, *_NO_VERSION),
        Lag("stepfunctions", "ListTagsForResource", "resourceArn", 2, *_NO_VERSION),
    )),
    LaggedChange("stepfunctions", "DeleteStateMachine", "params", "stateMachineArn",
                 undoes="CreateStateMachine"),
    LaggedChange("stepfunctions", "UpdateStateMachine", "answer", "stateMachineVersionArn", (
        Lag("stepfunctions", "UpdateStateMachineAlias", _VERSION, 3, *_NO_VERSION),
        Lag("stepfunctions", "DescribeStateMachine StartExecution", "stateMachineArn", 2,
            *_NO_MACHINE),
    )),
    LaggedChange("stepfunctions", "CreateStateMachineAlias", "answer", "stateMachineAliasArn", (
        Lag("stepfunctions", "DescribeStateMachineAlias UpdateStateMachineAlias",
            "stateMachineAliasArn", 2, *_NO_VERSION),
        Lag("stepfunctions", "StartExecution", "stateMachineArn", 2, *_NO_MACHINE),
    )),
    LaggedChange("stepfunctions", "DeleteStateMachineAlias", "params", "stateMachineAliasArn",
                 undoes="CreateStateMachineAlias"),
    LaggedChange("stepfunctions", "StartExecution", "answer", "executionArn", (
        Lag("stepfunctions", "DescribeExecution GetExecutionHistory "
            "DescribeStateMachineForExecution", "executionArn", 1,
            "ExecutionDoesNotExist", "Execution Does Not Exist: '{value}'"),
        Lag("stepfunctions", "ListExecutions", "", 3, listed="executions.executionArn"),
    )),
    LaggedChange("sagemaker", "CreateModel", "params", "ModelName", (
        _sagemaker_lag("DescribeModel DeleteModel", "ModelName", 2, "model", "model"),
        _sagemaker_lag("CreateEndpointConfig", "ProductionVariants.ModelName", 4, "model", "model"),
    )),
    LaggedChange("sagemaker", "DeleteModel", "params", "ModelName", undoes="CreateModel"),
    LaggedChange("sagemaker", "CreateEndpointConfig", "params", "EndpointConfigName", (
        _sagemaker_lag("DescribeEndpointConfig DeleteEndpointConfig", "EndpointConfigName", 2,
                   "endpoint-config", "endpoint configuration"),
        _sagemaker_lag("CreateEndpoint UpdateEndpoint", "EndpointConfigName", 4,
                   "endpoint-config", "endpoint configuration"),
    )),
    LaggedChange("sagemaker", "DeleteEndpointConfig", "params", "EndpointConfigName",
                 undoes="CreateEndpointConfig"),
    LaggedChange("sagemaker", "CreateEndpoint", "params", "EndpointName", (
        _sagemaker_lag("DescribeEndpoint UpdateEndpoint DeleteEndpoint", "EndpointName", 2,
                   "endpoint", "endpoint"),
    )),
    LaggedChange("sagemaker", "DeleteEndpoint", "params", "EndpointName", undoes="CreateEndpoint"),
    LaggedChange("sagemaker", "CreateTrainingJob", "params", "TrainingJobName", (
        Lag("sagemaker", "DescribeTrainingJob StopTrainingJob", "TrainingJobName", 2,
            "ValidationException", "Requested resource not found."),
    )),
)  # fmt: skip
"""All changes that calls lag behind."""
