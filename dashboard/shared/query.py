"""Filters in the URL: any frozen dataclass of plain fields, to and from query parameters.

A page declares what it can be filtered by as a dataclass whose every field has a default; this
module is the one codec between that and the address bar, so a filtered page can be shared, and
gone back to. A value that cannot be read never breaks a page: the default holds and the page says
what it left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Generic, TypeVar, get_origin, get_type_hints
from urllib.parse import urlencode

import msgspec

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Query(Generic[F]):
    """Filters as read from a URL.

    Attributes:
        filters: The page's own dataclass; defaults where the URL says nothing usable.
        ignored: One sentence for each parameter that was left out because it could not be read.
    """

    filters: F
    ignored: tuple[str, ...] = ()


def read(kind: type[F], params: Mapping[str, Sequence[str]]) -> Query[F]:
    """Read filters from query parameters; unknown parameters belong to others and are left alone.

    Args:
        kind: A dataclass whose fields are ``str``, ``int``, ``float``, ``bool``, ``datetime``,
            ``date``, an ``Optional`` of these, a ``Literal``, or a ``tuple[str, ...]``.
        params: Every value of every parameter, in order.
    """
    filters, ignored = kind(), []
    for name, type_ in get_type_hints(kind).items():
        values = params.get(name)
        if not values:
            continue
        raw: object = list(values) if get_origin(type_) is tuple else values[-1]
        try:
            value = msgspec.convert(raw, type_, strict=False)
            filters = replace(filters, **{name: value})  # type: ignore[type-var]
        except (msgspec.ValidationError, ValueError):
            ignored.append(f"{name}={values[-1]} in the address could not be used and was ignored.")
    return Query(filters, tuple(ignored))


def write(filters: Any) -> dict[str, list[str]]:  # noqa: ANN401 - any dataclass instance
    """The query parameters of filters; those at their default are left out.

    ``read(type(filters), write(filters)).filters == filters`` for every value.
    """
    default = type(filters)()
    return {
        field.name: _texts(getattr(filters, field.name))
        for field in fields(filters)
        if getattr(filters, field.name) != getattr(default, field.name)
    }


def href(page: str, filters: Any) -> str:  # noqa: ANN401 - any dataclass instance
    """The address of a page with its filters, such as ``executions?status=FAILED``.

    It is relative to the page that shows it, all of which are side by side: so it leads there below
    a base path and behind a proxy too.
    """
    query = urlencode(write(filters), doseq=True)
    return f"{page}?{query}" if query else page


def _texts(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    if isinstance(value, datetime):
        return [value.isoformat()]
    return [str(value).lower() if isinstance(value, bool) else str(value)]
