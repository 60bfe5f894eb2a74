"""Answers: what an endpoint says about an image, read as one probability a class.

Standard library only: this file is shipped in the zip of every Lambda function, so that captures,
ClassifyImage and the outputs of executions are read alike. The shapes are those of the built-in
algorithms (bare lists, linear learner), TensorFlow Serving, TorchServe, Triton, JumpStart
(verbose), Hugging Face pipelines and hand-written handlers, as JSON, JSON Lines or CSV. Where an
answer names its classes, the names decide which probability is whose, not the order.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from workflow.answer_rows import (
    CLASS_INDEX,
    SINGLE,
    OutputError,
    Row,
    in_order,
    is_sound,
    number_of,
    shortened,
)

NO_PROBABILITIES = "no list of numbers"
"""Reason of an answer in which no probabilities are found."""

_MAX_NESTING = 16
_BINARY = 2
_BOX_WIDTH = 6
_NOT_IN_KEYS = re.compile(r"[\s_.-]")

# Keys of answers, without separators and in lower case. The first that is there is read.
_PROBABILITIES = (
    *("probabilities", "probability", "probs", "prob", "proba", "predictproba"),
    *("classprobabilities", "predictedprobabilities", "softmax", "confidences", "confidence"),
    *("scores", "score"),
)
_CONTAINERS = (
    *("predictions", "prediction", "outputs", "output", "inferences", "inference"),
    *("results", "result", "response", "body", "payload", "data", "values", "answer"),
)
_NAMES = (
    *("labels", "label", "classnames", "classname", "classlabels", "classlabel", "classes"),
    *("class", "displaynames", "categories", "category", "columns", "names", "name", "tag"),
)
_CHOSEN = ("predictedlabel", "predictedclass", "label", "classname", "class", "prediction")
_ONE_SCORE = ("score", "probability", "prob", "confidence")
_COUNTED = frozenset({*_PROBABILITIES, *_CONTAINERS, *_NAMES, *_CHOSEN}) | {
    *("time", "latency", "latencyms", "duration", "durationms", "inferencetime", "elapsed"),
    *("statuscode", "status", "threshold", "version", "modelversion", "count", "index", "id"),
    *("timestamp", "size", "shape", "x", "y", "w", "h", "width", "height", "left", "top"),
    *("xmin", "xmax", "ymin", "ymax", "classid", "classids", "loss", "uncertainty"),
}
_OTHERS = (
    ("logit", "logits, not probabilities"),
    ("box", "boxes, no probability per class"),
    ("detection", "boxes, no probability per class"),
    ("embedding", "an embedding, no probability per class"),
    ("distance", "distances, not probabilities"),
)


def read_text(text: str, classes: Sequence[str]) -> list[Row]:
    """Read an answer as an endpoint gave it: JSON, JSON Lines or CSV.

    Args:
        text: The answer.
        classes: Names of the classes by index; numbers under these names are put in this order.
            Classes of other names follow in the order of their names.

    Returns:
        A row an image: several for a batch request.

    Raises:
        OutputError: It holds no numbers for classes. Whether they are probabilities is told by
            ``is_sound``.
    """
    return [in_order(row, classes) for row in _rows_in_text(text, _MAX_NESTING)]


def read_value(value: object, classes: Sequence[str]) -> list[Row]:
    """Read an answer that is parsed already; otherwise as ``read_text``."""
    return [in_order(row, classes) for row in _read_rows(value, _MAX_NESTING)]


# --- text


def _rows_in_text(text: str, depth: int) -> list[Row]:
    text = text.strip()
    if not text:
        raise OutputError("empty output", "the answer holds no text")
    if not depth:
        raise OutputError(NO_PROBABILITIES, f"it is nested more than {_MAX_NESTING} deep")
    if text[0] in '[{"':
        try:
            return _read_rows(_parse_json(text), depth - 1)
        except ValueError as error:
            if text[0] != '"':
                raise OutputError("output is not JSON", str(error)) from None
    return _read_rows(_parse_csv(text), depth - 1)


def _parse_json(text: str) -> object:
    """Return one JSON value, or the list of the values of JSON Lines.

    Raises:
        ValueError: It is neither.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        # One line is no JSON Lines but broken JSON, of which json's own error says more.
        if len(lines) < 2 or not all(line.lstrip()[0] in "[{" for line in lines):  # noqa: PLR2004
            raise
        return [json.loads(line) for line in lines]


