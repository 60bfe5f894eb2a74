"""The edge of reviews: draws, leases and labels in S3, each created by a conditional put.

Nothing is ever changed but a lease that has ended. Sources: S3 user guide, "How to prevent object
overwrites with conditional writes" (If-None-Match, If-Match) and "Amazon S3 data consistency
model" (a listing shows what was written before it).
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from botocore.exceptions import ClientError

from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from dashboard.aws.ground_truth import GROUND_TRUTH_PREFIX, GroundTruthLog
from dashboard.aws.objects import Bucket
from dashboard.aws.write_once import create_once
from dashboard.review.model import Slot, open_slots
from workflow.draws import Draw, read_draw, to_json
from workflow.errors import WorkflowError
from workflow.known_errors import read_error
from workflow.reviews import GroundTruth, ground_truth_key, ground_truth_lines
from workflow.verdicts import ReviewAnswer, Verdict, verdicts

DRAWS_PREFIX: Final = "reviews/draws"
LEASES_PREFIX: Final = "reviews/leases"
UNDECIDED_PREFIX: Final = "reviews/undecided"
"""Answers that name no truth lie apart: Model Monitor's merge job would count them as wrong."""

_TAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who reviews.

    Attributes:
        name: Login or name, as it is written beside the label.
        token: Of the browser session: two sessions of one person are told apart by it.
    """

    name: str
    token: str


class ReviewClient:
    """Draws and labels of one bucket; an object once read is not read again.

    Args:
        connection: The cloud.

    Attributes:
        bucket: Where they are.
        as_of: When they were last read; None before the first time.
    """

    def __init__(self, connection: Connection) -> None:
        self.bucket = Bucket.of(connection.session, connection.watched.bucket)
        self.as_of: datetime | None = None
        self._client = connection.client("s3")
        self._logs = [
            GroundTruthLog(self.bucket, prefix, connection.watched.classes)
            for prefix in (GROUND_TRUTH_PREFIX, UNDECIDED_PREFIX)
        ]
        self._draws: dict[str, Draw | WorkflowError] = {}
        self._written: dict[str, ReviewAnswer] = {}
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Read the draws and labels that are new.

        Raises:
            WorkflowError: The bucket cannot be read, under AWS's own code.
        """
        began = datetime.now(UTC)
        for page in self.bucket.objects(DRAWS_PREFIX):
            for key in (meta.key for meta in page if meta.key not in self._draws):
                self._draws[key] = self._read_draw(key)
        for log in self._logs:
            log.refresh()
        self.as_of = began

    def _read_draw(self, key: str) -> Draw | WorkflowError:
        try:
            return read_draw(self.bucket.read_whole(key), key)
        except WorkflowError as error:
            if error.code != "DrawUnreadable":
                raise
            return error

    def list_draws(self) -> list[Draw]:
        """Return every draw, the newest first."""
        found = [draw for draw in list(self._draws.values()) if isinstance(draw, Draw)]
        return sorted(found, key=lambda draw: draw.id, reverse=True)

    def list_problems(self) -> list[str]:
        """Return a sentence for each object or line that could not be read."""
        broken = [str(one) for one in list(self._draws.values()) if isinstance(one, WorkflowError)]
        rows = [row for log in self._logs for row in log.errors().iter_rows(named=True)]
        return broken + [f"{r['key']}, line {r['line']}: {r['reason']} {r['detail']}" for r in rows]

    def read_verdicts(self) -> dict[str, Verdict]:
        """Return the verdict on every photo that has a label, by the id it was given under."""
        answers = {
            (answer.source, place): answer
            for log in self._logs
            for place, answer in enumerate(log.answers())
        }
        with self._lock:
            known = {source for source, _ in answers}
            # Answers that no listing has shown yet count as well: the next photo need not wait for
            # one.
            self._written = {k: v for k, v in self._written.items() if k not in known}
            return verdicts([*answers.values(), *self._written.values()])

    def add_draw(self, draw: Draw) -> None:
        """Write a draw, unless an earlier try has written one of its id, which holds then.

        Raises:
            WorkflowError: AWS's own code.
        """
        key = f"{DRAWS_PREFIX}/{draw.id}.json"
        created = create_once(self._client, self.bucket.name, key, to_json(draw))
        self._draws[key] = draw if created else self._read_draw(key)

    def claim_slot(self, draw: Draw, reviewer: Reviewer) -> Slot | None:
        """Take a lease on the next photo of a draw; None where none is left for this reviewer.

        Of several reviewers who try for one photo exactly one gets it.

        Raises:
            WorkflowError: AWS's own code.
        """
        # Listed before labels are read: a lease that is taken meanwhile makes the put below fail.
        leases = self._list_leases(draw)
        now = datetime.now(UTC)
        taken = {name: at for name, (at, _) in leases.items()}
        for fresh in (False, True):
            found = open_slots(draw, taken, self.read_verdicts(), reviewer=reviewer.name, now=now)
            # A lease that has ended may be that of a photo which somebody else has labelled since.
            if fresh or not any(slot.name in taken for slot in found[:1]):
                break
            self.refresh()
        return next(
            (slot for slot in found if self._take_lease(draw, slot, reviewer, leases)), None
        )

    def _list_leases(self, draw: Draw) -> dict[str, tuple[datetime, str]]:
        """Return when each lease of a draw was taken, by S3's clock, and its ETag."""
        folder = f"{LEASES_PREFIX}/{draw.id}"
        return {
            meta.key.rpartition("/")[2]: (meta.last_modified, meta.etag)
            for page in self.bucket.objects(folder)
            for meta in page
        }

    def _take_lease(
        self,
        draw: Draw,
        slot: Slot,
        reviewer: Reviewer,
        leases: Mapping[str, tuple[datetime, str]],
    ) -> bool:
        """Take a lease, or one that has ended; whether this call got it."""
        key = f"{LEASES_PREFIX}/{draw.id}/{slot.name}"
        body = json.dumps({"reviewer": reviewer.name, "session": reviewer.token}).encode()
        if slot.name not in leases:
            return create_once(self._client, self.bucket.name, key, body)
        at, etag = leases[slot.name]
        body += f" {at.isoformat()}".encode()  # another ETag than the lease that has ended
        with explained("s3:PutObject", f"s3://{self.bucket.name}/{key}"):
            try:
                self._client.put_object(Bucket=self.bucket.name, Key=key, Body=body, IfMatch=etag)
            except ClientError as error:
                if read_error(error).code in _TAKEN:
                    return False
                raise
        return True

    def write_answer(self, truth: GroundTruth, label: int | None, name: str) -> None:
        """Write an answer: one object, one line, never changed.

        Args:
            truth: The line; it has a time and a review.
            label: The class it names; None where the reviewer could not tell.
            name: Of the object, unique to the answer: written twice, it is there once.

        Raises:
            WorkflowError: AWS's own code; nothing was written then.
        """
        at = truth.labelled_at or datetime.now(UTC)
        prefix = UNDECIDED_PREFIX if label is None else GROUND_TRUTH_PREFIX
        key = ground_truth_key(prefix, at, name)
        if not create_once(self._client, self.bucket.name, key, ground_truth_lines([truth])):
            self.bucket.read_whole(key)  # raises unless an earlier try of this call has written it
        with self._lock:
            self._written[key] = ReviewAnswer(truth.event_id, label, at, key, truth.review)
