"""Train: a training set in S3 to a model beside the one in use, and which of the two is better."""

import argparse
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

from workflow.errors import WorkflowError

_NEEDED = ("torch", "onnx", "efficientnet_lite_pytorch")
Download = Callable[[str, Path], int]
"""Copies what is below an S3 prefix into a folder; returns how many files that are."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "data", metavar="S3_PREFIX", help="training set that the Quality page exported"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where to write the model"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all chance (0)")


def train(data: str, out: Path, seed: int, download: Download) -> str:
    """Train on a training set, compare with the model in use, and return what came of it.

    The comparison is on the photos that the training set holds out, and in the new manifest.

    Args:
        data: ``s3://bucket/prefix`` that holds ``train/``, ``test/`` and their list files.
        out: Folder to write the model and its manifest to, the comparison included.
        seed: Of all chance.
        download: Copies the training set.

    Raises:
        WorkflowError: ``ModelExtraMissing``, ``TrainingDataMissing``, or what is wrong with the
            photos; the folder then holds what it held before.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise WorkflowError(
            "ModelExtraMissing",
            f"Training needs {', '.join(missing)}, which this environment has not.",
            "Install it with `pip install -e '.[model]'`, or train on SageMaker:"
            f" `python -m deploy apply --train {data} --keep-endpoint`.",
        )
    from deploy.model import artifacts, compare, training_set  # noqa: PLC0415 - they load torch

    with tempfile.TemporaryDirectory() as folder:
        count = download(data, Path(folder))
        if not count:
            raise WorkflowError(
                "TrainingDataMissing",
                f"There is no training set at {data}.",
                "Export one on the Quality page, and give the prefix that it names.",
            )
        test = training_set.fit(Path(folder), out, seed)
        found = compare.judge(artifacts.ARTIFACTS, out, test)
    return f"Trained on {count:,} files of {data}. {compare.told(found)}"
