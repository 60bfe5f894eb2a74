"""Definitions: what is wrong with a state machine definition, as ValidateStateMachineDefinition."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from localcloud.states import fixes  # noqa: F401 - must precede the engine's modules

# isort: split
from moto.stepfunctions.parser.asl.parse.asl_parser import (
    AmazonStateLanguageParser,
    ASLParserException,
)

from localcloud.errors import AwsError

Diagnostic = dict[str, str]

_LIMIT = 1_048_576


@lru_cache(maxsize=256)
def diagnose(definition: str) -> tuple[Diagnostic, ...]:
    """What is wrong with a definition; empty where nothing is.

    Returns:
        Diagnostics of ``severity``, ``code``, ``message`` and ``location``.
    """
    try:
        tree = json.loads(definition)
    except ValueError as error:
        return (_diagnostic("INVALID_JSON_DESCRIPTION", f"Invalid JSON: {error}", ""),)
    if not isinstance(tree, dict):
        return (_diagnostic("INVALID_JSON_DESCRIPTION", "The definition is no object.", ""),)
    found = [*_machine(tree, "")]
    if not found:
        found += _syntax(definition)
    return tuple(found)


def check(definition: str) -> None:
    """Refuse a definition that AWS would refuse.

    Raises:
        AwsError: ``InvalidDefinition`` with the first thing that is wrong.
    """
    if len(definition) > _LIMIT:
        raise AwsError(
            "ValidationException",
            "1 validation error detected: Value at 'definition' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_LIMIT}",
        )
    diagnostics = diagnose(definition)
    if diagnostics:
        text = ", ".join(f"{d['code']}: {d['message']} at {d['location']}" for d in diagnostics)
        raise AwsError("InvalidDefinition", f"Invalid State Machine Definition: '{text}'")


def _diagnostic(code: str, message: str, location: str) -> Diagnostic:
    return {
        "severity": "ERROR",
        "code": code,
        "message": message,
        "location": location or "/",
    }


def _schema(message: str, location: str) -> Diagnostic:
    return _diagnostic("SCHEMA_VALIDATION_FAILED", message, location)


def _machine(tree: Mapping[str, Any], at: str) -> Iterator[Diagnostic]:
    """What is wrong with a state machine or one of its inner ones."""
    states = tree.get("States")
    if not isinstance(states, dict) or not states:
        yield _schema("These fields are required: [States]", at)
        return
    start = tree.get("StartAt")
    if not isinstance(start, str):
        yield _schema("These fields are required: [StartAt]", at)
    elif start not in states:
        yield _missing("StartAt", start, f"{at}/StartAt")
    reached = {start}
    for name, state in states.items():
        here = f"{at}/States/{name}"
        if not isinstance(state, dict):
            yield _schema("A state is an object.", here)
            continue
        yield from _transitions(state, states, here)
        reached.update(target for _, target in _targets(state))
        for inner, where in _inner(state):
            yield from _machine(inner, f"{here}/{where}")
    for name in states:
        if name not in reached and start in states:
            yield _missing("state", name, f"{at}/States/{name}", unreachable=True)


def _missing(field: str, name: str, at: str, *, unreachable: bool = False) -> Diagnostic:
    if unreachable:
        message = f'State "{name}" is not reachable.'
        return _diagnostic("MISSING_TRANSITION_TARGET", message, at)
    return _diagnostic("MISSING_TRANSITION_TARGET", f"Missing '{field}' target: {name}", at)


_TERMINAL = ("Succeed", "Fail", "Choice")


def _transitions(
    state: Mapping[str, Any], states: Mapping[str, Any], at: str
) -> Iterator[Diagnostic]:
    kind = state.get("Type")
    if not isinstance(kind, str):
        yield _schema("These fields are required: [Type]", at)
        return
    if kind not in _TERMINAL and not state.get("End") and "Next" not in state:
        yield _schema("One of these fields is required: [Next, End]", at)
    if "Next" in state and state.get("End"):
        yield _schema("Only one of these fields is allowed: [Next, End]", at)
    for field, target in _targets(state):
        if target not in states:
            yield _missing(field.rpartition("/")[2], str(target), f"{at}/{field}")


def _targets(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(field, name) of every state that a state may go to."""
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    for field in ("Choices", "Catch"):
        for index, rule in enumerate(state.get(field) or []):
            if isinstance(rule, dict) and "Next" in rule:
                yield f"{field}[{index}]/Next", rule["Next"]


def _inner(state: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for index, branch in enumerate(state.get("Branches") or []):
        if isinstance(branch, dict):
            yield branch, f"Branches[{index}]"
    for field in ("ItemProcessor", "Iterator"):
        if isinstance(state.get(field), dict):
            yield state[field], field


def _syntax(definition: str) -> list[Diagnostic]:
    """What the engine's own parser refuses."""
    try:
        AmazonStateLanguageParser.parse(definition)
    except ASLParserException as error:
        return [_schema(str(line), "") for line in error.errors]
    except Exception as error:  # noqa: BLE001 - the engine raises bare types for bad definitions
        return [_schema(f"{type(error).__name__}: {error}", "")]
    return []