def _parse_csv(text: str) -> list[Any]:
    """Return the lines of CSV; objects where the first one names the columns."""
    # A plain split is enough: endpoints write numbers and class names, which hold no commas.
    lines = [line.split(",") for line in text.splitlines() if line.strip()]
    head, *rows = [[cell.strip().strip('"').strip() for cell in line] for line in lines]
    named = len(head) > 1 and all(head) and not any(number_of(cell) is not None for cell in head)
    if named and rows and all(len(row) == len(head) for row in rows):
        return [dict(zip(head, row, strict=True)) for row in rows]
    return [head, *rows]


# --- values


def _read_rows(value: object, depth: int) -> list[Row]:
    if depth <= 0:
        raise OutputError(NO_PROBABILITIES, f"it is nested more than {_MAX_NESTING} deep")
    if isinstance(value, Mapping):
        return _rows_of_object(value, depth)
    if isinstance(value, list):
        return _rows_of_list(value, depth)
    if isinstance(value, str) and number_of(value) is None:
        return _rows_in_text(value, depth - 1)
    number = number_of(value)
    if number is None:
        raise OutputError(NO_PROBABILITIES, f"the answer is {shortened(value)}")
    return [Row((number,))]


def _rows_of_list(items: list[Any], depth: int) -> list[Row]:
    if items and all(isinstance(item, Mapping) for item in items):
        return _rows_of_objects(items, depth)
    if items and all(isinstance(item, list) for item in items):
        return _rows_of_pairs(items) or _read_each(items, depth)
    if items and all(isinstance(item, str) and _holds_more(item) for item in items):
        return _read_each(items, depth)
    return [Row(tuple(map(_require_number, items)))]


def _rows_of_objects(items: list[Mapping[str, Any]], depth: int) -> list[Row]:
    """Read objects in a list: each is a class, an image or a named part of one answer."""
    plain = [_normalise_keys(item) for item in items]
    for keys in plain:
        _refuse_others(keys, ("box", "detection"))
    if all("name" in keys and "data" in keys for keys in plain):  # Triton's tensors
        return _read_rows({str(keys["name"]): _shape_tensor(keys) for keys in plain}, depth - 1)
    scores = [_named_score(keys) for keys in plain]
    named = [score for score in scores if score]
    if len(named) == len(items):
        return [Row(tuple(score for _, score in named), tuple(name for name, _ in named))]
    # [{"cat": 0.9}, {"dog": 0.1}] is one answer by class, not one answer for each of two images.
    if len(items) > 1 and all(len(item) == 1 for item in items):
        merged = {key: value for item in items for key, value in item.items()}
        if len(merged) == len(items) and len(_by_class(merged)) == len(items):
            return [_named_row(merged)]
    return _read_each(items, depth)


def _rows_of_object(value: Mapping[str, Any], depth: int) -> list[Row]:
    keys = _normalise_keys(value)
    keys = {**keys, "data": _shape_tensor(keys)} if "data" in keys else keys
    problem: OutputError | None = None
    # Probabilities first: a container beside them may hold the predicted classes only.
    for key in (*_PROBABILITIES, *_CONTAINERS):
        if not isinstance(keys.get(key), Mapping | list) and not _holds_more(keys.get(key)):
            continue
        try:
            rows = _read_rows(keys[key], depth - 1)
        except OutputError as error:
            # A later key may hold a sound answer; if none does, the first problem says most.
            problem = problem or error
        else:
            _refuse_boxes(key, rows)
            return _add_names(rows, keys)
    binary = _read_binary(keys)
    if binary:
        return [binary]
    by_class = _by_class(value)
    if len(by_class) > 1:
        return [_named_row(by_class)]
    columns = _rows_of_columns(value)
    if columns:
        return columns
    if problem:
        raise problem
    _refuse_others(keys, [part for part, _ in _OTHERS])
    return _add_names(_search_other_keys(value, depth), keys)


