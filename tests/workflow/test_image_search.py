"""An image is found by being a location in S3, whatever its field is called."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.errors import WorkflowError
from workflow.image_search import find_image, image_at

WANTED = "s3://my-bucket/in/a b.png"


@pytest.mark.parametrize(
    "value",
    [
        {"Bucket": "my-bucket", "Key": "in/a b.png"},
        {"source_bucket": "my-bucket", "objectPath": "in/a b.png"},
        {"input": {"bucketName": "my-bucket", "files": [{"fileName": "in/a b.png"}]}},
        {"bucket": "my-bucket", "images": ["in/a b.png", "in/b.png"]},
        {"image": "s3://my-bucket/in/a b.png"},
        {"jobs": [{"deep": {"anything": "s3://my-bucket/in/a b.png"}}]},
        {"arn": "arn:aws:s3:::my-bucket/in/a b.png"},
        {"model": "s3://my-bucket/model.tar.gz", "what": "s3://my-bucket/in/a b.png"},
        {"detail": {"bucket": {"name": "my-bucket"}, "object": {"key": "in/a b.png"}}},
        {"payload": json.dumps({"Bucket": "my-bucket", "Key": "in/a b.png"})},
        ["s3://my-bucket/in/a b.png"],
    ],
)
def test_a_location_of_any_name_and_depth_is_found(value: Any) -> None:
    assert find_image(json.dumps(value)) == WANTED


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"bucket": "my-bucket"},
        {"key": "in/a.png"},
        {"bucket": "Not A Bucket", "key": "a.png"},
        {"data": "s3://my-bucket/table.csv"},
        {"url": "https://example.org/a.png"},
        {"image_data": "iVBOR" * 1000},
    ],
)
def test_what_is_no_location_of_an_image_is_not_taken_for_one(value: Any) -> None:
    assert find_image(json.dumps(value)) is None


def test_a_path_leads_to_the_one_that_is_meant() -> None:
    text = json.dumps({"a": {"bucket": "my-bucket", "keys": ["x.png", "y.png"]}, "n": 1})
    assert image_at(text, "$.a.keys[1]") == "s3://my-bucket/y.png"
    assert image_at(text, "$.a") == "s3://my-bucket/x.png"
    assert image_at(text, "$.b") is None
    assert image_at(text, "$.n") is None
    with pytest.raises(WorkflowError) as refused:
        image_at(text, "a.keys")
    assert refused.value.code == "PathInvalid"


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.just("s3://b/{}"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("bucket"), inner),
)


@given(anything)
def test_any_payload_gives_a_location_or_none(value: Any) -> None:
    found = find_image(json.dumps(value))
    assert found is None or found.startswith("s3://")


@given(st.text())
def test_text_that_is_no_json_gives_none_or_a_location(text: str) -> None:
    found = find_image(text)
    assert found is None or found.startswith("s3://")
