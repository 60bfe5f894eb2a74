"""Validation: what is wrong with a definition, as ValidateStateMachineDefinition says it.

One set of rules for creating, validating and drawing a state machine.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from workflow.asl import queries, rules
from workflow.asl.diagnostics import (
    Diagnostic,
    Found,
    bracket_names,
    check_fields,
    find_unsupported,
    items_of,
    schema_error,
)
from workflow.asl.payload_checks import check_choice, check_payloads

_TARGET: Final = "MISSING_TRANSITION_TARGET"
_JSON: Final = "INVALID_JSON_DESCRIPTION"
_TERMINAL: Final = ("Succeed", "Fail")
_NAME_LIMIT: Final = 80
_TOP: Final = ("Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage")
_CHECKED: Final = ("Comment", "Version", "QueryLanguage", "TimeoutSeconds")
_INNER: Final = ("Comment", "StartAt", "States", "ProcessorConfig", "QueryLanguage")


@lru_cache(256)
def diagnose(text: str) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the text of a definition; empty where nothing is."""
    twice: list[str] = []

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in pairs)
        twice.extend(key for key, count in counts.items() if count > 1)
        return dict(pairs)

    try:
        # Read by pairs: a dictionary would silently keep only the last of two equal keys.
        value = json.loads(text, object_pairs_hook=made)
    except (ValueError, RecursionError) as error:
        return (Diagnostic(_JSON, f"Invalid JSON: {error}", "/"),)
    if not isinstance(value, dict):
        return (Diagnostic(_JSON, "The definition is not a JSON object", "/"),)
    found = [Diagnostic(_JSON, f"Duplicate field '{key}'", "/") for key in twice]
    try:
        return (*found, *_Examiner(value).examine_all())
    except RecursionError:
        return (*found, schema_error("The definition is nested too deeply", "/"))


