"""Train on a training set in S3: on this machine, with a comparison, or as a SageMaker job."""

import argparse
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from deploy import deployment
from deploy.plan import Plan, only_training
from deploy.prices import training_price
from deploy.providers.session import Session
from workflow.errors import WorkflowError
from workflow.settings import Settings

_NEEDED = ("torch", "onnx", "efficientnet_lite_pytorch")
Download = Callable[[str, Path], int]
"""Copies what is below an S3 prefix into a folder; returns how many files that are."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "data",
        metavar="S3_PREFIX",
        nargs="?",
        default="",
        help="training set that the Quality page exported",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--out", type=Path, metavar="FOLDER", help="train on this machine and write the model here"
    )
    where.add_argument("--sagemaker", action="store_true", help="train as a SageMaker training job")
    where.add_argument("--job", metavar="NAME", help="follow a training job that was started")
    parser.add_argument(
        "--with",
        dest="earlier",
        type=Path,
        metavar="FOLDER",
        help="photos to train on as well, such as those of the model in use: a folder with train/,"
        " train.lst and, of no class, neither/ (with --out)",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--seed", type=int, default=0, help="seed of all chance (0)")


def run_command(
    options: argparse.Namespace,
    settings: Settings,
    session: Session,
    carry_out: Callable[[Plan], int],
) -> int:
    """Do what the command line asks for; returns the exit status.

    Args:
        options: Those of ``add_options``.
        settings: Of the deployment.
        session: Where.
        carry_out: Shows a plan, asks and applies it; returns the exit status.

    Raises:
        WorkflowError: ``TrainingDataMissing``, or what training ran into.
    """
    if options.job:
        with _goes_on(options.job):
            for line in deployment.follow_training(settings, session, options.job):
                print(line, flush=True)
        return 0
    if not options.data:
        raise WorkflowError(
            "TrainingDataMissing",
            "No training set is given.",
            "Give the S3 prefix that the Quality page names.",
        )
    if options.earlier and not options.out:
        raise WorkflowError(
            "OptionInvalid",
            "A SageMaker training job takes one training set: --with goes with --out.",
            "Train on this machine with --out FOLDER, or leave --with out.",
        )
    if options.sagemaker:
        return _on_sagemaker(replace(settings, training_data=options.data), session, carry_out)
    copy = partial(deployment.download, settings, session)
    print(train_and_compare(options.data, options.out, options.seed, copy, options.earlier))
    return 0


def _on_sagemaker(settings: Settings, session: Session, carry_out: Callable[[Plan], int]) -> int:
    """Start a training job, or go on with it, and follow it; the endpoint stays as it is."""
    plan, job = only_training(deployment.observe_and_plan(settings, session))
    print(training_price(job, settings.region))
    with _goes_on(job.name):
        status = carry_out(plan)
    if status == 0:
        print(
            "Serve its model beside the one in use: `python -m deploy apply --train"
            f" {settings.training_data} --keep-endpoint`, then the Rollout page."
        )
    return status


@contextmanager
def _goes_on(name: str) -> Iterator[None]:
    """Say on Ctrl-C how a training job is found again: it goes on by itself."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nThe training job goes on: `python -m deploy train --job {name}` follows it.")
        raise


def train_and_compare(
    data: str, out: Path, seed: int, download: Download, earlier: Path | None = None
) -> str:
    """Train on a training set, compare with the model in use, and return what came of it.

    The comparison is on the photos that the training set holds out, and in the new manifest.

    Args:
        data: ``s3://bucket/prefix`` that holds ``train/``, ``test/`` and their list files.
        out: Folder to write the model and its manifest to, the comparison included.
        seed: Of all chance.
        download: Copies the training set.
        earlier: Folder of photos to train on as well; the comparison has none of them.

    Raises:
        WorkflowError: ``ModelExtraMissing``, ``TrainingDataMissing``, or what is wrong with the
            photos; the folder then holds what it held before.
    """
    # Before anything is downloaded; find_spec does not import torch, which takes seconds.
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise WorkflowError(
            "ModelExtraMissing",
            f"Training needs {', '.join(missing)}, which this environment has not.",
            "Install it with `pip install -e '.[model]'`, or train on SageMaker:"
            f" `python -m deploy train {data} --sagemaker`.",
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
        new = Path(folder) / "model"  # the folder to write to may be that of the model in use
        test = training_set.train_on_folder(Path(folder), new, seed, earlier)
        found = compare.record_comparison(artifacts.ARTIFACTS, new, test)
        shutil.copytree(new, out, dirs_exist_ok=True)
    return f"Trained on {count:,} files of {data}. {compare.describe_comparison(found)}"
