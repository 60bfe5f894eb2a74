"""Ground truth in S3: the labels below one prefix, each object read once."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from dashboard.aws.capture_errors import MAX_OBJECT_BYTES, not_asked_for, not_read
from dashboard.aws.error_tables import ERRORS, error_rows
from dashboard.aws.objects import ABOUT_ONE_OBJECT, Bucket, ObjectMeta
from workflow.captures import CaptureError
from workflow.contract import LABELS
from workflow.errors import WorkflowError
from workflow.reviews import GroundTruth, class_of, read_ground_truth
from workflow.verdicts import ReviewAnswer

GROUND_TRUTH_PREFIX: Final = "ground_truth"
"""Where labels lie in the workflow's bucket, in Model Monitor's layout."""

TRUTHS: Final = pl.Schema({"event_id": pl.String(), "truth": pl.Int32()})
"""The id a label was given under, and the class that is right."""


@dataclass(frozen=True, slots=True)
class _Labels:
    """What became of one object.

    Attributes:
        meta: What the listing said of it.
        read_at: When it was read.
        truths: Its labels.
        errors: Its lines that give none, or why it could not be read.
        refused: Whether S3 refused it.
    """

    meta: ObjectMeta
    read_at: datetime
    truths: Sequence[GroundTruth] = ()
    errors: Sequence[CaptureError] = ()
    refused: bool = False


class GroundTruthLog:
    """All labels of a bucket, as of the last refresh.

    Args:
        bucket: Where they are.
        prefix: Below which prefix.
        classes: Names of the model's classes, by their index.
    """

    def __init__(
        self,
        bucket: Bucket,
        prefix: str = GROUND_TRUTH_PREFIX,
        classes: Sequence[str] = LABELS,
    ) -> None:
        self._bucket = bucket
        self._classes = classes
        self._prefix = prefix
        self._read: dict[str, _Labels] = {}

    def refresh(self) -> None:
        """Read the objects that are new or have changed, and forget those that are gone.

        What was refused before is asked for again, until one is refused again: so one request
        tells that all of many stay refused.

        Raises:
            WorkflowError: The bucket cannot be read, under AWS's own code. An object that cannot
                be read ends nothing and is one of the ``errors``.
        """
        listed = [meta for page in self._bucket.objects(self._prefix) for meta in page]
        read: dict[str, _Labels] = {}
        refused: list[_Labels] = []
        for meta in listed:
            known = self._read.get(meta.key)
            if known is None or known.meta.etag != meta.etag:
                known = self._read_labels(meta)
            elif known.refused:
                refused.append(known)
            read[meta.key] = known
        random.shuffle(refused)  # so that in time each has its turn
        for before in refused:
            again = self._read_labels(before.meta)
            if again.refused:
                break
            read[again.meta.key] = again
        # Replaced at once: pages read it in other threads.
        self._read = read

    def _read_labels(self, meta: ObjectMeta) -> _Labels:
        """Read an object, whatever is in it."""
        now = datetime.now(UTC)
        if meta.size > MAX_OBJECT_BYTES or not meta.readable:
            return _Labels(meta, now, errors=[not_asked_for(meta)])
        try:
            data = self._bucket.read_whole(meta.key)
        except WorkflowError as error:
            if error.code not in ABOUT_ONE_OBJECT:
                raise
            return _Labels(meta, now, errors=[not_read(meta, error)], refused=True)
        batch = read_ground_truth(data, meta.key, self._classes)
        return _Labels(meta, now, batch.truths, batch.errors)

    @property
    def version(self) -> tuple[tuple[str, str, bool], ...]:
        """Changes whenever the labels or the errors have."""
        return tuple((key, one.meta.etag, one.refused) for key, one in self._read.items())

    def truths(self) -> pl.DataFrame:
        """Return the class of each label, in the order of the keys: a frame of ``TRUTHS``.

        A label that names no class is one of the ``errors``.
        """
        rows = [
            (truth.event_id, class_of(truth.label, self._classes))
            for _, one in sorted(self._read.items())
            for truth in one.truths
        ]
        return pl.DataFrame(rows, schema=TRUTHS, orient="row")

    def answers(self) -> list[ReviewAnswer]:
        """Return every label with its reviewer and time; that of the object where it has none."""
        return [
            ReviewAnswer(
                truth.event_id,
                class_of(truth.label, self._classes),
                truth.labelled_at or one.meta.last_modified,
                key,
                truth.review,
            )
            for key, one in sorted(self._read.items())
            for truth in one.truths
        ]

    def errors(self) -> pl.DataFrame:
        """Return what gives no label, newest first: rows of ``error_tables.ERRORS``."""
        found = [error_rows(one.errors, one.read_at) for one in self._read.values()]
        rows = pl.concat([pl.DataFrame(schema=pl.Schema(ERRORS)), *found])
        return rows.sort("found_at", descending=True, maintain_order=True)
