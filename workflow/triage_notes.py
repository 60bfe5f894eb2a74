"""Notes: what a team decided about a group of failures, written once and never changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from workflow.errors import WorkflowError
from workflow.fingerprints import Fingerprint, of_parts


class TriageAction(StrEnum):
    """What a note does to the group of its fingerprint."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    SILENCE = "silence"
    SPLIT = "split"
    MERGE = "merge"
    COMMENT = "comment"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageEvent:
    """One note; immutable once written.

    Attributes:
        id: Unique; the same id read twice counts once.
        at: When it was written, aware; notes are applied by ``at``, then by ``id``.
        fingerprint: Digest of the group it is about; any member's of a merged group.
        text: A comment, on any action.
        version: RESOLVE: the state machine version that holds the repair, None for "as of now".
        until: SILENCE: end of the silence, aware.
        into: MERGE: digest of the group to join.
        contains: SPLIT: failures whose error or cause contains this text form their own group.
        undoes: UNDO: id of the note to take back.

    Raises:
        WorkflowError: ``TriageEventInvalid`` where what the action needs is missing.
    """

    id: str
    at: datetime
    author: str
    fingerprint: str
    action: TriageAction
    text: str = ""
    version: str | None = None
    until: datetime | None = None
    into: str | None = None
    contains: str | None = None
    undoes: str | None = None

    def __post_init__(self) -> None:
        needed = {
            TriageAction.SILENCE: self.until,
            TriageAction.SPLIT: self.contains,
            TriageAction.MERGE: self.into,
            TriageAction.UNDO: self.undoes,
            TriageAction.COMMENT: self.text,
        }
        if not needed.get(self.action, "nothing"):
            raise _invalid_note(f"The note {self.id} says {self.action} without saying what.")
        if self.at.tzinfo is None or (self.until and self.until.tzinfo is None):
            raise _invalid_note(f"The note {self.id} has a time without time zone.")


def in_force(log: Iterable[TriageEvent]) -> tuple[TriageEvent, ...]:
    """Return the notes that hold, by time: each id once, without those taken back."""
    by_id: dict[str, TriageEvent] = {}
    for note in log:
        known = by_id.get(note.id)
        by_id[note.id] = note if known is None else min(known, note, key=to_line)
    undone = {note.undoes for note in by_id.values() if note.action is TriageAction.UNDO}
    kept = [
        note
        for note in by_id.values()
        if note.id not in undone and note.action is not TriageAction.UNDO
    ]
    return tuple(sorted(kept, key=lambda note: (note.at, note.id)))


def to_line(event: TriageEvent) -> bytes:
    """Return a note as one line of JSON, without its line feed."""
    return msgspec.json.encode(event)


def from_line(line: bytes | str) -> TriageEvent:
    """Read a note back; fields of younger programs are ignored.

    Raises:
        WorkflowError: ``TriageEventInvalid``.
    """
    try:
        return msgspec.json.decode(line, type=TriageEvent)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _invalid_note(f"A line is no note: {error}.") from None


def split_off(note: TriageEvent) -> Fingerprint:
    """Return the fingerprint of the group that a SPLIT makes."""
    return of_parts((("split from", note.fingerprint), ("contains", note.contains or "")))


def digests_of(note: TriageEvent) -> tuple[str, ...]:
    """Return the digests that a note is shown with: a split is undone on either of its sides."""
    if note.action is TriageAction.SPLIT:
        return note.fingerprint, split_off(note).digest
    return (note.fingerprint,)


def _invalid_note(message: str) -> WorkflowError:
    return WorkflowError(
        "TriageEventInvalid", message, "Write notes with this program, one JSON object a line."
    )
