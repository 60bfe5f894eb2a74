"""Compare two models on held-out photos: ``python -m deploy.model.compare --data-dir D --new M``.

Both are run as the endpoint runs them. The comparison is written into the new model's manifest.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from deploy.model import evaluate
from deploy.model.artifacts import ARTIFACTS
from deploy.model.data import Dataset, read_split
from deploy.model.manifest import Manifest, ModelComparison, read_manifest, write_manifest
from deploy.model.measure import classify_images
from workflow.errors import WorkflowError
from workflow.paired import Paired


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.model.compare",
        description="Compare two models on the test split of a training set.",
    )
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of a training set")
    parser.add_argument("--old", type=Path, default=ARTIFACTS, help="folder of a model (in use)")
    parser.add_argument("--new", type=Path, required=True, help="folder of the model to judge")
    options = parser.parse_args(arguments)
    try:
        found = record_comparison(options.old, options.new, read_split(options.data_dir, "test"))
    except WorkflowError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    print(describe_comparison(found))
    return 0


def describe_comparison(found: ModelComparison) -> str:
    """Return a comparison for people."""
    return (
        f"On {found.new.count} photos the old model is right in {found.old.value:.1%}, the new one"
        f" in {found.new.value:.1%}: a difference of {found.difference:+.1%}, 95 % interval"
        f" {found.low:+.1%} to {found.high:+.1%}. The new model: {found.winner}."
    )


def record_comparison(old: Path, new: Path, test: Dataset) -> ModelComparison:
    """Compare models as ``compare_models`` does, and write it into the new one's manifest."""
    found = compare_models(old, new, test)
    write_manifest(msgspec.structs.replace(read_manifest(new), comparison=found), new)
    return found


def compare_models(old: Path, new: Path, test: Dataset) -> ModelComparison:
    """Compare the models of two folders on the same photos.

    Raises:
        WorkflowError: ``ModelMissing`` where a folder holds no model of this version,
            ``ClassesDiffer`` where the models do not tell the same classes apart.
    """
    first, second = map(_read_checked, (old, new))
    if first.labels != second.labels:
        raise WorkflowError(
            "ClassesDiffer",
            f"The old model's classes are {', '.join(first.labels)}, the new one's are"
            f" {', '.join(second.labels)}: they are not right about the same photos.",
            "Compare models of the same classes in the same order.",
        )
    before, after = (
        evaluate.correct_mask(classify_images(folder, test.images), test.labels)
        for folder in (old, new)
    )
    paired = Paired(len(test.labels), int((before & ~after).sum()), int((after & ~before).sum()))
    low, high = paired.interval
    return ModelComparison(
        old_sha256=first.sha256,
        data=test.source,
        old=evaluate.sample_share(before),
        new=evaluate.sample_share(after),
        difference=paired.difference,
        low=low,
        high=high,
        winner=paired.winner,
    )


def _read_checked(folder: Path) -> Manifest:
    try:
        return read_manifest(folder)
    except (OSError, msgspec.MsgspecError) as error:
        raise WorkflowError(
            "ModelMissing",
            f"{folder} holds no model of this project: {error}",
            "Give the folder that `python -m deploy.model.train --out` wrote.",
        ) from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
