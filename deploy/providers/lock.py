"""The lock: an object in the bucket that only one deploy at a time can write.

It is a lease. Whoever holds it renews it while it works; a deploy that was killed loses it after
:data:`LEASE_SECONDS`. Ages are measured by S3's own clock, so that of the machine that deploys
does not matter. S3's conditional writes (``If-None-Match``, ``If-Match``) make taking it atomic.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from deploy.providers.clients import Aws, call_or_none
from deploy.providers.errors import code_of
from deploy.providers.s3 import LOCK_KEY
from workflow.errors import WorkflowError

LEASE_SECONDS = 90
RENEW_SECONDS = 20
TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class Lock:
    """The lock of one bucket.

    Args:
        aws: Whose S3.
        bucket: Name of the bucket; while there is none, nothing is locked.
        holder: Who to name to others, such as ``ana@laptop``.
        monotonic: Seconds that only go forward.
    """

    def __init__(
        self, aws: Aws, bucket: str, holder: str, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._s3 = aws.s3
        self._bucket = bucket
        self._holder = holder
        self._monotonic = monotonic
        self._etag = ""
        self._written = 0.0

    def hold(self) -> None:
        """Take the lock, or renew it when it is time.

        Raises:
            WorkflowError: ``DeployLocked`` while another deploy holds it.
        """
        if not self._etag:
            self._take_lock()
        # Well before the lease ends, and not at every sign of life: each renewal is a request.
        elif self._monotonic() - self._written >= RENEW_SECONDS:
            self._write_lock(match=self._etag)

    def release(self) -> None:
        """Give the lock back, unless somebody else has taken it meanwhile."""
        if not self._etag:
            return
        head = self._read_head()
        # After a lost lease the object is another deploy's: it must stay locked.
        if head is not None and head[0] == self._etag:
            self._s3.delete_object(Bucket=self._bucket, Key=LOCK_KEY)
        self._etag = ""

    def _take_lock(self) -> None:
        head = self._read_head()
        if head is None:
            self._write_lock(match="")
            return
        etag, age = head
        if age < LEASE_SECONDS:
            raise self._locked_error(age)
        # The lease has run out. If-Match: of two that take it over, S3 lets one through.
        self._write_lock(match=etag)

    def _write_lock(self, *, match: str) -> None:
        condition: dict[str, Any] = {"IfMatch": match} if match else {"IfNoneMatch": "*"}
        # The time makes every renewal another object, and so another ETag.
        body = json.dumps({"holder": self._holder, "renewed": self._monotonic()})
        try:
            answer = call_or_none(
                lambda: self._s3.put_object(
                    Bucket=self._bucket, Key=LOCK_KEY, Body=body.encode(), **condition
                ),
                "NoSuchBucket",
            )
        except ClientError as error:
            # 412: the condition does not hold. 409: another write of the same key was under way.
            if code_of(error) in TAKEN:
                self._etag = ""
                raise self._locked_error(0) from error
            raise
        # No bucket, no lock: it is the first resource to be created, and empty until then.
        self._etag = answer["ETag"] if answer else ""
        self._written = self._monotonic()

    def _read_head(self) -> tuple[str, float] | None:
        """Return ETag and age in seconds of the lock object, None where there is none."""
        head = call_or_none(
            lambda: self._s3.head_object(Bucket=self._bucket, Key=LOCK_KEY),
            "404",
            "NoSuchKey",
            "NoSuchBucket",
        )
        if head is None:
            return None
        headers = head["ResponseMetadata"]["HTTPHeaders"]
        # The Date of this very answer: S3's clock on both sides of the subtraction.
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return head["ETag"], (now - head["LastModified"]).total_seconds()

    def _locked_error(self, age: float) -> WorkflowError:
        answer = call_or_none(
            lambda: self._s3.get_object(Bucket=self._bucket, Key=LOCK_KEY), "NoSuchKey"
        )
        holder = json.loads(answer["Body"].read())["holder"] if answer else "somebody else"
        return WorkflowError(
            "DeployLocked",
            f"Another deploy is under way: {holder} last renewed its lock {age:.0f} seconds ago.",
            "Wait for it to end and repeat the step. If it was killed, its lock ends in"
            f" {LEASE_SECONDS - age:.0f} seconds.",
        )
