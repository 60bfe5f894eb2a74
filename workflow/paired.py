"""Paired comparison: whether a model is better than another on the same photos."""

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Final

from workflow.intervals import LEVEL

_Z: Final = NormalDist().inv_cdf((1 + LEVEL) / 2)


class Winner(StrEnum):
    """What a comparison comes to."""

    BETTER = "better"
    WORSE = "worse"
    CANNOT_TELL = "cannot tell yet"


@dataclass(frozen=True, slots=True)
class Paired:
    """Two models on the same photos.

    Attributes:
        photos: How many there are, at least 1.
        only_old: Photos that only the old model is right about.
        only_new: Photos that only the new model is right about.
    """

    photos: int
    only_old: int
    only_new: int

    @property
    def difference(self) -> float:
        """Accuracy of the new model less that of the old one, -1 to 1."""
        return (self.only_new - self.only_old) / self.photos

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference.

        Source: Bonett and Price, "Adjusted Wald confidence interval for a difference of binomial
        proportions based on paired data" (2012). Photos that both models are right about, or both
        wrong, say nothing about which is better.
        """
        n = self.photos + 2
        old, new = (self.only_old + 1) / n, (self.only_new + 1) / n
        reach = _Z * math.sqrt((old + new - (new - old) ** 2) / n)
        return max(-1.0, new - old - reach), min(1.0, new - old + reach)

    @property
    def winner(self) -> Winner:
        """Whether the new model is better; undecided as long as the interval holds 0."""
        low, high = self.interval
        if low > 0:
            return Winner.BETTER
        return Winner.WORSE if high < 0 else Winner.CANNOT_TELL
