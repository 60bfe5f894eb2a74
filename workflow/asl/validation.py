"""Validation: what is wrong with a definition, as ValidateStateMachineDefinition says it.

One set of rules for creating, validating and drawing a state machine.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from workflow.asl import comparisons, queries, rules

_SCHEMA: Final = "SCHEMA_VALIDATION_FAILED"
_TARGET: Final = "MISSING_TRANSITION_TARGET"
_JSON: Final = "INVALID_JSON_DESCRIPTION"
_TERMINAL: Final = ("Succeed", "Fail")
_NAME_LIMIT: Final = 80
_VARIABLE: Final = re.compile(r"[^\W\d]\w{0,79}")
_TOP: Final = ("Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage")
_INNER: Final = ("Comment", "StartAt", "States", "ProcessorConfig", "QueryLanguage")
_LOOKS_DYNAMIC: Final = re.compile(r"\$\$?\.|\$\[|States\.\w+\(")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong, or that looks wrong.

    Attributes:
        code: Such as ``SCHEMA_VALIDATION_FAILED``.
        message: What is wrong.
        location: Where, such as ``/States/A/Next``.
        severity: ``ERROR`` where AWS refuses the definition, else ``WARNING``.
    """

    code: str
    message: str
    location: str
    severity: str = "ERROR"


Found = Iterator[Diagnostic]


@lru_cache(256)
def diagnose(text: str) -> tuple[Diagnostic, ...]:
    """What is wrong with the text of a definition; empty where nothing is."""
    twice: list[str] = []

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in pairs)
        twice.extend(key for key, count in counts.items() if count > 1)
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=made)
    except (ValueError, RecursionError) as error:
        return (Diagnostic(_JSON, f"Invalid JSON: {error}", "/"),)
    if not isinstance(value, dict):
        return (Diagnostic(_JSON, "The definition is not a JSON object", "/"),)
    found = [Diagnostic(_JSON, f"Duplicate field '{key}'", "/") for key in twice]
    try:
        return (*found, *_Examiner(value).all())
    except RecursionError:
        return (*found, _wrong("The definition is nested too deeply", "/"))


def _wrong(message: str, at: str) -> Diagnostic:
    return Diagnostic(_SCHEMA, message, at or "/")


