"""Features: their statistics, what they must satisfy, and every way in which data breaks that."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from workflow.errors import WorkflowError


class InferredType(StrEnum):
    """The type that Model Monitor infers for a feature."""

    FRACTIONAL = "Fractional"
    INTEGRAL = "Integral"
    STRING = "String"
    UNKNOWN = "Unknown"


class CheckType(StrEnum):
    """The six checks that a violation can come from."""

    DATA_TYPE = "data_type_check"
    COMPLETENESS = "completeness_check"
    BASELINE_DRIFT = "baseline_drift_check"
    MISSING_COLUMN = "missing_column_check"
    EXTRA_COLUMN = "extra_column_check"
    CATEGORICAL_VALUES = "categorical_values_check"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between ascending edges.

    Attributes:
        edges: B + 1 ascending numbers; bin i holds ``edges[i] <= value < edges[i + 1]``, the last
            bin its upper edge too.
        counts: B counts.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    @classmethod
    def of(cls, values: ArrayLike, edges: Sequence[float]) -> Self:
        """Count the finite values; those beyond the outer edges fall into the outer bins."""
        array = np.asarray(values, dtype=np.float64)
        # np.histogram drops what lies outside; a value beyond the baseline's range is drift, not
        # nothing.
        inside = np.clip(array[np.isfinite(array)], edges[0], edges[-1])
        counts, _ = np.histogram(inside, bins=np.asarray(edges, dtype=np.float64))
        return cls(tuple(map(float, edges)), tuple(map(int, counts)))

    def on(self, edges: Sequence[float]) -> Self:
        """Return the same counts in coarser bins.

        Raises:
            WorkflowError: ``BinsDoNotAlign`` where an edge lies inside one of our bins.
        """
        if tuple(edges) == self.edges:
            return self  # however close to each other they are
        # The own edge at or just above each wanted one; an edge that is not there lies inside a
        # bin.
        places = np.searchsorted(self.edges, np.asarray(edges) - _CLOSE)
        known = np.asarray((*self.edges, math.inf))
        if np.any(np.abs(known[places] - np.asarray(edges)) > _CLOSE):
            raise WorkflowError(
                "BinsDoNotAlign",
                f"A histogram of {len(self.counts)} bins cannot be counted again in"
                f" {len(edges) - 1} bins whose edges lie between its own.",
                "Count the values themselves in the bins of the baseline.",
            )
        # The outer bins take in what lies beyond the outer edges, as ``of`` does.
        ends = np.concatenate([[0], places[1:-1], [len(self.counts)]])
        sums = np.concatenate([[0], np.cumsum(self.counts)])
        return type(self)(tuple(map(float, edges)), tuple(map(int, np.diff(sums[ends]))))


_CLOSE = 1e-9  # edges written as decimals come back a few ulp off


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericalStatistics:
    """Statistics of a numerical feature over its finite values.

    Attributes:
        name: The feature's name.
        missing: Values that were absent or no finite number.
        mean: Arithmetic mean; NaN where there is no value.
        std_dev: Population standard deviation; NaN where there is no value.
        minimum: Smallest value; NaN where there is no value.
        maximum: Largest value; NaN where there is no value.
        histogram: All values, counted.
        inferred_type: FRACTIONAL or INTEGRAL.
    """

    name: str
    missing: int
    mean: float
    std_dev: float
    minimum: float
    maximum: float
    histogram: Histogram
    inferred_type: InferredType = InferredType.FRACTIONAL

    @property
    def present(self) -> int:
        """How many values there were."""
        return self.histogram.total

    @classmethod
    def of(cls, name: str, values: ArrayLike, edges: Sequence[float]) -> Self:
        """Return statistics of raw values (any shape; NaN and infinities count as missing)."""
        array = np.asarray(values, dtype=np.float64).ravel()
        finite = array[np.isfinite(array)]
        some = finite if finite.size else np.array([math.nan])
        return cls(
            name=name,
            missing=int(array.size - finite.size),
            mean=float(some.mean()),
            std_dev=float(some.std()),
            minimum=float(some.min()),
            maximum=float(some.max()),
            histogram=Histogram.of(finite, edges),
        )

    @classmethod
    def of_histogram(cls, name: str, histogram: Histogram, *, missing: int = 0) -> Self:
        """Return statistics of values known by their bins, each taken to lie in the middle."""
        edges, counts = np.asarray(histogram.edges), np.asarray(histogram.counts)
        middles = (edges[:-1] + edges[1:]) / 2
        held = np.flatnonzero(counts)
        if held.size == 0:
            nothing = math.nan
            return cls(
                name=name,
                missing=missing,
                mean=nothing,
                std_dev=nothing,
                minimum=nothing,
                maximum=nothing,
                histogram=histogram,
            )
        mean = float(np.average(middles, weights=counts))
        return cls(
            name=name,
            missing=missing,
            mean=mean,
            std_dev=math.sqrt(float(np.average((middles - mean) ** 2, weights=counts))),
            minimum=float(edges[held[0]]),
            maximum=float(edges[held[-1] + 1]),
            histogram=histogram,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StringStatistics:
    """Statistics of a categorical feature.

    Attributes:
        name: The feature's name.
        missing: Values that were absent.
        counts: How often each value was seen.
    """

    name: str
    missing: int
    counts: Mapping[str, int]

    @property
    def present(self) -> int:
        """How many values there were."""
        return sum(self.counts.values())


Feature = NumericalStatistics | StringStatistics


@dataclass(frozen=True, slots=True)
class Statistics:
    """What Model Monitor's ``statistics.json`` holds.

    Attributes:
        item_count: How many records were looked at.
        features: One entry a feature, in file order.
    """

    item_count: int
    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What a feature must satisfy.

    Attributes:
        name: The feature's name.
        inferred_type: Its type in the baseline.
        completeness: Least share of values that must be present, 0 to 1.
        is_non_negative: Whether no value may be below zero.
        domains: The values a categorical feature may take; None where any.
    """

    name: str
    inferred_type: InferredType
    completeness: float = 0.0
    is_non_negative: bool = False
    domains: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Constraints:
    """What Model Monitor's ``constraints.json`` holds.

    Attributes:
        features: One constraint a feature.
        min_domain_mass: Least share of a categorical feature's values inside its domain, 0 to 1.
    """

    features: tuple[Constraint, ...]
    min_domain_mass: float = 1.0