class _Examiner:
    """Walks one definition."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._definition = definition
        self._jsonata = definition.get("QueryLanguage") == "JSONata"
        self._names: set[str] = set()

    def examine_all(self) -> Found:
        """Yield everything that is wrong."""
        definition = self._definition
        yield from find_unsupported(definition, _TOP, "")
        checks = {field: rules.FIELDS[field] for field in _CHECKED}
        yield from check_fields(definition, checks, "")
        yield from self._check_machine(definition, "")

    def _check_machine(self, machine: Mapping[str, Any], at: str) -> Found:
        states, start = machine.get("States"), machine.get("StartAt")
        if not isinstance(states, Mapping) or not states:
            yield schema_error("These fields are required: [States]", at)
            return
        if not isinstance(start, str):
            yield schema_error("These fields are required: [StartAt]", at)
        elif start not in states:
            yield Diagnostic(_TARGET, f"Missing 'StartAt' target: {start}", f"{at}/StartAt")
        for name, state in states.items():
            here = f"{at}/States/{name}"
            yield from self._check_name(name, here)
            if not isinstance(state, Mapping):
                yield schema_error("Expected value of type Object", here)
                continue
            yield from self._check_state(state, here)
            for field, target in transition_targets(state):
                if isinstance(target, str) and target not in states:
                    message = f"Missing '{field.rpartition('/')[2]}' target: {target}"
                    yield Diagnostic(_TARGET, message, f"{here}/{field}")
        if isinstance(start, str) and start in states:
            for name in _unreachable_states(states, start):
                message = f'State "{name}" is not reachable.'
                yield Diagnostic(_TARGET, message, f"{at}/States/{name}")

    def _check_name(self, name: str, at: str) -> Found:
        if not 1 <= len(name) <= _NAME_LIMIT:
            yield schema_error(f"State names must have 1 to {_NAME_LIMIT} characters", at)
        # Names are unique in the whole definition, those of branches and iterators included.
        if name in self._names:
            yield Diagnostic("DUPLICATE_STATE_NAME", f"Duplicate state name: {name}", at)
        self._names.add(name)

    def _check_state(self, state: Mapping[str, Any], at: str) -> Found:
        kind = state.get("Type")
        if kind not in rules.TYPES:
            message = "These fields are required: [Type]"
            if kind is not None:
                message = f"Value must be one of {bracket_names(rules.TYPES)}"
            yield schema_error(message, at if kind is None else f"{at}/Type")
            return
        language = state.get("QueryLanguage", "JSONata" if self._jsonata else "JSONPath")
        jsonata = language == "JSONata"
        if self._jsonata and not jsonata:
            message = (
                "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
            )
            yield schema_error(message, f"{at}/QueryLanguage")
        yield from _unknown_fields(kind, state, at, jsonata=jsonata)
        yield from _check_values(state, at, jsonata=jsonata)
        yield from _check_transitions(kind, state, at)
        yield from check_payloads(state, at, jsonata=jsonata)
        for one in rules.EXCLUSIVE:
            given = [field for field in one if field in state]
            if len(given) > 1:
                yield schema_error(
                    f"Only one of these fields is allowed: {bracket_names(given)}", at
                )
        for field in ("Retry", "Catch"):
            yield from _check_handlers(field, state.get(field), at, jsonata=jsonata)
        yield from self._check_type(kind, state, at, jsonata=jsonata)

    def _check_type(self, kind: str, state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
        """Yield what is wrong in the fields that only states of this type have."""
        if kind == "Task":
            yield from _check_task(state, at, jsonata=jsonata)
        elif kind == "Wait":
            if not any(field in state for field in rules.EXCLUSIVE[0]):
                yield schema_error(
                    f"One of these fields is required: {bracket_names(rules.EXCLUSIVE[0])}", at
                )
        elif kind == "Choice":
            for index, rule in enumerate(items_of(state.get("Choices"))):
                yield from check_choice(rule, f"{at}/Choices[{index}]", jsonata=jsonata)
        elif kind == "Parallel":
            for index, branch in enumerate(items_of(state.get("Branches"))):
                yield from self._check_inner(branch, f"{at}/Branches[{index}]")
        elif kind == "Map":
            yield from self._check_map(state, at)

    def _check_map(self, state: Mapping[str, Any], at: str) -> Found:
        field = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
        if field not in state:
            yield schema_error("These fields are required: [ItemProcessor]", at)
            return
        processor = state[field]
        yield from self._check_inner(processor, f"{at}/{field}")
        config = processor.get("ProcessorConfig", {}) if isinstance(processor, Mapping) else {}
        if not isinstance(config, Mapping):
            yield schema_error("Expected value of type Object", f"{at}/{field}/ProcessorConfig")
            return
        where = f"{at}/{field}/ProcessorConfig"
        checks = {
            "Mode": rules.one_of("INLINE", "DISTRIBUTED"),
            "ExecutionType": rules.one_of("STANDARD", "EXPRESS"),
        }
        yield from find_unsupported(config, tuple(checks), where)
        yield from check_fields(config, checks, where)
        if config.get("Mode") == "DISTRIBUTED":
            if "ExecutionType" not in config:
                yield schema_error("These fields are required: [ExecutionType]", where)
            return
        for name in ("ItemReader", "ItemBatcher", "ResultWriter", "Label"):
            if name in state:
                yield schema_error("Field is only supported in DISTRIBUTED mode", f"{at}/{name}")

    def _check_inner(self, machine: object, at: str) -> Found:
        if not isinstance(machine, Mapping):
            yield schema_error("Expected value of type Object", at)
            return
        yield from find_unsupported(machine, _INNER, at)
        yield from self._check_machine(machine, at)


def transition_targets(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield field and name of every state that a state may go to."""
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    for field in ("Choices", "Catch"):
        for index, rule in enumerate(items_of(state.get(field))):
            if isinstance(rule, Mapping) and "Next" in rule:
                yield f"{field}[{index}]/Next", rule["Next"]


def _unreachable_states(states: Mapping[str, Any], start: str) -> list[str]:
    reached, ahead = set(), [start]
    while ahead:
        name = ahead.pop()
        reached.add(name)
        state = states.get(name)
        if isinstance(state, Mapping):
            names = [target for _, target in transition_targets(state) if isinstance(target, str)]
            ahead += [target for target in names if target in states and target not in reached]
    return [name for name in states if name not in reached]


