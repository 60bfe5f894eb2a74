"""Machine rules: what a state machine itself demands of an inference, as its record tells.

An imported execution comes from a machine of others: it is judged by the threshold of that machine,
and one that classifies nothing owes no inference.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from workflow.answer_rows import number_of
from workflow.silent import layers
from workflow.thresholds import LOWEST
from workflow.timelines import StateVisit

_COMPARISONS: Final = (
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
)
_COMPARED: Final = re.compile(r"[<>]=?\s*(0?\.\d+|1(?:\.0+)?)(?![\d.])")
_CLASSIFIES: Final = re.compile(r"inferenc|predict|probabil|classif|confiden", re.IGNORECASE)
_MAX_NESTING: Final = 64


def stated_threshold(definition: str | None, visits: Iterable[StateVisit]) -> float | None:
    """Return the confidence that a machine compares with; None where none or several are stated.

    Args:
        definition: ASL as JSON text, None where it is not known.
        visits: Its states: a ``threshold`` in what one of them got or gave counts first.
    """
    texts = chain.from_iterable((visit.input, visit.output, visit.payload) for visit in visits)
    given = [_stated_in(layer) for text in texts for layer in layers(text)]
    said = [threshold for thresholds in given for threshold in thresholds]
    if said:
        return said[-1]
    try:
        compared = set(_compared_numbers(json.loads(definition or "null"), _MAX_NESTING))
    except (ValueError, RecursionError):
        return None
    return compared.pop() if len(compared) == 1 else None


def classifies(definition: str | None, texts: Iterable[str | None]) -> bool:
    """Return whether anything in a definition or in what its states gave speaks of inferences.

    Args:
        definition: ASL as JSON text, None where it is not known.
        texts: Inputs and outputs of the execution and its states.
    """
    return any(_CLASSIFIES.search(text) for text in (definition, *texts) if text)


def _stated_in(value: Mapping[str, object]) -> Iterator[float]:
    for name, item in value.items():
        number = number_of(item) if "threshold" in name.lower() else None
        if number is not None and LOWEST <= number <= 1:
            yield number


def _compared_numbers(value: object, depth: int) -> Iterator[float]:
    """Yield each confidence that Choice rules or JSONata conditions compare with."""
    if not depth:
        return
    if isinstance(value, Mapping):
        yield from _stated_in(value)
        for name, item in value.items():
            if name in _COMPARISONS and isinstance(item, int | float) and LOWEST <= item <= 1:
                yield float(item)
            yield from _compared_numbers(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            yield from _compared_numbers(item, depth - 1)
    elif isinstance(value, str) and value.lstrip().startswith("{%"):
        numbers = map(float, _COMPARED.findall(value))
        yield from (number for number in numbers if LOWEST <= number <= 1)
