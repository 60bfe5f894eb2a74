"""Datasets: labels come from the list or the folder, never from a file's name."""

import hashlib
import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.model import data
from deploy.model.data import download_cifar, read_folder, read_split
from workflow.errors import WorkflowError


def put(folder: Path, name: str, colour: str = "red") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 32), colour).save(folder / name)


def listing(folder: Path, *lines: str) -> None:
    (folder / "train.lst").write_text("".join(f"{line}\n" for line in lines))


def test_a_listing_gives_the_labels_and_the_order(tmp_path: Path) -> None:
    put(tmp_path / "train", "bike_s_1.png", "red")
    put(tmp_path / "train", "bike_s_2.png", "blue")
    listing(tmp_path, "16\t1\tbike_s_2.png", "17\t0\tbike_s_1.png")
    dataset = read_split(tmp_path, "train")
    assert dataset.labels.tolist() == [1, 0]
    assert dataset.images[:, 0, 0].tolist() == [[0, 0, 255], [255, 0, 0]]


def test_class_folders_give_the_labels_without_a_listing(tmp_path: Path) -> None:
    put(tmp_path / "train" / "bicycle", "motorcycle.png")
    put(tmp_path / "train" / "motorcycle", "bicycle.png")
    assert read_split(tmp_path, "train").labels.tolist() == [0, 1]


def test_the_source_names_no_path_of_the_machine(tmp_path: Path) -> None:
    put(tmp_path / "train" / "bicycle", "a.png")
    put(tmp_path / "train" / "motorcycle", "b.png")
    source = read_split(tmp_path, "train").source
    assert source == f"2 images of folder {tmp_path.name}, train split"


@pytest.mark.parametrize("line", ["1 0 a.png", "1\t-2\ta.png", "1\t0", ""])
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    listing(tmp_path, line)
    with pytest.raises(WorkflowError, match="Line 1 of") as failure:
        read_split(tmp_path, "train")
    assert failure.value.code == "TrainingDataInvalid"


def test_a_listed_image_that_is_missing_is_named(tmp_path: Path) -> None:
    listing(tmp_path, "1\t0\ta.png", "2\t1\tb.png")
    with pytest.raises(WorkflowError, match=r"a\.png cannot be read"):
        read_split(tmp_path, "train")


def test_an_image_that_is_none_is_named_with_the_reason(tmp_path: Path) -> None:
    put(tmp_path / "train", "b.png")
    (tmp_path / "train" / "a.png").write_text("no image")
    listing(tmp_path, "1\t0\ta.png", "2\t1\tb.png")
    with pytest.raises(WorkflowError, match=r"a\.png cannot be read: The file is text"):
        read_split(tmp_path, "train")


def test_a_class_without_an_image_is_named(tmp_path: Path) -> None:
    put(tmp_path / "train", "a.png")
    listing(tmp_path, "1\t0\ta.png")
    with pytest.raises(WorkflowError, match="no image of class 1"):
        read_split(tmp_path, "train")


def test_a_missing_folder_is_named_with_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match=r"There is no folder .* \.lst file or class folders"):
        read_split(tmp_path, "train")


def test_a_folder_of_photos_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    put(tmp_path, "b.jpg", "white")
    put(tmp_path, "a.png", "black")
    (tmp_path / "notes.txt").write_text("not a photo")
    assert read_folder(tmp_path)[:, 0, 0, 0].tolist() == [0, 255]


def archive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CIFAR-100 archive of four images, with its checksum in place of the published one."""
    path = folder / "cifar-100-python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for split in ("train", "test"):
            content = {
                b"fine_labels": [48, 3, 8, 8],
                b"data": np.arange(4, dtype=np.uint8).repeat(3072).reshape(4, 3072),
            }
            body = pickle.dumps(content)
            member = tarfile.TarInfo(f"cifar-100-python/{split}")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(data, "CIFAR_MD5", digest)


def test_the_two_classes_are_taken_from_the_official_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path, monkeypatch)
    train, test = download_cifar(tmp_path)
    assert train.labels.tolist() == test.labels.tolist() == [1, 0, 0]
    assert train.images[:, 5, 5, 2].tolist() == [0, 2, 3]
    assert train.images.shape == (3, 32, 32, 3)


def test_an_archive_with_another_checksum_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "cifar-100-python.tar.gz"
    path.write_bytes(b"half a download")
    with pytest.raises(WorkflowError, match="MD5") as failure:
        download_cifar(tmp_path)
    assert failure.value.code == "DownloadFailed"
    assert not path.exists()


def test_no_network_is_said_with_the_other_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "CIFAR_URL", "http://127.0.0.1:9/cifar.tar.gz")
    with pytest.raises(WorkflowError, match="--data-dir") as failure:
        download_cifar(tmp_path)
    assert failure.value.code == "DownloadFailed"


def test_a_download_is_kept_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(tmp_path, monkeypatch)
    monkeypatch.setattr(data, "CIFAR_URL", (tmp_path / "cifar-100-python.tar.gz").as_uri())
    cache = tmp_path / "cache"
    download_cifar(cache)
    assert [path.name for path in cache.iterdir()] == ["cifar-100-python.tar.gz"]


@pytest.mark.parametrize("size", [2, 10, 100])
def test_classes_are_named_by_the_manifest_of_the_training_set(tmp_path: Path, size: int) -> None:
    names = {str(label): f"kind {label}" for label in range(size)}
    (tmp_path / "manifest.json").write_text(json.dumps({"classes": names}))
    put(tmp_path / "train", "a.png")
    listing(tmp_path, *(f"{label}\t{label}\ta.png" for label in range(size)))

    dataset = read_split(tmp_path, "train")

    assert dataset.classes == tuple(names.values())
    assert dataset.take(np.array([0])).classes == dataset.classes
    assert dataset.labels.tolist() == list(range(size))


def test_classes_that_nothing_names_are_numbered(tmp_path: Path) -> None:
    put(tmp_path / "train", "a.png")
    (tmp_path / "manifest.json").write_text("no manifest")
    listing(tmp_path, *(f"{label}\t{label}.0\ta.png" for label in range(3)))

    assert read_split(tmp_path, "train").classes == ("class 0", "class 1", "class 2")


def test_class_folders_of_any_split_name_the_classes(tmp_path: Path) -> None:
    for name in ("van", "bus", "tram"):
        put(tmp_path / "train" / name, "a.png")
        put(tmp_path / "test" / name, "a.png")

    splits = [read_split(tmp_path, split) for split in ("train", "test")]

    assert [one.classes for one in splits] == [("bus", "tram", "van")] * 2
    assert splits[0].labels.tolist() == [0, 1, 2]
