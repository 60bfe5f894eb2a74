"""Dataset: labelled images of bicycles and motorcycles, from a folder or the CIFAR-100 archive."""

import hashlib
import pickle
import shutil
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.model.code.inference import BASE_SIZE, ImageRefused, decode
from workflow.errors import WorkflowError

LABELS = ("bicycle", "motorcycle")

CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
# Published by torchvision (datasets/cifar.py); guards against a broken download, not an attacker.
CIFAR_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
# CIFAR-100's own "fine" class numbers, in the order of LABELS.
CIFAR_CLASSES = (8, 48)

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images and their labels.

    Attributes:
        images: RGB, ``uint8`` of shape (n, 32, 32, 3).
        labels: Index into ``LABELS``, ``int64`` of shape (n,).
        source: Where it comes from, for the manifest; holds no path of this machine.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    source: str

    def take(self, index: NDArray[np.int64]) -> "Dataset":
        """Return the part of it at these positions."""
        return Dataset(self.images[index], self.labels[index], self.source)


def read_split(data_dir: Path, split: str) -> Dataset:
    """Read ``data_dir/{split}``, labelled by ``{split}.lst`` beside it or by class folders in it.

    A ``.lst`` line is ``row<TAB>label<TAB>filename``, as the built-in algorithm wants it. File
    names are never labels: CIFAR-100 has ``bike_s_*`` in both classes.

    Raises:
        WorkflowError: ``TrainingDataInvalid`` where neither is there, a line cannot be read, an
            image is missing or cannot be decoded, or a class has no image.
    """
    folder, listing = data_dir / split, data_dir / f"{split}.lst"
    pairs = list(_listed(listing, folder) if listing.is_file() else _in_class_folders(folder))
    labels = np.array([label for label, _ in pairs], np.int64)
    for index, name in enumerate(LABELS):
        if index not in labels:
            raise WorkflowError(
                "TrainingDataInvalid",
                f"The {split} split in {data_dir} has no image of class {index} ({name}).",
                f"Put {split}.lst there, or folders {split}/{LABELS[0]} and {split}/{LABELS[1]}.",
            )
    images = np.stack([read_image(path) for _, path in pairs])
    return Dataset(images, labels, f"{len(pairs)} images of folder {data_dir.name}, {split} split")


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
    """Train and test split of the two classes from the official CIFAR-100 archive.

    Raises:
        WorkflowError: ``DownloadFailed`` without a network or with a wrong checksum.
    """
    archive = cache_dir / "cifar-100-python.tar.gz"
    if not archive.is_file():
        _download(archive)
    digest = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    if digest != CIFAR_MD5:
        archive.unlink()
        raise WorkflowError(
            "DownloadFailed",
            f"The CIFAR-100 archive has MD5 {digest}, not {CIFAR_MD5}; it was removed.",
            "Start again, or give a folder with --data-dir.",
        )
    return _unpack(archive, "train"), _unpack(archive, "test")


def _listed(listing: Path, folder: Path) -> Iterator[tuple[int, Path]]:
    for number, line in enumerate(listing.read_text("utf-8").splitlines(), start=1):
        fields = line.split("\t")
        if len(fields) != 3 or fields[1].strip() not in {"0", "1", "0.0", "1.0"}:  # noqa: PLR2004 - row, label, file name
            raise WorkflowError(
                "TrainingDataInvalid",
                f"Line {number} of {listing} is not row<TAB>label<TAB>filename: {line!r}.",
                "Write 0 for a bicycle and 1 for a motorcycle as the label.",
            )
        yield int(float(fields[1])), folder / fields[2]


def _in_class_folders(folder: Path) -> Iterator[tuple[int, Path]]:
    for label, name in enumerate(LABELS):
        for path in _image_files(folder / name):
            yield label, path


def _image_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise WorkflowError(
            "TrainingDataInvalid",
            f"There is no folder {folder}.",
            "Give a folder that holds train/ and test/, each with a .lst file or class folders.",
        )
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)


def _download(archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
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


def _unpack(archive: Path, split: str) -> Dataset:
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
    pixels = content[b"data"][chosen].reshape(-1, 3, BASE_SIZE, BASE_SIZE).transpose(0, 2, 3, 1)
    labels = (fine[chosen] == CIFAR_CLASSES[1]).astype(np.int64)
    return Dataset(
        np.ascontiguousarray(pixels, np.uint8), labels, f"CIFAR-100 python archive, {split} split"
    )
