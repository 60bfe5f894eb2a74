"""What the function that decides is told where it is deployed: alias -> version -> function.

A rollback moves the alias only, so the newest function need not be the one that decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from workflow.errors import WorkflowError
from workflow.thresholds import deciding_function

_ABSENT: Final = frozenset({"ResourceNotFound", "StateMachineDoesNotExist"})


@dataclass(frozen=True, slots=True)
class DecidingFunction:
    """The function that decides in a version of the state machine.

    Attributes:
        version: ARN of the state machine's version.
        weight: Percentage of the new executions that the alias routes to it.
        variables: The environment of the function.
    """

    version: str
    weight: int
    variables: Mapping[str, str]


def read_deciding_functions(cloud: Connection) -> tuple[DecidingFunction, ...]:
    """Read what decides on new executions.

    Returns:
        One, or two while a version is shifted by weight; none where nothing is deployed.

    Raises:
        WorkflowError: Under AWS's code; ``ThresholdUnknown`` where a version does not call it.
    """
    return tuple(
        DecidingFunction(version, weight, _read_variables(cloud, version))
        for version, weight in _list_routes(cloud)
        if weight
    )


def _list_routes(cloud: Connection) -> list[tuple[str, int]]:
    """List the versions of the state machine that the alias routes to, and their weights."""
    arn = cloud.watched.started_through
    try:
        with explained("states:DescribeStateMachineAlias", arn):
            alias = cloud.client("stepfunctions").describe_state_machine_alias(
                stateMachineAliasArn=arn
            )
    except WorkflowError as error:
        # Not deployed yet is an answer; every other refusal is told.
        if error.code in _ABSENT:
            return []
        raise
    configuration = alias["routingConfiguration"]
    return [(route["stateMachineVersionArn"], int(route["weight"])) for route in configuration]


def _read_variables(cloud: Connection, version: str) -> Mapping[str, str]:
    with explained("states:DescribeStateMachine", version):
        described = cloud.client("stepfunctions").describe_state_machine(stateMachineArn=version)
    function = deciding_function(described["definition"], cloud.watched.deciding_function)
    with explained("lambda:GetFunctionConfiguration", function):
        configuration = cloud.client("lambda").get_function_configuration(FunctionName=function)
    variables: Mapping[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return variables
