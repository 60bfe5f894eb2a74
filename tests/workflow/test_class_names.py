"""Names of classes and their indices."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.class_names import ClassNames, complete_classes, training_classes
from workflow.contract import LABELS
from workflow.errors import WorkflowError
from workflow.reviews import NEITHER

NAMES = st.lists(st.text(min_size=1), min_size=1, max_size=100, unique=True).map(tuple)


@pytest.mark.parametrize(
    ("label", "name"), [(0, "cat"), (1, "dog"), (2, "class 2"), (999, "class 999")]
)
def test_a_class_and_its_name_lead_to_each_other(label: int, name: str) -> None:
    classes = ClassNames(("cat", "dog"))

    assert classes.name(label) == name
    assert classes.index(name) == label


def test_neither_has_a_name_and_an_unknown_name_no_index() -> None:
    assert ClassNames().name(NEITHER) == "neither"
    assert ClassNames().index("no such class") == -1
    assert ClassNames().index("class ²") == -1


@given(NAMES)
def test_a_manifest_names_the_classes_in_their_order(names: tuple[str, ...]) -> None:
    assert ClassNames.of_manifest(json.dumps({"labels": names}).encode()).names == names


@pytest.mark.parametrize("content", [b"", b"[]", b'{"labels": []}', b'{"labels": [1]}', b"\xff"])
def test_a_manifest_without_names_is_refused(content: bytes) -> None:
    with pytest.raises(WorkflowError) as refused:
        ClassNames.of_manifest(content)
    assert refused.value.code == "ManifestUnreadable"


@pytest.mark.parametrize(
    "manifest",
    [b"", b"no JSON", b"[]", b"{}", b'{"classes": ["van"]}', b'{"classes": {"first": "van"}}'],
)
def test_an_odd_manifest_of_a_training_set_names_no_class(manifest: bytes) -> None:
    assert training_classes(manifest) == {}
    assert complete_classes({}, 2) == LABELS
    assert complete_classes({}, 3) == ("class 0", "class 1", "class 2")


def test_a_manifest_of_a_training_set_names_classes_and_the_rest_are_numbered() -> None:
    named = training_classes(b'{"classes": {"0": "van", "2": "tram", "1": null}}')
    assert complete_classes(named, 3) == ("van", "class 1", "tram")
