"""Intervals: where the true share, or the true change of a share, lies 95 times of 100."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

LEVEL = 0.95
"""Confidence level of every interval."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a sample.

    Attributes:
        hits: How many of the sample have the property.
        count: Size of the sample; the share is of nothing, NaN, where it is 0.
    """

    hits: int
    count: int

    @property
    def value(self) -> float:
        """The share, 0 to 1; NaN of nothing."""
        return self.hits / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval; all of 0 to 1 where nothing was seen.

        Source: Wilson, "Probable inference, the law of succession, and statistical inference"
        (1927). Unlike the usual interval it holds for small samples and for shares near 0 and 1.
        """
        if not self.count:
            return 0.0, 1.0
        z = NormalDist().inv_cdf((1 + LEVEL) / 2)
        n, p = self.count, self.value
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        reach = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        # Rounding can put a bound a little outside 0 to 1.
        return max(0.0, centre - reach), min(1.0, centre + reach)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.hits + other.hits, self.count + other.count)


def difference(before: Share, after: Share) -> tuple[float, float]:
    """Return the interval of the change from one share to another; -1 to 1 where one is of nothing.

    Source: Newcombe, "Interval estimation for the difference between independent proportions"
    (1998), method 10: the two score intervals, put together as independent errors are.
    """
    if not before.count or not after.count:
        return -1.0, 1.0
    change = after.value - before.value
    # The change is lowest where the later share is low and the earlier one high, so bounds cross.
    (b_low, b_high), (a_low, a_high) = before.interval, after.interval
    return (
        change - math.hypot(after.value - a_low, b_high - before.value),
        change + math.hypot(a_high - after.value, before.value - b_low),
    )
