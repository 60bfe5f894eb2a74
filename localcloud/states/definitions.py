"""Definitions: which state machine definitions this cloud takes."""

import json
from collections.abc import Iterator
from typing import Any

from localcloud.errors import AwsError
from localcloud.states.resources import read_resource
from workflow.asl.diagnostics import Diagnostic
from workflow.asl.validation import diagnose

_NOT_EXPRESS = (".sync", ".sync:2", ".waitForTaskToken")


def check_definition(definition: str, machine_type: str = "STANDARD") -> None:
    """Refuse a definition that AWS would refuse, or that this cloud cannot run.

    Args:
        definition: The definition.
        machine_type: ``STANDARD`` or ``EXPRESS``.

    Raises:
        AwsError: ``InvalidDefinition`` with everything that is wrong.
    """
    wrong = [
        one for one in diagnose_definition(definition, machine_type) if one.severity == "ERROR"
    ]
    if wrong:
        text = ", ".join(f"{d.code}: {d.message} at {d.location}" for d in wrong)
        raise AwsError("InvalidDefinition", f"Invalid State Machine Definition: '{text}'")


def diagnose_definition(definition: str, machine_type: str) -> tuple[Diagnostic, ...]:
    """Return AWS's diagnostics of a definition, or what this cloud cannot run of a valid one."""
    found = diagnose(definition)
    if any(one.severity == "ERROR" for one in found):
        return found
    express = machine_type == "EXPRESS"
    return (*found, *_missing_here(json.loads(definition), "", express=express))


def _missing_here(machine: dict[str, Any], at: str, *, express: bool) -> Iterator[Diagnostic]:
    for name, state in machine["States"].items():
        here = f"{at}/States/{name}"
        resource = state.get("Resource")
        if resource is not None and read_resource(resource) is None:
            yield _unsupported(
                f"The resource provided {resource} is not recognized. The value is not a valid "
                "resource ARN, or the resource is not available in this region.",
                f"{here}/Resource",
            )
        for pattern in _NOT_EXPRESS:
            if express and str(resource).endswith(pattern):
                yield _unsupported(
                    f"Express state machine does not support '{pattern}' service integration",
                    f"{here}/Resource",
                )
        if "Credentials" in state:
            message = "The local cloud does not support this field."
            yield _unsupported(message, f"{here}/Credentials")
        if state.get("ItemReader", {}).get("ReaderConfig", {}).get("InputType") == "PARQUET":
            message = "The local cloud does not read Parquet."
            yield _unsupported(message, f"{here}/ItemReader/ReaderConfig/InputType")
        for field in ("ItemProcessor", "Iterator"):
            if field in state:
                yield from _missing_here(state[field], f"{here}/{field}", express=express)
        for index, branch in enumerate(state.get("Branches", ())):
            yield from _missing_here(branch, f"{here}/Branches[{index}]", express=express)


def _unsupported(message: str, location: str) -> Diagnostic:
    return Diagnostic("SCHEMA_VALIDATION_FAILED", message, location)
