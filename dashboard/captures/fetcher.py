"""The fetcher of captures: read objects from S3, and give up where S3 itself fails."""

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final

from dashboard.aws.capture_errors import MAX_OBJECT_BYTES
from dashboard.aws.objects import ABOUT_ONE_OBJECT, Bucket, ObjectMeta
from dashboard.captures.byte_semaphore import ByteSemaphore
from dashboard.captures.lister import UnreadObject
from workflow.errors import WorkflowError

IN_FLIGHT: Final = 64
"""GET requests at a time."""

IN_FLIGHT_BYTES: Final = 64 << 20
"""Bytes asked for and not yet in a batch; one larger object is asked for alone."""

_REFUSED_IN_A_ROW: Final = 20


@dataclass(frozen=True, slots=True)
class FetchedObject:
    """The bytes of an object, or why there are none.

    Attributes:
        unread: The object.
        taken: Bytes taken of the semaphore for it.
        data: Its bytes; None where it was not asked for, or could not be read.
        error: Why it could not be read.
        passed_over: Whether it was not asked for because others like it stay refused.
    """

    unread: UnreadObject
    taken: int = 0
    data: bytes | None = None
    error: WorkflowError | None = None
    passed_over: bool = False


class Fetcher:
    """Reads objects, from many threads at a time; one instance for each pass.

    Attributes:
        semaphore: Bounds the bytes asked for; give back what ``FetchedObject.taken`` says.
        failure: Why S3 itself fails; None as long as it does not.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.semaphore = ByteSemaphore(IN_FLIGHT_BYTES)
        self.failure: WorkflowError | None = None
        self._counting = threading.Lock()
        self._in_a_row: Counter[bool] = Counter()
        self._still_refused = False

    def fetch(self, unread: UnreadObject) -> FetchedObject | None:
        """Read an object; return None where not it but S3 itself fails, which sets ``failure``."""
        meta = unread.meta
        if meta.size > MAX_OBJECT_BYTES or not meta.readable:
            return FetchedObject(unread)
        if unread.refused and self._still_refused:
            return FetchedObject(unread, passed_over=True)
        # A small object counts for more than it has: not too many should wait for their batch.
        taken = max(meta.size, IN_FLIGHT_BYTES // (4 * IN_FLIGHT))
        # In the reader, before the request: what waits for memory takes no connection.
        self.semaphore.take(taken)
        try:
            data = self._bytes_of(meta)
        except WorkflowError as error:
            if error.code not in ABOUT_ONE_OBJECT:
                self.failure = self.failure or error
                self.semaphore.free(taken)
                return None
            self._count_refusal(unread, error)
            return FetchedObject(unread, taken, error=error)
        # Without the lock: a count that a race loses only delays giving up.
        self._in_a_row[unread.refused is not None] = 0
        return FetchedObject(unread, taken, data)

    def _count_refusal(self, unread: UnreadObject, error: WorkflowError) -> None:
        """Give up where many objects in a row are refused.

        Those that were refused before do not end the pass: so each pass names others, until one
        comes to its end. The readers count, since who makes the batches may be far behind them.
        """
        before = unread.refused is not None
        with self._counting:
            self._in_a_row[before] += 1
            if self._in_a_row[before] < _REFUSED_IN_A_ROW:
                return
            if before:
                self._still_refused = True
            else:
                self.failure = self.failure or error

    def _bytes_of(self, meta: ObjectMeta) -> bytes:
        """Read the bytes as listed: where they have changed since, the next listing says so.

        To ask for them by their number spares a second wait for the interpreter, between the head
        of an answer and its body.
        """
        if not meta.size:
            return b""
        try:
            return self._bucket.read_range(meta.key, 0, meta.size)
        except WorkflowError as error:
            if error.code != "InvalidRange":
                raise
            return b""  # it has become empty: S3 refuses any range of it
