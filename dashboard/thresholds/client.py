"""The edge to the threshold that is deployed: alias -> version -> function -> its environment.

A rollback moves the alias only, so the newest function need not be the one that decides.
"""

from typing import Final

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from workflow.errors import WorkflowError
from workflow.thresholds import (
    VARIABLE,
    DeployedThreshold,
    deciding_function,
    read_threshold,
    weighed,
)

_ABSENT: Final = frozenset({"ResourceNotFound", "StateMachineDoesNotExist"})


def deployed_thresholds(cloud: Connection) -> tuple[DeployedThreshold, ...]:
    """Return what new executions are measured against, the one for most of them first.

    Returns:
        One, or two while a version is shifted by weight; none where nothing is deployed.

    Raises:
        WorkflowError: Under AWS's code, or ``ThresholdUnknown``.
    """
    return weighed(_routes(cloud), lambda version: _threshold(cloud, version))


def _routes(cloud: Connection) -> list[tuple[str, int]]:
    """Versions of the state machine that the alias routes to, and their weights."""
    arn = cloud.watched.started_through
    try:
        with explained("states:DescribeStateMachineAlias", arn):
            alias = cloud.client("stepfunctions").describe_state_machine_alias(
                stateMachineAliasArn=arn
            )
    except WorkflowError as error:
        if error.code in _ABSENT:
            return []
        raise
    routes = alias["routingConfiguration"]
    return [(route["stateMachineVersionArn"], int(route["weight"])) for route in routes]


def _threshold(cloud: Connection, version: str) -> float:
    with explained("states:DescribeStateMachine", version):
        described = cloud.client("stepfunctions").describe_state_machine(stateMachineArn=version)
    name = cloud.watched.deciding_function
    function = deciding_function(described["definition"], name)
    with explained("lambda:GetFunctionConfiguration", function):
        configuration = cloud.client("lambda").get_function_configuration(FunctionName=function)
    variables = configuration.get("Environment", {}).get("Variables", {})
    return read_threshold(variables.get(VARIABLE), name)