class _Examiner:
    """Walks one definition."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._definition = definition
        self._jsonata = definition.get("QueryLanguage") == "JSONata"
        self._names: set[str] = set()

    def all(self) -> Found:
        """Everything that is wrong."""
        definition = self._definition
        yield from _unsupported(definition, _TOP, "")
        checked = ("Comment", "Version", "QueryLanguage", "TimeoutSeconds")
        yield from _checked(definition, {field: rules.FIELDS[field] for field in checked}, "")
        yield from self._machine(definition, "")

    def _machine(self, machine: Mapping[str, Any], at: str) -> Found:
        states, start = machine.get("States"), machine.get("StartAt")
        if not isinstance(states, Mapping) or not states:
            yield _wrong("These fields are required: [States]", at)
            return
        if not isinstance(start, str):
            yield _wrong("These fields are required: [StartAt]", at)
        elif start not in states:
            yield Diagnostic(_TARGET, f"Missing 'StartAt' target: {start}", f"{at}/StartAt")
        for name, state in states.items():
            here = f"{at}/States/{name}"
            yield from self._name(name, here)
            if not isinstance(state, Mapping):
                yield _wrong("Expected value of type Object", here)
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
            yield _wrong(f"State names must have 1 to {_NAME_LIMIT} characters", at)
        if name in self._names:
            yield Diagnostic("DUPLICATE_STATE_NAME", f"Duplicate state name: {name}", at)
        self._names.add(name)

    def _state(self, state: Mapping[str, Any], at: str) -> Found:
        kind = state.get("Type")
        if kind not in rules.TYPES:
            message = "These fields are required: [Type]"
            if kind is not None:
                message = f"Value must be one of {_names(rules.TYPES)}"
            yield _wrong(message, at if kind is None else f"{at}/Type")
            return
        language = state.get("QueryLanguage", "JSONata" if self._jsonata else "JSONPath")
        jsonata = language == "JSONata"
        if self._jsonata and not jsonata:
            message = (
                "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
            )
            yield _wrong(message, f"{at}/QueryLanguage")
        yield from _unknown_fields(kind, state, at, jsonata=jsonata)
        yield from _values(state, at, jsonata=jsonata)
        yield from _transitions(kind, state, at)
        yield from _templates(state, at, jsonata=jsonata)
        for one in rules.EXCLUSIVE:
            given = [field for field in one if field in state]
            if len(given) > 1:
                yield _wrong(f"Only one of these fields is allowed: {_names(given)}", at)
        for field in ("Retry", "Catch"):
            yield from _handlers(field, state.get(field), at, jsonata=jsonata)
        yield from self._particular(kind, state, at, jsonata=jsonata)

    def _particular(self, kind: str, state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
        """What only states of a type have."""
        if kind == "Task":
            yield from _task(state, at, jsonata=jsonata)
        elif kind == "Wait":
            if not any(field in state for field in rules.EXCLUSIVE[0]):
                yield _wrong(f"One of these fields is required: {_names(rules.EXCLUSIVE[0])}", at)
        elif kind == "Choice":
            for index, rule in enumerate(_list(state.get("Choices"))):
                yield from _choice(rule, f"{at}/Choices[{index}]", jsonata=jsonata)
        elif kind == "Parallel":
            for index, branch in enumerate(_list(state.get("Branches"))):
                yield from self._inner(branch, f"{at}/Branches[{index}]")
        elif kind == "Map":
            yield from self._map(state, at)

    def _map(self, state: Mapping[str, Any], at: str) -> Found:
        field = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
        if field not in state:
            yield _wrong("These fields are required: [ItemProcessor]", at)
            return
        processor = state[field]
        yield from self._inner(processor, f"{at}/{field}")
        config = processor.get("ProcessorConfig", {}) if isinstance(processor, Mapping) else {}
        if not isinstance(config, Mapping):
            yield _wrong("Expected value of type Object", f"{at}/{field}/ProcessorConfig")
            return
        where = f"{at}/{field}/ProcessorConfig"
        checks = {
            "Mode": rules.one_of("INLINE", "DISTRIBUTED"),
            "ExecutionType": rules.one_of("STANDARD", "EXPRESS"),
        }
        yield from _unsupported(config, tuple(checks), where)
        yield from _checked(config, checks, where)
        if config.get("Mode") == "DISTRIBUTED":
            if "ExecutionType" not in config:
                yield _wrong("These fields are required: [ExecutionType]", where)
            return
        for name in ("ItemReader", "ItemBatcher", "ResultWriter", "Label"):
            if name in state:
                yield _wrong("Field is only supported in DISTRIBUTED mode", f"{at}/{name}")

    def _inner(self, machine: object, at: str) -> Found:
        if not isinstance(machine, Mapping):
            yield _wrong("Expected value of type Object", at)
            return
        yield from _unsupported(machine, _INNER, at)
        yield from self._machine(machine, at)


def targets(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(field, name) of every state that a state may go to."""
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    for field in ("Choices", "Catch"):
        for index, rule in enumerate(_list(state.get(field))):
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


def _unsupported(value: Mapping[str, Any], fields: Sequence[str], at: str) -> Found:
    for field in value:
        if field not in fields:
            yield _wrong("Field is not supported", f"{at}/{field}")


