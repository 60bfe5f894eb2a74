"""Batches under way in this process: started by one session, found again by any."""

import uuid
from collections import deque
from collections.abc import Sequence
from itertools import chain

from dashboard.aws import submissions
from dashboard.aws.archives import Refused
from dashboard.aws.cloud import Connection
from dashboard.aws.images import Upload
from dashboard.classify.fetching import fetch
from dashboard.shared.jobs import Job, Jobs
from workflow.errors import WorkflowError

_TITLE = "Classifying"


def start(
    jobs: Jobs,
    connection: Connection,
    uploads: Sequence[Upload],
    keys: Sequence[str],
    addresses: Sequence[str] = (),
) -> str:
    """Submit files, S3 keys and photos of the web in the background.

    Returns:
        The id under which ``find`` finds the batch.
    """
    batch_id, waiting = uuid.uuid4().hex[:12], deque(uploads)
    # Each file is handed over, so that one that is refused does not stay in memory with the batch.
    handed_over = chain((waiting.popleft() for _ in range(len(waiting))), map(_fetched, addresses))
    jobs.start(
        job_key(batch_id),
        _TITLE,
        lambda report: submissions.classify(connection, batch_id, handed_over, keys, report),
    )
    return batch_id


def _fetched(address: str) -> Upload | Refused:
    try:
        return fetch(address)
    except WorkflowError as error:
        return Refused.of(address, error)


def find(jobs: Jobs, connection: Connection, batch_id: str) -> Job:
    """Return the job of a batch; where this process has none, it is taken up again from S3."""
    return jobs.find_or_start(
        job_key(batch_id),
        _TITLE,
        lambda report: submissions.resume(connection, batch_id, report),
    )


def job_key(batch_id: str) -> str:
    """Return the key of a batch's job."""
    return f"batch-{batch_id}"
