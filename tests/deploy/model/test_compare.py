"""Two models on the same held-out photos; the one in use stands in for both."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from deploy.model import compare
from deploy.model.artifacts import ARTIFACTS, MODEL_FILE
from deploy.model.data import Dataset
from deploy.model.manifest import read_manifest, write_manifest
from deploy.model.shapes import draw_kind
from tests.builders import png
from workflow.errors import WorkflowError
from workflow.paired import Winner


def test_a_model_is_not_better_than_itself() -> None:
    test = Dataset(draw_kind("scribble", 12, 9), np.arange(12) % 2, "drawn")

    found = compare.compare_models(ARTIFACTS, ARTIFACTS, test)

    assert found.winner is Winner.CANNOT_TELL
    assert (found.difference, found.old) == (0, found.new)
    assert found.low < 0 < found.high


def test_the_comparison_stands_in_the_manifest_of_the_new_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, data = tmp_path / "new", tmp_path / "set"
    shutil.copytree(ARTIFACTS, new)
    (data / "test").mkdir(parents=True)
    lines = []
    for row, colour in enumerate(("red", "blue", "green", "white")):
        (data / "test" / f"{row}.png").write_bytes(png(color=colour))
        lines.append(f"{row}\t{row % 2}\t{row}.png\n")
    (data / "test.lst").write_text("".join(lines))

    assert compare.main(["--data-dir", str(data), "--new", str(new)]) == 0

    found = read_manifest(new).comparison
    assert found is not None
    assert found.old_sha256 == read_manifest(ARTIFACTS).sha256
    assert "On 4 photos" in capsys.readouterr().out
    assert (new / MODEL_FILE).exists()


def test_models_of_different_classes_are_not_compared(tmp_path: Path) -> None:
    new = tmp_path / "new"
    shutil.copytree(ARTIFACTS, new)
    other = msgspec.structs.replace(read_manifest(new), labels=("scone", "bun", "tart"))
    write_manifest(other, new)

    with pytest.raises(WorkflowError, match="scone, bun, tart") as caught:
        compare.record_comparison(
            ARTIFACTS, new, Dataset(draw_kind("scribble", 2, 9), np.arange(2), "drawn")
        )

    assert caught.value.code == "ClassesDiffer"
    assert read_manifest(new) == other


def test_a_folder_without_a_model_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test").mkdir()
    for row in range(2):
        (tmp_path / "test" / f"{row}.png").write_bytes(png())
    (tmp_path / "test.lst").write_text("0\t0\t0.png\n1\t1\t1.png\n")

    assert compare.main(["--data-dir", str(tmp_path), "--new", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("ModelMissing: ")
