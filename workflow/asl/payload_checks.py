"""Payload checks: what is wrong in the templates, expressions and Choice rules of a state."""

import re
from collections.abc import Mapping
from typing import Any, Final

from workflow.asl import comparisons, queries, rules
from workflow.asl.diagnostics import (
    Diagnostic,
    Found,
    check_fields,
    find_unsupported,
    items_of,
    schema_error,
)

_VARIABLE: Final = re.compile(r"[^\W\d]\w{0,79}")
_LOOKS_DYNAMIC: Final = re.compile(r"\$\$?\.|\$\[|States\.\w+\(")


def check_choice(rule: object, at: str, *, jsonata: bool) -> Found:
    """Yield what is wrong with a rule of a Choice."""
    if not isinstance(rule, Mapping):
        yield schema_error("Expected value of type Object", at)
        return
    if "Next" not in rule:
        yield schema_error("These fields are required: [Next]", at)
    elif not isinstance(rule["Next"], str):
        yield schema_error("Expected value of type String", f"{at}/Next")
    yield from check_payloads(rule, at, jsonata=jsonata)
    if not jsonata:
        yield from _check_comparison(rule, at, ("Next", "Assign"))
        return
    yield from find_unsupported(rule, ("Condition", "Next", "Assign", "Output", "Comment"), at)
    if "Condition" not in rule:
        yield schema_error("These fields are required: [Condition]", at)
    elif not isinstance(rule["Condition"], bool):
        yield from check_fields(rule, {"Condition": rules.check_expression}, at)


def _check_comparison(rule: Mapping[str, Any], at: str, extra: tuple[str, ...] = ()) -> Found:
    """Check a rule of a JSONPath Choice, or one within ``And``, ``Or`` and ``Not``."""
    known = (*comparisons.OPERATORS, "And", "Or", "Not")
    yield from find_unsupported(rule, (*known, "Variable", "Comment", *extra), at)
    operators = [field for field in rule if field in known]
    if len(operators) != 1:
        yield schema_error("Exactly one comparison operator is required", at)
        return
    operator, value = operators[0], rule[operators[0]]
    if operator in ("And", "Or"):
        if (message := rules.check_list(value)) is not None:
            yield schema_error(message, f"{at}/{operator}")
        for index, inner in enumerate(items_of(value)):
            if isinstance(inner, Mapping):
                yield from _check_comparison(inner, f"{at}/{operator}[{index}]")
            else:
                yield schema_error("Expected value of type Object", f"{at}/{operator}[{index}]")
        return
    if operator == "Not":
        if isinstance(value, Mapping):
            yield from _check_comparison(value, f"{at}/Not")
        else:
            yield schema_error("Expected value of type Object", f"{at}/Not")
        return
    if "Variable" not in rule:
        yield schema_error("These fields are required: [Variable]", at)
    checks = {"Variable": rules.check_path, operator: _operand_check(operator)}
    yield from check_fields(rule, checks, at)


def _operand_check(operator: str) -> rules.Check:
    if operator in comparisons.TESTS:
        return rules.check_flag
    if operator in comparisons.ORDERED:
        return rules.COMPARED[comparisons.ORDERED[operator][0]]
    return rules.check_text if operator == "StringMatches" else rules.check_path


def check_payloads(value: Mapping[str, Any], at: str, *, jsonata: bool) -> Found:
    """Yield what is wrong in the payloads of a state or one of its rules."""
    assigned = value.get("Assign")
    if isinstance(assigned, Mapping):
        for name in assigned:
            plain = name if jsonata else name.removesuffix(".$")
            # $states is reserved for input, result and context (developer guide, "Passing data").
            if not _VARIABLE.fullmatch(plain) or plain == "states":
                yield schema_error(f"Value is not a valid variable name: {plain}", f"{at}/Assign")
    if jsonata:
        known = ("Arguments", "Output", "Assign", "Items", "ItemSelector", "ItemBatcher", "Seconds",
                 "Timestamp", "Error", "Cause", "TimeoutSeconds", "HeartbeatSeconds",
                 "MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage",
                 "ItemReader", "ResultWriter", "Credentials")  # fmt: skip
        for field in known:
            if field in value:
                yield from _check_expressions(value[field], f"{at}/{field}")
        return
    for field in rules.TEMPLATES:
        if field in value:
            yield from _check_payload(value[field], f"{at}/{field}")
    if _holds_dynamic(value.get("Result")):
        message = "Attempt to use a path in the result of a Pass state"
        yield Diagnostic("PASS_RESULT_IS_STATIC", message, f"{at}/Result", "WARNING")


def _check_expressions(value: object, at: str) -> Found:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _check_expressions(item, f"{at}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check_expressions(item, f"{at}[{index}]")
    elif queries.expression_of(value) is not None and (message := rules.check_expression(value)):
        yield schema_error(message, at)


def _check_payload(value: object, at: str) -> Found:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check_payload(item, f"{at}[{index}]")
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key.endswith(".$"):
            if (message := rules.check_dynamic(item)) is not None:
                yield schema_error(f"The value for the field '{key}' {message}", at)
            continue
        yield from _check_payload(item, f"{at}/{key}")
        if isinstance(item, str) and _LOOKS_DYNAMIC.match(item):
            message = "No .$ on a field that appears to be a JSONPath or an intrinsic function"
            yield Diagnostic("NO_DOLLAR", message, f"{at}/{key}", "WARNING")


def _holds_dynamic(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_holds_dynamic, value))
    if not isinstance(value, Mapping):
        return False
    return any(key.endswith(".$") or _holds_dynamic(item) for key, item in value.items())
