"""Batches under way in this process: started by one session, found again by any."""

import uuid
from collections import deque
from collections.abc import Sequence

from dashboard.aws import submissions
from dashboard.aws.cloud import Connection
from dashboard.aws.images import Upload
from dashboard.shared.jobs import Job, Jobs

_TITLE = "Classifying"


def start(
    jobs: Jobs, connection: Connection, uploads: Sequence[Upload], keys: Sequence[str]
) -> str:
    """Submit files and S3 keys in the background; the id under which ``find`` finds them."""
    batch_id, waiting = uuid.uuid4().hex[:12], deque(uploads)
    # Each file is handed over, so that one that is refused does not stay in memory with the batch.
    handed_over = (waiting.popleft() for _ in range(len(waiting)))
    jobs.start(
        job_key(batch_id),
        _TITLE,
        lambda report: submissions.classify(connection, batch_id, handed_over, keys, report),
    )
    return batch_id


def find(jobs: Jobs, connection: Connection, batch_id: str) -> Job:
    """The job of a batch; where this process has none, it is taken up again from S3."""
    return jobs.find_or_start(
        job_key(batch_id),
        _TITLE,
        lambda report: submissions.resume(connection, batch_id, report),
    )


def job_key(batch_id: str) -> str:
    """The key of a batch's job."""
    return f"batch-{batch_id}"
