"""Templates: payloads that hold paths (``"name.$"``) or expressions (``"{% ... %}"``)."""

from typing import Any

from workflow.asl import intrinsics, paths, queries
from workflow.asl.data import Scope, to_json
from workflow.asl.failures import StatesRuntimeError
from workflow.asl.paths import PathNotFound


def fill_template(template: Any, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
    """Return a payload template of JSONPath, filled.

    Raises:
        LanguageError: A path or a function fails.
    """
    if isinstance(template, list):
        return [fill_template(item, scope) for item in template]
    if not isinstance(template, dict):
        return template
    filled = {}
    for key, value in template.items():
        if key.endswith(".$"):
            filled[key.removesuffix(".$")] = value_of(value, scope, key)
        else:
            filled[key] = fill_template(value, scope)
    return filled


def value_of(text: str, scope: Scope, field: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a path or an intrinsic function.

    Args:
        text: The path or the call.
        scope: What it can refer to.
        field: The field that holds it, for the error.

    Raises:
        LanguageError: It leads nowhere or fails.
    """
    if intrinsics.is_call(text):
        return intrinsics.evaluate(intrinsics.parse(text), scope)
    path = paths.parse(text)
    try:
        return paths.evaluate(path, scope)
    except PathNotFound:
        seen = to_json(scope.context if path.root == "$$" else scope.input)
        raise StatesRuntimeError(
            f"The JSONPath '{text}' specified for the field '{field}' could not be found in the "
            f"input '{seen}'"
        ) from None


def evaluate_template(template: Any, scope: Scope, location: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a payload of JSONata with each expression evaluated.

    Args:
        template: Any JSON; strings that are ``{% ... %}`` are expressions.
        scope: What they can refer to.
        location: The field that holds it, such as ``Output``.

    Raises:
        QueryError: An expression fails.
    """
    if isinstance(template, dict):
        return {
            key: evaluate_template(value, scope, f"{location}/{key}")
            for key, value in template.items()
        }
    if isinstance(template, list):
        return [
            evaluate_template(item, scope, f"{location}[{n}]") for n, item in enumerate(template)
        ]
    text = queries.expression_of(template)
    return template if text is None else queries.evaluate(text, scope, location)
