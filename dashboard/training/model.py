"""What a training set holds: which photo is trained on, which is held out, and its list files."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from workflow.class_names import ClassNames
from workflow.errors import WorkflowError
from workflow.paired import Winner
from workflow.reviews import NEITHER
from workflow.splits import held_out, near_duplicates

PREFIX: Final = "training"
"""Where training sets lie in the workflow's bucket."""

_FEWEST_CLASSES: Final = 2  # one class is nothing to tell apart
_NAMED: Final = 5  # classes that an error names


class Part(StrEnum):
    """The folders of a training set."""

    TRAIN = "train"
    TEST = "test"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A labelled photo.

    Attributes:
        id: Id that its labels were given under.
        label: Index of the class, or ``NEITHER``.
        sha256: Hex digest of the file.
        suffix: ``.png`` or ``.jpg``.
        key: S3 key of the capture it comes from.
    """

    id: str
    label: int
    sha256: str
    suffix: str
    key: str

    @property
    def name(self) -> str:
        """Its file name: one photo that was captured twice is one file."""
        return f"{self.sha256[:32]}{self.suffix}"


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A training set.

    Attributes:
        photos: In order, without those that are there already.
        parts: The folder of each.
        twice: Photos that were left out since the same file is there already.
        near: Photos that have a near-duplicate before them; they are in the same folder.
    """

    photos: tuple[Labelled, ...]
    parts: tuple[Part, ...]
    twice: int
    near: int

    def count_photos(self) -> dict[Part, Counter[int]]:
        """Return the photos of each class in each folder."""
        pairs = list(zip(self.photos, self.parts, strict=True))
        return {
            part: Counter(photo.label for photo, where in pairs if where is part) for part in Part
        }

    def list_file(self, part: Part) -> str:
        """Return the list file of a folder: ``row<TAB>label<TAB>filename``, no header.

        Source: "Image Classification - MXNet", SageMaker developer guide.
        """
        named = [
            photo for photo, where in zip(self.photos, self.parts, strict=True) if where is part
        ]
        return "".join(f"{row}\t{one.label}\t{one.name}\n" for row, one in enumerate(named))

    def build_manifest(self, at: datetime, names: ClassNames) -> bytes:
        """Return what is in the set and where each photo comes from, as JSON."""
        photos = [
            {**asdict(photo), "part": part, "name": photo.name}
            for photo, part in zip(self.photos, self.parts, strict=True)
        ]
        labels = sorted({photo.label for photo in self.photos} - {NEITHER})
        head = {
            "made_at": at.isoformat(),
            "classes": {str(label): names.name(label) for label in labels},
            "left_out_twice": self.twice,
            "near_duplicates": self.near,
        }
        return json.dumps({**head, "photos": photos}, indent=1).encode()


def training_set(
    photos: Sequence[Labelled], hashes: NDArray[np.uint64], names: ClassNames
) -> TrainingSet:
    """Split labelled photos; a photo and its near-duplicates are never on both sides.

    Args:
        photos: In the order in which they were drawn, which stays as it is when there are more.
        hashes: Difference hash of each, shape ``(n, 4)``.
        names: Of the classes.

    Raises:
        WorkflowError: ``TrainingSetTooSmall`` where a class of the model, or a new one, lacks
            photos on one side; ``ClassUnknown`` where new classes leave out a number.
    """
    first = {photo.sha256: place for place, photo in reversed(list(enumerate(photos)))}
    places = sorted(first.values())
    kept = tuple(photos[place] for place in places)
    groups = near_duplicates(hashes[places])
    out = held_out([photo.id for photo in kept], groups)
    parts = tuple(
        Part.NEITHER if photo.label == NEITHER else Part.TEST if held else Part.TRAIN
        for photo, held in zip(kept, out, strict=True)
    )
    near = sum(group != place for place, group in enumerate(groups))
    made = TrainingSet(kept, parts, len(photos) - len(kept), near)
    _check_counts(made, names)
    return made


def _check_counts(made: TrainingSet, names: ClassNames) -> None:
    counts, known = made.count_photos(), max(_FEWEST_CLASSES, len(names.names))
    new = sorted({photo.label for photo in made.photos if photo.label >= known})
    if new and new[-1] >= known + len(new):
        raise WorkflowError(
            "ClassUnknown",
            f"Photos are labelled as class {new[-1]}, but the model has {known} classes, 0 to"
            f" {known - 1}.",
            f"Correct those labels on the Review page; new classes are numbered from {known} on.",
        )
    for part in (Part.TRAIN, Part.TEST):
        missing = [
            names.name(label) for label in range(known + len(new)) if not counts[part][label]
        ]
        if missing:
            more = f" and {len(missing) - _NAMED} more classes" if len(missing) > _NAMED else ""
            raise WorkflowError(
                "TrainingSetTooSmall",
                f"The {part} side has no photo of {', '.join(missing[:_NAMED])}{more}.",
                "Label more photos on the Review page: about 50 of each class are a beginning.",
            )


class Accuracy(msgspec.Struct, frozen=True):
    """Share of the held-out photos that a model is right about."""

    count: int
    value: float


class HeldOutComparison(msgspec.Struct, frozen=True):
    """A model beside an older one on the same held-out photos.

    Attributes:
        old: Accuracy of the older model.
        new: Accuracy of this model.
        difference: New less old, -1 to 1.
        low: Lower end of its 95 % interval.
        high: Upper end.
        winner: Whether this model is better.
    """

    old: Accuracy
    new: Accuracy
    difference: float
    low: float
    high: float
    winner: Winner

    def format_sentence(self) -> str:
        """Return the comparison as a sentence."""
        return (
            f"On {self.new.count:,} photos held out the older model is right in"
            f" {self.old.value:.1%}, the newer one in {self.new.value:.1%}: a difference of"
            f" {self.difference:+.1%}, 95 % interval {self.low:+.1%} to {self.high:+.1%}."
        )


class _Manifest(msgspec.Struct):
    comparison: HeldOutComparison | None = None


def held_out_comparison(manifest: bytes) -> HeldOutComparison | None:
    """Read the comparison with an older model from a model's manifest; None where it has none.

    Raises:
        WorkflowError: ``ManifestUnreadable``.
    """
    try:
        return msgspec.json.decode(manifest, type=_Manifest).comparison
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WorkflowError(
            "ManifestUnreadable",
            f"The comparison in the manifest of the model cannot be read: {error}",
            "Compare the models again: `python -m deploy.model.compare` writes it.",
        ) from error
