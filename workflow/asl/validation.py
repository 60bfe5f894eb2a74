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
from workflow.asl.diagnostics import Diagnostic, Found, checked, items, listed, unsupported, wrong
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
        return (*found, *_Examiner(value).all())
    except RecursionError:
        return (*found, wrong("The definition is nested too deeply", "/"))


class _Examiner:
    """Walks one definition."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._definition = definition
        self._jsonata = definition.get("QueryLanguage") == "JSONata"
        self._names: set[str] = set()

    def all(self) -> Found:
        """Return everything that is wrong."""
        definition = self._definition
        yield from unsupported(definition, _TOP, "")
        checks = {field: rules.FIELDS[field] for field in _CHECKED}
        yield from checked(definition, checks, "")
        yield from self._machine(definition, "")

    def _machine(self, machine: Mapping[str, Any], at: str) -> Found:
        states, start = machine.get("States"), machine.get("StartAt")
        if not isinstance(states, Mapping) or not states:
            yield wrong("These fields are required: [States]", at)
            return
        if not isinstance(start, str):
            yield wrong("These fields are required: [StartAt]", at)
        elif start not in states:
            yield Diagnostic(_TARGET, f"Missing 'StartAt' target: {start}", f"{at}/StartAt")
        for name, state in states.items():
            here = f"{at}/States/{name}"
            yield from self._name(name, here)
            if not isinstance(state, Mapping):
                yield wrong("Expected value of type Object", here)
                continue
            yield from self._state(state, here)
            for field, target in targets(state):
                if isinstance(target, str) and target not in states:
                    message = f"Missing '{field.rpartition('/')[2]}' target: {target}"
                    yield Diagnostic(_TARGET, message, f"{here}/{field}")
        if isinstance(start, str) and start in states:
            for name in _unreachable(states, start):
                message = f'State "{name}" is not reachable.'
                yield Diagnostic(_TARGET, message, f"{at}/States/{name}")

    def _name(self, name: str, at: str) -> Found:
        if not 1 <= len(name) <= _NAME_LIMIT:
            yield wrong(f"State names must have 1 to {_NAME_LIMIT} characters", at)
        # Names are unique in the whole definition, those of branches and iterators included.
        if name in self._names:
            yield Diagnostic("DUPLICATE_STATE_NAME", f"Duplicate state name: {name}", at)
        self._names.add(name)

    def _state(self, state: Mapping[str, Any], at: str) -> Found:
        kind = state.get("Type")
        if kind not in rules.TYPES:
            message = "These fields are required: [Type]"
            if kind is not None:
                message = f"Value must be one of {listed(rules.TYPES)}"
            yield wrong(message, at if kind is None else f"{at}/Type")
            return
        language = state.get("QueryLanguage", "JSONata" if self._jsonata else "JSONPath")
        jsonata = language == "JSONata"
        if self._jsonata and not jsonata:
            message = (
                "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
            )
            yield wrong(message, f"{at}/QueryLanguage")
        yield from _unknown_fields(kind, state, at, jsonata=jsonata)
        yield from _values(state, at, jsonata=jsonata)
        yield from _transitions(kind, state, at)
        yield from check_payloads(state, at, jsonata=jsonata)
        for one in rules.EXCLUSIVE:
            given = [field for field in one if field in state]
            if len(given) > 1:
                yield wrong(f"Only one of these fields is allowed: {listed(given)}", at)
        for field in ("Retry", "Catch"):
            yield from _handlers(field, state.get(field), at, jsonata=jsonata)
        yield from self._particular(kind, state, at, jsonata=jsonata)

    def _particular(self, kind: str, state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
        """Return what only states of a type have."""
        if kind == "Task":
            yield from _task(state, at, jsonata=jsonata)
        elif kind == "Wait":
            if not any(field in state for field in rules.EXCLUSIVE[0]):
                yield wrong(f"One of these fields is required: {listed(rules.EXCLUSIVE[0])}", at)
        elif kind == "Choice":
            for index, rule in enumerate(items(state.get("Choices"))):
                yield from check_choice(rule, f"{at}/Choices[{index}]", jsonata=jsonata)
        elif kind == "Parallel":
            for index, branch in enumerate(items(state.get("Branches"))):
                yield from self._inner(branch, f"{at}/Branches[{index}]")
        elif kind == "Map":
            yield from self._map(state, at)

    def _map(self, state: Mapping[str, Any], at: str) -> Found:
        field = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
        if field not in state:
            yield wrong("These fields are required: [ItemProcessor]", at)
            return
        processor = state[field]
        yield from self._inner(processor, f"{at}/{field}")
        config = processor.get("ProcessorConfig", {}) if isinstance(processor, Mapping) else {}
        if not isinstance(config, Mapping):
            yield wrong("Expected value of type Object", f"{at}/{field}/ProcessorConfig")
            return
        where = f"{at}/{field}/ProcessorConfig"
        checks = {
            "Mode": rules.one_of("INLINE", "DISTRIBUTED"),
            "ExecutionType": rules.one_of("STANDARD", "EXPRESS"),
        }
        yield from unsupported(config, tuple(checks), where)
        yield from checked(config, checks, where)
        if config.get("Mode") == "DISTRIBUTED":
            if "ExecutionType" not in config:
                yield wrong("These fields are required: [ExecutionType]", where)
            return
        for name in ("ItemReader", "ItemBatcher", "ResultWriter", "Label"):
            if name in state:
                yield wrong("Field is only supported in DISTRIBUTED mode", f"{at}/{name}")

    def _inner(self, machine: object, at: str) -> Found:
        if not isinstance(machine, Mapping):
            yield wrong("Expected value of type Object", at)
            return
        yield from unsupported(machine, _INNER, at)
        yield from self._machine(machine, at)


def targets(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(field, name) of every state that a state may go to."""
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    for field in ("Choices", "Catch"):
        for index, rule in enumerate(items(state.get(field))):
            if isinstance(rule, Mapping) and "Next" in rule:
                yield f"{field}[{index}]/Next", rule["Next"]