@dataclass(frozen=True, slots=True)
class ConstraintViolation:
    """One entry of ``constraint_violations.json``.

    Attributes:
        feature_name: The feature that breaks a constraint.
        constraint_check_type: One of ``CheckType``; kept as text, for the files of containers of
            one's own name checks that AWS does not know.
        description: What was found, in words.
    """

    feature_name: str
    constraint_check_type: str
    description: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """What current data is compared with.

    Attributes:
        name: Where it comes from, in words a person recognises.
        statistics: What the features looked like.
        constraints: What they must satisfy; None where nobody said.
    """

    name: str
    statistics: Statistics
    constraints: Constraints | None = None


def suggest_constraints(statistics: Statistics) -> Constraints:
    """Suggest the constraints that hold on the baseline itself, as Model Monitor does."""
    return Constraints(tuple(_suggest_constraint(feature) for feature in statistics.features))


def _suggest_constraint(feature: Feature) -> Constraint:
    seen = feature.present + feature.missing
    completeness = feature.present / seen if seen else 0.0
    if isinstance(feature, StringStatistics):
        return Constraint(
            name=feature.name,
            inferred_type=InferredType.STRING,
            completeness=completeness,
            domains=tuple(sorted(feature.counts)),
        )
    return Constraint(
        name=feature.name,
        inferred_type=feature.inferred_type,
        completeness=completeness,
        is_non_negative=feature.minimum >= 0,
    )


def check(constraints: Constraints, statistics: Statistics) -> tuple[ConstraintViolation, ...]:
    """Return every way in which the statistics break the constraints, drift apart.

    Drift needs the baseline's distribution: ``workflow.drift`` finds it.
    """
    found = {feature.name: feature for feature in statistics.features}
    expected = {constraint.name for constraint in constraints.features}
    violations: list[ConstraintViolation] = []
    for constraint in constraints.features:
        feature = found.get(constraint.name)
        if feature is None:
            violations.append(
                ConstraintViolation(
                    constraint.name,
                    CheckType.MISSING_COLUMN,
                    "The baseline has this feature, the current data does not.",
                )
            )
        else:
            violations.extend(_find_violations(constraint, feature, constraints.min_domain_mass))
    violations.extend(
        ConstraintViolation(
            name,
            CheckType.EXTRA_COLUMN,
            "The current data has this feature, the baseline does not.",
        )
        for name in found
        if name not in expected
    )
    return tuple(violations)


def _find_violations(
    constraint: Constraint, feature: Feature, min_domain_mass: float
) -> Iterable[ConstraintViolation]:
    seen = feature.present + feature.missing
    if seen and feature.present / seen < constraint.completeness:
        yield ConstraintViolation(
            feature.name,
            CheckType.COMPLETENESS,
            f"{feature.present / seen:.2%} of {seen:,} values are present;"
            f" the constraint is {constraint.completeness:.2%}.",
        )
    numerical = isinstance(feature, NumericalStatistics)
    expects_number = constraint.inferred_type in {InferredType.FRACTIONAL, InferredType.INTEGRAL}
    if constraint.inferred_type is not InferredType.UNKNOWN and numerical != expects_number:
        yield ConstraintViolation(
            feature.name,
            CheckType.DATA_TYPE,
            f"The baseline is {constraint.inferred_type}, the current data"
            f" {'numerical' if numerical else 'String'}.",
        )
    elif isinstance(feature, NumericalStatistics):
        if constraint.is_non_negative and feature.minimum < 0:
            yield ConstraintViolation(
                feature.name,
                CheckType.DATA_TYPE,
                f"The smallest value is {feature.minimum:g}; it must not be negative.",
            )
    # Without a value there is no share to judge: that is what completeness is for.
    elif constraint.domains is not None and feature.present:
        inside = sum(feature.counts.get(value, 0) for value in constraint.domains)
        strange = sorted(set(feature.counts) - set(constraint.domains))
        if inside / feature.present < min_domain_mass:
            yield ConstraintViolation(
                feature.name,
                CheckType.CATEGORICAL_VALUES,
                f"{inside / feature.present:.2%} of the values are known to the baseline, the"
                f" constraint is {min_domain_mass:.2%}; new: {', '.join(strange[:5])}.",
            )
