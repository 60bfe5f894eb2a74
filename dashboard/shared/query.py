"""Parameters in the URL: any frozen dataclass of plain fields, to and from query parameters.

A page declares every parameter that it takes as a dataclass whose fields all have defaults; this
module is the one codec between that and the address bar, so a filtered page can be shared, and
gone back to. A stale or foreign link never breaks a page: the default holds, and the page says
what it left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlencode

import msgspec

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Query(Generic[F]):
    """Parameters as read from a URL.

    Attributes:
        filters: The page's own dataclass; defaults where the URL says nothing usable.
        ignored: One sentence for each value that was left out: it cannot be read, or the page has
            no such parameter.
    """

    filters: F
    ignored: tuple[str, ...] = ()


def read_filters(kind: type[F], params: Mapping[str, Sequence[str]]) -> Query[F]:
    """Read a page's parameters; of a list, the values that can be read.

    Args:
        kind: A dataclass whose fields are ``str``, ``int``, ``float``, ``bool``, ``datetime``,
            ``date``, an ``Optional`` of these, a ``Literal``, an enum, or a ``tuple`` of one of
            them and ``...``.
        params: Every value of every parameter, in order.
    """
    fields_ = {_parameter_name(name): (name, type_) for name, type_ in get_type_hints(kind).items()}
    filters, ignored = kind(), []
    for name, values in params.items():
        if name not in fields_:
            ignored.append(f"This page has no parameter {name} in its address: it was ignored.")
            continue
        field, type_ = fields_[name]
        many = get_origin(type_) is tuple
        type_ = get_args(type_)[0] if many else type_
        # Of a parameter that is given twice the last one counts, as in ``st.query_params``.
        read_, unread = _read_each(values if many else values[-1:], type_)
        ignored += [describe_unknown(name, text) for text in unread]
        if read_:
            value = tuple(read_) if many else read_[0]
            try:
                filters = replace(filters, **{field: value})  # type: ignore[type-var]
            except ValueError:  # the dataclass has bounds of its own
                ignored.append(describe_unknown(name, values[-1]))
    return Query(filters, tuple(ignored))


def describe_unknown(name: str, text: str) -> str:
    """Return the sentence that says that a value in the address was ignored."""
    return f"{name}={text} in the address is not known here: it was ignored."


def _read_each(texts: Sequence[str], type_: Any) -> tuple[list[Any], list[str]]:  # noqa: ANN401 - a type form
    """Return the values that could be read, and the texts that could not."""
    read_: list[Any] = []
    unread: list[str] = []
    for text in texts:
        try:
            read_.append(_parse_value(text, type_))
        except (msgspec.ValidationError, ValueError):
            unread.append(text)
    return read_, unread


def _parse_value(text: str, type_: Any) -> object:  # noqa: ANN401 - a type form
    if datetime in (type_, *get_args(type_)):
        return datetime.fromisoformat(text)  # msgspec demands the seconds, Streamlit omits them
    return msgspec.convert(text, type_, strict=False)


def write_filters(filters: Any) -> dict[str, list[str]]:  # noqa: ANN401 - any dataclass instance
    """Return the query parameters of filters; those at their default are left out.

    ``read(type(filters), write(filters)).filters == filters`` for every value.
    """
    default = type(filters)()
    return {
        _parameter_name(field.name): _convert_to_texts(getattr(filters, field.name))
        for field in fields(filters)
        if getattr(filters, field.name) != getattr(default, field.name)
    }


def link_to(page: str, filters: Any) -> str:  # noqa: ANN401 - any dataclass instance
    """Return the address of a page with its filters, such as ``executions?status=FAILED``.

    It is relative to the page that shows it, all of which are side by side: so it leads there below
    a base path and behind a proxy too.
    """
    query = urlencode(write_filters(filters), doseq=True)
    return f"{page}?{query}" if query else page


def _parameter_name(field: str) -> str:
    """Return the parameter of a field; one whose name is a keyword of Python ends in ``_``."""
    return field.removesuffix("_")


def _convert_to_texts(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    if isinstance(value, datetime):
        return [value.isoformat()]
    return [str(value).lower() if isinstance(value, bool) else str(value)]
