"""Samples whose drift is known, for ``benchmarks.drift``; needs numpy only.

One seed gives the same sample to every method, also in another environment.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHAPE = (8.0, 0.6)
"""Of the beta distribution of a confident model's probability: heaped up near 1."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Two samples of confidences and of two classes.

    Attributes:
        name: As printed.
        size: Records in each sample.
        shift: Of the second sample's confidence, in standard deviations; the confidence is normal
            where there is one.
        shares: Of the second class, before and after.
    """

    name: str
    size: int
    shift: float = 0.0
    shares: tuple[float, float] = (0.4, 0.4)

    @property
    def drifts(self) -> bool:
        """Whether the two samples have different distributions."""
        return bool(self.shift) or self.shares[0] != self.shares[1]


SCENARIOS = (
    Scenario("no drift, n = 50", 50),
    Scenario("no drift, n = 100", 100),
    Scenario("no drift, n = 500", 500),
    Scenario("no drift, n = 5,000", 5_000),
    Scenario("confidence + 0.5 sd, n = 100", 100, shift=0.5),
    Scenario("class 50 -> 60 %, n = 500", 500, shares=(0.5, 0.6)),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Records of one side.

    Attributes:
        confidence: (n,) floats.
        label: (n,) indices of classes, 0 or 1.
    """

    confidence: NDArray[np.float64]
    label: NDArray[np.int64]


def draw(scenario: Scenario, seed: int) -> tuple[Sample, Sample]:
    """Return the baseline and the current sample of a seed."""
    rng = np.random.default_rng([scenario.size, seed])
    before, after = (
        Sample(confidence, (rng.random(scenario.size) < share).astype(np.int64))
        for confidence, share in zip(_confidences(scenario, rng), scenario.shares, strict=True)
    )
    return before, after


def _confidences(scenario: Scenario, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    for shift in (0.0, scenario.shift):
        if scenario.shift:
            yield rng.normal(shift, 1, scenario.size)
        else:
            probability = rng.beta(*SHAPE, scenario.size)
            yield np.maximum(probability, 1 - probability)
