"""Names of classes: what the indices in a model's answer are called."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from workflow.contract import LABELS
from workflow.errors import WorkflowError
from workflow.reviews import NEITHER, NEITHER_NAME

_UNNAMED = "class "


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The classes of a model.

    Attributes:
        names: By their index in an answer; an index beyond them is a class without a name.
    """

    names: tuple[str, ...] = LABELS

    @classmethod
    def of_manifest(cls, content: bytes) -> Self:
        """Read the manifest that a training run writes beside its model.

        Raises:
            WorkflowError: ``ManifestUnreadable``.
        """
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            value = None
        names = value.get("labels") if isinstance(value, dict) else None
        if isinstance(names, list) and names and all(isinstance(one, str) and one for one in names):
            return cls(tuple(names))
        raise WorkflowError(
            "ManifestUnreadable",
            "The manifest of the model does not name its classes.",
            "Train the model again: `make model` writes its manifest.",
        )

    def name(self, label: int) -> str:
        """Return the name of a class; its number where it has none."""
        if label == NEITHER:
            return NEITHER_NAME
        return self.names[label] if 0 <= label < len(self.names) else f"{_UNNAMED}{label}"

    def index(self, name: str) -> int:
        """Return the number of a class by its name; -1, which no record has, where none has it."""
        if name in self.names:
            return self.names.index(name)
        number = name.removeprefix(_UNNAMED)
        return int(number) if number.isascii() and number.isdecimal() else -1


def training_classes(manifest: bytes) -> dict[int, str]:
    """Read the names by label that the manifest of a training set gives; none if it is odd."""
    try:
        told = json.loads(manifest)["classes"]
        return {int(label): str(name) for label, name in told.items() if name}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def complete_classes(named: Mapping[int, str], size: int) -> tuple[str, ...]:
    """Return the names of so many classes; what nothing names is numbered.

    Of two classes, those are called as in the workflow.
    """
    usual = ClassNames() if size == len(LABELS) else ClassNames(())
    return tuple(named.get(label) or usual.name(label) for label in range(size))
