"""Notes in S3: what a team decided about failures, one immutable object a note.

Objects are only ever created, never changed: several dashboards write at once without a lock, and
every reader derives the same status from the same set (``workflow.triage``). Listing is strongly
consistent (S3 user guide, "Amazon S3 data consistency model"), so a note is seen by the next read.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.aws.errors import explained
from dashboard.aws.write_once import create_once
from workflow.errors import WorkflowError
from workflow.triage_notes import TriageEvent, from_line, to_line

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

TRIAGE_PREFIX = "triage/"
NOTES_PREFIX = f"{TRIAGE_PREFIX}notes/"
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Notes:
    """Every note that could be read, and a sentence for each that could not."""

    events: tuple[TriageEvent, ...] = ()
    problems: tuple[str, ...] = ()


class NoteLog:
    """The append-only notes of one bucket; an object once read is never read again.

    Args:
        client: A boto3 ``s3`` client.
        bucket: The workflow's bucket.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._read: dict[str, TriageEvent | str] = {}

    def append(self, note: TriageEvent) -> None:
        """Write a note.

        Raises:
            WorkflowError: AWS's own code; nothing was written then.
        """
        key = f"{NOTES_PREFIX}{note.at:%Y/%m/%d/%H%M%S}-{note.id}.json"
        create_once(self._client, self._bucket, key, to_line(note))
        # Known at once: the page that wrote it need not wait for a listing.
        self._read[key] = note

    def read(self) -> Notes:
        """Return every note there is; the order of arrival does not matter.

        Raises:
            WorkflowError: AWS's own code, where listing or reading is refused.
        """
        with explained("s3:ListObjectsV2", f"s3://{self._bucket}/{NOTES_PREFIX}"):
            unread = [key for key in self._list_keys() if key not in self._read]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                self._read |= dict(zip(unread, pool.map(self._fetch_note, unread), strict=True))
        return self.known_notes()

    def known_notes(self) -> Notes:
        """Return every note that was read or written by this process so far; nothing is asked."""
        # A copy: other threads add notes meanwhile.
        found = list(self._read.values())
        return Notes(
            tuple(note for note in found if isinstance(note, TriageEvent)),
            tuple(problem for problem in found if isinstance(problem, str)),
        )

    def _list_keys(self) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=NOTES_PREFIX):
            yield from (item["Key"] for item in page.get("Contents", []))

    def _fetch_note(self, key: str) -> TriageEvent | str:
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return from_line(body)
        except WorkflowError as error:
            return f"{key}: {error.message}"
