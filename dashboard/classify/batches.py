"""Batches under way in this process: started by one session, found again by any."""

import json
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from dashboard.aws import submissions
from dashboard.aws.archives import RefusedFile
from dashboard.aws.cloud import Connection
from dashboard.aws.images import Upload
from dashboard.aws.submissions import Unsent
from dashboard.classify.photo_download import fetch_photo
from dashboard.shared.jobs import Job, Jobs
from dashboard.shared.permits import Permit
from workflow.errors import WorkflowError

_TITLE = "Classifying"
_KEPT = 4
"""Batches of which photos are kept in memory: one may have 256 MiB."""

_unsent: dict[str, Unsent] = {}


def start_batch(
    jobs: Jobs,
    permit: Permit,
    uploads: Sequence[Upload],
    keys: Sequence[str],
    addresses: Sequence[str] = (),
) -> str:
    """Submit files, S3 keys and photos of the web in the background.

    Returns:
        The id under which ``resume_batch`` finds the batch.
    """
    batch_id, waiting = uuid.uuid4().hex[:12], deque(uploads)
    # Each file is handed over, so that one that is refused does not stay in memory with the batch.
    handed_over = chain(
        (waiting.popleft() for _ in range(len(waiting))), map(_fetch_or_refuse, addresses)
    )
    names = {"files": [one.name for one in uploads], "keys": keys, "addresses": addresses}
    request = json.dumps({"batch": batch_id, **names})

    def work(report: Callable[[Any], None]) -> None:
        with permit.record_action(request):
            taken = submissions.prepare(permit.connection, batch_id, handed_over, keys)
            _send_batch(permit.connection, taken, report)

    jobs.start(job_key(batch_id), _TITLE, work)
    return batch_id


def _send_batch(connection: Connection, taken: Unsent, report: Callable[[Any], None]) -> None:
    """Submit a batch; keep what S3 does not take of it until it is taken up again."""
    batch_id = taken.batch.id
    _unsent[batch_id] = taken
    while len(_unsent) > _KEPT:
        _unsent.pop(next(iter(_unsent)), None)
    submissions.submit(connection, taken, report)
    if not taken.photos:
        _unsent.pop(batch_id, None)


def _fetch_or_refuse(address: str) -> Upload | RefusedFile:
    try:
        return fetch_photo(address)
    except WorkflowError as error:
        return RefusedFile.of(address, error)


def resume_batch(jobs: Jobs, permit: Permit, batch_id: str) -> Job:
    """Take a batch up again, unless this process is at it: from S3, with what S3 lacks of it."""

    def work(report: Callable[[Any], None]) -> None:
        with permit.record_action(json.dumps({"batch": batch_id, "resumed": True})):
            if left := _unsent.get(batch_id):
                _send_batch(permit.connection, left, report)
            else:
                submissions.resume(permit.connection, batch_id, report)

    # Found where it runs already: two sessions may open the same address.
    return jobs.find_or_start(job_key(batch_id), _TITLE, work)


def keeps_photos(batch_id: str) -> bool:
    """Return whether what S3 did not take of a batch is still here; lost with the process."""
    return batch_id in _unsent


def job_key(batch_id: str) -> str:
    """Return the key of a batch's job."""
    return f"batch-{batch_id}"
