"""Sequential comparison of two shares that may be looked at after every record.

A fixed-sample test that is looked at again and again finds a difference sooner or later where there
is none. These hold at every look together.

Sources: Ville, "Etude critique de la notion de collectif" (1939); Robbins, "Statistical methods
related to the law of the iterated logarithm" (1970), for the beta mixture; Wasserman, Ramdas and
Balakrishnan, "Universal inference" (2020), for the likeliest null hypothesis in the denominator;
Ramdas, Grunwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid inference"
(2023); McNemar, "Note on the sampling error of the difference between correlated proportions"
(1947), for the pairs that count.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from workflow.intervals import LEVEL, Share

_PRIOR: Final = 0.5  # Jeffreys' prior: about as good at shares near 0 as at those near one half
_HALF: Final = 0.5
_STEPS: Final = 60  # halvings of an interval of 1: exact to the last digit


def confidence_sequence(share: Share) -> tuple[float, float]:
    """Return the interval that holds the true share at every look, at 95 % for all looks together.

    All of 0 to 1 where nothing was seen. It is wider than Wilson's interval of one look.
    """
    if not share.count:
        return 0.0, 1.0

    def excluded(p: float) -> bool:
        return excludes(share, p)

    return _find_edge(0.0, share.value, excluded), _find_edge(1.0, share.value, excluded)


def excludes(share: Share, p: float) -> bool:
    """Return whether the true share is not ``p``, at 95 % however often this is asked."""
    # Under p this ratio is a martingale that starts at 1: by Ville's inequality it ever reaches 1 /
    # alpha with a probability of at most alpha.
    return _log_mixture(share) - _log_likelihood(share, p) >= -math.log(1 - LEVEL)


def log_evidence(one: Share, other: Share) -> float:
    """Return the natural logarithm of the evidence against both shares being the same.

    If they are, evidence ever reaches 1 / alpha with a probability of at most alpha.
    """
    both = one + other
    if not both.count:
        return 0.0
    # The likeliest common share is not known in advance; taking the best one for the null keeps the
    # guarantee at some cost in power (universal inference).
    null = _log_likelihood(both, both.value)
    return _log_mixture(one) + _log_mixture(other) - null


def differs(one: Share, other: Share) -> bool:
    """Return whether two shares differ, at 95 % however often this is asked."""
    return log_evidence(one, other) >= -math.log(1 - LEVEL)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two variants at one look.

    Attributes:
        old: Share of the variant in use.
        new: Share of the new one.
    """

    old: Share
    new: Share

    @property
    def says(self) -> str:
        """``higher`` or ``lower`` of the new share, or ``cannot tell yet``."""
        if not differs(self.old, self.new):
            return "cannot tell yet"
        return "higher" if self.new.value > self.old.value else "lower"


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two variants that were asked the same, at one look.

    Pairs in which both do the same say nothing about which one does it more often. Of the others,
    half are the new one's if both do it equally often.

    Attributes:
        pairs: How many there are.
        only_old: Pairs in which only the variant in use does it.
        only_new: Pairs in which only the new one does it.
    """

    pairs: int
    only_old: int
    only_new: int

    @property
    def says(self) -> str:
        """``higher`` or ``lower`` of the new one's share, or ``cannot tell yet``."""
        if not excludes(Share(self.only_new, self.only_old + self.only_new), _HALF):
            return "cannot tell yet"
        return "higher" if self.only_new > self.only_old else "lower"


def _find_edge(outer: float, inner: float, excluded: Callable[[float], bool]) -> float:
    """Return the border between an excluded share and one that is not."""
    # With few records nothing is excluded, and there is no border to search for.
    if not excluded(outer):
        return outer
    for _ in range(_STEPS):
        middle = (outer + inner) / 2
        outer, inner = (middle, inner) if excluded(middle) else (outer, middle)
    return outer


def _log_mixture(share: Share) -> float:
    """Return the likelihood of a sequence of records, averaged over shares by the prior."""
    return _log_beta(share.hits + _PRIOR, share.count - share.hits + _PRIOR) - _log_beta(
        _PRIOR, _PRIOR
    )


def _log_likelihood(share: Share, p: float) -> float:
    misses = share.count - share.hits
    if (share.hits and p <= 0) or (misses and p >= 1):
        return -math.inf
    # No hits add nothing, where 0 * log(0) would be an error; likewise no misses.
    return (share.hits * math.log(p) if share.hits else 0.0) + (
        misses * math.log1p(-p) if misses else 0.0
    )


def _log_beta(a: float, b: float) -> float:
    # By logarithms: the beta function of two thousand records is too small for a float.
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
