"""Archives of photos."""

import io
import struct
import tracemalloc
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.aws import archives
from dashboard.aws.archives import RefusedFile, is_archive, unpack
from dashboard.aws.images import Upload
from tests.builders import png
from workflow.contract import MAX_IMAGE_BYTES
from workflow.errors import WorkflowError


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def refusal_of(data: bytes) -> WorkflowError:
    with pytest.raises(WorkflowError) as caught:
        list(unpack(Upload("photos.zip", data)))
    assert "photos.zip" in caught.value.message
    return caught.value


def test_an_archive_is_known_by_its_bytes() -> None:
    assert is_archive(Upload("photos.png", zipped({"a.png": png()})))
    assert not is_archive(Upload("photos.zip", png()))


def test_files_come_out_in_order_with_their_folders() -> None:
    data = zipped({"b/2.png": b"two", "a/1.png": b"one"})

    assert list(unpack(Upload("z", data))) == [Upload("b/2.png", b"two"), Upload("a/1.png", b"one")]


def test_folders_and_resource_forks_are_not_files() -> None:
    data = zipped({"a/": b"", "__MACOSX/a/._1.png": b"x", "a/.DS_Store": b"x", "a/1.png": b"one"})

    assert [item.name for item in unpack(Upload("z", data))] == ["a/1.png"]


def test_a_path_that_climbs_out_is_only_a_name() -> None:
    (item,) = unpack(Upload("z", zipped({"../../etc/passwd": b"x"})))

    assert item == Upload("../../etc/passwd", b"x")


def test_a_bomb_is_read_to_one_byte_past_the_largest_image() -> None:
    (item,) = unpack(Upload("z", zipped({"bomb.png": bytes(50_000_000)})))

    assert isinstance(item, Upload)
    assert len(item.data) == MAX_IMAGE_BYTES + 1


def test_many_bombs_stop_at_the_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1000)

    assert refusal_of(zipped({f"{n}.png": bytes(400) for n in range(5)})).code == "ArchiveTooLarge"


def test_too_many_files_are_refused_before_any_is_read() -> None:
    files = {f"{n}.png": b"" for n in range(archives.MAX_FILES + 1)}

    assert refusal_of(zipped(files)).code == "TooManyFiles"


def test_a_directory_of_200_000_entries_is_refused_before_it_is_read() -> None:
    whole = zipped({"a.png": b""})
    at = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    entries = whole[at:end] * 200_000
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(entries), at, 0)
    tracemalloc.start()
    try:
        refused = refusal_of(whole[:at] + entries + tail)
        before, peak = len(entries), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert refused.code == "TooManyFiles"
    assert peak < 3 * before, "no more than the archive itself, which the test makes twice"


def test_500_photos_and_as_many_bombs_beside_them_are_told_apart() -> None:
    photos = zipped({f"{number}.png": png() for number in range(archives.MAX_FILES)})
    bomb = zipped({"inner.zip": zipped({"bomb.png": bytes(1_000_000)})})

    items = list(unpack(Upload("photos.zip", photos)))
    (inner,) = unpack(Upload("bomb.zip", bomb))

    assert len(items) == archives.MAX_FILES
    assert isinstance(inner, Upload)
    assert len(inner.data) < 10_000, "an archive within an archive is one file, never opened"


def test_an_empty_archive_is_refused() -> None:
    assert refusal_of(zipped({})).code == "ArchiveEmpty"


def test_a_cut_off_archive_is_refused() -> None:
    assert refusal_of(zipped({"a.png": png(64, 64)})[:40]).code == "ArchiveDamaged"


def test_an_encrypted_file_is_refused_and_the_others_come_out() -> None:
    data = bytearray(zipped({"secret.png": b"one", "open.png": b"two"}))
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1

    secret, opened = unpack(Upload("z", bytes(data)))

    assert isinstance(secret, RefusedFile)
    assert secret.error.code == "ArchiveEncrypted"
    assert opened == Upload("open.png", b"two")


def test_a_damaged_file_is_refused_and_the_others_come_out() -> None:
    data = bytearray(zipped({"bad.png": b"one", "good.png": b"two"}, zipfile.ZIP_STORED))
    data[data.index(b"one")] = 0

    bad, good = unpack(Upload("z", bytes(data)))

    assert isinstance(bad, RefusedFile)
    assert bad.error.code == "ArchiveDamaged"
    assert good == Upload("good.png", b"two")


def test_an_unknown_compression_is_refused() -> None:
    data = bytearray(zipped({"odd.png": b"one"}))
    directory = data.index(b"PK\x01\x02")
    struct.pack_into("<H", data, directory + 10, 77)

    (odd,) = unpack(Upload("z", bytes(data)))

    assert isinstance(odd, RefusedFile)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_no_bytes_raise_anything_but_a_refusal(junk: bytes, at: int) -> None:
    whole = zipped({"a.png": b"one", "b.png": b"two"})
    with suppress(WorkflowError):
        for item in unpack(Upload("z", whole[:at] + junk + whole[at:])):
            assert isinstance(item, Upload | RefusedFile)
