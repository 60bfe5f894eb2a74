"""Intake: files as handed in, sorted into photos to submit and refusals with their reasons."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dashboard.aws import archives
from dashboard.aws.archives import Refused, is_archive, unpack
from dashboard.aws.images import Photo, Upload, verify
from workflow.errors import WorkflowError

MAX_PHOTOS = 500


@dataclass(frozen=True, slots=True)
class Intake:
    """What came of the files: every one of them is in one of the two."""

    photos: tuple[Photo, ...]
    refused: tuple[Refused, ...]


def take_in(uploads: Iterable[Upload | Refused]) -> Intake:
    """Unpack archives and verify every file by its bytes; one bad file never stops the others."""
    photos: list[Photo] = []
    refused: list[Refused] = []
    for item in _files(uploads):
        if isinstance(item, Refused):
            refused.append(item)
        elif len(photos) == MAX_PHOTOS:
            refused.append(Refused(item.name, _too_many(item.name)))
        else:
            try:
                photos.append(verify(item))
            except WorkflowError as error:
                refused.append(Refused.of(item.name, error))
    return Intake(tuple(photos), tuple(refused))


def _files(uploads: Iterable[Upload | Refused]) -> Iterator[Upload | Refused]:
    """Every file, those of archives among them; what archives hold is bounded over the batch."""
    room = archives.MAX_TOTAL_BYTES
    for upload in uploads:
        if isinstance(upload, Refused) or not is_archive(upload):
            yield upload
            continue
        try:
            for item in unpack(upload, room):
                room -= len(item.data) if isinstance(item, Upload) else 0
                yield item
        except WorkflowError as error:
            yield Refused.of(upload.name, error)


def _too_many(name: str) -> WorkflowError:
    return WorkflowError(
        "TooManyImages",
        f"{name} comes after the {MAX_PHOTOS} images that a batch takes.",
        "Submit it in another batch.",
    )
