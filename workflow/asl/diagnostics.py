"""Diagnostics: what a validator says of a definition, and the checks that all its parts share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workflow.asl import rules

_SCHEMA: Final = "SCHEMA_VALIDATION_FAILED"


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


def schema_error(message: str, at: str) -> Diagnostic:
    """Return an error of the schema at a place."""
    return Diagnostic(_SCHEMA, message, at or "/")


def find_unsupported(value: Mapping[str, Any], fields: Sequence[str], at: str) -> Found:
    """Yield an error for each field of an object that it may not have."""
    for field in value:
        if field not in fields:
            yield schema_error("Field is not supported", f"{at}/{field}")


def check_fields(value: Mapping[str, Any], checks: Mapping[str, rules.Check], at: str) -> Found:
    """Yield what is wrong with the fields of an object, by a check for each."""
    for field, check in checks.items():
        if field in value and (message := check(value[field])) is not None:
            yield schema_error(message, f"{at}/{field}")


def bracket_names(fields: Sequence[str]) -> str:
    """Return names in brackets, as AWS lists them."""
    return f"[{', '.join(fields)}]"


def items_of(value: object) -> list[Any]:
    """Return the items of an array; none of what is no array."""
    return value if isinstance(value, list) else []
