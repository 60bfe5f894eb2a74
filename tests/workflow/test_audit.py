"""Rows of the audit survive writing and reading, and tell of actions whatever their order."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.access import Privilege
from workflow.audit import (
    MAX_REQUEST,
    AuditRow,
    Phase,
    decode,
    encode,
    key_of,
    records,
    shortened,
)
from workflow.errors import WorkflowError

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ROWS = st.builds(
    AuditRow,
    id=st.from_regex(r"[0-9a-f]{4}", fullmatch=True),
    phase=st.sampled_from(Phase),
    at=st.datetimes(
        datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        datetime(2027, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    actor=TEXT,
    role=TEXT,
    action=st.sampled_from(Privilege),
    request=TEXT,
    result=TEXT,
    origin=TEXT,
)


def row(number: int, phase: Phase = Phase.BEGUN, result: str = "") -> AuditRow:
    return AuditRow(
        id=f"d{number}",
        phase=phase,
        at=AT + timedelta(minutes=number, seconds=phase is Phase.ENDED),
        actor="ana",
        role="admin",
        action=Privilege.DEPLOY,
        result=result,
    )


@given(ROWS)
def test_what_is_written_is_read(one: AuditRow) -> None:
    assert decode(encode(one)) == one


@given(st.binary())
def test_anything_else_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(WorkflowError) as caught:
        decode(body)

    assert caught.value.code == "AuditRowUnreadable"


@given(st.lists(ROWS), st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[AuditRow], chance: random.Random) -> None:
    unique = list({(one.id, one.phase): one for one in rows}.values())
    mixed = [*unique, *unique]
    chance.shuffle(mixed)

    assert records(mixed) == records(unique)
    assert len(records(unique)) == len({one.id for one in unique})


def test_the_latest_action_comes_first_and_one_without_an_end_has_no_result() -> None:
    found = records([row(1), row(2), row(1, Phase.ENDED, "done")])

    assert [(one.id, one.result) for one in found] == [("d2", ""), ("d1", "done")]
    assert found[0].ended_at is None


def test_a_time_without_a_zone_is_refused() -> None:
    text = encode(row(1)).replace(b"Z", b"")

    with pytest.raises(WorkflowError, match="without a zone"):
        decode(text)


def test_keys_sort_by_time_and_no_two_rows_share_one() -> None:
    rows = [row(1), row(1, Phase.ENDED), row(2), row(3)]

    assert key_of(rows[0]) == "audit/2026/11/26/120100-d1-begun.json"
    assert sorted({key_of(one) for one in rows}) == [key_of(one) for one in rows]


def test_a_long_request_is_cut_and_says_how_much_is_missing() -> None:
    assert shortened("a" * MAX_REQUEST) == "a" * MAX_REQUEST
    assert shortened("a" * (MAX_REQUEST + 1200)).endswith("aaa … and 1,200 characters more")