def _unknown_fields(kind: str, state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    language = "JSONata" if jsonata else "JSONPath"
    for field in state:
        if field in rules.allowed(kind, jsonata=jsonata):
            continue
        if rules.known_in_other_language(kind, field, jsonata=jsonata):
            message = f"The field '{field}' is not supported when using '{language}'"
            yield _wrong(message, f"{at}/{field}")
        else:
            yield _wrong("Field is not supported", f"{at}/{field}")


def _checked(value: Mapping[str, Any], checks: Mapping[str, rules.Check], at: str) -> Found:
    for field, check in checks.items():
        if field in value and (message := check(value[field])) is not None:
            yield _wrong(message, f"{at}/{field}")


def _values(state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    for field, check in rules.FIELDS.items():
        if field not in state:
            continue
        dynamic = jsonata and queries.expression(state[field]) is not None
        if not dynamic and (message := check(state[field])) is not None:
            yield _wrong(message, f"{at}/{field}")


def _transitions(kind: str, state: Mapping[str, Any], at: str) -> Found:
    if kind in _TERMINAL:
        return
    if kind == "Choice":
        if "Choices" not in state:
            yield _wrong("These fields are required: [Choices]", at)
        return
    ends = state.get("End") is True
    if ends and "Next" in state:
        yield _wrong("Only one of these fields is allowed: [Next, End]", at)
    elif not ends and "Next" not in state:
        yield _wrong("One of these fields is required: [Next, End]", at)


def _handlers(field: str, given: object, at: str, *, jsonata: bool) -> Found:
    checks = rules.RETRY if field == "Retry" else rules.CATCH
    extra = () if field == "Retry" else (("Output",) if jsonata else ("ResultPath",))
    handlers = _list(given)
    for index, handler in enumerate(handlers):
        here = f"{at}/{field}[{index}]"
        if not isinstance(handler, Mapping):
            yield _wrong("Expected value of type Object", here)
            continue
        yield from _unsupported(handler, (*checks, *extra), here)
        yield from _checked(handler, checks, here)
        if not jsonata and "ResultPath" in handler:
            yield from _checked(handler, {"ResultPath": rules.check_result_path}, here)
        required = ("ErrorEquals",) if field == "Retry" else ("ErrorEquals", "Next")
        missing = [name for name in required if name not in handler]
        if missing:
            yield _wrong(f"These fields are required: {_names(missing)}", here)
        yield from _templates(handler, here, jsonata=jsonata)
        names = _list(handler.get("ErrorEquals"))
        if not all(isinstance(name, str) for name in names):
            yield _wrong("Expected value of type String", f"{here}/ErrorEquals")
        if "States.ALL" in names and (len(names) > 1 or index < len(handlers) - 1):
            message = "'States.ALL' must appear alone, in the last element of the array"
            yield _wrong(message, f"{here}/ErrorEquals")


def _task(state: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    if "Resource" not in state:
        yield _wrong("These fields are required: [Resource]", at)
    beats, seconds = state.get("HeartbeatSeconds"), state.get("TimeoutSeconds")
    if isinstance(beats, int) and isinstance(seconds, int) and beats >= seconds:
        yield _wrong("HeartbeatSeconds must be smaller than TimeoutSeconds", at)
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
            yield _wrong(message, f"{at}/{field}")
    if action == "lambda:invoke":
        for name in sorted(names - set(rules.LAMBDA_PARAMETERS)):
            message = f'The field "{name}" is not supported by Step Functions'
            yield _wrong(message, f"{at}/{field}")


def _choice(rule: object, at: str, *, jsonata: bool) -> Found:
    if not isinstance(rule, Mapping):
        yield _wrong("Expected value of type Object", at)
        return
    if "Next" not in rule:
        yield _wrong("These fields are required: [Next]", at)
    elif not isinstance(rule["Next"], str):
        yield _wrong("Expected value of type String", f"{at}/Next")
    yield from _templates(rule, at, jsonata=jsonata)
    if not jsonata:
        yield from _comparison(rule, at, ("Next", "Assign"))
        return
    yield from _unsupported(rule, ("Condition", "Next", "Assign", "Output", "Comment"), at)
    if "Condition" not in rule:
        yield _wrong("These fields are required: [Condition]", at)
    elif not isinstance(rule["Condition"], bool):
        yield from _checked(rule, {"Condition": rules.check_expression}, at)


def _comparison(rule: Mapping[str, Any], at: str, extra: tuple[str, ...] = ()) -> Found:
    """A rule of a JSONPath Choice, or one within ``And``, ``Or`` and ``Not``."""
    known = (*comparisons.OPERATORS, "And", "Or", "Not")
    yield from _unsupported(rule, (*known, "Variable", "Comment", *extra), at)
    operators = [field for field in rule if field in known]
    if len(operators) != 1:
        yield _wrong("Exactly one comparison operator is required", at)
        return
    operator, value = operators[0], rule[operators[0]]
    if operator in ("And", "Or"):
        if (message := rules.check_list(value)) is not None:
            yield _wrong(message, f"{at}/{operator}")
        for index, inner in enumerate(_list(value)):
            if isinstance(inner, Mapping):
                yield from _comparison(inner, f"{at}/{operator}[{index}]")
            else:
                yield _wrong("Expected value of type Object", f"{at}/{operator}[{index}]")
        return
    if operator == "Not":
        if isinstance(value, Mapping):
            yield from _comparison(value, f"{at}/Not")
        else:
            yield _wrong("Expected value of type Object", f"{at}/Not")
        return
    if "Variable" not in rule:
        yield _wrong("These fields are required: [Variable]", at)
    checks = {"Variable": rules.check_path, operator: _operand_check(operator)}
    yield from _checked(rule, checks, at)


def _operand_check(operator: str) -> rules.Check:
    if operator in comparisons.TESTS:
        return rules.check_flag
    if operator in comparisons.ORDERED:
        return rules.COMPARED[comparisons.ORDERED[operator][0]]
    return rules.check_text if operator == "StringMatches" else rules.check_path


def _templates(value: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    """What is wrong in the payloads of a state or one of its rules."""
    assigned = value.get("Assign")
    if isinstance(assigned, Mapping):
        for name in assigned:
            plain = name if jsonata else name.removesuffix(".$")
            if not _VARIABLE.fullmatch(plain) or plain == "states":
                yield _wrong(f"Value is not a valid variable name: {plain}", f"{at}/Assign")
    if jsonata:
        known = ("Arguments", "Output", "Assign", "Items", "ItemSelector", "ItemBatcher", "Seconds",
                 "Timestamp", "Error", "Cause", "TimeoutSeconds", "HeartbeatSeconds",
                 "MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage",
                 "ItemReader", "ResultWriter", "Credentials")  # fmt: skip
        for field in known:
            if field in value:
                yield from _expressions(value[field], f"{at}/{field}")
        return
    for field in rules.TEMPLATES:
        if field in value:
            yield from _payload(value[field], f"{at}/{field}")
    if _holds_dynamic(value.get("Result")):
        message = "Attempt to use a path in the result of a Pass state"
        yield Diagnostic("PASS_RESULT_IS_STATIC", message, f"{at}/Result", "WARNING")


def _expressions(value: object, at: str) -> Found:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _expressions(item, f"{at}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _expressions(item, f"{at}[{index}]")
    elif queries.expression(value) is not None and (wrong := rules.check_expression(value)):
        yield _wrong(wrong, at)


def _payload(value: object, at: str) -> Found:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _payload(item, f"{at}[{index}]")
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key.endswith(".$"):
            if (wrong := rules.check_dynamic(item)) is not None:
                yield _wrong(f"The value for the field '{key}' {wrong}", at)
            continue
        yield from _payload(item, f"{at}/{key}")
        if isinstance(item, str) and _LOOKS_DYNAMIC.match(item):
            message = "No .$ on a field that appears to be a JSONPath or an intrinsic function"
            yield Diagnostic("NO_DOLLAR", message, f"{at}/{key}", "WARNING")


def _holds_dynamic(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_holds_dynamic, value))
    if not isinstance(value, Mapping):
        return False
    return any(key.endswith(".$") or _holds_dynamic(item) for key, item in value.items())


def _names(fields: Sequence[str]) -> str:
    return f"[{', '.join(fields)}]"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
