"""The audit is narrowed by who, what, text and day, and comes out as CSV and JSON lines."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard.audit import model
from dashboard.audit.model import AuditFilters
from dashboard.shared import query
from workflow.access import Privilege
from workflow.audit import AuditRecord

AT = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)


def record(number: int, **given: object) -> AuditRecord:
    fields = {
        "id": f"r{number}",
        "at": AT - timedelta(days=number),
        "ended_at": AT - timedelta(days=number) + timedelta(seconds=2),
        "actor": "ana@example.com",
        "role": "operator",
        "action": Privilege.DEPLOY,
        "request": "[]",
        "result": "done",
        "origin": "dashboard",
    }
    return AuditRecord(**{**fields, **given})  # type: ignore[arg-type]  # fields of the record


RECORDS = (
    record(0),
    record(1, actor="bo@example.com", action=Privilege.TRIAGE, request="silenced for a day"),
    record(2, result="QuotaExceeded: no instance"),
)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (AuditFilters(), "r0 r1 r2"),
        (AuditFilters(who="BO@"), "r1"),
        (AuditFilters(what=(Privilege.DEPLOY, Privilege.DESTROY)), "r0 r2"),
        (AuditFilters(text="quota"), "r2"),
        (AuditFilters(text="Silenced"), "r1"),
        (AuditFilters(start=date(2026, 11, 25)), "r0 r1"),
        (AuditFilters(end=date(2026, 11, 25)), "r1 r2"),
        (AuditFilters(who="ana", start=date(2026, 11, 24), end=date(2026, 11, 24)), "r2"),
        (AuditFilters(who="eve"), ""),
    ],
)
def test_records_are_narrowed_by_all_filters_at_once(filters: AuditFilters, expected: str) -> None:
    assert [
        one.id for one in model.select_records(RECORDS, filters, ZoneInfo("UTC"))
    ] == expected.split()
    assert query.read_filters(AuditFilters, query.write_filters(filters)).filters == filters


def test_the_table_says_where_no_result_is_known() -> None:
    shown = model.records_table([record(0, ended_at=None, result="")])

    assert shown["Result"].to_list() == ["not known: under way or cut off"]


def test_a_request_that_a_spreadsheet_would_run_is_harmless_in_csv_and_whole_in_json() -> None:
    formula = '=HYPERLINK("http://evil.example","a")\nand more'
    shown = [record(0, request=formula, actor="@sum"), *RECORDS]

    table = list(csv.DictReader(io.StringIO(model.records_csv(shown).decode("utf-8-sig"))))
    lines = [json.loads(line) for line in model.json_lines(shown).splitlines()]

    assert len(table) == len(lines) == 4
    assert (table[0]["request"], table[0]["actor"]) == (f"'{formula}", "'@sum")
    assert (lines[0]["request"], lines[0]["actor"]) == (formula, "@sum")
    assert lines[1]["at"] == "2026-11-26T23:30:00+00:00"
    assert table[1]["action"] == lines[1]["action"] == "deploy"


def test_a_request_in_json_is_indented_and_any_other_left_as_it_is() -> None:
    assert model.format_request(record(0, request='{"a": 1}')) == '{\n  "a": 1\n}'
    assert model.format_request(record(0, request="redrive {")) == "redrive {"


def test_no_records_make_empty_files() -> None:
    assert model.json_lines([]) == b""
    assert model.records_csv([]).decode("utf-8-sig").startswith("id,at,")
    assert model.records_table([]).is_empty()
