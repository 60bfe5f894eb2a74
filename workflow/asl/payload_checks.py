"""Payload checks: what is wrong in the templates, expressions and Choice rules of a state."""

import re
from collections.abc import Mapping
from typing import Any, Final

from workflow.asl import comparisons, queries, rules
from workflow.asl.diagnostics import Diagnostic, Found, checked, items, unsupported, wrong

_VARIABLE: Final = re.compile(r"[^\W\d]\w{0,79}")
_LOOKS_DYNAMIC: Final = re.compile(r"\$\$?\.|\$\[|States\.\w+\(")


def check_choice(rule: object, at: str, *, jsonata: bool) -> Found:
    """Return what is wrong with a rule of a Choice."""
    if not isinstance(rule, Mapping):
        yield wrong("Expected value of type Object", at)
        return
    if "Next" not in rule:
        yield wrong("These fields are required: [Next]", at)
    elif not isinstance(rule["Next"], str):
        yield wrong("Expected value of type String", f"{at}/Next")
    yield from check_payloads(rule, at, jsonata=jsonata)
    if not jsonata:
        yield from _comparison(rule, at, ("Next", "Assign"))
        return
    yield from unsupported(rule, ("Condition", "Next", "Assign", "Output", "Comment"), at)
    if "Condition" not in rule:
        yield wrong("These fields are required: [Condition]", at)
    elif not isinstance(rule["Condition"], bool):
        yield from checked(rule, {"Condition": rules.check_expression}, at)


def _comparison(rule: Mapping[str, Any], at: str, extra: tuple[str, ...] = ()) -> Found:
    """Return a rule of a JSONPath Choice, or one within ``And``, ``Or`` and ``Not``."""
    known = (*comparisons.OPERATORS, "And", "Or", "Not")
    yield from unsupported(rule, (*known, "Variable", "Comment", *extra), at)
    operators = [field for field in rule if field in known]
    if len(operators) != 1:
        yield wrong("Exactly one comparison operator is required", at)
        return
    operator, value = operators[0], rule[operators[0]]
    if operator in ("And", "Or"):
        if (message := rules.check_list(value)) is not None:
            yield wrong(message, f"{at}/{operator}")
        for index, inner in enumerate(items(value)):
            if isinstance(inner, Mapping):
                yield from _comparison(inner, f"{at}/{operator}[{index}]")
            else:
                yield wrong("Expected value of type Object", f"{at}/{operator}[{index}]")
        return
    if operator == "Not":
        if isinstance(value, Mapping):
            yield from _comparison(value, f"{at}/Not")
        else:
            yield wrong("Expected value of type Object", f"{at}/Not")
        return
    if "Variable" not in rule:
        yield wrong("These fields are required: [Variable]", at)
    checks = {"Variable": rules.check_path, operator: _operand_check(operator)}
    yield from checked(rule, checks, at)


def _operand_check(operator: str) -> rules.Check:
    if operator in comparisons.TESTS:
        return rules.check_flag
    if operator in comparisons.ORDERED:
        return rules.COMPARED[comparisons.ORDERED[operator][0]]
    return rules.check_text if operator == "StringMatches" else rules.check_path


def check_payloads(value: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    """Return what is wrong in the payloads of a state or one of its rules."""
    assigned = value.get("Assign")
    if isinstance(assigned, Mapping):
        for name in assigned:
            plain = name if jsonata else name.removesuffix(".$")
            if not _VARIABLE.fullmatch(plain) or plain == "states":
                yield wrong(f"Value is not a valid variable name: {plain}", f"{at}/Assign")
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
    elif queries.expression(value) is not None and (message := rules.check_expression(value)):
        yield wrong(message, at)


def _payload(value: object, at: str) -> Found:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _payload(item, f"{at}[{index}]")
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key.endswith(".$"):
            if (message := rules.check_dynamic(item)) is not None:
                yield wrong(f"The value for the field '{key}' {message}", at)
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
