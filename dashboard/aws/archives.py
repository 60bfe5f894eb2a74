"""Zip archives of photos, opened in memory under limits; nothing is ever written to a disk."""

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from dashboard.aws.images import Upload
from workflow.contract import MAX_IMAGE_BYTES
from workflow.errors import WorkflowError

MAX_FILES = 500
MAX_TOTAL_BYTES = 256 * 1024 * 1024
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,  # offsets outside the file, names in no encoding
    NotImplementedError,  # compression methods
    RuntimeError,  # strong encryption
)
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that goes no further, and why; the others of its batch do."""

    name: str
    error: WorkflowError


def is_archive(upload: Upload) -> bool:
    """Whether the bytes are a zip archive, whatever the name says."""
    return upload.data.startswith(_SIGNATURES)


def unpack(upload: Upload) -> Iterator[Upload | Refused]:
    """The files in an archive, in its order; folders and macOS's resource forks are not files.

    Each file is read up to one byte past the largest image, whatever size the archive claims for
    it, so a bomb costs no more than that. Names keep their folders, as text only.

    Raises:
        WorkflowError: ``ArchiveDamaged``, ``ArchiveEmpty``, ``TooManyFiles`` or
            ``ArchiveTooLarge``; the last one once the files so far exceed 256 MB.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(upload.data))
    except _UNREADABLE:
        raise _damaged(upload.name) from None
    with archive:
        members = [member for member in archive.infolist() if _is_file(member)]
        _check_count(upload.name, len(members))
        total = 0
        for member in members:
            item = _read(archive, member)
            total += len(item.data) if isinstance(item, Upload) else 0
            if total > MAX_TOTAL_BYTES:
                raise WorkflowError(
                    "ArchiveTooLarge",
                    f"{upload.name} unpacks to more than {MAX_TOTAL_BYTES // 1024**2} MB.",
                    "Split it into several archives.",
                )
            yield item


def _is_file(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    return not member.is_dir() and "__MACOSX" not in path.parts and path.name != ".DS_Store"


def _check_count(name: str, count: int) -> None:
    if count == 0:
        raise WorkflowError(
            "ArchiveEmpty", f"{name} holds no files.", "Put PNG or JPEG images into it."
        )
    if count > MAX_FILES:
        raise WorkflowError(
            "TooManyFiles",
            f"{name} holds {count:,} files; a batch takes {MAX_FILES}.",
            "Split it into several archives.",
        )


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Upload | Refused:
    name = member.filename
    if member.flag_bits & _ENCRYPTED:
        problem = WorkflowError(
            "ArchiveEncrypted", f"{name} is encrypted.", "Make the archive without a password."
        )
        return Refused(name, problem)
    try:
        with archive.open(member) as stream:
            return Upload(name, stream.read(MAX_IMAGE_BYTES + 1))
    except _UNREADABLE:
        return Refused(name, _damaged(name))


def _damaged(name: str) -> WorkflowError:
    return WorkflowError(
        "ArchiveDamaged",
        f"{name} cannot be unpacked: it is damaged, or packed in a way that is not supported.",
        "Make the archive anew (plain zip), or submit the images without one.",
    )
