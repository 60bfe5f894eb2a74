"""Intake."""

import io
import sys
import zipfile

import pytest

from dashboard.aws import archives, intake
from dashboard.aws.images import Upload
from dashboard.aws.intake import take_in
from tests.builders import jpeg, png


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_one_bad_file_never_stops_the_others() -> None:
    taken = take_in([Upload("a.png", png()), Upload("b.png", b"text"), Upload("c.jpg", jpeg())])

    assert [photo.name for photo in taken.photos] == ["a.png", "c.jpg"]
    assert [(item.name, item.error.code) for item in taken.refused] == [("b.png", "NotAnImage")]


def test_an_archive_is_its_files_and_a_bad_archive_a_refusal() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("1.png", png())
        archive.writestr("notes.txt", b"hello")
        archive.writestr("inner.zip", b"PK\x03\x04")

    taken = take_in([Upload("z.zip", out.getvalue()), Upload("bad.zip", b"PK\x03\x04 no")])

    assert [photo.name for photo in taken.photos] == ["1.png"]
    assert [item.name for item in taken.refused] == ["notes.txt", "inner.zip", "bad.zip"]


def test_what_exceeds_a_batch_is_refused_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_PHOTOS", 1)

    taken = take_in([Upload("1.png", png()), Upload("2.png", png()), Upload("3.png", png())])

    assert len(taken.photos) == 1
    assert [item.error.code for item in taken.refused] == ["TooManyImages", "TooManyImages"]


def test_what_archives_hold_is_bounded_over_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1000)
    zips = [Upload(f"{name}.zip", zipped({f"{name}.png": bytes(400)})) for name in "abcd"]

    taken = take_in([*zips, Upload("alone.png", png())])

    assert [photo.name for photo in taken.photos] == ["alone.png"]
    assert [(item.name, item.error.code) for item in taken.refused] == [
        ("a.png", "NotAnImage"),
        ("b.png", "NotAnImage"),
        ("c.zip", "ArchiveTooLarge"),
        ("d.zip", "ArchiveTooLarge"),
    ]


def test_refused_files_are_let_go_of() -> None:
    files = [b"GIF89a" + bytes(1000 + size) for size in range(3)]
    before = [sys.getrefcount(data) for data in files]

    taken = take_in(Upload("a.gif", data) for data in files)

    assert len(taken.refused) == 3
    assert [sys.getrefcount(data) for data in files] == before
