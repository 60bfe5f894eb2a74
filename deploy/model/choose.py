"""Choose a recipe by validation: ``python -m deploy.model.choose ... input_size=96,epochs=20``.

Each argument is a recipe, as ``name=value`` pairs joined by commas that differ from the default;
the default is always tried. Only the training split is read.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

from deploy.model import evaluate
from deploy.model.data import read_folder, read_split
from deploy.model.fit import Recipe
from deploy.model.measure import PHOTOS
from deploy.model.trial import Trial, run_trial
from workflow.errors import WorkflowError
from workflow.settings import DEFAULT_THRESHOLD


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit status."""
    options = _build_parser().parse_args(arguments)
    try:
        train = read_split(options.data_dir, "train")
        photos = read_folder(options.neither_dir)
    except WorkflowError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    print("| recipe | seed | validation accuracy | accepted | photos of neither that pass |")
    print("|---|---|---|---|---|")
    for recipe in [Recipe(), *options.recipe]:
        for seed in options.seeds:
            trial = run_trial(train, photos, recipe, seed, lambda _line: None)
            print(_format_row(trial, seed), flush=True)
    return 0


def _parse_recipe(changes: str) -> Recipe:
    pairs = (pair.split("=") for pair in changes.split(","))
    numbers = {name: float(value) for name, value in pairs}
    return Recipe(
        **{name: int(value) if value.is_integer() else value for name, value in numbers.items()}  # type: ignore[arg-type]
    )


def _format_row(trial: Trial, seed: int) -> str:
    name = ", ".join(f"{key} {value}" for key, value in dataclasses.asdict(trial.recipe).items())
    accuracy = trial.validation_accuracy().value
    accepted = evaluate.passing_share(
        trial.predict_probabilities(trial.validation.images), DEFAULT_THRESHOLD
    ).value
    photos = evaluate.passing_share(
        trial.predict_probabilities(trial.unseen[PHOTOS]), DEFAULT_THRESHOLD
    ).value
    return f"| {name} | {seed} | {accuracy:.3f} | {accepted:.3f} | {photos:.3f} |"


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.model.choose", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="as for deploy.model.train")
    parser.add_argument("--neither-dir", type=Path, required=True, help="photos of neither class")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="seeds to try (0 1)")
    parser.add_argument(
        "recipe", nargs="*", type=_parse_recipe, help="such as input_size=96,epochs=20"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
