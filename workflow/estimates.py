"""Estimates: a share of all photos from labels of some, which were not chosen with equal chances.

Labels come from draws that prefer rejections. Each label is weighted by how many photos it stands
for, its stratum's population over the stratum's labels, as Hajek's estimator does. The interval
combines Wilson's intervals of the strata by the method of variance estimates recovery (Zou, Huang
and Zhang, "A note on confidence interval estimation for a linear function of binomial
proportions", 2009), which holds near 0 and 1 where the usual normal interval does not. What is
estimated of a part of the photos, such as those of one class, adds the variance of how large that
part is in each stratum (Cochran, "Sampling Techniques", sections 5A.13 and 6.3).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from workflow.intervals import LEVEL, Share

_Z: Final = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True, slots=True)
class StratumCount:
    """Labels of one stratum.

    Attributes:
        population: Photos that the stratum's labels stand for.
        labelled: Labels in it.
        inside: Those of them in the part that is asked about, such as one class.
        hits: Those of them that have the property, such as being right.
    """

    population: float
    labelled: int
    inside: int
    hits: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of all photos, estimated.

    Attributes:
        value: The share, 0 to 1; NaN where no label tells.
        low: Lower end of the 95 % interval.
        high: Upper end.
        labels: On how many labels it rests.
    """

    value: float
    low: float
    high: float
    labels: int

    @property
    def width(self) -> float:
        """Width of the 95 % interval."""
        return self.high - self.low


UNKNOWN: Final = Estimate(math.nan, 0.0, 1.0, 0)
"""What no label tells anything about."""


def estimate(strata: Sequence[StratumCount]) -> Estimate:
    """Estimate the share of hits in the part of the photos that is asked about.

    The interval is for traffic like that which was captured, not for these photos alone: what a
    threshold does to tomorrow's photos stays uncertain even where every photo of today is labelled.
    A stratum without a label inside contributes nothing: what it holds is not known.
    """
    seen = [one for one in strata if one.inside]
    # Hajek: a stratum's part is estimated from the same labels as its hits.
    sizes = [one.population * one.inside / one.labelled for one in seen]
    total = sum(sizes)
    if not total:
        return UNKNOWN
    shares = [Share(one.hits, one.inside) for one in seen]
    value = sum(size * share.value for size, share in zip(sizes, shares, strict=True)) / total
    below = above = _Z**2 * _variance_of_sizes(strata, value, total)
    for size, share in zip(sizes, shares, strict=True):
        low, high = share.interval
        part = size / total
        # The strata are as large as they happened to be: other traffic would divide otherwise.
        between = _Z**2 * part * (share.value - value) ** 2 / total
        below += part**2 * (share.value - low) ** 2 + between
        above += part**2 * (high - share.value) ** 2 + between
    return Estimate(
        value,
        max(0.0, value - math.sqrt(below)),
        min(1.0, value + math.sqrt(above)),
        sum(one.inside for one in seen),
    )


def _variance_of_sizes(strata: Sequence[StratumCount], value: float, total: float) -> float:
    """Return the variance that comes from not knowing how large the part is in each stratum."""
    variance = 0.0
    for one in strata:
        if one.inside:
            share = one.inside / one.labelled
            # Linearised ratio estimator (Cochran, section 6.3): what one photo more inside would
            # change.
            reach = one.population * (one.hits / one.inside - value) / total
            variance += reach**2 * share * (1 - share) / one.labelled
    return variance


def labels_needed(strata: Sequence[StratumCount], width: float) -> int:
    """Return how many more labels an interval of a width takes; 0 where it is as narrow already.

    The width falls with the root of the number of labels, if they are chosen as before.

    Args:
        strata: Labels so far.
        width: Of the interval that is wanted, more than 0.
    """
    found = estimate(strata)
    if not found.labels:
        p = 0.5  # nothing is known: the widest case of Wilson's interval
        return math.ceil(_Z**2 * 4 * p * (1 - p) / width**2)
    return max(0, math.ceil(found.labels * ((found.width / width) ** 2 - 1)))
