"""Baselines: what each feature looked like when all was well, in Model Monitor's file formats.

Source: Amazon SageMaker developer guide, "Schema for Statistics", "Schema for Constraints" and
"Schema for Violations". Model Monitor is closed to new customers; its three files are not, so a
baseline of ours can be read by its containers and theirs by us.
"""

import math
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Self, TypeVar

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from workflow.errors import WorkflowError

KLL_PARAMETERS = {"c": 0.64, "k": 2048.0}
"""The parameters Model Monitor writes beside every sketch."""

_File = TypeVar("_File")


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
        places = np.searchsorted(self.edges, np.asarray(edges) - _CLOSE)
        known = np.asarray((*self.edges, math.inf))
        if np.any(np.abs(known[places] - np.asarray(edges)) > _CLOSE):
            raise WorkflowError(
                "BinsDoNotAlign",
                f"A histogram of {len(self.counts)} bins cannot be counted again in"
                f" {len(edges) - 1} bins whose edges lie between its own.",
                "Count the values themselves in the bins of the baseline.",
            )
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
        """Statistics of raw values (any shape; NaN and infinities count as missing)."""
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
        """Statistics of values known only by their bins, each taken to lie in its bin's middle."""
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
    """The constraints that hold on the baseline itself, as Model Monitor's baselining suggests."""
    return Constraints(tuple(_suggested(feature) for feature in statistics.features))


def _suggested(feature: Feature) -> Constraint:
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
            violations.extend(_broken(constraint, feature, constraints.min_domain_mass))
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


