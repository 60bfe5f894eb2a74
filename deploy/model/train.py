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

from deploy.model.artifacts import ARTIFACTS, MANIFEST_FILE, MODEL_FILE
from deploy.model.code import inference
from deploy.model.data import Dataset, download_cifar, read_folder, read_split
from deploy.model.export import export_onnx
from deploy.model.fit import Recipe
from deploy.model.latency import measure_latency
from deploy.model.manifest import Manifest, Preprocessing, Training, write_manifest
from deploy.model.measure import (
    Images,
    measure_neither,
    measure_test,
    measure_validation,
)
from deploy.model.network import MEAN, SCALE
from deploy.model.trial import Trial, run_trial
from workflow.errors import WorkflowError

_CALIBRATION_IMAGES = 300
_PACKAGES = ("torch", "onnx", "onnxruntime", "numpy", "pillow")


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit status."""
    options = _build_parser().parse_args(arguments)
    try:
        train, test = _read_labelled(options)
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
    trial = run_trial(train, photos, recipe, seed, print)
    preprocessing = _describe_preprocessing(recipe)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as folder:
        staged = Path(folder)
        model_file = staged / MODEL_FILE
        export_onnx(
            trial.network,
            trial.temperature,
            recipe.input_size,
            _sample_images(trial, seed),
            model_file,
        )
        # All that the endpoint's code reads of a manifest; the rest is measured with it.
        (staged / MANIFEST_FILE).write_bytes(msgspec.json.encode({"preprocessing": preprocessing}))
        manifest = Manifest(
            sha256=hashlib.sha256(model_file.read_bytes()).hexdigest(),
            size_bytes=model_file.stat().st_size,
            labels=train.classes,
            preprocessing=preprocessing,
            training=_describe_training(trial, train.source, seed),
            validation=measure_validation(
                staged, trial.validation, trial.validation_accuracy().value
            ),
            test=measure_test(staged, test),
            neither=measure_neither(staged, trial.unseen),
            latency=measure_latency(staged),
        )
        model_file.replace(target / MODEL_FILE)
    write_manifest(manifest, target)
    return manifest


def _sample_images(trial: Trial, seed: int) -> Images:
    images = np.concatenate([trial.fitted.images, *trial.seen.values()])
    return np.random.default_rng(seed).permutation(images)[:_CALIBRATION_IMAGES]


def _describe_training(trial: Trial, source: str, seed: int) -> Training:
    return Training(
        data=source,
        fitted_on=len(trial.fitted.labels),
        neither={kind: len(images) for kind, images in trial.seen.items()},
        seed=seed,
        recipe=dataclasses.asdict(trial.recipe),
        temperature=trial.temperature,
        packages={name: importlib.metadata.version(name) for name in _PACKAGES},
    )


def _describe_preprocessing(recipe: Recipe) -> Preprocessing:
    return Preprocessing(
        base_size=inference.BASE_SIZE,
        input_size=recipe.input_size,
        resampling="bicubic",
        mean=MEAN,
        scale=SCALE,
        background="white",
    )


def _read_labelled(options: argparse.Namespace) -> tuple[Dataset, Dataset]:
    if options.data_dir is None:
        return download_cifar(options.cache_dir)
    return read_split(options.data_dir, "train"), read_split(options.data_dir, "test")


def _build_parser() -> argparse.ArgumentParser:
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
