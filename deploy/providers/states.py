"""Step Functions: the state machine, its versions and the alias that routes to them."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any

from deploy.cloud import Observed
from deploy.providers.clients import Aws, call_or_none
from deploy.resources import Alias, Properties, StateMachine
from deploy.versions import Version
from workflow import alias_descriptions

if TYPE_CHECKING:
    from types_boto3_stepfunctions.type_defs import (
        DescribeStateMachineOutputTypeDef,
        ListStateMachineVersionsOutputTypeDef,
    )

MISSING = ("StateMachineDoesNotExist", "ResourceNotFound")


class StateMachineProvider:
    """Reads and writes :class:`StateMachine`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._states = aws.states

    def read(self, name: str) -> Observed | None:
        """Return the definition as it is now, and the newest version if it equals it."""
        arn = self._machine_arn(name)
        now = self._describe_machine(arn)
        if now is None or now["status"] == "DELETING":
            return None
        # Versions come newest first (API reference): one is enough.
        newest = self._states.list_state_machine_versions(stateMachineArn=arn, maxResults=1)
        versions = newest["stateMachineVersions"]
        outputs = {"arn": arn}
        published = False
        if versions:
            version_arn = versions[0]["stateMachineVersionArn"]
            version = self._describe_machine(version_arn)
            published = version is not None and _is_same(version, now)
            if published:
                outputs["version_arn"] = version_arn
        return Observed(
            properties={**_read_properties(now), "published": published},
            outputs=outputs,
            tags=_read_tags(self._aws, arn),
        )

    def create(self, resource: StateMachine) -> Iterator[str]:
        """Create and publish."""
        yield "Creating the state machine"
        self._states.create_state_machine(
            name=resource.name,
            type="STANDARD",
            definition=json.dumps(resource.definition, indent=2),
            roleArn=resource.role,
            loggingConfiguration=_logging_configuration(resource),
            publish=True,
            tags=[{"key": key, "value": value} for key, value in resource.tags.items()],
        )

    def update(self, resource: StateMachine, observed: Observed) -> Iterator[str]:
        """Change the definition and publish it as a version; running executions keep theirs."""
        arn = observed.outputs["arn"]
        wanted = {**resource.properties(), "published": observed.properties["published"]}
        if wanted == observed.properties:
            yield "Publishing a version"
            # A deploy that ended too early has updated the definition and not published it.
            self._states.publish_state_machine_version(stateMachineArn=arn)
            return
        yield "Updating and publishing a version"
        self._states.update_state_machine(
            stateMachineArn=arn,
            definition=json.dumps(resource.definition, indent=2),
            roleArn=resource.role,
            loggingConfiguration=_logging_configuration(resource),
            publish=True,
        )

    def delete(self, name: str) -> Iterator[str]:
        """Delete the state machine; AWS lets running executions end first."""
        arn = self._machine_arn(name)
        self._states.delete_state_machine(stateMachineArn=arn)
        for wait in self._aws.growing_waits():
            if self._describe_machine(arn) is None:
                return
            yield "Waiting until running executions have ended"
            wait()

    def _machine_arn(self, name: str) -> str:
        return self._aws.arn("states", f"stateMachine:{name}")

    def _describe_machine(self, arn: str) -> "DescribeStateMachineOutputTypeDef | None":
        return call_or_none(
            lambda: self._states.describe_state_machine(stateMachineArn=arn), *MISSING
        )


