"""Training sets: no photo on both sides, list files as the built-in algorithm reads them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dashboard.training.model import Labelled, Part, held_out_comparison, training_set
from tests.captured import NOW
from workflow.class_names import ClassNames
from workflow.errors import WorkflowError
from workflow.paired import Winner
from workflow.reviews import NEITHER


def photos(count: int, classes: int = 2) -> list[Labelled]:
    return [
        Labelled(f"photo-{place}", place % classes, f"{place:064x}"[::-1], ".png", "captures/0")
        for place in range(count)
    ]


def hashes(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**63, (count, 4)).astype(np.uint64)


def test_near_duplicates_and_copies_are_never_on_both_sides() -> None:
    given, bits = photos(200), hashes(200)
    bits[100:150] = bits[:50]  # near-duplicates of photos before them
    given[150:160] = [
        Labelled(f"again-{place}", place % 2, given[place].sha256, ".png", "captures/1")
        for place in range(10)
    ]
    made = training_set(given, bits, ClassNames())
    side = {photo.id: part for photo, part in zip(made.photos, made.parts, strict=True)}

    assert (made.twice, made.near) == (10, 50)
    assert all(side[f"photo-{place}"] is side[f"photo-{place + 100}"] for place in range(50))
    assert "again-0" not in side


def test_a_list_file_names_every_photo_of_its_folder() -> None:
    made = training_set(photos(80), hashes(80), ClassNames())
    lines = [line.split("\t") for line in made.list_file(Part.TEST).splitlines()]
    folders = json.loads(made.build_manifest(NOW, ClassNames()))["photos"]

    assert [int(row) for row, _, _ in lines] == list(range(len(lines)))
    assert {name for _, _, name in lines} == {p["name"] for p in folders if p["part"] == "test"}
    assert sum(made.count_photos()[Part.TRAIN].values()) + len(lines) == 80


def test_photos_of_neither_class_are_in_a_folder_of_their_own() -> None:
    given = photos(80)
    given[3] = Labelled("photo-3", NEITHER, given[3].sha256, ".png", "captures/0")
    made = training_set(given, hashes(80), ClassNames())

    assert made.count_photos()[Part.NEITHER] == {NEITHER: 1}
    assert "-1" not in {line.split("\t")[1] for line in made.list_file(Part.TRAIN).splitlines()}


@pytest.mark.parametrize(("count", "classes"), [(0, 1), (1, 1), (40, 1), (2, 2)])
def test_too_few_photos_are_said_to_be_too_few(count: int, classes: int) -> None:
    with pytest.raises(WorkflowError, match="Label more photos"):
        training_set(photos(count, classes), hashes(count), ClassNames())


@pytest.mark.parametrize("label", [3, 9_999, 2**31 - 1])
def test_a_label_that_leaves_out_a_class_is_named(label: int) -> None:
    given = photos(80)
    given[3] = replace(given[3], label=label)

    with pytest.raises(WorkflowError, match=f"class {label},") as caught:
        training_set(given, hashes(80), ClassNames())

    assert caught.value.code == "ClassUnknown"


def test_a_class_of_the_model_without_a_photo_is_named() -> None:
    with pytest.raises(WorkflowError, match="no photo of bun") as caught:
        training_set(photos(80), hashes(80), ClassNames(("scone", "tart", "bun")))

    assert caught.value.code == "TrainingSetTooSmall"


def test_of_many_classes_without_a_photo_the_first_are_named() -> None:
    names = ClassNames(tuple(f"cake {number}" for number in range(100)))

    with pytest.raises(WorkflowError, match="cake 6 and 93 more classes"):
        training_set(photos(80), hashes(80), names)


def test_a_hundred_classes_are_split() -> None:
    made = training_set(photos(5_000, 100), hashes(5_000), ClassNames())

    assert all(len(made.count_photos()[part]) == 100 for part in (Part.TRAIN, Part.TEST))
    assert json.loads(made.build_manifest(NOW, ClassNames()))["classes"]["99"] == "class 99"


def test_the_comparison_in_a_manifest_is_said_in_words() -> None:
    share = {"count": 50, "value": 0.9}
    found = {"old": share, "new": share, "difference": 0.0, "low": -0.1, "high": 0.1}
    manifest = {"comparison": {**found, "winner": "cannot tell yet"}}

    read = held_out_comparison(json.dumps(manifest).encode())

    assert read is not None
    assert read.winner is Winner.CANNOT_TELL
    assert read.format_sentence().endswith("95 % interval -10.0% to +10.0%.")
    assert held_out_comparison(b"{}") is None


@pytest.mark.parametrize("manifest", [b"", b"[]", b"\xff", b'{"comparison": {"winner": "no"}}'])
def test_a_manifest_that_cannot_be_read_says_how_to_make_one(manifest: bytes) -> None:
    with pytest.raises(WorkflowError, match=r"deploy\.model\.compare") as caught:
        held_out_comparison(manifest)

    assert caught.value.code == "ManifestUnreadable"
