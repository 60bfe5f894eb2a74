"""Train the classifier: ``python -m deploy.model.train --data-dir FOLDER --neither-dir FOLDER``.

Fits the network, quantises it, measures the quantised model through the very functions that the
endpoint runs, and writes ``model.onnx`` and ``manifest.json``. Needs ``pip install -e '.[model]'``.
"""

import argparse
import dataclasses
import hashlib
import importlib.metadata
import sys
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deploy.model import evaluate
from deploy.model.artifacts import ARTIFACTS, MANIFEST_FILE, MODEL_FILE
from deploy.model.code import inference
from deploy.model.data import LABELS, Dataset, download_cifar, read_folder, read_split
from deploy.model.export import export
from deploy.model.fit import Recipe, fit, fit_temperature, predict_logits
from deploy.model.latency import measure_latency
from deploy.model.manifest import (
    Manifest,
    Neither,
    Preprocessing,
    Test,
    Training,
    Validation,
    write_manifest,
)
from deploy.model.network import MEAN, SCALE, probabilities
from deploy.model.shapes import KINDS, draw_kind
from workflow.errors import WorkflowError
from workflow.settings import DEFAULT_THRESHOLD

PHOTOS = "photos"
# Training and measuring draw different images of the same kinds, from different seeds.
DRAWN_TRAIN_SEED, DRAWN_TEST_SEED = 1, 2
DRAWN_TEST_COUNT = 200
_DRAWN_TRAIN_COUNTS = {
    "drawn shapes": 60,
    "noise": 30,
    "blank": 15,
    "texture": 40,
    "scribble": 40,
}
_VALIDATION_SHARE = 0.15
_CALIBRATION_IMAGES = 300
_PACKAGES = ("torch", "onnx", "onnxruntime", "numpy", "pillow")

Images = NDArray[np.uint8]


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        train, test = _labelled(options)
        manifest = train_model(
            train=train,
            test=test,
            photos=read_folder(options.neither_dir) if options.neither_dir else None,
            recipe=Recipe(),
            seed=options.seed,
            target=options.out,
        )
    except WorkflowError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    print(
        f"Test accuracy {manifest.test.accuracy.value:.3f}, "
        f"calibration error {manifest.test.calibration_error:.3f}, "
        f"{manifest.latency.model_ms:.2f} ms, written to {options.out}."
    )
    return 0


def train_model(
    *,
    train: Dataset,
    test: Dataset,
    photos: Images | None,
    recipe: Recipe,
    seed: int,
    target: Path,
) -> Manifest:
    """Fit, quantise and measure a classifier; write it and its manifest to ``target``.

    Args:
        train: Labelled images; a share is held back for validation and the temperature.
        test: Labelled images, looked at once, at the end.
        photos: Photos of neither class (n, 32, 32, 3), half to train on and half to measure, or
            None.
        recipe: How to fit.
        seed: Of all chance in it.
        target: Folder to write to.
    """
    fitted, validation = hold_back(train, _VALIDATION_SHARE, seed)
    seen, unseen = neither_images(photos)
    outside = np.concatenate(list(seen.values()))
    network = fit(fitted, outside, recipe, seed, print)
    logits = predict_logits(network, validation.images, recipe.input_size)
    temperature = fit_temperature(logits, validation.labels)
    float_right = evaluate.correct(
        probabilities(logits, temperature).numpy(), validation.labels
    ).mean()
    sample = np.random.default_rng(seed).permutation(np.concatenate([fitted.images, outside]))
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder)
        export(
            network,
            temperature,
            recipe.input_size,
            sample[:_CALIBRATION_IMAGES],
            staged / MODEL_FILE,
        )
        model_file = (staged / MODEL_FILE).read_bytes()
        preprocessing = _preprocessing(recipe)
        stub = msgspec.json.encode({"preprocessing": preprocessing})
        (staged / MANIFEST_FILE).write_bytes(stub)
        manifest = Manifest(
            sha256=hashlib.sha256(model_file).hexdigest(),
            size_bytes=len(model_file),
            labels=LABELS,
            preprocessing=preprocessing,
            training=_training(
                train=train,
                fitted=fitted,
                seen=seen,
                seed=seed,
                recipe=recipe,
                temperature=temperature,
            ),
            validation=_validation(staged, validation, float(float_right)),
            test=_test(staged, test),
            neither=_neither(staged, unseen),
            latency=measure_latency(staged),
        )
    target.mkdir(parents=True, exist_ok=True)
    (target / MODEL_FILE).write_bytes(model_file)
    write_manifest(manifest, target)
    return manifest