def _read_each(items: Iterable[object], depth: int) -> list[Row]:
    return [row for item in items for row in _read_rows(item, depth - 1)]


def _search_other_keys(value: Mapping[str, Any], depth: int) -> list[Row]:
    """Return the only sound answer under keys that are not known.

    Raises:
        OutputError: There is none, or more than one.
    """
    found: list[list[Row]] = []
    for key, item in value.items():
        if _normalise_key(key) in _COUNTED or not isinstance(item, Mapping | list):
            continue
        try:
            rows = _read_rows(item, depth - 1)
        except OutputError:
            continue
        if rows and all(is_sound(row.values) for row in rows) and rows not in found:
            found.append(rows)
    if len(found) == 1:
        return found[0]
    if found:
        raise OutputError(NO_PROBABILITIES, f"{len(found)} lists could be meant")
    score = _find_score(_normalise_keys(value))
    if score is not None:
        raise OutputError(SINGLE, f"the score is {score!r}")
    raise OutputError(NO_PROBABILITIES, f"the answer is {shortened(value)}")


def _require_number(value: object) -> float:
    number = number_of(value)
    if number is None:
        raise OutputError(NO_PROBABILITIES, f"{shortened(value)} is not a number")
    return number


def _holds_more(value: object) -> bool:
    """Return whether a text may be an answer in itself: JSON or a row of CSV."""
    return isinstance(value, str) and (value.lstrip()[:1] in ("[", "{") or "," in value)


def _normalise_key(key: object) -> str:
    return _NOT_IN_KEYS.sub("", str(key)).lower()


def _normalise_keys(value: Mapping[str, Any]) -> dict[str, Any]:
    return {_normalise_key(key): item for key, item in value.items()}


def _refuse_others(keys: Mapping[str, Any], parts: Sequence[str]) -> None:
    """Name what is known to be something else than probabilities."""
    for part, reason in _OTHERS:
        if part in parts and any(part in key for key in keys):
            raise OutputError(reason, f"the answer has {', '.join(map(shortened, keys))}"[:150])


def _refuse_boxes(key: str, rows: Iterable[Row]) -> None:
    """Refuse what the built-in object detection answers: class, score and corners of a box."""
    if key == "prediction" and any(_is_box(row.values) for row in rows):
        raise OutputError("boxes, no probability per class", "six numbers each: class, score, box")


def _is_box(values: Sequence[float]) -> bool:
    # A class (a whole number), a score and two ordered corners, as the built-in object detection
    # writes them; corners of all 0 belong to six probabilities of a sure answer.
    if len(values) != _BOX_WIDTH or not values[0].is_integer():
        return False
    _, score, left, top, right, bottom = values
    return 0 < score <= 1 and left <= right and top <= bottom and any(values[2:])


def _shape_tensor(keys: Mapping[str, Any]) -> object:
    """Return the data of a tensor: flat where its shape says that it is several rows."""
    # Triton's protocol (KServe v2) allows row-major data without nesting; only the shape has the
    # rows.
    data, shape = keys["data"], keys.get("shape")
    if isinstance(data, list) and isinstance(shape, list) and len(shape) > 1 and data:
        width = shape[-1]
        flat = not isinstance(data[0], list)
        if flat and isinstance(width, int) and width > 0 and len(data) % width == 0:
            return [data[begin : begin + width] for begin in range(0, len(data), width)]
    return data


# --- names


