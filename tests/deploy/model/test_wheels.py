"""What the endpoint's container installs: pinned, fetched once, carried, and nothing else."""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from deploy.model import wheels
from deploy.model.package import CODE, model_archive
from deploy.model.wheels import REQUIREMENTS, pinned_wheels, read_pins
from workflow.errors import WorkflowError

pytestmark = pytest.mark.process

NAMES = ("alpha", "beta")


def wheel(folder: Path, name: str) -> str:
    """Write a wheel of one module that runs anywhere; gives its SHA-256."""
    info = f"{name}-1.0.dist-info"
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(f"{name}.py", f"NAME = {name!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    (folder / f"{name}-1.0-py3-none-any.whl").write_bytes(body.getvalue())
    return hashlib.sha256(body.getvalue()).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which pip is configured to use instead of any index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def code(tmp_path: Path, index: Path) -> Path:
    """What runs the model, with requirements of two wheels that the index has."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "inference.py").write_text("")
    lines = [f"{name}==1.0 --hash=sha256:{wheel(index, name)}\n" for name in NAMES]
    (folder / "requirements.txt").write_text("--no-index\n--find-links wheels\n" + "".join(lines))
    return folder


def test_wheels_are_fetched_once(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = pinned_wheels(code / "requirements.txt", tmp_path / "cache")
    assert list(fetched) == [f"{name}-1.0-py3-none-any.whl" for name in NAMES]

    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError("pip was asked again")

    monkeypatch.setattr(subprocess, "run", unexpected)
    assert pinned_wheels(code / "requirements.txt", tmp_path / "cache") == fetched


def test_another_wheel_of_the_same_name_is_not_taken(
    code: Path, index: Path, tmp_path: Path
) -> None:
    (index / "beta-1.0-py3-none-any.whl").write_bytes(b"something else")
    with pytest.raises(WorkflowError, match=r"PIP_INDEX_URL.*cache") as refused:
        pinned_wheels(code / "requirements.txt", tmp_path / "cache")
    assert refused.value.code == "WheelsMissing"


def test_without_an_index_what_is_missing_is_said(code: Path, index: Path, tmp_path: Path) -> None:
    for path in index.iterdir():
        path.unlink()
    with pytest.raises(WorkflowError, match="alpha") as refused:
        pinned_wheels(code / "requirements.txt", tmp_path / "cache")
    assert refused.value.code == "WheelsMissing"


def test_the_container_installs_from_the_archive_alone(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is that of the SageMaker PyTorch inference toolkit, ``torchserve.py``."""
    carried = pinned_wheels(code / "requirements.txt", tmp_path / "cache")
    archive = model_archive(code=code, wheels=carried)
    model = tmp_path / "opt/ml/model"
    with tarfile.open(fileobj=io.BytesIO(archive.body)) as tar:
        tar.extractall(model, filter="data")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/none")
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "installed"))

    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-r", str(model / "code/requirements.txt")],
        check=True,
        capture_output=True,
        cwd="/",
    )

    assert {path.name for path in (tmp_path / "installed").glob("*.py")} == {"alpha.py", "beta.py"}


def test_the_digest_follows_the_wheels(code: Path) -> None:
    assert (
        model_archive(code=code, wheels={"a.whl": b"1"}).digest != model_archive(code=code).digest
    )


def test_every_requirement_is_pinned_and_none_comes_from_an_index() -> None:
    lines = REQUIREMENTS.read_text().splitlines()
    requirements = [line for line in lines if not line.startswith(("#", "--"))]

    assert REQUIREMENTS.parent == CODE
    assert [line for line in lines if line.startswith("--")] == [
        "--no-index",
        "--find-links wheels",
    ]
    assert len(read_pins("\n".join(lines))) == len(requirements)
    assert {line.partition("==")[0] for line in requirements} >= {"numpy", "onnxruntime", "pillow"}
    assert wheels.FOLDER == "code/wheels"