def _broken(
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


# --- Model Monitor's files -------------------------------------------------------------------


class _Common(msgspec.Struct):
    num_present: float = 0
    num_missing: float = 0


class _Bucket(msgspec.Struct):
    lower_bound: float
    upper_bound: float
    count: float


class _Kll(msgspec.Struct):
    buckets: list[_Bucket] = []


class _NumericalDistribution(msgspec.Struct):
    kll: _Kll | None = None


class _Numerical(msgspec.Struct):
    common: _Common = msgspec.field(default_factory=_Common)
    mean: float | None = None
    std_dev: float | None = None
    min: float | None = None
    max: float | None = None
    distribution: _NumericalDistribution | None = None


class _Category(msgspec.Struct):
    value: str
    count: float


class _Categories(msgspec.Struct):
    buckets: list[_Category] = []


class _StringDistribution(msgspec.Struct):
    categorical: _Categories | None = None


class _String(msgspec.Struct):
    common: _Common = msgspec.field(default_factory=_Common)
    distribution: _StringDistribution | None = None


class _Feature(msgspec.Struct):
    name: str
    inferred_type: str = "Unknown"
    numerical_statistics: _Numerical | None = None
    string_statistics: _String | None = None


class _Dataset(msgspec.Struct):
    item_count: float = 0


class _StatisticsFile(msgspec.Struct):
    features: list[_Feature]
    dataset: _Dataset = msgspec.field(default_factory=_Dataset)


class _NumConstraints(msgspec.Struct):
    is_non_negative: bool = False


class _StringConstraints(msgspec.Struct):
    domains: list[str] | None = None


class _ConstraintFeature(msgspec.Struct):
    name: str
    inferred_type: str = "Unknown"
    completeness: float = 0.0
    num_constraints: _NumConstraints | None = None
    string_constraints: _StringConstraints | None = None


class _DistributionConstraints(msgspec.Struct):
    min_domain_mass: float | None = None


class _MonitoringConfig(msgspec.Struct):
    domain_content_threshold: float | None = None
    distribution_constraints: _DistributionConstraints | None = None


class _ConstraintsFile(msgspec.Struct):
    features: list[_ConstraintFeature]
    monitoring_config: _MonitoringConfig | None = None


class _Violation(msgspec.Struct):
    feature_name: str
    constraint_check_type: str
    description: str = ""


class _ViolationsFile(msgspec.Struct):
    violations: list[_Violation]


def decode_statistics(content: bytes, *, source: str) -> Statistics:
    """Read ``statistics.json``.

    Args:
        content: The file.
        source: Where it lies, for the error.

    Raises:
        WorkflowError: ``BaselineUnreadable``.
    """
    file = _decode(content, _StatisticsFile, source)
    features = (_feature(feature, source) for feature in file.features)
    return Statistics(
        int(file.dataset.item_count), tuple(feature for feature in features if feature is not None)
    )


def decode_constraints(content: bytes, *, source: str) -> Constraints:
    """Read ``constraints.json``.

    Raises:
        WorkflowError: ``BaselineUnreadable``; also for the constraints of model quality, bias and
            explainability, which are other schemas of the same file name.
    """
    file = _decode(content, _ConstraintsFile, source)
    config = file.monitoring_config or _MonitoringConfig()
    distribution = config.distribution_constraints or _DistributionConstraints()
    given = (config.domain_content_threshold, distribution.min_domain_mass)
    return Constraints(
        tuple(_constraint(feature) for feature in file.features),
        next((value for value in given if value is not None), 1.0),
    )


def decode_violations(content: bytes, *, source: str) -> tuple[ConstraintViolation, ...]:
    """Read ``constraint_violations.json``.

    Raises:
        WorkflowError: ``BaselineUnreadable``.
    """
    return tuple(
        ConstraintViolation(entry.feature_name, entry.constraint_check_type, entry.description)
        for entry in _decode(content, _ViolationsFile, source).violations
    )


def _decode(content: bytes, kind: type[_File], source: str) -> _File:
    try:
        return msgspec.json.decode(content.removeprefix(BOM_UTF8), type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WorkflowError(
            "BaselineUnreadable",
            f"{source} is not a Model Monitor data quality file: {error}.",
            "Choose a statistics.json, constraints.json or constraint_violations.json of a data"
            " quality job; model quality, bias and explainability have other schemas.",
        ) from error


def _feature(feature: _Feature, source: str) -> Feature | None:
    if feature.string_statistics is not None:
        strings = feature.string_statistics
        buckets = (
            strings.distribution.categorical.buckets
            if strings.distribution and strings.distribution.categorical
            else []
        )
        return StringStatistics(
            name=feature.name,
            missing=int(strings.common.num_missing),
            counts={bucket.value: int(bucket.count) for bucket in buckets},
        )
    if feature.numerical_statistics is None:
        return None
    numbers = feature.numerical_statistics
    kll = numbers.distribution.kll if numbers.distribution else None
    return NumericalStatistics(
        name=feature.name,
        missing=int(numbers.common.num_missing),
        mean=_number(numbers.mean),
        std_dev=_number(numbers.std_dev),
        minimum=_number(numbers.min),
        maximum=_number(numbers.max),
        histogram=_histogram(kll.buckets if kll else [], feature.name, source),
        inferred_type=_inferred(feature.inferred_type),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _histogram(buckets: Sequence[_Bucket], name: str, source: str) -> Histogram:
    for left, right in pairwise(buckets):
        if not math.isclose(left.upper_bound, right.lower_bound, rel_tol=1e-6, abs_tol=1e-12):
            raise WorkflowError(
                "BaselineUnreadable",
                f"{source}: the buckets of {name!r} do not join at {left.upper_bound:g}.",
                "Create the baseline again, or correct the bounds in the file.",
            )
    edges = [bucket.lower_bound for bucket in buckets] + [b.upper_bound for b in buckets[-1:]]
    return Histogram(tuple(edges), tuple(int(bucket.count) for bucket in buckets))


def _constraint(feature: _ConstraintFeature) -> Constraint:
    strings, numbers = feature.string_constraints, feature.num_constraints
    domains = strings.domains if strings else None
    return Constraint(
        name=feature.name,
        inferred_type=_inferred(feature.inferred_type),
        completeness=feature.completeness,
        is_non_negative=numbers.is_non_negative if numbers else False,
        domains=None if domains is None else tuple(domains),
    )


def _inferred(text: str) -> InferredType:
    return InferredType(text) if text in set(InferredType) else InferredType.UNKNOWN


def encode_statistics(statistics: Statistics) -> bytes:
    """Write ``statistics.json``: our bins as its buckets, and as the KLL sketch they make."""
    return _encode(
        {
            "version": 0.0,
            "dataset": {"item_count": statistics.item_count},
            "features": [_feature_file(feature) for feature in statistics.features],
        }
    )


def encode_constraints(constraints: Constraints) -> bytes:
    """Write ``constraints.json``."""
    return _encode(
        {
            "version": 0.0,
            "features": [_constraint_file(constraint) for constraint in constraints.features],
            "monitoring_config": {
                "evaluate_constraints": "Enabled",
                "emit_metrics": "Enabled",
                "datatype_check_threshold": 1.0,
                "domain_content_threshold": constraints.min_domain_mass,
                "distribution_constraints": {
                    "perform_comparison": "Enabled",
                    "comparison_threshold": 0.1,
                    "comparison_method": "Robust",
                },
            },
        }
    )


def encode_violations(violations: Iterable[ConstraintViolation]) -> bytes:
    """Write ``constraint_violations.json``."""
    return _encode(
        {
            "violations": [
                {
                    "feature_name": violation.feature_name,
                    "constraint_check_type": str(violation.constraint_check_type),
                    "description": violation.description,
                }
                for violation in violations
            ]
        }
    )


def _encode(file: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(file), indent=2)


def _feature_file(feature: Feature) -> dict[str, Any]:
    common = {"num_present": feature.present, "num_missing": feature.missing}
    if isinstance(feature, StringStatistics):
        buckets = [{"value": value, "count": n} for value, n in feature.counts.items()]
        return {
            "name": feature.name,
            "inferred_type": InferredType.STRING.value,
            "string_statistics": {
                "common": common,
                "distinct_count": float(len(buckets)),
                "distribution": {"categorical": {"buckets": buckets}},
            },
        }
    return {
        "name": feature.name,
        "inferred_type": feature.inferred_type.value,
        "numerical_statistics": {
            "common": common,
            "mean": feature.mean,
            "sum": feature.mean * feature.present,
            "std_dev": feature.std_dev,
            "min": feature.minimum,
            "max": feature.maximum,
            "distribution": {"kll": _kll(feature.histogram)},
        },
    }


def _kll(histogram: Histogram) -> dict[str, Any]:
    return {
        "buckets": [
            {"lower_bound": low, "upper_bound": high, "count": count}
            for (low, high), count in zip(pairwise(histogram.edges), histogram.counts, strict=True)
        ],
        "sketch": {"parameters": KLL_PARAMETERS, "data": _sketch(histogram)},
    }


def _sketch(histogram: Histogram) -> list[list[float]]:
    """The bins' middles by level: a value at level i of a KLL sketch stands for 2**i values."""
    levels = max(histogram.counts, default=0).bit_length()
    middles = [(low + high) / 2 for low, high in pairwise(histogram.edges)]
    return [
        [
            middle
            for middle, count in zip(middles, histogram.counts, strict=True)
            if count >> level & 1
        ]
        for level in range(levels)
    ]


def _constraint_file(constraint: Constraint) -> dict[str, Any]:
    file: dict[str, Any] = {
        "name": constraint.name,
        "inferred_type": constraint.inferred_type.value,
        "completeness": constraint.completeness,
    }
    if constraint.inferred_type in {InferredType.FRACTIONAL, InferredType.INTEGRAL}:
        file["num_constraints"] = {"is_non_negative": constraint.is_non_negative}
    if constraint.domains is not None:
        file["string_constraints"] = {"domains": list(constraint.domains)}
    return file
