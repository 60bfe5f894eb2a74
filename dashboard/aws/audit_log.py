"""The audit in S3, beside the notes: one immutable object a row; a local folder where S3 refuses.

Rows that had to be kept locally are delivered with the next row that S3 takes.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dashboard.aws.errors import explained
from dashboard.aws.write_once import create_once
from workflow.access import Actor, Privilege
from workflow.audit import (
    PREFIX,
    AuditRecord,
    AuditResult,
    AuditRow,
    decode,
    encode,
    file_name,
    key_of,
    recorded,
    records,
)
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Audit:
    """What people have done.

    Attributes:
        records: The latest first.
        problems: A sentence for each row that could not be read.
        kept: Rows that are on this machine only.
    """

    records: tuple[AuditRecord, ...] = ()
    problems: tuple[str, ...] = ()
    kept: int = 0


class AuditLog:
    """The audit of one workflow; an object once read is never read again.

    Args:
        client: A boto3 ``s3`` client that may write.
        bucket: The workflow's bucket; empty where it has none, and rows stay in the folder.
        folder: Where rows are kept that S3 does not take.
        now: The time, aware UTC.
    """

    def __init__(
        self, client: "S3Client", bucket: str, folder: Path, *, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._folder = folder
        self._now = now
        self._read: dict[str, AuditRow | str] = {}
        self._delivering = threading.Lock()

    @contextmanager
    def record_action(self, actor: Actor, action: Privilege, request: str) -> Iterator[AuditResult]:
        """Write that an action begins, and with which result it ends, whatever that is.

        Raises:
            WorkflowError: ``AuditNotWritten`` before anything is done; what the action raises.
        """
        with recorded(
            self.append,
            self._now,
            actor=actor.name,
            role=actor.role.title,
            action=action,
            request=request,
            origin="dashboard",
        ) as result:
            # Before the action, as the bucket cannot be asked after it.
            if action is Privilege.DESTROY:
                self._keep_all()
            yield result

    def append(self, row: AuditRow) -> None:
        """Write a row to S3, or into the folder where S3 does not take it.

        Raises:
            WorkflowError: ``AuditNotWritten`` where neither takes it.
        """
        # Never lost: S3 may be out of reach, or the bucket about to be deleted.
        if not self._put_row(row):
            self._keep_row(row)
            return
        # One thread at a time: two would send the same kept rows.
        with self._delivering:
            for path, kept in self._read_kept():
                # A file that cannot be read stays where it is: only a person can tell what it was.
                if isinstance(kept, AuditRow) and self._put_row(kept):
                    path.unlink(missing_ok=True)

    def read(self) -> Audit:
        """Return every action, of S3 and of the folder; before a deployment there is no bucket.

        Raises:
            WorkflowError: AWS's own code, where listing or reading is refused.
        """
        try:
            if self._bucket:
                self._read_bucket()
        except WorkflowError as error:
            if error.code != "NoSuchBucket":
                raise
        return self.known_actions()

    def _read_bucket(self) -> None:
        with explained("s3:ListObjectsV2", f"s3://{self._bucket}/{PREFIX}"):
            unread = [key for key in self._list_keys() if key not in self._read]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                self._read |= dict(zip(unread, pool.map(self._fetch_row, unread), strict=True))

    def known_actions(self) -> Audit:
        """Return the actions that this process has read or written, and those of the folder."""
        kept = [row for _, row in self._read_kept()]
        found = [*self._read.values(), *kept]
        return Audit(
            records(row for row in found if isinstance(row, AuditRow)),
            tuple(problem for problem in found if isinstance(problem, str)),
            len(kept),
        )

    def _put_row(self, row: AuditRow) -> bool:
        """Create the object of a row; whether S3 has it now."""
        if not self._bucket:
            return False
        try:
            create_once(self._client, self._bucket, key_of(row), encode(row))
        except WorkflowError:
            return False
        self._read[key_of(row)] = row
        return True

    def _list_keys(self) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=PREFIX):
            yield from (item["Key"] for item in page.get("Contents", []))

    def _fetch_row(self, key: str) -> AuditRow | str:
        return _decode_row(
            key, self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        )

    def _keep_all(self) -> None:
        """Keep every row of the bucket in the folder too: it may be deleted with the bucket."""
        self.read()
        for row in list(self._read.values()):
            if isinstance(row, AuditRow):
                self._keep_row(row)

    def _read_kept(self) -> Iterator[tuple[Path, AuditRow | str]]:
        for path in sorted(self._folder.glob("*.json")):
            try:
                body = path.read_bytes()
            except FileNotFoundError:  # another process has delivered it meanwhile
                continue
            except OSError as error:
                yield path, f"{path.name}: it cannot be read ({error.strerror})."
                continue
            yield path, _decode_row(path.name, body)

    def _keep_row(self, row: AuditRow) -> None:
        path = self._folder / file_name(key_of(row))
        # Renamed once it is whole and on disk, so that a crash leaves no half row to be read.
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with part.open("wb") as file:
                file.write(encode(row))
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        except OSError as error:
            raise WorkflowError(
                "AuditNotWritten",
                f"What is done can be recorded neither in S3 nor in {self._folder} ({error}).",
                "Make the folder writable; SCONES_STORE names its parent.",
            ) from error


def _decode_row(name: str, body: bytes) -> AuditRow | str:
    try:
        return decode(body)
    except WorkflowError as error:
        return f"{name}: {error.message}"
