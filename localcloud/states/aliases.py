"""Aliases of state machines: which versions each routes executions to."""

from localcloud.errors import AwsError
from localcloud.service import now
from localcloud.states.machines import Machines, check_name, list_page, routed_versions
from localcloud.wire import Call, Params

_WEIGHTS = 100


class Aliases(Machines):
    """The operations of the ``stepfunctions`` service on aliases, beside those on machines."""

    def create_state_machine_alias(self, call: Call) -> Params:
        p = call.params
        check_name(p["name"])
        if p["name"].isdigit():
            raise AwsError("ValidationException", "An alias name cannot be a number.")
        with self._lock:
            machine = self._routed_machine(p["routingConfiguration"])
            arn = f"{machine['arn']}:{p['name']}"
            existing = machine["aliases"].get(p["name"])
            if existing is not None:
                if existing["routing"] == p["routingConfiguration"]:
                    return {"stateMachineAliasArn": arn, "creationDate": existing["created"]}
                raise AwsError(
                    "ConflictException",
                    "Failed to create alias because an alias with the same name and a different "
                    "routing configuration already exists.",
                )
            created = now()
            alias = {
                "routing": p["routingConfiguration"],
                "description": p.get("description", ""),
                "created": created,
                "updated": created,
            }
            self._save_alias(machine, p["name"], alias)
            return {"stateMachineAliasArn": arn, "creationDate": created}

    def update_state_machine_alias(self, call: Call) -> Params:
        p = call.params
        with self._lock:
            machine, name = self._find_alias(p["stateMachineAliasArn"])
            alias = dict(machine["aliases"][name])
            if "routingConfiguration" in p:
                if self._routed_machine(p["routingConfiguration"])["arn"] != machine["arn"]:
                    raise AwsError("ValidationException", "Versions of another state machine.")
                alias["routing"] = p["routingConfiguration"]
            alias |= {"description": p.get("description", alias["description"]), "updated": now()}
            self._save_alias(machine, name, alias)
            return {"updateDate": alias["updated"]}

    def describe_state_machine_alias(self, call: Call) -> Params:
        arn = call.params["stateMachineAliasArn"]
        machine, name = self._find_alias(arn)
        alias = machine["aliases"][name]
        return {
            "stateMachineAliasArn": arn,
            "name": name,
            "description": alias["description"],
            "routingConfiguration": alias["routing"],
            "creationDate": alias["created"],
            "updateDate": alias["updated"],
        }

    def list_state_machine_aliases(self, call: Call) -> Params:
        arn = call.params["stateMachineArn"]
        base, _, last = arn.rpartition(":")
        version = arn if last.isdigit() else None
        machine = self.get_machine(base if version else arn)
        names = [
            n
            for n, a in sorted(machine["aliases"].items())
            if not version or version in routed_versions(a)
        ]
        shown, following = list_page(names, call.params)
        items = [
            {
                "stateMachineAliasArn": f"{machine['arn']}:{n}",
                "creationDate": machine["aliases"][n]["created"],
            }
            for n in shown
        ]
        return {"stateMachineAliases": items} | following

    def delete_state_machine_alias(self, call: Call) -> Params:
        with self._lock:
            machine, name = self._find_alias(call.params["stateMachineAliasArn"])
            aliases = {n: a for n, a in machine["aliases"].items() if n != name}
            self._machines[machine["arn"]] = {**machine, "aliases": aliases}
        return {}

    def get_routing(self, alias_arn: str) -> list[Params]:
        """Return the versions that an alias routes to, with their weights."""
        machine, name = self._find_alias(alias_arn)
        return list(machine["aliases"][name]["routing"])

    def set_routing(
        self, alias_arn: str, routing: list[Params], description: str, *, at: float
    ) -> None:
        """Have an alias route to versions since a time, with a description."""
        with self._lock:
            machine, name = self._find_alias(alias_arn)
            changed = {"routing": routing, "description": description, "updated": at}
            alias = {**machine["aliases"][name], **changed}
            self._save_alias(machine, name, alias)

    def get_description(self, alias_arn: str) -> str:
        """Return the description of an alias."""
        machine, name = self._find_alias(alias_arn)
        return str(machine["aliases"][name]["description"])

    def _routed_machine(self, routing: list[Params]) -> Params:
        """Return the machine whose versions a routing configuration names."""
        arns = [route["stateMachineVersionArn"] for route in routing]
        if not 1 <= len(arns) <= 2 or len({*arns}) != len(arns):  # noqa: PLR2004 - AWS routes to two
            raise AwsError("ValidationException", "An alias routes to one or two versions.")
        if sum(route["weight"] for route in routing) != _WEIGHTS:
            raise AwsError("ValidationException", "Sum of routing weights must be equal to 100.")
        bases = {arn.rpartition(":")[0] for arn in arns}
        if len(bases) != 1:
            raise AwsError("ValidationException", "Versions of more than one state machine.")
        machine = self._machines.get(bases.pop())
        for arn in arns:
            if machine is None or arn.rpartition(":")[2] not in machine["versions"]:
                raise AwsError("ResourceNotFound", f"Request references a resource that does not "
                               f"exist: '{arn}'")  # fmt: skip
        return machine or {}

    def _find_alias(self, arn: str) -> tuple[Params, str]:
        base, _, name = arn.rpartition(":")
        machine = self._machines.get(base)
        if machine is None or name not in machine["aliases"]:
            raise AwsError("ResourceNotFound", f"Request references a resource that does not "
                           f"exist: '{arn}'")  # fmt: skip
        return machine, name

    def _save_alias(self, machine: Params, name: str, alias: Params) -> None:
        aliases = {**machine["aliases"], name: alias}
        self._machines[machine["arn"]] = {**machine, "aliases": aliases}