def hold_back(data: Dataset, part: float, seed: int) -> tuple[Dataset, Dataset]:
    """Split a dataset at random into the rest and a part."""
    order = np.random.default_rng(seed).permutation(len(data.labels))
    count = round(len(order) * part)
    return data.take(order[count:]), data.take(order[:count])


def neither_images(photos: Images | None) -> tuple[dict[str, Images], dict[str, Images]]:
    """Images that show neither class, by kind: those to train on, and others to measure on."""
    seen = {
        kind: draw_kind(kind, count, DRAWN_TRAIN_SEED)
        for kind, count in _DRAWN_TRAIN_COUNTS.items()
    }
    unseen = {kind: draw_kind(kind, DRAWN_TEST_COUNT, DRAWN_TEST_SEED) for kind in KINDS}
    if photos is None:
        return seen, unseen
    return {PHOTOS: photos[::2], **seen}, {PHOTOS: photos[1::2], **unseen}


def classify(folder: Path, images: Images) -> evaluate.Probabilities:
    """Probabilities (n, 2) of images (n, 32, 32, 3) by the model in a folder, as shipped."""
    model = inference.model_fn(str(folder))
    return np.array([inference.predict_fn(Image.fromarray(image), model) for image in images])


def _training(
    *,
    train: Dataset,
    fitted: Dataset,
    seen: dict[str, Images],
    seed: int,
    recipe: Recipe,
    temperature: float,
) -> Training:
    return Training(
        data=train.source,
        fitted_on=len(fitted.labels),
        neither={kind: len(images) for kind, images in seen.items()},
        seed=seed,
        recipe=dataclasses.asdict(recipe),
        temperature=temperature,
        packages={name: importlib.metadata.version(name) for name in _PACKAGES},
    )


def _preprocessing(recipe: Recipe) -> Preprocessing:
    return Preprocessing(
        base_size=inference.BASE_SIZE,
        input_size=recipe.input_size,
        resampling="bicubic",
        mean=MEAN,
        scale=SCALE,
        background="white",
    )


def _validation(folder: Path, data: Dataset, float_accuracy: float) -> Validation:
    answers = classify(folder, data.images)
    return Validation(
        accuracy=evaluate.share(evaluate.correct(answers, data.labels)),
        float_accuracy=float_accuracy,
        calibration_error=evaluate.calibration_error(answers, data.labels),
        confidence=evaluate.histogram(answers),
    )


def _test(folder: Path, data: Dataset) -> Test:
    answers = classify(folder, data.images)
    return Test(
        accuracy=evaluate.share(evaluate.correct(answers, data.labels)),
        calibration_error=evaluate.calibration_error(answers, data.labels),
        cuts=evaluate.cuts(answers, data.labels),
    )


def _neither(folder: Path, unseen: dict[str, Images]) -> Neither:
    return Neither(
        threshold=DEFAULT_THRESHOLD,
        passing={
            kind: evaluate.passing(classify(folder, images), DEFAULT_THRESHOLD)
            for kind, images in unseen.items()
        },
    )


def _labelled(options: argparse.Namespace) -> tuple[Dataset, Dataset]:
    if options.data_dir is None:
        return download_cifar(options.cache_dir)
    return read_split(options.data_dir, "train"), read_split(options.data_dir, "test")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.model.train",
        description="Train the classifier and write model.onnx and manifest.json.",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="folder with train/ and test/, each with a .lst file beside it or class folders in"
        " it; without it CIFAR-100 is downloaded",
    )
    parser.add_argument("--neither-dir", type=Path, help="folder of photos that show neither class")
    parser.add_argument(
        "--cache-dir",
        type=Path,
        default=Path.home() / ".cache" / "scones-unlimited",
        help="where the download is kept",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all chance (0)")
    parser.add_argument("--out", type=Path, default=ARTIFACTS, help="folder to write to")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
