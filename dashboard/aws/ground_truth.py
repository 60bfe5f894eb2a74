"""Ground truth in S3: the labels below one prefix, each object read once."""

from typing import Final

import polars as pl

from dashboard.aws.objects import Bucket
from workflow.contract import LABELS
from workflow.reviews import GroundTruth, read_ground_truth

GROUND_TRUTH_PREFIX: Final = "ground_truth"
"""Where labels lie in the workflow's bucket, in Model Monitor's layout."""

TRUTHS: Final = pl.Schema({"event_id": pl.String(), "truth": pl.Int32()})
"""The id a label was given under, and the class that is right."""


class GroundTruthLog:
    """All labels of a bucket, as far as they were read.

    Args:
        bucket: Where they are.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._read: dict[str, tuple[str, tuple[GroundTruth, ...]]] = {}

    def refresh(self) -> None:
        """Read the objects that are new or have changed.

        Raises:
            WorkflowError: The bucket cannot be read, under AWS's own code.
        """
        for page in self._bucket.objects(GROUND_TRUTH_PREFIX):
            for meta in page:
                known = self._read.get(meta.key)
                if known is None or known[0] != meta.etag:
                    batch = read_ground_truth(self._bucket.read_whole(meta.key), meta.key)
                    self._read[meta.key] = (meta.etag, batch.truths)

    @property
    def version(self) -> tuple[str, ...]:
        """Changes whenever the labels have."""
        return tuple(etag for etag, _ in self._read.values())

    def truths(self) -> pl.DataFrame:
        """The class of each label that names one, in the order of the keys: a frame of ``TRUTHS``.

        A label is the index of a class, or its name; anything else is no class of this workflow.
        """
        rows = [
            (truth.event_id, label)
            for key in sorted(self._read)
            for truth in self._read[key][1]
            if (label := _label(truth.label)) is not None
        ]
        return pl.DataFrame(rows, schema=TRUTHS, orient="row")


def _label(text: str) -> int | None:
    name = text.strip().strip('"').lower()
    if name in LABELS:
        return LABELS.index(name)
    try:
        number = float(name)
    except ValueError:
        return None
    return int(number) if number >= 0 and number.is_integer() else None
