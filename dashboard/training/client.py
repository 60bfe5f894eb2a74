"""The edge of training sets: labelled photos read from their captures, written to one prefix."""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dashboard.aws.captured_images import AT_ONCE, CaptureLine, captured_input
from dashboard.aws.cloud import Connection
from dashboard.aws.errors import explained
from dashboard.aws.images import Upload, verify
from dashboard.aws.objects import ABOUT_ONE_OBJECT, Bucket
from dashboard.training.model import PREFIX, Labelled, Part, TrainingSet, training_set
from workflow.draws import Draw, Photo
from workflow.errors import WorkflowError
from workflow.known_errors import Blame, find
from workflow.photo_hashes import hash_photo
from workflow.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Exported:
    """A training set that was written.

    Attributes:
        url: ``s3://bucket/prefix`` of it.
        counts: Photos by folder and class.
        twice: Photos left out since the same file is there already.
        near: Photos that have a near-duplicate before them.
        problems: Why photos are missing, a sentence each.
    """

    url: str
    counts: Mapping[Part, Mapping[int, int]]
    twice: int
    near: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    photo: Labelled
    data: bytes
    bits: NDArray[np.uint64]


def export_set(
    connection: Connection,
    photos: Bucket,
    draws: Sequence[Draw],
    verdicts: Mapping[str, Verdict],
    report: Callable[[float], None],
) -> Exported:
    """Write a training set of all decided photos; the list files come last.

    Args:
        connection: The cloud; the set is written to the workflow's bucket.
        photos: Where the captures lie that hold the photos.
        draws: Every draw, in any order.
        verdicts: On photos, by id.
        report: Called with the share that is done.

    Raises:
        WorkflowError: ``TrainingSetTooSmall``, or AWS's own code.
    """
    oldest_first = sorted(draws, key=lambda draw: draw.id)
    decided = [
        (photo, label)
        for draw in oldest_first
        for photo in draw.photos
        if photo.id in verdicts and (label := verdicts[photo.id].label) is not None
    ]
    found: list[_Read | str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for place, one in enumerate(pool.map(lambda pair: _read_photo(photos, *pair), decided), 1):
            found.append(one)
            report(0.5 * place / len(decided))
    read = [one for one in found if isinstance(one, _Read)]
    hashes = np.array([one.bits for one in read], np.uint64).reshape(-1, 4)
    names = connection.watched.class_names
    made = training_set([one.photo for one in read], hashes, names)
    at = datetime.now(UTC)
    prefix = f"{PREFIX}/{at:%Y%m%dT%H%M%S}"
    files = {one.photo.sha256: one.data for one in read}
    for done in _write_photos(connection, prefix, made, files):
        report(0.5 + 0.5 * done)
    # Last: a job that finds a list finds all photos in it.
    for part in (Part.TRAIN, Part.TEST):
        _put_object(connection, f"{prefix}/{part}.lst", made.list_file(part).encode())
    _put_object(connection, f"{prefix}/manifest.json", made.build_manifest(at, names))
    return Exported(
        f"s3://{connection.watched.bucket}/{prefix}",
        made.count_photos(),
        made.twice,
        made.near,
        tuple(one for one in found if isinstance(one, str)),
    )


def _read_photo(bucket: Bucket, photo: Photo, label: int) -> _Read | str:
    """Read a photo and its hash; a sentence where it is gone or is not an image.

    Raises:
        WorkflowError: AWS's own code, where no photo could be read now.
    """
    place = photo.place
    try:
        line = CaptureLine(place.key, place.offset, place.length, place.gzipped)
        data, _ = captured_input(bucket, line)
        image = verify(Upload("The captured photo", data))
    except WorkflowError as error:
        if not _is_about_one_photo(error):
            raise
        return f"{photo.id} in {place.key}: {error.message}"
    with Image.open(io.BytesIO(image.thumbnail), formats=("JPEG",)) as picture:
        bits = hash_photo(picture)
    suffix = ".png" if image.content_type == "image/png" else ".jpg"
    labelled = Labelled(photo.id, label, image.sha256, suffix, place.key)
    return _Read(labelled, data, bits)


def _is_about_one_photo(error: WorkflowError) -> bool:
    """Return whether the others can be read nevertheless, so that one may be left out."""
    found = find((error.code,))
    if error.code in ABOUT_ONE_OBJECT or found is None:
        return True
    return found.row.blame is Blame.INPUT


def _write_photos(
    connection: Connection, prefix: str, made: TrainingSet, files: Mapping[str, bytes]
) -> Iterator[float]:
    """Write the photos; yield the share that is done."""
    pairs = list(zip(made.photos, made.parts, strict=True))

    def write(pair: tuple[Labelled, Part]) -> None:
        photo, part = pair
        _put_object(connection, f"{prefix}/{part}/{photo.name}", files[photo.sha256])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for place, _ in enumerate(pool.map(write, pairs), 1):
            yield place / len(pairs)


def _put_object(connection: Connection, key: str, body: bytes) -> None:
    bucket = connection.watched.bucket
    with explained("s3:PutObject", f"s3://{bucket}/{key}"):
        connection.client("s3").put_object(Bucket=bucket, Key=key, Body=body)


def zip_set(connection: Connection, url: str) -> bytes:
    """Return a training set as a ZIP archive.

    Raises:
        WorkflowError: AWS's own code.
    """
    name, _, prefix = url.removeprefix("s3://").partition("/")
    bucket = Bucket.of(connection.session, name)
    keys = [meta.key for page in bucket.objects(prefix) for meta in page]
    out = io.BytesIO()
    with ThreadPoolExecutor(AT_ONCE) as pool, zipfile.ZipFile(out, "w") as archive:
        for key, data in zip(keys, pool.map(bucket.read_whole, keys), strict=True):
            archive.writestr(key.removeprefix(f"{prefix}/"), data)
    return out.getvalue()
