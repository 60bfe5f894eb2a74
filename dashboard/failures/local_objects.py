"""Objects in a folder of this machine, for notes on workflows in whose account one may only read.

Answers the three calls of boto3's S3 client that ``NoteLog`` and ``RepairLog`` make, so that both
keep their files alike in a bucket and here.
"""

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

from botocore.exceptions import ClientError

from dashboard.shared.segments import flush
from workflow.errors import WorkflowError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class LocalObjects:
    """Immutable objects, one file each.

    Args:
        root: The folder; made when the first object is written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def as_client(self) -> "S3Client":
        """Return this as the client that the logs expect; they make no other calls."""
        return cast("S3Client", self)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: str) -> None:  # noqa: N803 - boto3's
        """Create an object; it is on the disk then, and no power cut undoes it.

        Raises:
            ClientError: ``PreconditionFailed`` where there is one.
            WorkflowError: ``FolderUnwritable``; nothing was written then.
        """
        path = self._object_path(Bucket, Key)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Whole and on the disk before it has its name: a crash leaves no half note.
            unfinished.write_bytes(Body)
            flush(unfinished)
            os.link(unfinished, path)  # unlike a rename, it refuses to replace
            flush(path.parent)
        except FileExistsError:
            answer: Any = {"Error": {"Code": "PreconditionFailed"}}
            raise ClientError(answer, "PutObject") from None
        except OSError as error:
            raise WorkflowError(
                "FolderUnwritable",
                f"{path} cannot be written: {error.strerror or error}.",
                "Free space there, or make the folder writable, and do it again.",
            ) from error
        finally:
            with suppress(OSError):
                unfinished.unlink()

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, io.BytesIO]:  # noqa: N803 - boto3's
        """Return an object.

        Raises:
            WorkflowError: ``FileUnreadable``.
        """
        path = self._object_path(Bucket, Key)
        try:
            return {"Body": io.BytesIO(path.read_bytes())}
        except OSError as error:
            raise WorkflowError(
                "FileUnreadable",
                f"{path} cannot be read: {error.strerror or error}.",
                "Make it readable, or move it away: everything else is shown without it.",
            ) from error

    def get_paginator(self, _: str) -> "LocalObjects":
        """Return what lists objects: itself."""
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's
        """List the keys of a prefix, on one page."""
        names = sorted(unquote(path.stem) for path in (self._root / Bucket).glob("*.object"))
        yield {"Contents": [{"Key": name} for name in names if name.startswith(Prefix)]}

    def _object_path(self, bucket: str, key: str) -> Path:
        return self._root / bucket / f"{quote(key, safe='')}.object"
