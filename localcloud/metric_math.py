"""Metric math: the arithmetic, comparisons, IF and FILL of CloudWatch's expressions. Pure.

Source: CloudWatch User Guide, "Metric math syntax and functions".
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.errors import AwsError

Series = Mapping[float, float]
"""Values by the start of their period."""

_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARGUMENTS = {"IF": (2, 3), "FILL": (2, 2)}


def compute_expression(expression: str, series: Mapping[str, Series]) -> dict[float, float]:
    """Return an expression's value by period; none where an operand is missing or divided by 0.

    Raises:
        AwsError: ``ValidationError`` for what is no expression, or none that is known here.
    """
    tree = _parse_expression(expression, series)
    starts = sorted({start for values in series.values() for start in values})
    found = {
        start: _evaluate_node(tree, {n: v.get(start) for n, v in series.items()})
        for start in starts
    }
    return {start: float(value) for start, value in found.items() if value is not None}


def check_expression(expression: str, names: Mapping[str, Any]) -> None:
    """Refuse an expression that ``compute`` could not work out; see there."""
    _parse_expression(expression, names)


def _parse_expression(expression: str, names: Mapping[str, Any]) -> ast.expr:
    try:
        # The expressions known here are a subset of Python's grammar; _is_known refuses the rest.
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise _refusal_error(expression) from error
    for node in ast.walk(tree):
        if not _is_known(node, names):
            raise _refusal_error(expression)
    return tree


def _is_known(node: ast.AST, names: Mapping[str, Any]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names or node.id in _ARGUMENTS
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        least, most = _ARGUMENTS.get(name, (0, -1))
        return not node.keywords and least <= len(node.args) <= most
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1
    return type(node) in _OPERATORS or isinstance(
        node, ast.BinOp | ast.UnaryOp | ast.USub | ast.Load
    )


def _evaluate_node(node: ast.expr, values: Mapping[str, float | None]) -> float | None:
    found: float | None = None
    match node:
        case ast.Constant(value=int() | float() as number):
            found = number
        case ast.Name(id=name):
            found = values.get(name)
        case ast.UnaryOp(operand=operand):
            positive = _evaluate_node(operand, values)
            found = None if positive is None else -positive
        case ast.BinOp(left=left, op=op, right=right):
            found = _combine_operands(op, left, right, values)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            found = _combine_operands(op, left, right, values)
        case ast.Call(func=ast.Name(id="FILL"), args=[metric, otherwise]):
            given = _evaluate_node(metric, values)
            found = _evaluate_node(otherwise, values) if given is None else given
        case ast.Call(args=[condition, *branches]):
            met = _evaluate_node(condition, values)
            chosen = branches[:1] if met else branches[1:]
            found = _evaluate_node(chosen[0], values) if met is not None and chosen else None
    return found


def _combine_operands(
    op: ast.AST, left: ast.expr, right: ast.expr, values: Mapping[str, float | None]
) -> float | None:
    first, second = _evaluate_node(left, values), _evaluate_node(right, values)
    if first is None or second is None or (isinstance(op, ast.Div) and second == 0):
        return None
    return float(_OPERATORS[type(op)](first, second))


def _refusal_error(expression: str) -> AwsError:
    return AwsError(
        "ValidationError",
        f"The local cloud cannot compute {expression!r}: it knows + - * /, comparisons, IF and "
        "FILL of the metrics' ids.",
    )
