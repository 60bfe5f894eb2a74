"""The audit as people see it: which records are shown, as a table, and as files. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date

import polars as pl

from dashboard.shared.csv_files import csv_file
from workflow.access import Privilege
from workflow.audit import AuditRecord


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """What the audit is narrowed to; all of it in the address.

    Attributes:
        who: Part of the actor's name.
        what: Actions; none means all.
        text: Part of the request or the result.
        start: First day, in UTC.
        end: Last day, in UTC.
    """

    who: str = ""
    what: tuple[Privilege, ...] = ()
    text: str = ""
    start: date | None = None
    end: date | None = None


def select(records: Iterable[AuditRecord], filters: AuditFilters) -> tuple[AuditRecord, ...]:
    """Return the records that pass the filters, in the order given; case does not matter."""
    who, text = filters.who.casefold(), filters.text.casefold()
    return tuple(
        record
        for record in records
        if who in record.actor.casefold()
        and (not filters.what or record.action in filters.what)
        and (text in record.request.casefold() or text in record.result.casefold())
        and (filters.start is None or filters.start <= record.at.astimezone(UTC).date())
        and (filters.end is None or record.at.astimezone(UTC).date() <= filters.end)
    )


def table(records: Sequence[AuditRecord]) -> pl.DataFrame:
    """Return one row a record, with the request on one line."""
    return pl.DataFrame(
        {
            "when (UTC)": [record.at.astimezone(UTC).replace(tzinfo=None) for record in records],
            "who": [record.actor for record in records],
            "role": [record.role for record in records],
            "what": [str(record.action) for record in records],
            "result": [result(record) for record in records],
            "request": [" ".join(record.request.split()) for record in records],
            "by": [record.origin for record in records],
        }
    )


def result(record: AuditRecord) -> str:
    """Return the result; what has none yet is under way, or was cut off by a crash."""
    return record.result or "not known: under way or cut off"


def csv(records: Sequence[AuditRecord]) -> bytes:
    """Return the records as CSV, one a line, with whole requests."""
    rows = [_plain(record) for record in records]
    return csv_file(pl.DataFrame(rows, schema=list(AuditRecord.__annotations__), orient="row"))


def json_lines(records: Sequence[AuditRecord]) -> bytes:
    """Return the records as JSON, one a line; times in ISO 8601 with their zone."""
    return "".join(f"{json.dumps(_plain(record))}\n" for record in records).encode()


def request(record: AuditRecord) -> str:
    """Return a request for reading: JSON is indented."""
    try:
        return json.dumps(json.loads(record.request), indent=2, ensure_ascii=False)
    except ValueError:
        return record.request


def _plain(record: AuditRecord) -> dict[str, str | None]:
    ended = record.ended_at.isoformat() if record.ended_at else None
    return {**asdict(record), "at": record.at.isoformat(), "ended_at": ended}
