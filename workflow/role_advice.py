"""Role advice: managed policies of AWS that give a role far more than its workflow needs. Pure.

Sources: AWS Managed Policy Reference; IAM user guide, "Apply least-privilege permissions".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from workflow.advice import Advice, Weight


@dataclass(frozen=True, slots=True)
class RoleRecord:
    """A role and the ARNs of the managed policies that ListAttachedRolePolicies gives of it."""

    name: str
    attached: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _BroadPolicy:
    """What a managed policy allows, what to grant in its place, and how much that matters."""

    allows: str
    instead: str
    weight: Weight = Weight.HIGH


_OWN_POLICY: Final = (
    "Detach it, and grant the calls that the function makes in a policy of its own."
)
_INVOKE_FUNCTION: Final = "Grant lambda:InvokeFunction on the functions that the tasks call."
_STATES: Final = _BroadPolicy(
    "start, change and delete every state machine of the account",
    "Detach it: a function needs nothing of Step Functions to be called by it. To start executions,"
    " grant states:StartExecution on one state machine.",
)
_LAMBDA: Final = _BroadPolicy("change and delete every function of the account", _INVOKE_FUNCTION)
_LOGS: Final = _BroadPolicy(
    "delete the logs and alarms of every workflow of the account",
    "Attach AWSLambdaBasicExecutionRole instead: it writes logs.",
    Weight.LOW,
)
_BROAD: Final[Mapping[str, _BroadPolicy]] = {
    "AdministratorAccess": _BroadPolicy("do everything in the account", _OWN_POLICY),
    "PowerUserAccess": _BroadPolicy("do everything but manage users and roles", _OWN_POLICY),
    "IAMFullAccess": _BroadPolicy("give itself every other permission", _OWN_POLICY),
    "AmazonS3FullAccess": _BroadPolicy(
        "read, overwrite and delete every object of every bucket of the account",
        "Grant s3:GetObject on the prefix of the images.",
    ),
    "AmazonSageMakerFullAccess": _BroadPolicy(
        "create and delete every endpoint of the account, which costs money",
        "Grant sagemaker:InvokeEndpoint on the endpoint.",
    ),
    "AWSStepFunctionsFullAccess": _STATES,
    "AWSStepFunctionsConsoleFullAccess": _STATES,
    "AWSLambda_FullAccess": _LAMBDA,
    "AWSLambdaFullAccess": _LAMBDA,
    "CloudWatchFullAccess": _LOGS,
    "CloudWatchFullAccessV2": _LOGS,
    "CloudWatchLogsFullAccess": _LOGS,
}


def role_advice(roles: Iterable[RoleRecord]) -> tuple[Advice, ...]:
    """Return which roles have a managed policy of AWS that allows far more than they need.

    Policies that customers manage are not judged: their names say nothing.
    """
    return tuple(advice for role in roles for advice in _of_role(role))


def _of_role(role: RoleRecord) -> Iterator[Advice]:
    for arn in role.attached:
        _, managed_by_aws, name = arn.partition(":iam::aws:policy/")
        policy = name.rpartition("/")[2]
        if not managed_by_aws:
            continue
        broad = _BROAD.get(policy)
        if broad is None and policy.endswith("FullAccess"):
            broad = _BroadPolicy("make every call of a service", _OWN_POLICY, Weight.LOW)
        if broad is not None:
            yield Advice(
                subject=f"The role {role.name}",
                problem=f"It has {policy}, so whoever controls its code may {broad.allows}.",
                remedy=broad.instead,
                weight=broad.weight,
            )
