"""Intake: files as handed in, sorted into photos to submit and refusals with their reasons."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dashboard.aws import archives
from dashboard.aws.archives import RefusedFile, is_archive, unpack
from dashboard.aws.images import Upload, VerifiedPhoto, verify
from workflow.errors import WorkflowError

MAX_PHOTOS = 500


@dataclass(frozen=True, slots=True)
class Intake:
    """What came of the files: every one of them is in one of the two."""

    photos: tuple[VerifiedPhoto, ...]
    refused: tuple[RefusedFile, ...]


def take_in(uploads: Iterable[Upload | RefusedFile]) -> Intake:
    """Unpack archives and verify every file by its bytes; one bad file never stops the others."""
    photos: list[VerifiedPhoto] = []
    refused: list[RefusedFile] = []
    for item in _iterate_files(uploads):
        if isinstance(item, RefusedFile):
            refused.append(item)
        elif len(photos) == MAX_PHOTOS:
            refused.append(RefusedFile(item.name, _too_many(item.name)))
        else:
            try:
                photos.append(verify(item))
            except WorkflowError as error:
                refused.append(RefusedFile.of(item.name, error))
    return Intake(tuple(photos), tuple(refused))


def _iterate_files(uploads: Iterable[Upload | RefusedFile]) -> Iterator[Upload | RefusedFile]:
    """Yield every file, those of archives too; what archives hold is bounded over the batch."""
    room = archives.MAX_TOTAL_BYTES
    for upload in uploads:
        if isinstance(upload, RefusedFile) or not is_archive(upload):
            yield upload
            continue
        try:
            for item in unpack(upload, room):
                # Over the whole batch: many small bombs are as bad as a large one.
                room -= len(item.data) if isinstance(item, Upload) else 0
                yield item
        except WorkflowError as error:
            yield RefusedFile.of(upload.name, error)


def _too_many(name: str) -> WorkflowError:
    return WorkflowError(
        "TooManyImages",
        f"{name} comes after the {MAX_PHOTOS} images that a batch takes.",
        "Submit it in another batch.",
    )
