"""The model.tar.gz: what is in it, and that the same files always give the same bytes."""

import gzip
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from deploy.model.artifacts import ARTIFACTS
from deploy.model.package import CODE, model_archive
from workflow.errors import WorkflowError

WORKFLOW = Path(__file__).parents[3] / "workflow"


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A copy of the committed artifacts that a test may damage."""
    return Path(shutil.copytree(ARTIFACTS, tmp_path / "artifacts"))


def members(body: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_the_archive_holds_what_the_container_wants_byte_for_byte() -> None:
    assert members(model_archive().body) == {
        "code/inference.py": (CODE / "inference.py").read_bytes(),
        "code/requirements.txt": (CODE / "requirements.txt").read_bytes(),
        "code/workflow/__init__.py": (WORKFLOW / "__init__.py").read_bytes(),
        "code/workflow/formats.py": (WORKFLOW / "formats.py").read_bytes(),
        "code/workflow/pictures.py": (WORKFLOW / "pictures.py").read_bytes(),
        "manifest.json": (ARTIFACTS / "manifest.json").read_bytes(),
        "model.onnx": (ARTIFACTS / "model.onnx").read_bytes(),
    }


@pytest.mark.process
def test_the_code_of_the_archive_needs_nothing_else_of_the_project(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(model_archive().body)) as tar:
        tar.extractall(tmp_path, filter="data")
    code = tmp_path / "code"

    done = subprocess.run(
        [sys.executable, "-c", "import inference; print(inference.pictures.__file__)"],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"},
        text=True,
    )

    assert done.stdout.strip() == str(code / "workflow" / "pictures.py")


def test_the_archive_does_not_depend_on_file_times(artifacts: Path) -> None:
    (artifacts / "model.onnx").touch()
    assert model_archive(artifacts) == model_archive()


def test_members_are_sorted_and_carry_no_time_and_no_owner() -> None:
    with tarfile.open(fileobj=io.BytesIO(model_archive().body)) as tar:
        found = tar.getmembers()
    assert [member.name for member in found] == sorted(member.name for member in found)
    assert {(member.mtime, member.uid, member.uname, member.mode) for member in found} == {
        (0, 0, "", 0o644)
    }


def test_the_gzip_header_carries_no_time_and_no_name() -> None:
    assert model_archive().body[3:8] == bytes(5)


def test_the_digest_follows_the_contents_not_the_compression(artifacts: Path) -> None:
    before = model_archive(artifacts)
    manifest = json.loads((artifacts / "manifest.json").read_text())
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    after = model_archive(artifacts)
    assert len(gzip.decompress(after.body)) <= len(gzip.decompress(before.body))
    assert after.digest != before.digest


def test_a_model_that_is_not_the_manifests_is_not_packed(artifacts: Path) -> None:
    with (artifacts / "model.onnx").open("ab") as file:
        file.write(b"!")
    with pytest.raises(WorkflowError) as failure:
        model_archive(artifacts)
    assert failure.value.code == "ModelCorrupt"


def test_a_missing_file_is_named_with_a_remedy(artifacts: Path) -> None:
    (artifacts / "model.onnx").unlink()
    with pytest.raises(WorkflowError, match=r"model\.onnx .* train the model again") as failure:
        model_archive(artifacts)
    assert failure.value.code == "ModelNotFound"
