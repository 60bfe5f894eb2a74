"""Additions: photos to train on beside a training set, without copies of those held out."""

import numpy as np
from PIL import Image

from deploy.model.data import Dataset
from workflow.errors import WorkflowError
from workflow.photo_hashes import hash_photo
from workflow.splits import near_duplicates


def joined(first: Dataset, second: Dataset) -> Dataset:
    """Return the photos of both.

    Raises:
        WorkflowError: ``ClassesDiffer``.
    """
    if first.classes != second.classes:
        raise WorkflowError(
            "ClassesDiffer",
            f"The classes of the training set are {', '.join(first.classes)}, those of the other"
            f" folder are {', '.join(second.classes)}.",
            "Give a folder with the same classes in the same order, or train without it.",
        )
    return Dataset(
        np.concatenate([first.images, second.images]),
        np.concatenate([first.labels, second.labels]),
        f"{first.source}; {second.source}",
        first.classes,
    )


def without_copies(data: Dataset, held_out: Dataset) -> Dataset:
    """Return the photos that are no near-duplicates of photos held out."""
    images = np.concatenate([held_out.images, data.images])
    hashes = np.array([hash_photo(Image.fromarray(one)) for one in images])
    groups = np.array(near_duplicates(hashes))
    count = len(held_out.labels)
    left = np.flatnonzero(~np.isin(groups[count:], groups[:count]))
    return Dataset(
        data.images[left],
        data.labels[left],
        f"{len(left)} of {data.source}",
        data.classes,
    )