def _named_score(keys: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return name and score of an object that is about one class."""
    name = next((keys[key] for key in _NAMES if isinstance(keys.get(key), str | int)), None)
    score = _find_score(keys)
    return None if name is None or score is None else (str(name), score)


def _find_score(keys: Mapping[str, Any]) -> float | None:
    """Return the one score of an object, where it has one."""
    scores = (number_of(keys[key]) for key in _ONE_SCORE if key in keys)
    return next((score for score in scores if score is not None), None)


def _rows_of_pairs(items: list[list[Any]]) -> list[Row]:
    """Read pairs of class name and number; return [] for other lists and for a single class."""
    pairs = [item for item in items if len(item) == 2 and isinstance(item[0], str)]  # noqa: PLR2004
    if (
        len(items) < _BINARY
        or len(pairs) != len(items)
        or any(number_of(name) is not None for name, _ in pairs)
    ):
        return []
    return [
        Row(tuple(_require_number(score) for _, score in pairs), tuple(name for name, _ in pairs))
    ]


def _by_class(value: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an object, but for those that are known to count something else."""
    numbers = {
        key: number_of(item) for key, item in value.items() if _normalise_key(key) not in _COUNTED
    }
    return {str(key): number for key, number in numbers.items() if number is not None}


def _named_row(numbers: Mapping[str, Any]) -> Row:
    return Row(tuple(_require_number(item) for item in numbers.values()), tuple(numbers))


def _rows_of_columns(value: Mapping[str, Any]) -> list[Row]:
    """Read a table: a column for each class with the numbers of all images; [] if it is none."""
    lists = {key: item for key, item in value.items() if isinstance(item, list)}
    sizes = {len(item) for item in lists.values()}
    if len(lists) < _BINARY or len(lists) != len(value) or len(sizes) != 1 or not sizes.pop():
        return []
    numbers = [[number_of(cell) for cell in item] for item in lists.values()]
    if not all(cell is not None for item in numbers for cell in item):
        return []
    if not all(CLASS_INDEX.fullmatch(str(key).lower()) for key in lists):
        return []
    return [
        Row(tuple(map(_require_number, row)), tuple(lists)) for row in zip(*numbers, strict=True)
    ]


def _read_binary(keys: Mapping[str, Any]) -> Row | None:
    """Return the linear learner's answer of two classes: the probability of class 1, and the class.

    Raises:
        OutputError: The score says another class than the label.
    """
    score, chosen = _find_score(keys), number_of(keys.get("predictedlabel"))
    if score is None or not 0 <= score <= 1 or chosen not in (0, 1):
        return None
    # At exactly one half either label agrees with the score.
    if (score > 1 / 2) != bool(chosen) and score != 1 / 2:
        detail = f"the score {score!r} of class 1 with the label {chosen:g}"
        raise OutputError("score and label disagree", detail)
    return Row((1 - score, score))


def _add_names(rows: list[Row], keys: Mapping[str, Any]) -> list[Row]:
    """Return the rows with the class names that the answer gives beside them."""
    names = next((found for key in _NAMES if (found := _parse_list(keys.get(key)))), [])
    if names and isinstance(names[0], list):
        if len(names) == len(rows):
            return [_with_names(row, own) for row, own in zip(rows, names, strict=True)]
        return rows
    chosen = next((keys[key] for key in _CHOSEN if isinstance(keys.get(key), str)), "")
    if len(rows) == 1 and not rows[0].names and chosen:
        rows = [replace(rows[0], chosen=chosen)]
    return [_with_names(row, names) for row in rows]


def _parse_list(value: object) -> list[Any]:
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            # Autopilot gives its labels as the text of a Python list, in single quotes.
            value = json.loads(value.replace("'", '"'))
        except (ValueError, RecursionError):
            return []
    return value if isinstance(value, list) else []


def _with_names(row: Row, names: list[Any]) -> Row:
    fits = len(names) == len(row.values) > 1 and not row.names
    if fits and all(isinstance(name, str | int) for name in names):
        return replace(row, names=tuple(map(str, names)))
    return row
