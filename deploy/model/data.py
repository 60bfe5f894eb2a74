"""Dataset: labelled images of two or more classes, from a folder or the CIFAR-100 archive."""

import hashlib
import pickle
import re
import shutil
import tarfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.model.code.inference import BASE_SIZE, ImageRefused, decode
from workflow.class_names import complete_classes, training_classes
from workflow.contract import LABELS
from workflow.errors import WorkflowError

CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
# Published by torchvision (datasets/cifar.py); guards against a broken download, not an attacker.
CIFAR_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
# CIFAR-100's own "fine" class numbers, in the order of the workflow's classes.
CIFAR_CLASSES = (8, 48)

_LABEL = re.compile(r"\d{1,5}(?:\.0+)?")
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images and their labels.

    Attributes:
        images: RGB, ``uint8`` of shape (n, 32, 32, 3).
        labels: Index into ``classes``, ``int64`` of shape (n,).
        source: Where it comes from, for the manifest; holds no path of this machine.
        classes: Names of the classes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    source: str
    classes: tuple[str, ...] = LABELS

    def take(self, index: NDArray[np.int64]) -> "Dataset":
        """Return the part of it at these positions."""
        return Dataset(self.images[index], self.labels[index], self.source, self.classes)


def read_split(data_dir: Path, split: str) -> Dataset:
    """Read ``data_dir/{split}``, labelled by ``{split}.lst`` beside it or by class folders in it.

    A ``.lst`` line is ``row<TAB>label<TAB>filename``, as the built-in algorithm wants it. File
    names are never labels: CIFAR-100 has ``bike_s_*`` in both classes. The classes are named by
    ``manifest.json``, or by their folders in the order of the alphabet; of a list alone, two are
    those of the workflow, and more are numbered.

    Raises:
        WorkflowError: ``TrainingDataInvalid`` where neither is there, a line cannot be read, an
            image is missing or cannot be decoded, or a class has no image.
    """
    folder, listing = data_dir / split, data_dir / f"{split}.lst"
    if listing.is_file():
        pairs = list(_read_list(listing, folder))
        classes = _class_names(data_dir, max((label for label, _ in pairs), default=0))
    else:
        classes = _folder_names(data_dir, folder)
        pairs = list(_in_class_folders(folder, classes))
    labels = np.array([label for label, _ in pairs], np.int64)
    for index, name in enumerate(classes):
        if index not in labels:
            raise WorkflowError(
                "TrainingDataInvalid",
                f"The {split} split in {data_dir} has no image of class {index} ({name}).",
                f"Put {split}.lst there, or folders such as {split}/{classes[0]}.",
            )
    images = np.stack([read_image(path) for _, path in pairs])
    source = f"{len(pairs)} images of folder {data_dir.name}, {split} split"
    return Dataset(images, labels, source, classes)


def read_folder(folder: Path) -> NDArray[np.uint8]:
    """Read every PNG and JPEG of a folder, sorted by name.

    Returns:
        RGB ``uint8`` of shape (n, 32, 32, 3).
    """
    return np.stack([read_image(path) for path in _image_files(folder)])


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read one image as the endpoint would: upright RGB, ``uint8`` of shape (32, 32, 3)."""
    try:
        return np.asarray(decode(path.read_bytes()))
    except (OSError, ImageRefused) as error:
        raise WorkflowError(
            "TrainingDataInvalid",
            f"{path} cannot be read: {error}",
            "Remove it, or put a PNG or JPEG image in its place.",
        ) from error


def download_cifar(cache_dir: Path) -> tuple[Dataset, Dataset]:
    """Return train and test split of the two classes from the official CIFAR-100 archive.

    Raises:
        WorkflowError: ``DownloadFailed`` without a network or with a wrong checksum.
    """
    archive = cache_dir / "cifar-100-python.tar.gz"
    if not archive.is_file():
        _download_archive(archive)
    digest = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    if digest != CIFAR_MD5:
        archive.unlink()
        raise WorkflowError(
            "DownloadFailed",
            f"The CIFAR-100 archive has MD5 {digest}, not {CIFAR_MD5}; it was removed.",
            "Start again, or give a folder with --data-dir.",
        )
    return _unpack_split(archive, "train"), _unpack_split(archive, "test")


def _read_list(listing: Path, folder: Path) -> Iterator[tuple[int, Path]]:
    for number, line in enumerate(listing.read_text("utf-8").splitlines(), start=1):
        fields = line.split("\t")
        if len(fields) != 3 or not _LABEL.fullmatch(fields[1].strip()):  # noqa: PLR2004 - row, label, file name
            raise WorkflowError(
                "TrainingDataInvalid",
                f"Line {number} of {listing} is not row<TAB>label<TAB>filename: {line!r}.",
                "Write the number of the class as the label, the first is 0.",
            )
        yield int(float(fields[1])), folder / fields[2]


def _class_names(data_dir: Path, highest: int) -> tuple[str, ...]:
    """Return names of the classes of a list, by the training set's manifest if there is one.

    Args:
        data_dir: Folder of the training set.
        highest: The highest label of this split.
    """
    try:
        named = training_classes((data_dir / "manifest.json").read_bytes())
    except OSError:
        named = {}
    return complete_classes(named, max(highest, len(LABELS) - 1, *named) + 1)


def _folder_names(data_dir: Path, folder: Path) -> tuple[str, ...]:
    """Return the names of the class folders of all splits."""
    if not folder.is_dir():
        raise _no_folder(folder)
    splits = (one for one in (data_dir / "train", data_dir / "test") if one.is_dir())
    names = {one.name for split in splits for one in split.iterdir() if one.is_dir()}
    return tuple(sorted(names)) if len(names) > 1 else LABELS


def _in_class_folders(folder: Path, classes: Sequence[str]) -> Iterator[tuple[int, Path]]:
    for label, name in enumerate(classes):
        for path in _image_files(folder / name):
            yield label, path


def _image_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise _no_folder(folder)
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)


def _no_folder(folder: Path) -> WorkflowError:
    return WorkflowError(
        "TrainingDataInvalid",
        f"There is no folder {folder}.",
        "Give a folder that holds train/ and test/, each with a .lst file or class folders.",
    )


def _download_archive(archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when it is whole, so that a download that was cut off is not taken for the archive.
    partial = archive.with_suffix(".partial")
    try:
        with urllib.request.urlopen(CIFAR_URL, timeout=60) as answer, partial.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except OSError as error:
        raise WorkflowError(
            "DownloadFailed",
            f"CIFAR-100 could not be downloaded from {CIFAR_URL}: {error}.",
            "Connect to a network, or give a folder of images with --data-dir.",
        ) from error
    partial.replace(archive)


def _unpack_split(archive: Path, split: str) -> Dataset:
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"cifar-100-python/{split}")
        if member is None:
            raise WorkflowError(
                "DownloadFailed", f"{archive.name} has no {split} split.", "Download it again."
            )
        # The checksum was compared: this pickle is the published one.
        content = pickle.load(member, encoding="bytes")  # noqa: S301
    fine = np.array(content[b"fine_labels"])
    chosen = np.flatnonzero(np.isin(fine, CIFAR_CLASSES))
    # CIFAR stores planes of red, green and blue; images here have channels last.
    pixels = content[b"data"][chosen].reshape(-1, 3, BASE_SIZE, BASE_SIZE).transpose(0, 2, 3, 1)
    labels = (fine[chosen] == CIFAR_CLASSES[1]).astype(np.int64)
    return Dataset(
        np.ascontiguousarray(pixels, np.uint8), labels, f"CIFAR-100 python archive, {split} split"
    )
