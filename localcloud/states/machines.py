"""State machines: their definitions and versions, and which version an ARN means."""

import random
import re
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from localcloud.cloud import LocalCloud
from localcloud.errors import AwsError
from localcloud.service import Service, now, paginate
from localcloud.states.constraints import check_input
from localcloud.states.definitions import check_definition
from localcloud.tags import Tagged, tag_list, tag_map
from localcloud.wire import Call, Params

T = TypeVar("T")

_BAD_NAME = re.compile(r"[\s?*<>{}\[\]\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")
_NAME_LIMIT = 80
_VERSION_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """What an ARN given to StartExecution means.

    Attributes:
        machine: The state machine's record.
        definition: The definition to run.
        role_arn: The role to run under.
        version_arn: The version, where one was named or routed to.
        alias_arn: The alias, where one was named.
    """

    machine: Params
    definition: str
    role_arn: str
    version_arn: str | None = None
    alias_arn: str | None = None


class Machines(Service):
    """The operations of the ``stepfunctions`` service on machines and versions.

    A machine's record keeps its ``versions`` by number and its ``aliases`` by name.
    """

    name = "stepfunctions"

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self._machines = cloud.store.load_table("states.machine")
        self._tagged = Tagged(self._machines)
        self._lock = threading.RLock()

    def find_operation(self, name: str) -> Callable[[Call], Params] | None:
        """Return the method that answers an operation, behind a check of its input."""
        method = super().find_operation(name)
        if method is None:
            return None

        def checked(call: Call) -> Params:
            check_input(name, call.params)
            return method(call)

        return checked

    # -- machines ------------------------------------------------------------------------------

    def create_state_machine(self, call: Call) -> Params:
        p = call.params
        check_name(p["name"])
        check_definition(p["definition"], p.get("type", "STANDARD"))
        arn = self.cloud.build_arn("states", f"stateMachine:{p['name']}")
        with self._lock:
            machine = self._machines.get(arn)
            if machine is None:
                machine = self._new_machine(arn, p)
                self._machines[arn] = machine
            elif not _is_same_machine(machine, p):
                raise AwsError(
                    "StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'"
                )
            out: Params = {"stateMachineArn": arn, "creationDate": machine["created"]}
            if p.get("publish"):
                out["stateMachineVersionArn"] = self._publish_version(
                    machine, p.get("versionDescription")
                )
            return out

    def update_state_machine(self, call: Call) -> Params:
        p = call.params
        fields = {
            "definition": "definition",
            "roleArn": "role",
            "loggingConfiguration": "logging",
            "tracingConfiguration": "tracing",
        }
        if not any(field in p for field in (*fields, "publish")):
            raise AwsError(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the "
                "TracingConfiguration must be specified",
            )
        with self._lock:
            machine = dict(self.get_machine(p["stateMachineArn"]))
            if "definition" in p:
                check_definition(p["definition"], machine["type"])
            changes = {ours: p[theirs] for theirs, ours in fields.items() if theirs in p}
            if any(machine[k] != v for k, v in changes.items()):
                changes |= {"revision": str(uuid.uuid4()), "updated": now()}
            machine |= changes
            self._machines[machine["arn"]] = machine
            out: Params = {"updateDate": machine["updated"], "revisionId": machine["revision"]}
            if p.get("publish"):
                out["stateMachineVersionArn"] = self._publish_version(
                    machine, p.get("versionDescription")
                )
            return out

    def describe_state_machine(self, call: Call) -> Params:
        target = self.resolve_target(call.params["stateMachineArn"])
        machine = target.machine
        out: Params = {
            "stateMachineArn": call.params["stateMachineArn"],
            "name": machine["name"],
            "status": "ACTIVE",
            "definition": definition_to_show(call.params, target.definition),
            "roleArn": target.role_arn,
            "type": machine["type"],
            "creationDate": machine["created"],
            "loggingConfiguration": machine["logging"],
            "tracingConfiguration": machine["tracing"],
        }
        version = machine["versions"].get((target.version_arn or "").rpartition(":")[2])
        revision = version["revision"] if version else machine["revision"]
        if revision:
            out["revisionId"] = revision
        if version:
            out |= {"creationDate": version["created"], "description": version["description"]}
        return out

    def list_state_machines(self, call: Call) -> Params:
        machines = sorted(self._machines.values(), key=lambda m: str(m["name"]))
        shown, following = list_page(machines, call.params)
        items = [
            {
                "stateMachineArn": m["arn"],
                "name": m["name"],
                "type": m["type"],
                "creationDate": m["created"],
            }
            for m in shown
        ]
        return {"stateMachines": items} | following

    def tag_resource(self, call: Call) -> Params:
        tags = tag_map(call.params["tags"], "key", "value")
        return self._tagged.add_tags(self.get_machine(call.params["resourceArn"])["arn"], tags)

    def untag_resource(self, call: Call) -> Params:
        machine = self.get_machine(call.params["resourceArn"])
        return self._tagged.remove_tags(machine["arn"], call.params["tagKeys"])

    def list_tags_for_resource(self, call: Call) -> Params:
        return {
            "tags": tag_list(self.get_machine(call.params["resourceArn"])["tags"], "key", "value")
        }

    # -- versions ------------------------------------------------------------------------------

    def publish_state_machine_version(self, call: Call) -> Params:
        p = call.params
        with self._lock:
            machine = self.get_machine(p["stateMachineArn"])
            wanted = p.get("revisionId")
            if wanted and wanted != (machine["revision"] or "INITIAL"):
                raise AwsError(
                    "ConflictException",
                    f"Failed to publish the State Machine version for revision {wanted}. The "
                    f"current State Machine revision is {machine['revision'] or 'INITIAL'}.",
                )
            arn = self._publish_version(machine, p.get("description"))
            version = self._machines[machine["arn"]]["versions"][arn.rpartition(":")[2]]
            return {"stateMachineVersionArn": arn, "creationDate": version["created"]}

    def list_state_machine_versions(self, call: Call) -> Params:
        machine = self.get_machine(call.params["stateMachineArn"])
        numbers = sorted(machine["versions"], key=int, reverse=True)
        shown, following = list_page(numbers, call.params)
        items = [
            {
                "stateMachineVersionArn": f"{machine['arn']}:{n}",
                "creationDate": machine["versions"][n]["created"],
            }
            for n in shown
        ]
        return {"stateMachineVersions": items} | following

    def delete_state_machine_version(self, call: Call) -> Params:
        arn = call.params["stateMachineVersionArn"]
        base, _, number = arn.rpartition(":")
        with self._lock:
            machine = self._machines.get(base)
            if machine is None or number not in machine["versions"]:
                return {}
            users = [n for n, alias in machine["aliases"].items() if arn in routed_versions(alias)]
            if users:
                raise AwsError(
                    "ConflictException",
                    "Version to be deleted must not be referenced by an alias. Current list of "
                    f"aliases referencing this version: [{', '.join(users)}]",
                )
            versions = {n: v for n, v in machine["versions"].items() if n != number}
            self._machines[base] = {**machine, "versions": versions}
        return {}

    # -- what the demonstration and the lab do -------------------------------------------------

    def add_version(
        self, arn: str, definition: str, *, created: float, current: bool = False
    ) -> str:
        """Publish a definition as a version; the machine's own definition stays as it is.

        Args:
            arn: Of the machine.
            definition: Of the version.
            created: When it was published, seconds since 1970.
            current: Whether it is the version of the machine's own revision.

        Returns:
            The ARN of the version.
        """
        check_definition(definition)
        with self._lock:
            machine = self.get_machine(arn)
            number = machine["next_version"]
            version = {
                "definition": definition,
                "role": machine["role"],
                "revision": machine["revision"] if current else str(uuid.uuid4()),
                "created": created,
                "description": "",
            }
            versions = {**machine["versions"], str(number): version}
            changes = {"versions": versions, "next_version": number + 1}
            self._machines[arn] = {**machine, **changes}
            return f"{arn}:{number}"

    def backdate(self, arn: str, at: float) -> None:
        """Have a machine, its only version and its aliases be as old as a time."""
        with self._lock:
            machine = self.get_machine(arn)
            versions = {n: {**v, "created": at} for n, v in machine["versions"].items()}
            aliases = {
                n: {**a, "created": at, "updated": at} for n, a in machine["aliases"].items()
            }
            dates = {"created": at, "updated": at}
            self._machines[arn] = {**machine, **dates, "versions": versions, "aliases": aliases}

    # -- what others ask -----------------------------------------------------------------------

    def get_machine(self, arn: str) -> Params:
        """Return the record of a state machine.

        Raises:
            AwsError: ``StateMachineDoesNotExist``.
        """
        machine = self._machines.get(arn)
        if machine is None:
            raise AwsError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return machine

    def resolve_target(self, arn: str) -> Target:
        """Return what the ARN of a machine, version or alias means; an alias routes by weight."""
        if arn in self._machines:
            machine = self._machines[arn]
            return Target(machine, machine["definition"], machine["role"])
        base, _, last = arn.rpartition(":")
        machine = self._machines.get(base, {"versions": {}, "aliases": {}})
        alias_arn = None
        version_arn = arn
        if last in machine["aliases"]:
            alias_arn = arn
            version_arn = _choose_version(machine["aliases"][last]["routing"])
        version = machine["versions"].get(version_arn.rpartition(":")[2])
        if version is None:
            raise AwsError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return Target(machine, version["definition"], version["role"], version_arn, alias_arn)

    def _delete_machine(self, arn: str) -> None:
        self._machines.pop(arn, None)

    def _new_machine(self, arn: str, p: Params) -> Params:
        created = now()
        return {
            "arn": arn,
            "name": p["name"],
            "definition": p["definition"],
            "role": p["roleArn"],
            "type": p.get("type", "STANDARD"),
            "logging": p.get("loggingConfiguration", _LOGGING),
            "tracing": p.get("tracingConfiguration", {"enabled": False}),
            "tags": tag_map(p.get("tags", []), "key", "value"),
            "created": created,
            "updated": created,
            "revision": None,
            "versions": {},
            "next_version": 1,
            "aliases": {},
        }

    def _publish_version(self, machine: Params, description: str | None) -> str:
        number = machine["next_version"]
        # Publishing is idempotent: a revision that has a version gets no second one.
        newest = machine["versions"].get(str(number - 1))
        if newest is not None and newest["revision"] == machine["revision"]:
            return f"{machine['arn']}:{number - 1}"
        if len(machine["versions"]) >= _VERSION_LIMIT:
            raise AwsError(
                "ServiceQuotaExceededException",
                f"A state machine can have {_VERSION_LIMIT} versions.",
            )
        version = {
            "definition": machine["definition"],
            "role": machine["role"],
            "revision": machine["revision"],
            "created": now(),
            "description": description or "",
        }
        versions = {**machine["versions"], str(number): version}
        self._machines[machine["arn"]] = {
            **machine,
            "versions": versions,
            "next_version": number + 1,
        }
        return f"{machine['arn']}:{number}"


