"""Comparisons: the rules of a Choice state in JSONPath.

https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from workflow.asl import paths
from workflow.asl.data import Scope
from workflow.asl.failures import StatesRuntimeError
from workflow.asl.paths import PathNotFound
from workflow.asl.times import read_time

Rule = Mapping[str, Any]

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "Equals": lambda left, right: left == right,
    "LessThan": lambda left, right: left < right,
    "GreaterThan": lambda left, right: left > right,
    "LessThanEquals": lambda left, right: left <= right,
    "GreaterThanEquals": lambda left, right: left >= right,
}


def _is_number(value: object) -> bool:
    # Python's bool is an int; JSON's true is no number.
    return isinstance(value, int | float) and not isinstance(value, bool)


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "String": lambda value: value if isinstance(value, str) else None,
    "Numeric": lambda value: value if _is_number(value) else None,
    "Boolean": lambda value: value if isinstance(value, bool) else None,
    "Timestamp": read_time,
}
_KINDS: Final[dict[str, Callable[[Any], bool]]] = {
    "IsNull": lambda value: value is None,
    "IsString": lambda value: isinstance(value, str),
    "IsNumeric": _is_number,
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: read_time(value) is not None,
}
# The operators that compare with a value -> (type, order).
ORDERED: Final = {
    f"{kind}{order}": (kind, order)
    for kind in _READERS
    for order in _ORDERS
    # The language orders no booleans: there is BooleanEquals alone.
    if kind != "Boolean" or order == "Equals"
}
TESTS: Final = frozenset({*_KINDS, "IsPresent"})
OPERATORS: Final = frozenset(
    {*ORDERED, *(f"{name}Path" for name in ORDERED), *TESTS, "StringMatches"}
)
GLOB: Final = re.compile(r"\\(.)|\*", re.DOTALL)


def is_met(rule: Rule, scope: Scope) -> bool:
    """Return whether a rule is met.

    Raises:
        StatesRuntimeError: A path leads to nothing, in a rule that does not ask for its presence.
    """
    if "Not" in rule:
        return not is_met(rule["Not"], scope)
    if "And" in rule or "Or" in rule:
        combine, inner = (all, rule["And"]) if "And" in rule else (any, rule["Or"])
        return combine(is_met(one, scope) for one in inner)
    return _compare_values(rule, scope)


def _compare_values(rule: Rule, scope: Scope) -> bool:
    operator = next(name for name in rule if name in OPERATORS)
    wanted = rule[operator]
    # Before the value is looked up: an absent variable is an answer here and an error elsewhere.
    if operator == "IsPresent":
        return _is_present(rule["Variable"], scope) is wanted
    value = _variable_value(rule["Variable"], scope)
    if operator in _KINDS:
        return _KINDS[operator](value) is wanted
    if operator == "StringMatches":
        return isinstance(value, str) and _glob_pattern(wanted).fullmatch(value) is not None
    if operator not in ORDERED:
        operator, wanted = operator.removesuffix("Path"), _variable_value(wanted, scope)
    kind, order = ORDERED[operator]
    # A value of another type than the operator's makes the rule false; it is not an error.
    left, right = _READERS[kind](value), _READERS[kind](wanted)
    return left is not None and right is not None and _ORDERS[order](left, right)


def _is_present(text: str, scope: Scope) -> bool:
    path = paths.parse(text)
    try:
        found = paths.evaluate(path, scope)
    except PathNotFound:
        return False
    # A path with a wildcard or filter never fails: it finds an empty list where nothing is.
    return path.definite or bool(found)


def _variable_value(text: str, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return paths.evaluate(paths.parse(text), scope)
    except PathNotFound:
        raise StatesRuntimeError(
            f"Invalid path '{text}': The choice state's condition path references an invalid value."
        ) from None


def _glob_pattern(text: str) -> re.Pattern[str]:
    r"""Return a pattern of StringMatches: ``*`` is any text, ``\*`` a star, ``\\`` a backslash."""
    made, at = "", 0
    for match in GLOB.finditer(text):
        made += re.escape(text[at : match.start()])
        made += ".*" if match[0] == "*" else re.escape(match[1])
        at = match.end()
    return re.compile(made + re.escape(text[at:]), re.DOTALL)
