"""Lab: conditions that break something on purpose, each undone as it was begun.

They last over a restart of the local cloud, until they are ended.
"""

import threading
from typing import Any, Final

from localcloud.cloud import LocalCloud
from localcloud.demonstration.releases import definition_of
from localcloud.demonstration.story import StoryRelease
from localcloud.errors import AwsError
from localcloud.service import now
from localcloud.states.api import StepFunctions
from localcloud.wire import Call
from workflow.alias_descriptions import live_before
from workflow.settings import Settings

_FAULTS: Final[dict[str, dict[str, Any]]] = {
    "endpoint-down": {
        "service": "sagemaker-runtime",
        "operation": "InvokeEndpoint",
        "error": "ServiceUnavailable",
        "message": "The endpoint is out of service: the lab has switched it off.",
        "status": 503,
    },
    "throttling": {
        "service": "lambda",
        "operation": "Invoke",
        "error": "TooManyRequestsException",
        "message": "Rate Exceeded.",
        "status": 429,
        "probability": 0.6,
    },
}
_RELEASE: Final = "bad-version"
_PERMISSION: Final = "missing-permission"

CONDITIONS: Final = (*_FAULTS, _RELEASE, _PERMISSION)
"""What can be begun."""


class Lab:
    """The conditions of one cloud.

    Args:
        cloud: Its services are started.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._kept = cloud.store.load_table("lab")
        self._lock = threading.Lock()
        for name, kept in self._kept.items():
            self._apply_condition(name, kept)

    def status(self) -> dict[str, bool]:
        """Return whether each condition is on, by its name."""
        return {name: name in self._kept for name in CONDITIONS}

    def begin_condition(self, name: str, settings: Settings) -> None:
        """Begin a condition; one that is on stays as it is.

        Raises:
            AwsError: There is no such condition, or nothing is deployed.
        """
        if name not in CONDITIONS:
            raise AwsError("ValidationException", f"The lab has no condition {name!r}.")
        with self._lock:
            if name in self._kept:
                return
            kept: dict[str, Any] = {}
            if name == _RELEASE:
                kept = self._release_broken(settings)
            if name == _PERMISSION:
                kept = {"role": self._role_of(settings.classify_function)}
            self._apply_condition(name, kept)
            self._kept[name] = kept

    def end_condition(self, name: str) -> None:
        """End a condition; one that is not on is not an error."""
        with self._lock:
            kept = self._kept.pop(name, None)
            if kept is None:
                return
            if name in _FAULTS:
                self._cloud.faults.remove_fault(_FAULTS[name])
            elif name == _PERMISSION:
                self._cloud.permissions.denied.discard((kept["role"], "sagemaker:InvokeEndpoint"))
            # Only while the broken version is live: somebody may have rolled back since.
            elif StepFunctions.of(self._cloud).get_routing(kept["alias"]) == kept["bad"]:
                StepFunctions.of(self._cloud).set_routing(
                    kept["alias"], kept["routing"], kept["description"], at=now()
                )

    def _apply_condition(self, name: str, kept: dict[str, Any]) -> None:
        if name in _FAULTS:
            self._cloud.faults.add_fault(_FAULTS[name])
        elif name == _PERMISSION:
            self._cloud.permissions.denied.add((kept["role"], "sagemaker:InvokeEndpoint"))

    def _role_of(self, function: str) -> str:
        asked = Call(
            "lambda", "GetFunctionConfiguration", self._cloud.region, {"FunctionName": function}
        )
        return str(self._cloud.call_operation(asked)["Role"]).rpartition("/")[2]

    def _release_broken(self, settings: Settings) -> dict[str, Any]:
        """Publish a version that cannot classify and give it all new executions."""
        states, arn = StepFunctions.of(self._cloud), settings.state_machine_arn
        broken = definition_of(StoryRelease.BROKEN, states.get_machine(arn)["definition"])
        version = states.add_version(arn, broken, created=now())
        before = states.get_routing(settings.alias_arn)
        bad = [{"stateMachineVersionArn": version, "weight": 100}]
        described = states.get_description(settings.alias_arn)
        live = before[0]["stateMachineVersionArn"].rpartition(":")[2]
        states.set_routing(settings.alias_arn, bad, live_before(live), at=now())
        return {
            "alias": settings.alias_arn,
            "routing": before,
            "description": described,
            "bad": bad,
        }
