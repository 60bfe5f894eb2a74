"""The lock: an object in the bucket that only one deploy at a time can write.

It is a lease. Whoever holds it renews it while it works; a deploy that was killed loses it after
:data:`LEASE_SECONDS`. Ages are measured by S3's own clock, so that of the machine that deploys
does not matter. S3's conditional writes (``If-None-Match``, ``If-Match``) make taking it atomic.
A lock that could not be given back, as AWS did not answer, is noted on this machine, whose next
deploy takes it at once.
"""

import json
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from deploy.providers.clients import Aws, call_or_none
from deploy.providers.errors import code_of
from deploy.providers.s3 import LOCK_KEY
from workflow.errors import WorkflowError

LEASE_SECONDS = 90
RENEW_SECONDS = 20
TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


@dataclass(frozen=True, slots=True)
class _Held:
    """A lock as it lies in S3; ``age`` in seconds."""

    etag: str
    age: float
    body: bytes


class Lock:
    """The lock of one bucket.

    Args:
        aws: Whose S3.
        bucket: Name of the bucket; while there is none, nothing is locked.
        holder: Who to name to others, such as ``ana@laptop``.
        notes: Folder for the note of a lock that could not be given back.
        monotonic: Seconds that only go forward.
    """

    def __init__(
        self,
        aws: Aws,
        bucket: str,
        holder: str,
        notes: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._s3 = aws.s3
        self._bucket = bucket
        self._holder = holder
        self._note = notes / f"deploy-lock-{bucket}"
        self._monotonic = monotonic
        self._etag = ""
        self._body = b""
        self._written = 0.0

    def hold(self) -> None:
        """Take the lock, or renew it when it is time.

        Raises:
            WorkflowError: ``DeployLocked`` while another deploy holds it.
        """
        if not self._body:
            self._take_lock()
        # Well before the lease ends, and not at every sign of life: each renewal is a request.
        elif self._monotonic() - self._written >= RENEW_SECONDS:
            self._write_lock(match=self._etag)

    def release(self) -> None:
        """Give the lock back, unless somebody else has taken it meanwhile."""
        if not self._body:
            return
        try:
            held = self._read_lock()
            # After a lost lease the object is another deploy's: it must stay locked.
            if held is not None and held.body == self._body:
                self._s3.delete_object(Bucket=self._bucket, Key=LOCK_KEY)
        except (BotoCoreError, ClientError, ResponseParserError):
            with suppress(OSError):  # without the note, the lease has to end first
                self._note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._note.write_bytes(self._body)
            raise
        finally:
            self._body = b""

    def _take_lock(self) -> None:
        held = self._read_lock()
        if held is not None and held.age < LEASE_SECONDS and held.body != self._noted():
            raise _locked_error(held)
        # If-Match: of two that take a lease over that has run out, S3 lets one through.
        self._write_lock(match=held.etag if held else "")
        with suppress(OSError):
            self._note.unlink(missing_ok=True)

    def _noted(self) -> bytes:
        """Return the lock that an earlier deploy could not give back, else nothing."""
        try:
            return self._note.read_bytes()
        except OSError:
            return b""

    def _write_lock(self, *, match: str) -> None:
        condition: dict[str, Any] = {"IfMatch": match} if match else {"IfNoneMatch": "*"}
        # The id makes every renewal another object, which tells ours from those of others.
        body = json.dumps({"holder": self._holder, "id": uuid.uuid4().hex}).encode()
        self._body = body  # S3 may write it although its answer is lost
        try:
            answer = call_or_none(
                lambda: self._s3.put_object(
                    Bucket=self._bucket, Key=LOCK_KEY, Body=body, **condition
                ),
                "NoSuchBucket",
            )
            # No bucket, no lock: it is the first resource to be created, and empty until then.
            self._etag = answer["ETag"] if answer else ""
            self._body = body if answer else b""
        except ClientError as error:
            # 412: the condition does not hold. 409: another write of the same key was under way.
            if code_of(error) not in TAKEN:
                raise
            self._etag = self._etag_of(body)
        self._written = self._monotonic()

    def _etag_of(self, body: bytes) -> str:
        """Return the ETag of a lock that was refused the second time, as its answer was lost."""
        held = self._read_lock()
        if held is None or held.body != body:
            self._body = b""
            raise _locked_error(held)
        return held.etag

    def _read_lock(self) -> _Held | None:
        """Return the lock object, None where there is none."""
        answer = call_or_none(
            lambda: self._s3.get_object(Bucket=self._bucket, Key=LOCK_KEY),
            "NoSuchKey",
            "NoSuchBucket",
        )
        if answer is None:
            return None
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        # The Date of this very answer: S3's clock on both sides of the subtraction.
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        age = (now - answer["LastModified"]).total_seconds()
        return _Held(answer["ETag"], age, answer["Body"].read())


def _locked_error(held: _Held | None) -> WorkflowError:
    holder = json.loads(held.body)["holder"] if held else "somebody else"
    age = held.age if held else 0.0
    return WorkflowError(
        "DeployLocked",
        f"Another deploy is under way: {holder} last renewed its lock {age:.0f} seconds ago.",
        "Wait for it to end and repeat the step. If it was killed, its lock ends in"
        f" {LEASE_SECONDS - age:.0f} seconds.",
    )
