"""What somebody sent opens as a workflow: executions from exports, captures from files."""

import io
import json
import zipfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.executions import tables
from dashboard.executions.tables import stored_listing
from dashboard.shared.store import SegmentStore
from dashboard.workflows import bundle
from dashboard.workflows.bundle import ReceivedBundle, open_bundle, read_archive, read_folder
from tests.builders import capture_lines, captured
from tests.dashboard.aws.unconnected import unconnected
from tests.workflow.histories import History
from workflow.errors import WorkflowError
from workflow.executions import Execution, Status
from workflow.exports import write_export

NOW = datetime(2026, 11, 26, tzinfo=UTC)
ARN = "arn:aws:states:eu-west-1:210987654321:execution:theirs:run"


def export(name: str, output: object) -> bytes:
    history = History()
    history.enter("Classify")
    history.exit("Classify", output=json.dumps(output))
    execution = Execution(
        arn=f"{ARN}-{name}",
        name=name,
        state_machine_arn=ARN.replace("execution", "stateMachine").removesuffix(":run"),
        status=Status.SUCCEEDED,
        started_at=NOW,
        stopped_at=NOW,
        input=json.dumps({"Bucket": "theirs", "Key": "a.png"}),
        output=json.dumps(output),
    )
    return write_export(execution, history.events, None).encode()


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def sent() -> ReceivedBundle:
    files = {
        "runs__one.json": export("one", {"inferences": [0.2, 0.8]}),
        "runs__two.json": export("two", {"inferences": [0.9, 0.1]}),
        "data__x.jsonl": capture_lines(captured()),
        "readme.txt": b"hello",
        "other.json": b"{}",
    }
    return read_archive("sent.zip", zipped(**files))


def test_an_archive_is_sorted_into_exports_captures_and_the_rest() -> None:
    bundle = sent()
    assert len(bundle.exports) == 2
    assert list(bundle.captures) == ["data/x.jsonl"]
    assert [one.partition(":")[0] for one in bundle.ignored] == ["readme.txt", "other.json"]


def test_a_folder_is_read_as_its_archive_is(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.json").write_bytes(export("one", {"inferences": [0.2, 0.8]}))
    assert len(read_folder(tmp_path).exports) == 1


@pytest.mark.parametrize(
    "content", [b"", b"no zip", zipped(**{"readme.txt": b"hello"}), zipped(**{"a.json": b"["})]
)
def test_what_holds_nothing_to_look_at_is_refused(content: bytes) -> None:
    with pytest.raises(WorkflowError) as refused:
        read_archive("sent.zip", content)
    assert refused.value.code == "BundleInvalid"


@example(place=36, byte=255, cut=0)  # the first byte of what is compressed
@example(place=-6, byte=255, cut=0)  # where the directory begins
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 10_000))
def test_a_damaged_archive_is_opened_or_refused(place: int, byte: int, cut: int) -> None:
    content = bytearray(zipped(**{"a.json": b'{"captureData": 1}' * 50, "b.json": b"{}"}))
    content[place % len(content)] = byte
    with suppress(WorkflowError):
        read_archive("sent.zip", bytes(content[: len(content) - cut % 20]))


def test_a_folder_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.json").write_bytes(b"{}")

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(WorkflowError, match="Permission denied"):
        read_folder(tmp_path)


def test_exports_are_listed_with_image_label_and_confidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCONES_STORE", str(tmp_path))
    connection = unconnected()
    bundle = replace(sent(), captures={})
    workflow = open_bundle(connection, bundle, NOW)
    assert open_bundle(connection, bundle, NOW) == workflow  # once more adds nothing
    (root,) = tmp_path.glob("executions-*")
    rows = stored_listing(SegmentStore(root, tables.TABLES).scan).sort("name")
    assert rows.select("name", "image", "label", "confidence", "outcome").rows() == [
        ("one", "s3://theirs/a.png", "motorcycle", 0.8, "accepted"),
        ("two", "s3://theirs/a.png", "bicycle", 0.9, "accepted"),
    ]


def test_a_zip_that_holds_too_much_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle, "MOST_UNPACKED_BYTES", 2 << 20)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("It was unpacked."))

    with pytest.raises(WorkflowError, match="more than 2 MiB"):
        read_archive("a.zip", zipped(zeros=bytes(3 << 20)))
