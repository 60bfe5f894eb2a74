"""Training set: a folder as the Quality page exports it, to a model."""

from pathlib import Path

import numpy as np

from deploy.model.additions import joined, without_copies
from deploy.model.data import Dataset, read_folder, read_split
from deploy.model.fit import Recipe
from deploy.model.train import train_model


def train_on_folder(folder: Path, out: Path, seed: int, earlier: Path | None = None) -> Dataset:
    """Train on a training set, write the model, and return the photos that were held out.

    Args:
        folder: With ``train/``, ``test/``, their list files, and ``neither/`` where there is one.
        out: Folder to write to.
        seed: Of all chance.
        earlier: Folder of photos to train on as well, of which only ``train/`` and ``neither/``
            are read; near-duplicates of photos held out are left out.

    Raises:
        WorkflowError: The photos cannot be trained on; ``ClassesDiffer`` where both folders do not
            have the same classes.
    """
    train, test = read_split(folder, "train"), read_split(folder, "test")
    if earlier is not None:
        train = joined(train, without_copies(read_split(earlier, "train"), test))
    neither = [one / "neither" for one in (folder, earlier) if one and (one / "neither").is_dir()]
    train_model(
        train=train,
        test=test,
        photos=np.concatenate([read_folder(one) for one in neither]) if neither else None,
        recipe=Recipe(),
        seed=seed,
        target=out,
    )
    return test
