"""Foreign outputs: the inference in what an execution of somebody else's workflow gave.

``workflow.silent`` knows the outputs of the original project and its copies. Here is what other
workflows give: probabilities under any name and depth, by class, as JSON inside JSON, as the
``Body`` of an endpoint's answer, or a label with its confidence and nothing else. An output in
which nothing of that is found holds no inference, which is not the same as a confidence of zero.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from workflow.answer_rows import OutputError, Row, is_sound, number_of
from workflow.answers import read_value
from workflow.asl.data import json_or_none
from workflow.contract import LABELS
from workflow.silent import Inference, last_inference, read_inference
from workflow.timelines import StateVisit

NO_INFERENCE: Final = "no inference in the output"
"""What pages say of a success in which no inference is found."""

_MAX_NESTING: Final = 16
_NOT_IN_NAMES: Final = re.compile(r"[\s_.-]")
_LABELS: Final = (
    *("label", "predictedlabel", "predictedclass", "class", "classname", "category"),
    *("prediction", "predicted", "result", "vehicle", "name"),
)
_CONFIDENCES: Final = (
    *("confidence", "score", "probability", "prob", "confidencescore", "maxprobability"),
    *("maxconfidence", "topscore", "certainty"),
)
_PERCENT: Final = 100


def find_inference(output: str | None, classes: Sequence[str] = LABELS) -> Inference | None:
    """Return the inference in an output of any workflow, None where there is none.

    Args:
        output: JSON text, None where it is not known.
        classes: Names of the classes by index, for outputs that do not name them.
    """
    known = read_inference(output, classes)
    if known is not None and known.label is not None:
        return known
    layers = tuple(_walk_layers(json_or_none(output), _MAX_NESTING))
    found = _first_found(_read_probabilities(layer, classes) for layer in layers) or _first_found(
        # The innermost object first: outer ones often repeat it under vaguer names.
        _read_labelled(layer)
        for layer in reversed(layers)
    )
    if known is not None:  # a confidence that has no class yet
        return replace(known, label=found.label) if found else known
    return found


def inference_of(
    output: str | None, visits: Iterable[StateVisit], classes: Sequence[str] = LABELS
) -> Inference | None:
    """Return the inference of an execution: of its output, else the last that a state gave.

    Args:
        output: JSON text of its output.
        visits: Its states, as far as its history was read.
        classes: As for ``find_inference``.
    """
    found, visits = find_inference(output, classes), tuple(visits)
    if found is not None and found.label is not None:
        return found
    of_states = [find_inference(visit.output, classes) for visit in visits]
    named = [one for one in of_states if one is not None and one.label is not None]
    return next(reversed(named), found or last_inference(visits))


def _walk_layers(value: object, depth: int) -> Iterator[object]:
    """Yield every object and list in a payload, outermost first, through JSON text of any name."""
    if not depth:
        return
    if isinstance(value, str):
        if value.lstrip()[:1] in ("{", "[", '"') and value:
            yield from _walk_layers(json_or_none(value), depth - 1)
    elif isinstance(value, Mapping):
        yield value
        for item in value.values():
            yield from _walk_layers(item, depth - 1)
    elif isinstance(value, list):
        yield value
        for item in value:
            if isinstance(item, Mapping | str | list):
                yield from _walk_layers(item, depth - 1)


def _read_labelled(layer: object) -> Inference | None:
    """Return the inference of an object that names a label and a confidence."""
    if not isinstance(layer, Mapping):
        return None
    plain = {_NOT_IN_NAMES.sub("", str(name)).lower(): item for name, item in layer.items()}
    label = next((plain[name] for name in _LABELS if isinstance(plain.get(name), str)), None)
    numbers = (_parse_share(plain.get(name)) for name in _CONFIDENCES)
    confidence = next((number for number in numbers if number is not None), None)
    if label is None or confidence is None or number_of(label) is not None:
        return None
    return Inference(probabilities=(confidence,), label=label, confidence=confidence)


def _parse_share(value: object) -> float | None:
    """Return a confidence from 0 to 1, also where it is written in per cent."""
    text = value.strip() if isinstance(value, str) else ""
    number = number_of(text.removesuffix("%").strip() if text.endswith("%") else value)
    if number is None or isinstance(value, bool):
        return None
    # 98.7 can only be per cent; 1 is taken for certainty.
    percent = text.endswith("%") or 1 < number <= _PERCENT
    share = number / _PERCENT if percent else number
    return share if 0 <= share <= 1 else None


def _read_probabilities(layer: object, classes: Sequence[str]) -> Inference | None:
    """Return the inference of an object or list that holds one row of probabilities."""
    try:
        rows = read_value(layer, classes)
    except OutputError:
        return None
    if len(rows) != 1 or len(rows[0].values) < 2 or not is_sound(rows[0].values):  # noqa: PLR2004
        return None
    return _build_inference(rows[0], classes)


def _build_inference(row: Row, classes: Sequence[str]) -> Inference:
    best = max(range(len(row.values)), key=row.values.__getitem__)
    names = row.names or (classes if len(classes) == len(row.values) else ())
    label = names[best] if names else None
    return Inference(probabilities=row.values, label=label, confidence=row.values[best])


def _first_found(found: Iterable[Inference | None]) -> Inference | None:
    return next((one for one in found if one is not None), None)