def _unknown_fields(kind: str, state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    language = "JSONata" if jsonata else "JSONPath"
    for field in state:
        if field in rules.allowed_fields(kind, jsonata=jsonata):
            continue
        if rules.known_in_other_language(kind, field, jsonata=jsonata):
            message = f"The field '{field}' is not supported when using '{language}'"
            yield schema_error(message, f"{at}/{field}")
        else:
            yield schema_error("Field is not supported", f"{at}/{field}")


def _check_values(state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    for field, check in rules.FIELDS.items():
        if field not in state:
            continue
        # What an expression gives is known at run time only, so its field cannot be checked here.
        dynamic = jsonata and queries.expression_of(state[field]) is not None
        if not dynamic and (message := check(state[field])) is not None:
            yield schema_error(message, f"{at}/{field}")


def _check_transitions(kind: str, state: Mapping[str, Any], at: str) -> Found:
    if kind in _TERMINAL:
        return
    if kind == "Choice":
        if "Choices" not in state:
            yield schema_error("These fields are required: [Choices]", at)
        return
    ends = state.get("End") is True
    if ends and "Next" in state:
        yield schema_error("Only one of these fields is allowed: [Next, End]", at)
    elif not ends and "Next" not in state:
        yield schema_error("One of these fields is required: [Next, End]", at)


def _check_handlers(field: str, given: object, at: str, *, jsonata: bool) -> Found:
    checks = rules.RETRY if field == "Retry" else rules.CATCH
    extra = () if field == "Retry" else (("Output",) if jsonata else ("ResultPath",))
    handlers = items_of(given)
    for index, handler in enumerate(handlers):
        here = f"{at}/{field}[{index}]"
        if not isinstance(handler, Mapping):
            yield schema_error("Expected value of type Object", here)
            continue
        yield from find_unsupported(handler, (*checks, *extra), here)
        yield from check_fields(handler, checks, here)
        if not jsonata and "ResultPath" in handler:
            yield from check_fields(handler, {"ResultPath": rules.check_result_path}, here)
        # A retry stays at its state, so it has no Next.
        required = ("ErrorEquals",) if field == "Retry" else ("ErrorEquals", "Next")
        missing = [name for name in required if name not in handler]
        if missing:
            yield schema_error(f"These fields are required: {bracket_names(missing)}", here)
        yield from check_payloads(handler, here, jsonata=jsonata)
        names = items_of(handler.get("ErrorEquals"))
        if not all(isinstance(name, str) for name in names):
            yield schema_error("Expected value of type String", f"{here}/ErrorEquals")
        if "States.ALL" in names and (len(names) > 1 or index < len(handlers) - 1):
            message = "'States.ALL' must appear alone, in the last element of the array"
            yield schema_error(message, f"{here}/ErrorEquals")


def _check_task(state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    if "Resource" not in state:
        yield schema_error("These fields are required: [Resource]", at)
    beats, seconds = state.get("HeartbeatSeconds"), state.get("TimeoutSeconds")
    if isinstance(beats, int) and isinstance(seconds, int) and beats >= seconds:
        yield schema_error("HeartbeatSeconds must be smaller than TimeoutSeconds", at)
    field = "Arguments" if jsonata else "Parameters"
    given = state.get(field)
    if not isinstance(given, Mapping):
        return
    # arn:aws:states:::lambda:invoke.waitForTaskToken calls lambda:invoke.
    action = str(state.get("Resource")).partition(":states:")[2].partition(":")[2][1:]
    action = action.removesuffix(".waitForTaskToken")
    names = {name.removesuffix(".$") if not jsonata else name for name in given}
    for name in rules.REQUIRED_PARAMETERS.get(action, ()):
        if name not in names:
            message = f'The field "{name}" is required but was missing'
            yield schema_error(message, f"{at}/{field}")
    if action == "lambda:invoke":
        for name in sorted(names - set(rules.LAMBDA_PARAMETERS)):
            message = f'The field "{name}" is not supported by Step Functions'
            yield schema_error(message, f"{at}/{field}")
