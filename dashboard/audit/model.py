"""The audit as people see it: which records are shown, as a table, and as files. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from zoneinfo import ZoneInfo

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
        start: First day.
        end: Last day.
    """

    who: str = ""
    what: tuple[Privilege, ...] = ()
    text: str = ""
    start: date | None = None
    end: date | None = None


def select_records(
    records: Iterable[AuditRecord], filters: AuditFilters, zone: ZoneInfo
) -> tuple[AuditRecord, ...]:
    """Return the records that pass the filters, in the order given; case does not matter.

    Args:
        records: All there are.
        filters: What to keep.
        zone: In which the filters' days are.
    """
    who, text = filters.who.casefold(), filters.text.casefold()
    return tuple(
        record
        for record in records
        if who in record.actor.casefold()
        and (not filters.what or record.action in filters.what)
        and (text in record.request.casefold() or text in record.result.casefold())
        and (filters.start is None or filters.start <= record.at.astimezone(zone).date())
        and (filters.end is None or record.at.astimezone(zone).date() <= filters.end)
    )


def records_table(records: Sequence[AuditRecord]) -> pl.DataFrame:
    """Return one row a record, with the request on one line."""
    return pl.DataFrame(
        {
            "When": [record.at for record in records],
            "Who": [record.actor for record in records],
            "Role": [record.role for record in records],
            "What": [str(record.action) for record in records],
            "Result": [format_result(record) for record in records],
            "Request": [" ".join(record.request.split()) for record in records],
            "Where from": [record.origin for record in records],
        }
    )


def format_result(record: AuditRecord) -> str:
    """Return the result; what has none yet is under way, or was cut off by a crash."""
    return record.result or "not known: under way or cut off"


def records_csv(records: Sequence[AuditRecord]) -> bytes:
    """Return the records as CSV, one a line, with whole requests."""
    rows = [_flatten_record(record) for record in records]
    return csv_file(pl.DataFrame(rows, schema=list(AuditRecord.__annotations__), orient="row"))


def json_lines(records: Sequence[AuditRecord]) -> bytes:
    """Return the records as JSON, one a line; times in ISO 8601 with their zone."""
    return "".join(f"{json.dumps(_flatten_record(record))}\n" for record in records).encode()


def format_request(record: AuditRecord) -> str:
    """Return a request for reading: JSON is indented."""
    try:
        return json.dumps(json.loads(record.request), indent=2, ensure_ascii=False)
    except ValueError:
        return record.request


def _flatten_record(record: AuditRecord) -> dict[str, str | None]:
    ended = record.ended_at.isoformat() if record.ended_at else None
    return {**asdict(record), "at": record.at.isoformat(), "ended_at": ended}
