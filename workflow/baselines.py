"""Baselines as files: statistics, constraints and violations in Model Monitor's formats.

Source: Amazon SageMaker developer guide, "Schema for Statistics", "Schema for Constraints" and
"Schema for Violations". Model Monitor is closed to new customers; its three files are not, so a
baseline of ours can be read by its containers and theirs by us.
"""

import math
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import msgspec

from workflow.errors import WorkflowError
from workflow.feature_statistics import (
    Baseline,
    CheckType,
    Constraint,
    Constraints,
    ConstraintViolation,
    Feature,
    Histogram,
    InferredType,
    NumericalStatistics,
    Statistics,
    StringStatistics,
    check,
    suggest_constraints,
)

__all__ = [
    "KLL_PARAMETERS",
    "Baseline",
    "CheckType",
    "Constraint",
    "ConstraintViolation",
    "Constraints",
    "Feature",
    "Histogram",
    "InferredType",
    "NumericalStatistics",
    "Statistics",
    "StringStatistics",
    "check",
    "decode_constraints",
    "decode_statistics",
    "decode_violations",
    "encode_constraints",
    "encode_statistics",
    "encode_violations",
    "suggest_constraints",
]

KLL_PARAMETERS = {"c": 0.64, "k": 2048.0}
"""The parameters Model Monitor writes beside every sketch."""

_File = TypeVar("_File")


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
    file = _decode_file(content, _StatisticsFile, source)
    features = (_read_feature(feature, source) for feature in file.features)
    return Statistics(
        int(file.dataset.item_count), tuple(feature for feature in features if feature is not None)
    )


def decode_constraints(content: bytes, *, source: str) -> Constraints:
    """Read ``constraints.json``.

    Raises:
        WorkflowError: ``BaselineUnreadable``; also for the constraints of model quality, bias and
            explainability, which are other schemas of the same file name.
    """
    file = _decode_file(content, _ConstraintsFile, source)
    config = file.monitoring_config or _MonitoringConfig()
    distribution = config.distribution_constraints or _DistributionConstraints()
    given = (config.domain_content_threshold, distribution.min_domain_mass)
    return Constraints(
        tuple(_read_constraint(feature) for feature in file.features),
        next((value for value in given if value is not None), 1.0),
    )


def decode_violations(content: bytes, *, source: str) -> tuple[ConstraintViolation, ...]:
    """Read ``constraint_violations.json``.

    Raises:
        WorkflowError: ``BaselineUnreadable``.
    """
    return tuple(
        ConstraintViolation(entry.feature_name, entry.constraint_check_type, entry.description)
        for entry in _decode_file(content, _ViolationsFile, source).violations
    )


def _decode_file(content: bytes, kind: type[_File], source: str) -> _File:
    try:
        # Not strict: some containers write numbers as text.
        return msgspec.json.decode(content.removeprefix(BOM_UTF8), type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WorkflowError(
            "BaselineUnreadable",
            f"{source} is not a Model Monitor data quality file: {error}.",
            "Choose a statistics.json, constraints.json or constraint_violations.json of a data"
            " quality job; model quality, bias and explainability have other schemas.",
        ) from error


def _read_feature(feature: _Feature, source: str) -> Feature | None:
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
        mean=_or_nan(numbers.mean),
        std_dev=_or_nan(numbers.std_dev),
        minimum=_or_nan(numbers.min),
        maximum=_or_nan(numbers.max),
        histogram=_read_histogram(kll.buckets if kll else [], feature.name, source),
        inferred_type=_read_type(feature.inferred_type),
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _read_histogram(buckets: Sequence[_Bucket], name: str, source: str) -> Histogram:
    for left, right in pairwise(buckets):
        if not math.isclose(left.upper_bound, right.lower_bound, rel_tol=1e-6, abs_tol=1e-12):
            raise WorkflowError(
                "BaselineUnreadable",
                f"{source}: the buckets of {name!r} do not join at {left.upper_bound:g}.",
                "Create the baseline again, or correct the bounds in the file.",
            )
    # Each lower bound, and the upper bound of the last bucket alone.
    edges = [bucket.lower_bound for bucket in buckets] + [b.upper_bound for b in buckets[-1:]]
    return Histogram(tuple(edges), tuple(int(bucket.count) for bucket in buckets))


def _read_constraint(feature: _ConstraintFeature) -> Constraint:
    strings, numbers = feature.string_constraints, feature.num_constraints
    domains = strings.domains if strings else None
    return Constraint(
        name=feature.name,
        inferred_type=_read_type(feature.inferred_type),
        completeness=feature.completeness,
        is_non_negative=numbers.is_non_negative if numbers else False,
        domains=None if domains is None else tuple(domains),
    )


def _read_type(text: str) -> InferredType:
    return InferredType(text) if text in set(InferredType) else InferredType.UNKNOWN


def encode_statistics(statistics: Statistics) -> bytes:
    """Write ``statistics.json``: our bins as its buckets, and as the KLL sketch they make."""
    return _encode_file(
        {
            "version": 0.0,
            "dataset": {"item_count": statistics.item_count},
            "features": [_feature_file(feature) for feature in statistics.features],
        }
    )


def encode_constraints(constraints: Constraints) -> bytes:
    """Write ``constraints.json``."""
    return _encode_file(
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
    return _encode_file(
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


def _encode_file(file: Mapping[str, Any]) -> bytes:
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
            "distribution": {"kll": _kll_file(feature.histogram)},
        },
    }


def _kll_file(histogram: Histogram) -> dict[str, Any]:
    return {
        "buckets": [
            {"lower_bound": low, "upper_bound": high, "count": count}
            for (low, high), count in zip(pairwise(histogram.edges), histogram.counts, strict=True)
        ],
        "sketch": {"parameters": KLL_PARAMETERS, "data": _build_sketch(histogram)},
    }


def _build_sketch(histogram: Histogram) -> list[list[float]]:
    """Return the bins' middles by level: at level i of a KLL sketch, one stands for 2**i values."""
    # A count is a sum of powers of two: its bits say at which levels the middle stands.
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