def _unreachable(states: Mapping[str, Any], start: str) -> list[str]:
    reached, ahead = set(), [start]
    while ahead:
        name = ahead.pop()
        reached.add(name)
        state = states.get(name)
        if isinstance(state, Mapping):
            names = [target for _, target in targets(state) if isinstance(target, str)]
            ahead += [target for target in names if target in states and target not in reached]
    return [name for name in states if name not in reached]


def _unknown_fields(kind: str, state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    language = "JSONata" if jsonata else "JSONPath"
    for field in state:
        if field in rules.allowed(kind, jsonata=jsonata):
            continue
        if rules.known_in_other_language(kind, field, jsonata=jsonata):
            message = f"The field '{field}' is not supported when using '{language}'"
            yield wrong(message, f"{at}/{field}")
        else:
            yield wrong("Field is not supported", f"{at}/{field}")


def _values(state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    for field, check in rules.FIELDS.items():
        if field not in state:
            continue
        # What an expression gives is known at run time only, so its field cannot be checked here.
        dynamic = jsonata and queries.expression(state[field]) is not None
        if not dynamic and (message := check(state[field])) is not None:
            yield wrong(message, f"{at}/{field}")


def _transitions(kind: str, state: Mapping[str, Any], at: str) -> Found:
    if kind in _TERMINAL:
        return
    if kind == "Choice":
        if "Choices" not in state:
            yield wrong("These fields are required: [Choices]", at)
        return
    ends = state.get("End") is True
    if ends and "Next" in state:
        yield wrong("Only one of these fields is allowed: [Next, End]", at)
    elif not ends and "Next" not in state:
        yield wrong("One of these fields is required: [Next, End]", at)


def _handlers(field: str, given: object, at: str, *, jsonata: bool) -> Found:
    checks = rules.RETRY if field == "Retry" else rules.CATCH
    extra = () if field == "Retry" else (("Output",) if jsonata else ("ResultPath",))
    handlers = items(given)
    for index, handler in enumerate(handlers):
        here = f"{at}/{field}[{index}]"
        if not isinstance(handler, Mapping):
            yield wrong("Expected value of type Object", here)
            continue
        yield from unsupported(handler, (*checks, *extra), here)
        yield from checked(handler, checks, here)
        if not jsonata and "ResultPath" in handler:
            yield from checked(handler, {"ResultPath": rules.check_result_path}, here)
        # A retry stays at its state, so it has no Next.
        required = ("ErrorEquals",) if field == "Retry" else ("ErrorEquals", "Next")
        missing = [name for name in required if name not in handler]
        if missing:
            yield wrong(f"These fields are required: {listed(missing)}", here)
        yield from check_payloads(handler, here, jsonata=jsonata)
        names = items(handler.get("ErrorEquals"))
        if not all(isinstance(name, str) for name in names):
            yield wrong("Expected value of type String", f"{here}/ErrorEquals")
        if "States.ALL" in names and (len(names) > 1 or index < len(handlers) - 1):
            message = "'States.ALL' must appear alone, in the last element of the array"
            yield wrong(message, f"{here}/ErrorEquals")


def _task(state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    if "Resource" not in state:
        yield wrong("These fields are required: [Resource]", at)
    beats, seconds = state.get("HeartbeatSeconds"), state.get("TimeoutSeconds")
    if isinstance(beats, int) and isinstance(seconds, int) and beats >= seconds:
        yield wrong("HeartbeatSeconds must be smaller than TimeoutSeconds", at)
    field = "Arguments" if jsonata else "Parameters"
    given = state.get(field)
    if not isinstance(given, Mapping):
        return
    action = str(state.get("Resource")).partition(":states:")[2].partition(":")[2][1:]
    action = action.removesuffix(".waitForTaskToken")
    names = {name.removesuffix(".$") if not jsonata else name for name in given}
    for name in rules.REQUIRED_PARAMETERS.get(action, ()):
        if name not in names:
            message = f'The field "{name}" is required but was missing'
            yield wrong(message, f"{at}/{field}")
    if action == "lambda:invoke":
        for name in sorted(names - set(rules.LAMBDA_PARAMETERS)):
            message = f'The field "{name}" is not supported by Step Functions'
            yield wrong(message, f"{at}/{field}")