class AliasProvider:
    """Reads and writes :class:`Alias`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._states = aws.states

    def read(self, name: str) -> Observed | None:
        """Return the newest version that the alias routes to, and its weight.

        An alias has no tags; those of its state machine say whose it is.
        """
        arn = self._alias_arn(name)
        answer = call_or_none(
            lambda: self._states.describe_state_machine_alias(stateMachineAliasArn=arn),
            *MISSING,
        )
        if answer is None:
            return None
        # The newest version is the one that a shift goes to.
        routes = sort_routes(answer["routingConfiguration"])
        version, weight = routes[0]
        heaviest_first = sorted(routes, key=lambda route: -route[1])
        return Observed(
            properties={"version": version, "weight": weight},
            outputs={
                "arn": arn,
                "routes": " ".join(route[0] for route in heaviest_first),
                "shifted_at": answer["updateDate"].astimezone(UTC).isoformat(),
            },
            tags=_read_tags(self._aws, arn.rpartition(":")[0]),
        )

    def create(self, resource: Alias) -> Iterator[str]:
        """Create the alias; its first version gets all executions."""
        yield "Creating the alias"
        self._states.create_state_machine_alias(
            name=resource.name.partition("/")[2],
            routingConfiguration=[{"stateMachineVersionArn": resource.version, "weight": 100}],
        )

    def update(self, resource: Alias, observed: Observed) -> Iterator[str]:
        """Shift executions to the wanted version; the rest stays on the one that had them."""
        wanted = resource.wanted(observed.properties)
        yield f"Shifting {wanted['weight']} % of new executions"
        live = observed.outputs["routes"].split(" ")[0]
        before = (
            ""
            if live == wanted["version"]
            else alias_descriptions.live_before(version_number(live))
        )
        self.route_executions(observed.outputs["arn"], shift_routes(wanted, observed), before)

    def delete(self, name: str) -> Iterator[str]:
        """Delete the alias."""
        yield "Deleting the alias"
        arn = self._alias_arn(name)
        call_or_none(
            lambda: self._states.delete_state_machine_alias(stateMachineAliasArn=arn),
            *MISSING,
        )

    def route_executions(
        self, arn: str, routes: Sequence[tuple[str, int]], description: str = ""
    ) -> None:
        """Route new executions to versions by weight, in percent.

        Args:
            arn: Of the alias.
            routes: ARN of each version with its weight.
            description: Of the alias from now on; empty to keep the one it has.
        """
        self._states.update_state_machine_alias(
            stateMachineAliasArn=arn,
            **({"description": description} if description else {}),
            routingConfiguration=[
                {"stateMachineVersionArn": version, "weight": weight} for version, weight in routes
            ],
        )

    def _alias_arn(self, name: str) -> str:
        machine, _, alias = name.partition("/")
        return self._aws.arn("states", f"stateMachine:{machine}:{alias}")


def list_versions(aws: Aws, machine: str, alias: str) -> tuple[Version, ...]:
    """Return all versions of a state machine with the weights of an alias, the newest first."""
    arn = aws.arn("states", f"stateMachine:{machine}")
    weights = dict(read_routes(aws, machine, alias))
    listed = [
        Version(
            arn=one["stateMachineVersionArn"],
            number=version_number(one["stateMachineVersionArn"]),
            created=one["creationDate"],
            weight=weights.get(one["stateMachineVersionArn"], 0),
        )
        for page in _version_pages(aws, arn)
        for one in page["stateMachineVersions"]
    ]
    return tuple(sorted(listed, key=lambda version: -version.number))


def read_routes(aws: Aws, machine: str, alias: str) -> list[tuple[str, int]]:
    """Return versions and weights of an alias, the newest first; none if it does not exist."""
    arn = aws.arn("states", f"stateMachine:{machine}:{alias}")
    answer = call_or_none(
        lambda: aws.states.describe_state_machine_alias(stateMachineAliasArn=arn), *MISSING
    )
    return sort_routes(answer["routingConfiguration"]) if answer else []


def live_before(aws: Aws, machine: str, alias: str) -> int | None:
    """Return the version that was live before the present one; None where nobody recorded it.

    AWS keeps no history of an alias, so each shift writes it into the description.
    """
    arn = aws.arn("states", f"stateMachine:{machine}:{alias}")
    answer = call_or_none(
        lambda: aws.states.describe_state_machine_alias(stateMachineAliasArn=arn), *MISSING
    )
    if answer is None:
        return None
    return alias_descriptions.read_live_before(answer.get("description", ""))


def read_definition(aws: Aws, version_arn: str) -> str:
    """Return the definition of a version, as JSON text."""
    return aws.states.describe_state_machine(stateMachineArn=version_arn)["definition"]


def _version_pages(aws: Aws, arn: str) -> "Iterator[ListStateMachineVersionsOutputTypeDef]":
    request: dict[str, Any] = {"stateMachineArn": arn, "maxResults": 1000}
    while page := call_or_none(
        partial(aws.states.list_state_machine_versions, **request), *MISSING
    ):
        yield page
        if "nextToken" not in page:
            return
        request["nextToken"] = page["nextToken"]


def version_number(version_arn: str) -> int:
    """Return the number at the end of a version's ARN."""
    return int(version_arn.rpartition(":")[2])


def sort_routes(configuration: Any) -> list[tuple[str, int]]:  # noqa: ANN401 - boto3's own shape
    """Return versions and weights of an alias, the newest version first."""
    # AWS promises no order of the routes.
    routes = [(one["stateMachineVersionArn"], one["weight"]) for one in configuration]
    return sorted(routes, key=lambda route: -version_number(route[0]))


def shift_routes(wanted: Properties, observed: Observed) -> list[tuple[str, int]]:
    """Return the routes that give a version its weight, and the rest to the one that had most."""
    version, weight = str(wanted["version"]), int(str(wanted["weight"]))
    # An alias takes two versions at most, so a third one gives its share up.
    rest = next((other for other in observed.outputs["routes"].split() if other != version), None)
    if weight == 100 or rest is None:  # noqa: PLR2004 - all of it
        return [(version, 100)]
    return [(version, weight), (rest, 100 - weight)]


def _read_tags(aws: Aws, arn: str) -> dict[str, str]:
    tags = aws.states.list_tags_for_resource(resourceArn=arn)["tags"]
    return {tag["key"]: tag["value"] for tag in tags}


def _read_properties(now: "DescribeStateMachineOutputTypeDef") -> dict[str, Any]:
    logging = now.get("loggingConfiguration", {})
    groups = [
        one["cloudWatchLogsLogGroup"]["logGroupArn"].removesuffix(":*")
        for one in logging.get("destinations", ())
    ]
    return {
        "definition": json.loads(now["definition"]),
        "role": now["roleArn"],
        "log_group": ", ".join(groups) or None,
        "log_level": logging.get("level"),
    }


def _is_same(
    version: "DescribeStateMachineOutputTypeDef", now: "DescribeStateMachineOutputTypeDef"
) -> bool:
    """Return whether a version is what the state machine is now."""
    # The revision changes with definition and role, not with logging: both are compared.
    same_revision = version.get("revisionId") == now.get("revisionId")
    return same_revision and _read_properties(version) == _read_properties(now)


def _logging_configuration(machine: StateMachine) -> Any:  # noqa: ANN401 - boto3's own shape
    return {
        "level": machine.log_level,
        # Inputs and outputs hold images: they stay out of the log.
        "includeExecutionData": False,
        # Step Functions takes the ARN of a log group with :* at its end only.
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": f"{machine.log_group}:*"}}],
    }
