"""The audit of what the command line does: rows in the deployment's bucket, else in a folder.

What lies in the folder is put into the bucket as soon as S3 takes it: the first deployment begins
before there is a bucket.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from deploy.providers.clients import CONFIG, call_or_none
from deploy.providers.errors import code_of, explained
from deploy.providers.session import caller_of
from workflow.access import Privilege
from workflow.audit import (
    PREFIX,
    AuditResult,
    AuditRow,
    decode,
    encode,
    file_name,
    key_of,
    recorded,
)
from workflow.errors import WorkflowError
from workflow.settings import Settings

if TYPE_CHECKING:
    import boto3


class AuditTrail:
    """Writes rows of the audit.

    Args:
        session: Whose credentials; its caller is the actor.
        settings: Of which deployment.
        folder: Where rows are kept that S3 does not take.
        now: The time, aware UTC.
    """

    def __init__(
        self,
        session: "boto3.Session",
        settings: Settings,
        folder: Path,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._s3 = session.client("s3", config=CONFIG)
        self._bucket = settings.bucket
        self._folder = folder
        self._now = now

    @contextmanager
    def recorded(self, privilege: Privilege, request: str) -> Iterator[AuditResult]:
        """Write that something begins, and with which result it ends.

        Raises:
            WorkflowError: ``AuditNotWritten`` before anything is done.
        """
        with recorded(
            self._append_row,
            self._now,
            actor=caller_of(self._session),
            role="holder of the credentials",
            action=privilege,
            request=request,
            origin="command line",
        ) as result:
            if privilege is Privilege.DESTROY:
                self._keep_all()
            yield result

    def _append_row(self, row: AuditRow) -> None:
        if not self._put_object(key_of(row), encode(row)):
            self._keep_locally(file_name(key_of(row)), encode(row))
            return
        # S3 takes rows again: deliver what was kept meanwhile, the oldest first.
        for path in sorted(self._folder.glob("*.json")):
            with suppress(FileNotFoundError, WorkflowError):  # delivered, or no row: it stays
                body = path.read_bytes()
                if self._put_object(key_of(decode(body)), body):
                    path.unlink()

    def _put_object(self, key: str, body: bytes) -> bool:
        """Create an object; return whether it is there now."""
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            # If-None-Match: the row is there already, from a try whose answer was lost.
            return isinstance(error, ClientError) and code_of(error) == "PreconditionFailed"
        return True

    def _keep_all(self) -> None:
        """Keep every row of the bucket here: it may be deleted with the bucket."""
        pages: Any = self._s3.get_paginator("list_objects_v2")
        with explained("s3", f"s3://{self._bucket}/{PREFIX}"):
            listed = call_or_none(
                lambda: list(pages.paginate(Bucket=self._bucket, Prefix=PREFIX)), "NoSuchBucket"
            )
            for page in listed or ():
                for one in page.get("Contents", ()):
                    answer = self._s3.get_object(Bucket=self._bucket, Key=one["Key"])
                    self._keep_locally(file_name(one["Key"]), answer["Body"].read())

    def _keep_locally(self, name: str, body: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Written beside and renamed: a row is there whole or not at all.
            part = self._folder / f"{name}.part"
            with part.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())  # on disk before the action begins
            part.rename(self._folder / name)
        except OSError as error:
            raise WorkflowError(
                "AuditNotWritten",
                f"What is done can be recorded neither in S3 nor in {self._folder} ({error}).",
                "Make the folder writable; SCONES_STORE names its parent.",
            ) from error
