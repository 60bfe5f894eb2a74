"""Baselines are read from and written to Model Monitor's three files."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.baselines import (
    decode_constraints,
    decode_statistics,
    decode_violations,
    encode_constraints,
    encode_statistics,
    encode_violations,
)
from workflow.errors import WorkflowError
from workflow.feature_statistics import (
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

EDGES = (0.0, 0.5, 0.9, 1.0)


def numbers(name: str = "confidence", *values: float) -> NumericalStatistics:
    return NumericalStatistics.of(name, values or (0.2, 0.6, 0.95, 1.0), EDGES)


def texts(name: str = "label", **counts: int) -> StringStatistics:
    return StringStatistics(name=name, missing=0, counts=counts or {"bicycle": 3, "motorcycle": 1})


def statistics(*features: Feature) -> Statistics:
    return Statistics(4, features or (numbers(), texts()))


def checks(constraints: Constraints, *features: Feature) -> list[tuple[str, str]]:
    found = check(constraints, Statistics(4, features))
    return [(one.feature_name, one.constraint_check_type) for one in found]


def test_statistics_survive_the_round_trip() -> None:
    before = statistics()

    assert decode_statistics(encode_statistics(before), source="x") == before


def test_statistics_are_written_in_aws_schema() -> None:
    file = json.loads(encode_statistics(statistics()))

    confidence, label = file["features"]
    assert file["version"] == 0.0
    assert file["dataset"] == {"item_count": 4}
    assert confidence["inferred_type"] == "Fractional"
    common = confidence["numerical_statistics"]["common"]
    assert common == {"num_present": 4, "num_missing": 0}
    kll = confidence["numerical_statistics"]["distribution"]["kll"]
    assert kll["buckets"][-1] == {"lower_bound": 0.9, "upper_bound": 1.0, "count": 2}
    assert label["string_statistics"]["distribution"]["categorical"]["buckets"] == [
        {"value": "bicycle", "count": 3},
        {"value": "motorcycle", "count": 1},
    ]


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12))
def test_the_sketch_weighs_what_the_buckets_count(counts: list[int]) -> None:
    edges = tuple(float(i) for i in range(len(counts) + 1))
    feature = NumericalStatistics.of_histogram("x", Histogram(edges, tuple(counts)))

    written = json.loads(encode_statistics(Statistics(0, (feature,))))
    kll = written["features"][0]["numerical_statistics"]["distribution"]["kll"]

    levels = kll["sketch"]["data"]
    assert sum(2**level * len(values) for level, values in enumerate(levels)) == sum(counts)


def test_statistics_without_a_distribution_are_read() -> None:
    file = {
        "features": [
            {
                "name": "n",
                "inferred_type": "Integral",
                "numerical_statistics": {"common": {"num_present": 2, "num_missing": 1}},
            },
            {"name": "s", "inferred_type": "String", "string_statistics": {}},
            {"name": "u", "inferred_type": "Unknown"},
        ]
    }

    found = decode_statistics(json.dumps(file).encode(), source="x")

    number, text = found.features
    assert isinstance(number, NumericalStatistics)
    assert number.inferred_type is InferredType.INTEGRAL
    assert math.isnan(number.mean)
    assert number.histogram.counts == ()
    assert text.present == 0


@pytest.mark.parametrize("mean", ["NaN", None, 0.5])
def test_numbers_are_read_however_they_are_written(mean: Any) -> None:
    file = {"features": [{"name": "n", "numerical_statistics": {"mean": mean}}]}

    (feature,) = decode_statistics(json.dumps(file).encode(), source="x").features

    assert isinstance(feature, NumericalStatistics)
    assert math.isnan(feature.mean) or feature.mean == 0.5


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[]", b'{"regression_constraints": {}}', b'{"features": [{"name": 5}]}'],
)
def test_what_is_no_data_quality_file_is_an_error_that_says_so(content: bytes) -> None:
    for decode in (decode_statistics, decode_constraints):
        with pytest.raises(WorkflowError) as caught:
            decode(content, source="s3://b/statistics.json")

        assert caught.value.code == "BaselineUnreadable"
        assert "s3://b/statistics.json" in caught.value.message


def test_buckets_that_do_not_join_are_an_error() -> None:
    buckets = [
        {"lower_bound": 0, "upper_bound": 1, "count": 1},
        {"lower_bound": 2, "upper_bound": 3, "count": 1},
    ]
    numerical = {"distribution": {"kll": {"buckets": buckets}}}
    file = {"features": [{"name": "n", "numerical_statistics": numerical}]}

    with pytest.raises(WorkflowError, match="do not join at 1"):
        decode_statistics(json.dumps(file).encode(), source="x")


def test_constraints_survive_the_round_trip() -> None:
    before = Constraints(
        (
            Constraint(
                name="confidence",
                inferred_type=InferredType.FRACTIONAL,
                completeness=0.9,
                is_non_negative=True,
            ),
            Constraint(name="label", inferred_type=InferredType.STRING, domains=("a", "b")),
        ),
        0.97,
    )

    assert decode_constraints(encode_constraints(before), source="x") == before


def test_the_older_name_of_the_domain_threshold_is_read() -> None:
    config = {"distribution_constraints": {"min_domain_mass": 0.5}}
    file = {"features": [], "monitoring_config": config}

    assert decode_constraints(json.dumps(file).encode(), source="x").min_domain_mass == 0.5


def test_constraints_without_a_config_ask_for_the_whole_domain() -> None:
    file = {"features": [{"name": "f", "inferred_type": "Bytes"}]}

    found = decode_constraints(json.dumps(file).encode(), source="x")

    assert found.min_domain_mass == 1.0
    assert found.features[0].inferred_type is InferredType.UNKNOWN


def test_violations_survive_the_round_trip() -> None:
    before = (ConstraintViolation("confidence", CheckType.BASELINE_DRIFT, "far"),)

    content = encode_violations(before)

    assert decode_violations(content, source="x") == before
    assert json.loads(content) == {
        "violations": [
            {
                "feature_name": "confidence",
                "constraint_check_type": "baseline_drift_check",
                "description": "far",
            }
        ]
    }


def test_a_baseline_satisfies_the_constraints_it_suggests() -> None:
    assert check(suggest_constraints(statistics()), statistics()) == ()


def test_an_empty_baseline_suggests_what_anything_satisfies() -> None:
    nothing = NumericalStatistics.of("confidence", [], EDGES)

    suggested = suggest_constraints(Statistics(0, (nothing,)))

    assert checks(suggested, numbers()) == []


def test_each_constraint_that_is_broken_is_named() -> None:
    suggested = suggest_constraints(statistics(numbers("a"), texts("b"), numbers("c")))

    assert checks(suggested, numbers("a", 0.5, math.nan), texts("b", penny=1, bicycle=1)) == [
        ("a", "completeness_check"),
        ("b", "categorical_values_check"),
        ("c", "missing_column_check"),
    ]
    assert checks(suggested, texts("a"), numbers("b"), numbers("c"), texts("d")) == [
        ("a", "data_type_check"),
        ("b", "data_type_check"),
        ("d", "extra_column_check"),
    ]
    assert checks(suggested, numbers("a", -1.0), texts("b"), numbers("c")) == [
        ("a", "data_type_check")
    ]


def test_values_outside_the_edges_fall_into_the_outer_bins() -> None:
    assert Histogram.of([-1, 0.2, 0.95, 7, math.nan, math.inf], EDGES).counts == (2, 0, 2)


def test_a_histogram_is_counted_again_in_coarser_bins() -> None:
    fine = Histogram((0.0, 0.1, 0.2, 0.3, 0.4), (1, 2, 3, 4))

    assert fine.on((0.1, 0.3, 0.4)) == Histogram((0.1, 0.3, 0.4), (6, 4))
    assert fine.on(fine.edges) == fine


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.data())
def test_no_count_is_lost_in_coarser_bins(counts: list[int], data: st.DataObject) -> None:
    edges = tuple(i / 7 for i in range(len(counts) + 1))
    inner = data.draw(st.lists(st.sampled_from(edges), min_size=2, unique=True))

    assert Histogram(edges, tuple(counts)).on(sorted(inner)).total == sum(counts)


def test_statistics_of_bins_take_each_value_in_the_middle() -> None:
    found = NumericalStatistics.of_histogram("x", Histogram((0.0, 1.0, 2.0), (1, 3)), missing=2)

    assert (found.mean, found.minimum, found.maximum, found.missing) == (1.25, 0.0, 2.0, 2)
    assert found.std_dev == pytest.approx(math.sqrt(3) / 4)


def test_a_byte_order_mark_is_no_damage() -> None:
    assert decode_violations(b'\xef\xbb\xbf{"violations": []}', source="f") == ()
