"""``python -m deploy train``: what it refuses, what it copies, and what it says in the end."""

import importlib.util
import shutil
import sys
import uuid
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from deploy import deployment, train
from deploy.model.artifacts import ARTIFACTS
from deploy.model.data import Dataset, read_split
from deploy.model.manifest import read_manifest, write_manifest
from tests.builders import png
from tests.conftest import LocalCloud
from workflow.errors import WorkflowError

DATA = "s3://a-bucket/training/2026-11-27T00-00-00/"


def copy(_: str, folder: Path) -> int:
    """Copy a training set of two held-out photos."""
    (folder / "test").mkdir()
    for name in ("a.png", "b.png"):
        (folder / "test" / name).write_bytes(png())
    (folder / "test.lst").write_text("0\t0\ta.png\n1\t1\tb.png\n")
    return 3


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training gives the model in use: what trains is not installed everywhere."""

    def fit(folder: Path, out: Path, _seed: int, _earlier: Path | None) -> Dataset:
        shutil.copytree(ARTIFACTS, out)
        return read_split(folder, "test")

    stub = ModuleType("training_set")
    stub.train_on_folder = fit  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "deploy.model.training_set", stub)
    monkeypatch.setattr("deploy.model.training_set", stub, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)


def test_without_the_extra_it_says_what_to_install_and_what_else_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(WorkflowError) as caught:
        train.train_and_compare(DATA, tmp_path / "out", 0, copy)

    assert caught.value.code == "ModelExtraMissing"
    assert "[model]" in caught.value.remedy
    assert f"train {DATA} --sagemaker" in caught.value.remedy
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("fits")
def test_an_empty_prefix_is_no_training_set(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError) as caught:
        train.train_and_compare(DATA, tmp_path / "out", 0, lambda *_: 0)

    assert caught.value.code == "TrainingDataMissing"


@pytest.mark.usefixtures("fits")
def test_the_new_model_carries_how_it_compares(tmp_path: Path) -> None:
    told = train.train_and_compare(DATA, tmp_path / "out", 0, copy)

    manifest = msgspec.json.decode((tmp_path / "out" / "manifest.json").read_bytes())
    assert "On 2 photos" in told
    assert "cannot tell yet" in told
    assert manifest["comparison"]["winner"] == "cannot tell yet"


@pytest.mark.usefixtures("fits")
def test_a_new_model_in_the_place_of_the_old_one_is_compared_with_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_use = tmp_path / "in-use"
    shutil.copytree(ARTIFACTS, in_use)
    old = msgspec.structs.replace(read_manifest(in_use), sha256="the old model")
    write_manifest(old, in_use)
    monkeypatch.setattr("deploy.model.artifacts.ARTIFACTS", in_use)

    train.train_and_compare(DATA, in_use, 0, copy)

    found = read_manifest(in_use)
    assert found.comparison
    assert found.comparison.old_sha256 == "the old model"
    assert found.sha256 == read_manifest(ARTIFACTS).sha256


@pytest.mark.cloud
def test_a_training_set_is_copied_and_nothing_outside_the_folder(
    local_cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, s3 = f"training-{uuid.uuid4().hex[:8]}", local_cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    for key in ("set/train/a.png", "set/train.lst", "set/../../b.png", "other/c.png"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    for name, value in local_cloud.environ.items():
        monkeypatch.setenv(name, value)
    settings, session = deployment.connect(local_cloud.environ)

    count = deployment.download(settings, session, f"s3://{bucket}/set", tmp_path / "in")

    found = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()}
    assert count == 2
    assert found == {"in/train/a.png", "in/train.lst"}