_LOGGING = {"level": "OFF", "includeExecutionData": False}


def definition_to_show(params: Params, definition: str) -> str:
    """Return the definition, or nothing of it where ``METADATA_ONLY`` is asked for."""
    return "{}" if params.get("includedData") == "METADATA_ONLY" else definition


def check_name(name: str) -> None:
    """Refuse a name that AWS would refuse.

    Raises:
        AwsError: ``InvalidName``.
    """
    if not 1 <= len(name) <= _NAME_LIMIT or _BAD_NAME.search(name):
        raise AwsError("InvalidName", f"Invalid Name: '{name}'")


def _is_same_machine(machine: Params, p: Params) -> bool:
    return bool(
        machine["definition"] == p["definition"]
        and machine["type"] == p.get("type", "STANDARD")
        and machine["logging"] == p.get("loggingConfiguration", _LOGGING)
    )


def routed_versions(alias: Params) -> list[str]:
    """Return the ARNs of the versions that an alias routes to."""
    return [route["stateMachineVersionArn"] for route in alias["routing"]]


def _choose_version(routing: list[Params]) -> str:
    weights = [route["weight"] for route in routing]
    chosen = random.choices(routing, weights)[0]  # noqa: S311 - traffic, not secrets
    return str(chosen["stateMachineVersionArn"])


def list_page(items: Sequence[T], params: Params) -> tuple[list[T], Params]:
    """Return a page of a list of Step Functions, and the member that leads to the next one.

    Raises:
        AwsError: ``InvalidToken`` for a token that this cloud did not give.
    """
    shown, token = paginate(
        items,
        params,
        size="maxResults",
        token="nextToken",  # noqa: S106 - a paging token
        default=100,
    )
    return shown, {"nextToken": token} if token else {}
