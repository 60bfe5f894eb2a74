"""Audit: who did what, when, on which request, and with which result. Rows are never changed.

Each action has two rows: one before anything is done, one with the result. An action whose second
row is missing was cut off, or is under way.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from workflow.access import Privilege
from workflow.errors import WorkflowError

PREFIX: Final = "audit/"
"""Where rows lie in the workflow's bucket, in one folder a day (UTC)."""

MAX_REQUEST: Final = 20_000
"""Characters of a request that are kept; the rest is counted."""

DONE: Final = "done"
CUT_OFF: Final = "cut off"


class Phase(StrEnum):
    """Which of the two rows of an action."""

    BEGUN = "begun"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One row.

    Attributes:
        id: Of the action; both of its rows have it.
        phase: Which of the two it is.
        at: When it was written; aware, UTC.
        actor: Who: an e-mail address, a user of the machine, or the ARN of a caller.
        role: What the actor was allowed then, such as ``operator``.
        action: What was done.
        request: The plan or request, as JSON or text; empty in the second row.
        result: ``done``, or the error's code and message; empty in the first row.
        origin: Where it was asked for: ``dashboard`` or ``command line``.
    """

    id: str
    phase: Phase
    at: datetime
    actor: str
    role: str
    action: Privilege
    request: str = ""
    result: str = ""
    origin: str = "dashboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One action, of one or both of its rows.

    Attributes:
        ended_at: When its result was known; None where no second row is known.
        result: ``done``, the error, or empty where it is not known.
    """

    id: str
    at: datetime
    ended_at: datetime | None
    actor: str
    role: str
    action: Privilege
    request: str
    result: str
    origin: str


@dataclass(slots=True)
class AuditResult:
    """The result of an action as it is recorded; set where the action ends without raising."""

    text: str = DONE


@contextmanager
def recorded(
    append: Callable[[AuditRow], None],
    now: Callable[[], datetime],
    *,
    actor: str,
    role: str,
    action: Privilege,
    request: str,
    origin: str,
) -> Iterator[AuditResult]:
    """Write that an action begins, and with which result it ends, whatever that is.

    Args:
        append: Writes a row.
        now: Returns the time, aware UTC.
        actor: As in ``AuditRow``; so are the others.
        role: Likewise.
        action: Likewise.
        request: Likewise; shortened.
        origin: Likewise.

    Raises:
        WorkflowError: What ``append`` raises, before anything is done; what the action raises.
    """
    begun = AuditRow(
        id=uuid.uuid4().hex,
        phase=Phase.BEGUN,
        at=now(),
        actor=shortened(actor),
        role=role,
        action=action,
        request=shortened(request),
        origin=origin,
    )
    append(begun)
    # Any other exception, a signal among them, leaves the action cut off.
    said = CUT_OFF
    result = AuditResult()
    try:
        yield result
        said = result.text
    except WorkflowError as error:
        said = f"{error.code}: {error.message}"
        raise
    finally:
        ended = replace(begun, phase=Phase.ENDED, at=now(), request="", result=shortened(said))
        append(ended)


def key_of(row: AuditRow) -> str:
    """Return the key under which a row lies in S3; no other row has it."""
    return f"{PREFIX}{row.at:%Y/%m/%d/%H%M%S}-{row.id}-{row.phase}.json"


def file_name(key: str) -> str:
    """Return the name of the file that keeps a row locally until S3 takes it."""
    return key.removeprefix(PREFIX).replace("/", "-")


def encode(row: AuditRow) -> bytes:
    """Return a row as one line of JSON."""
    return msgspec.json.encode(row)


def decode(line: bytes) -> AuditRow:
    """Read what ``encode`` has written.

    Raises:
        WorkflowError: ``AuditRowUnreadable``.
    """
    try:
        row = msgspec.json.decode(line, type=AuditRow)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WorkflowError(
            "AuditRowUnreadable",
            f"This is not a row of the audit ({error}).",
            "Look at the object in S3: it was written or changed by something else.",
        ) from error
    if row.at.tzinfo is None:
        raise WorkflowError(
            "AuditRowUnreadable",
            "This row of the audit has a time without a zone.",
            "Look at the object in S3: it was written or changed by something else.",
        )
    return row


def shortened(request: str) -> str:
    """Return a text as it is kept: what is beyond ``MAX_REQUEST`` is counted.

    A lone surrogate, which JSON of others may hold and no file can, becomes a question mark.
    """
    request = request.encode(errors="replace").decode()
    if len(request) <= MAX_REQUEST:
        return request
    return f"{request[:MAX_REQUEST]} … and {len(request) - MAX_REQUEST:,} characters more"


def records(rows: Iterable[AuditRow]) -> tuple[AuditRecord, ...]:
    """Return the actions that rows tell of, the latest first; rows in any order, and twice."""
    begun: dict[str, AuditRow] = {}
    ended: dict[str, AuditRow] = {}
    for row in rows:
        (begun if row.phase is Phase.BEGUN else ended)[row.id] = row
    # A row that ends an action may be read before the one that begins it.
    last = {**ended, **begun}
    found = [_build_record(row, ended.get(one)) for one, row in last.items()]
    return tuple(sorted(found, key=lambda record: (record.at, record.id), reverse=True))


def _build_record(known: AuditRow, ended: AuditRow | None) -> AuditRecord:
    return AuditRecord(
        id=known.id,
        at=known.at,
        ended_at=ended.at if ended else None,
        actor=known.actor,
        role=known.role,
        action=known.action,
        request=known.request,
        result=ended.result if ended else "",
        origin=known.origin,
    )
