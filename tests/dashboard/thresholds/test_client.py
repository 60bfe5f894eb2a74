"""What is deployed is what the alias leads to, not what was published last."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from dashboard.aws.cloud import Connection
from dashboard.aws.deciding_functions import read_deciding_functions
from dashboard.thresholds.client import deployed_thresholds
from tests.dashboard.aws.unconnected import unconnected
from workflow.errors import WorkflowError
from workflow.thresholds import DeployedThreshold

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def thresholds(cloud: Connection) -> tuple[DeployedThreshold, ...]:
    return deployed_thresholds(read_deciding_functions(cloud), cloud.watched.deciding_function)


class Aws:
    """A connection whose alias routes to versions of the state machine, each with a threshold."""

    def __init__(self, routes: dict[str, int], thresholds: dict[str, str]) -> None:
        self.connection = unconnected()
        self.states = Stubber(self.connection.client("stepfunctions"))
        functions = Stubber(self.connection.client("lambda"))
        settings = self.connection.settings
        self.states.add_response(
            "describe_state_machine_alias",
            {
                "stateMachineAliasArn": settings.alias_arn,
                "name": "live",
                "creationDate": AT,
                "updateDate": AT,
                "routingConfiguration": [
                    {"stateMachineVersionArn": f"{settings.state_machine_arn}:{n}", "weight": w}
                    for n, w in routes.items()
                ],
            },
            {"stateMachineAliasArn": settings.alias_arn},
        )
        for number, text in thresholds.items():
            function = (
                f"arn:aws:lambda:us-east-1:{settings.account}:function:"
                f"{settings.filter_function}:{number}"
            )
            self.states.add_response(
                "describe_state_machine",
                _machine(f"{settings.state_machine_arn}:{number}", function),
                {"stateMachineArn": f"{settings.state_machine_arn}:{number}"},
            )
            functions.add_response(
                "get_function_configuration",
                {"Environment": {"Variables": {"SCONES_THRESHOLD": text}}},
                {"FunctionName": function},
            )
        self.states.activate()
        functions.activate()


def _machine(arn: str, function: str) -> dict[str, Any]:
    return {
        "stateMachineArn": arn,
        "name": "m",
        "definition": f'{{"States": {{"F": {{"Resource": "{function}"}}}}}}',
        "roleArn": "arn:aws:iam::123456789012:role/r",
        "type": "STANDARD",
        "creationDate": AT,
    }


def test_a_rollback_is_seen_though_a_newer_version_exists() -> None:
    aws = Aws({"2": 100}, {"2": "0.93"})

    assert thresholds(aws.connection) == (DeployedThreshold(0.93, 100),)


def test_while_versions_are_shifted_the_one_of_most_executions_comes_first() -> None:
    aws = Aws({"3": 10, "2": 90}, {"3": "0.8", "2": "0.93"})

    found = thresholds(aws.connection)

    assert found == (DeployedThreshold(0.93, 90), DeployedThreshold(0.8, 10))


def test_versions_of_one_threshold_are_one_and_a_version_without_weight_is_none() -> None:
    aws = Aws({"3": 100, "2": 0}, {"3": "0.8"})
    both = Aws({"3": 60, "2": 40}, {"3": "0.8", "2": "0.80"})

    assert thresholds(aws.connection) == (DeployedThreshold(0.8, 100),)
    assert thresholds(both.connection) == (DeployedThreshold(0.8, 100),)


def test_no_permission_is_no_absence() -> None:
    connection = unconnected()
    states = Stubber(connection.client("stepfunctions"))
    states.add_client_error("describe_state_machine_alias", "AccessDeniedException", "no")
    states.activate()

    with pytest.raises(WorkflowError) as caught:
        thresholds(connection)

    assert "AccessDenied" in caught.value.code


@pytest.mark.cloud
def test_the_threshold_is_that_of_the_running_workflow(
    deployed: Connection, empty: Connection
) -> None:
    assert thresholds(deployed) == (DeployedThreshold(0.5, 100),)
    assert thresholds(empty) == ()
