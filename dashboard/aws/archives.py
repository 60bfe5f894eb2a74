"""Zip archives of photos, opened in memory under limits; nothing is ever written to a disk."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from dashboard.aws.images import Upload
from workflow.contract import MAX_IMAGE_BYTES
from workflow.errors import WorkflowError

MAX_FILES = 500
MAX_TOTAL_BYTES = 256 * 1024 * 1024
"""What all archives of a batch may unpack to, together."""

_MAX_ENTRIES = 10 * MAX_FILES
"""Folders and resource forks included: each costs memory as soon as the archive is opened."""

_ENTRY = b"PK\x01\x02"
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that goes no further, and why; the others of its batch do."""

    name: str
    error: WorkflowError

    @classmethod
    def of(cls, name: str, error: WorkflowError) -> Self:
        """Keep what an error says and let go of its traceback, which holds the file's bytes."""
        return cls(name, WorkflowError(error.code, error.message, error.remedy))


def is_archive(upload: Upload) -> bool:
    """Return whether the bytes are a zip archive, whatever the name says."""
    return upload.data.startswith(_SIGNATURES)


def unpack(upload: Upload, room: int | None = None) -> Iterator[Upload | RefusedFile]:
    """Yield the files in an archive, in its order, without folders and macOS's resource forks.

    Each file is read up to one byte past the largest image, whatever size the archive claims for
    it, so a bomb costs no more than that. Names keep their folders, as text only.

    Args:
        upload: The archive.
        room: Bytes that it may unpack to: ``MAX_TOTAL_BYTES``, less what others of its batch took.

    Raises:
        WorkflowError: ``ArchiveDamaged``, ``ArchiveEmpty``, ``TooManyFiles`` or
            ``ArchiveTooLarge``; the last one once the files so far exceed the room.
    """
    room = MAX_TOTAL_BYTES if room is None else room
    # Before it is opened: ``zipfile`` keeps an object for every entry.
    if (entries := upload.data.count(_ENTRY)) > _MAX_ENTRIES:
        _check_count(upload.name, entries)
    try:
        archive = zipfile.ZipFile(io.BytesIO(upload.data))
    except Exception:  # noqa: BLE001 - the edge: whatever damage makes zipfile raise is a refusal
        raise _damaged_error(upload.name) from None
    with archive:
        members = [member for member in archive.infolist() if _is_file(member)]
        _check_count(upload.name, len(members))
        total = 0
        for member in members:
            item = _read_member(archive, member)
            total += len(item.data) if isinstance(item, Upload) else 0
            if total > room:
                raise WorkflowError(
                    "ArchiveTooLarge",
                    f"With {upload.name}, the archives of this batch unpack to more than "
                    f"{MAX_TOTAL_BYTES // 1024**2} MB.",
                    "Split it, or submit it in a batch of its own.",
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


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Upload | RefusedFile:
    name = member.filename
    if member.flag_bits & _ENCRYPTED:
        problem = WorkflowError(
            "ArchiveEncrypted", f"{name} is encrypted.", "Make the archive without a password."
        )
        return RefusedFile(name, problem)
    try:
        with archive.open(member) as stream:
            # One byte more than allowed proves that it is too long, whatever size the archive
            # claims.
            return Upload(name, stream.read(MAX_IMAGE_BYTES + 1))
    except Exception:  # noqa: BLE001 - as above, for one file of the archive
        return RefusedFile(name, _damaged_error(name))


def _damaged_error(name: str) -> WorkflowError:
    return WorkflowError(
        "ArchiveDamaged",
        f"{name} cannot be unpacked: it is damaged, or packed in a way that is not supported.",
        "Create the archive again (plain zip), or submit the images without one.",
    )
