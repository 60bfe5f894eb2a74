"""Training set: a folder as the Quality page exports it, to a model."""

from pathlib import Path

from deploy.model.data import Dataset, read_folder, read_split
from deploy.model.fit import Recipe
from deploy.model.train import train_model


def fit(folder: Path, out: Path, seed: int) -> Dataset:
    """Train on a training set, write the model, and return the photos that were held out.

    Args:
        folder: With ``train/``, ``test/``, their list files, and ``neither/`` where there is one.
        out: Folder to write to.
        seed: Of all chance.

    Raises:
        WorkflowError: The photos cannot be trained on.
    """
    test, neither = read_split(folder, "test"), folder / "neither"
    train_model(
        train=read_split(folder, "train"),
        test=test,
        photos=read_folder(neither) if neither.is_dir() else None,
        recipe=Recipe(),
        seed=seed,
        target=out,
    )
    return test
