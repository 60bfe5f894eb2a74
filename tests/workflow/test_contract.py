"""The contract reads what projects of this workflow really send, and names what it cannot read."""

import base64
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import JPEG, PNG
from workflow import contract

ORIGINAL = {"image_data": "", "s3_bucket": "a-bucket", "s3_key": "test/bicycle_s_000513.png"}
PROBABILITIES = [0.9932637214660645, 0.006736303213983774]
DECISION = {"inferences": PROBABILITIES, "meets_threshold": True}

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class TestUnwrap:
    @pytest.mark.parametrize(
        ("event", "state"),
        [
            (ORIGINAL, ORIGINAL),
            ({"statusCode": 200, "body": ORIGINAL}, ORIGINAL),
            ({"statusCode": 200, "body": json.dumps(DECISION)}, DECISION),
            (json.dumps({"statusCode": 200, "body": json.dumps(DECISION)}), DECISION),
            ({"body": {"statusCode": 200, "body": json.dumps({"body": DECISION})}}, DECISION),
        ],
    )
    def test_reads_flat_and_wrapped_objects(self, event: object, state: object) -> None:
        assert contract.unwrap(event) == state

    def test_keeps_keys_beside_the_body_unless_the_body_has_them(self) -> None:
        event = {"statusCode": 200, "execution_arn": "arn", "a": 1, "body": {"a": 2}}

        assert contract.unwrap(event) == {"execution_arn": "arn", "a": 2}

    @pytest.mark.parametrize("status", [400, 404, 500, "500"])
    def test_never_takes_an_error_for_a_state(self, status: object) -> None:
        with pytest.raises(contract.InvalidInput, match=f"failed with status {status}: no such"):
            contract.unwrap({"statusCode": status, "body": "no such key"})

    @pytest.mark.parametrize(
        ("event", "kind"),
        [([], "a list"), (None, "null"), (3, "a number"), (True, "a truth value")],
    )
    def test_says_what_it_got_instead_of_an_object(self, event: object, kind: str) -> None:
        with pytest.raises(contract.InvalidInput, match=f"The input is {kind}, not an object"):
            contract.unwrap(event)

    def test_does_not_unwrap_for_ever(self) -> None:
        event: object = ORIGINAL
        for _ in range(9):
            event = {"body": event}

        with pytest.raises(contract.InvalidInput, match=r"more than 4 bodies\. Give the innermost"):
            contract.unwrap(event)

    @given(json_values)
    def test_raises_nothing_but_its_own_error(self, event: object) -> None:
        try:
            state = contract.unwrap(event)
        except contract.InvalidInput:
            return
        assert isinstance(state, dict)

    def test_survives_json_nested_too_deep_for_the_parser(self) -> None:
        with pytest.raises(contract.InvalidInput, match=r"not JSON.* Give a JSON object"):
            contract.unwrap("[" * 100_000)


class TestImageLocation:
    @pytest.mark.parametrize(
        "key", ["images/two words.png", 'images/it\'s "quoted".png', "ü/🚲.png"]
    )
    def test_takes_keys_as_they_are(self, key: str) -> None:
        location = contract.image_location({"s3_bucket": "my-bucket", "s3_key": key})

        assert location == contract.ImageLocation("my-bucket", key)
        assert str(location) == f"s3://my-bucket/{key}"

    @pytest.mark.parametrize("missing", ["s3_bucket", "s3_key"])
    @pytest.mark.parametrize("value", [None, "", 7])
    def test_says_which_part_is_missing(self, missing: str, value: object) -> None:
        with pytest.raises(contract.InvalidInput, match=f"has no {missing}"):
            contract.image_location({**ORIGINAL, missing: value})

    @pytest.mark.parametrize(
        ("bucket", "key"),
        [
            ("", "s3://my-bucket/images/a.png"),
            ("my-bucket", "s3://my-bucket/images/a.png"),
            ("my-bucket", "arn:aws:s3:::my-bucket/images/a.png"),
            ("s3://my-bucket/images/a.png", ""),
            ("arn:aws-cn:s3:::my-bucket/images/a.png", None),
            ("", "https://my-bucket.s3.eu-west-1.amazonaws.com/images/a.png"),
        ],
    )
    def test_understands_a_whole_address_in_either_field(
        self, bucket: str, key: str | None
    ) -> None:
        state = {"s3_bucket": bucket, "s3_key": key}

        assert str(contract.image_location(state)) == "s3://my-bucket/images/a.png"

    @pytest.mark.parametrize(
        "bucket",
        [
            *("s3://my-bucket", "my-bucket/", "my-bucket/images", "arn:aws:s3:::my-bucket"),
            *(" my-bucket", "My-Bucket", "<your_s3_bucket_name_here>", "a", "10.0.0.1", "a..b"),
            "arn:aws:s3:us-east-1:123456789012:accesspoint/mine",
        ],
    )
    def test_says_what_a_bucket_name_is(self, bucket: str) -> None:
        with pytest.raises(contract.InvalidInput, match="bucket name is 3 to 63 lower-case"):
            contract.image_location({"s3_bucket": bucket, "s3_key": "images/a.png"})

    def test_refuses_two_buckets(self) -> None:
        with pytest.raises(contract.InvalidInput, match="two buckets, one-bucket and my-bucket"):
            contract.image_location({"s3_bucket": "one-bucket", "s3_key": "s3://my-bucket/a.png"})

    def test_goes_back_and_forth_with_the_execution_input(self) -> None:
        location = contract.ImageLocation("my-bucket", "k.png")

        assert contract.image_location(contract.execution_input(location)) == location


class TestContentType:
    def test_believes_the_bytes(self) -> None:
        assert contract.content_type(PNG, "x") == "image/png"
        assert contract.content_type(JPEG, "x") == "image/jpeg"

    def test_says_what_it_refuses_and_the_way_on(self) -> None:
        with pytest.raises(contract.NotAnImage, match=r"^k\.png is a HEIC photo\. Export it as a"):
            contract.content_type(b"\0\0\0\x18ftypheic\0\0", "k.png")


class TestImages:
    def test_keeps_a_small_image_in_the_state(self) -> None:
        state = contract.with_image(dict(ORIGINAL), PNG)

        assert base64.b64decode(state["image_data"]) == PNG
        assert contract.inline_image(state) == PNG
        assert "image_ref" not in state

    def test_refers_to_a_large_image(self) -> None:
        image = PNG + bytes(contract.MAX_INLINE_BYTES)
        state = contract.with_image(dict(ORIGINAL), image)

        assert state["image_data"] == ""
        assert state["image_ref"]["size"] == len(image)
        assert state["image_ref"]["content_type"] == "image/png"
        assert contract.inline_image(state) is None
        contract.check_reference(state, image)

    @given(st.integers(0, contract.MAX_INLINE_BYTES))
    def test_stays_well_under_the_payload_limit(self, extra: int) -> None:
        image = PNG + bytes(min(extra, contract.MAX_INLINE_BYTES - len(PNG)))

        assert len(json.dumps(contract.with_image(dict(ORIGINAL), image))) < 220_000

    def test_drops_the_reference_of_an_earlier_image(self) -> None:
        state = contract.with_image({**ORIGINAL, "image_ref": {"sha256": "old"}}, PNG)

        assert "image_ref" not in state

    def test_notices_an_image_that_changed(self) -> None:
        state = contract.with_image(dict(ORIGINAL), PNG + bytes(contract.MAX_INLINE_BYTES))

        with pytest.raises(contract.ImageChanged, match="was overwritten"):
            contract.check_reference(state, PNG)

    def test_lets_an_image_without_a_reference_pass(self) -> None:
        contract.check_reference(ORIGINAL, PNG)

    @pytest.mark.parametrize("data", ["%%%", "abc", "ü", 7])
    def test_refuses_image_data_that_is_no_base64(self, data: object) -> None:
        with pytest.raises(contract.NotAnImage, match="not base64"):
            contract.inline_image({"image_data": data})

    def test_takes_the_largest_image_and_no_larger(self) -> None:
        contract.check_size(contract.MAX_IMAGE_BYTES, "k")
        with pytest.raises(contract.ImageTooLarge, match=r"k has 6,291,457 bytes.*6,291,456"):
            contract.check_size(contract.MAX_IMAGE_BYTES + 1, "k")


class TestInferences:
    @pytest.mark.parametrize(
        "answer",
        [PROBABILITIES, str(PROBABILITIES), [PROBABILITIES], [str(p) for p in PROBABILITIES]],
    )
    def test_reads_every_form_that_was_seen(self, answer: object) -> None:
        assert contract.read_inferences(answer) == PROBABILITIES

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ([], "There are no inferences"),
            (None, "There are no inferences"),
            ("null", "There are no inferences"),
            ("not a list", "is text"),
            ("[" * 100_000, "is text"),
            ({"predictions": []}, "gave 0 probabilities"),
            ([0.5], "gave 1 probabilities for 2 classes"),
            ([0.2, 0.3, 0.5], "gave 3 probabilities for 2 classes"),
            ([0.9, 0.9], "sum to 1.800"),
            ([math.nan, 1.0], "'nan' is not a probability"),
            ([-0.1, 1.1], "'-0.1' is not a probability"),
            ([True, 0], "True is not a number"),
            (["x", 1.0], "'x' is not a number"),
            ([None, 1.0], "None is not a number"),
            ([10**400, 1.0], "is not a number"),
        ],
    )
    def test_says_why_it_refuses_an_answer(self, answer: object, reason: str) -> None:
        with pytest.raises(contract.BadInference, match=reason) as caught:
            contract.read_inferences(answer)

        assert re.search(r"\. (Use|Look|Run) [^.]+\.$", str(caught.value)), "no remedy"

    @given(json_values)
    def test_raises_nothing_but_its_own_error(self, answer: object) -> None:
        try:
            inferences = contract.read_inferences(answer)
        except contract.BadInference:
            return
        assert sum(inferences) == pytest.approx(1, abs=0.01)

    @given(st.floats(0, 1), st.floats(0.5, 1))
    def test_decides_by_the_highest_probability(self, first: float, threshold: float) -> None:
        state = contract.with_decision({"inferences": [first, 1 - first]}, threshold)

        assert state["confidence"] == max(first, 1 - first)
        assert state["label"] == ("bicycle" if first >= 1 - first else "motorcycle")
        assert state["meets_threshold"] == (state["confidence"] >= threshold)
        assert state["threshold"] == threshold

    def test_drops_the_image_once_it_is_classified(self) -> None:
        state = contract.with_inferences({**ORIGINAL, "image_data": "aGk=", "note": 1}, [0.2, 0.8])

        assert "image_data" not in state
        assert state["note"] == 1
        assert state["label"] == "motorcycle"


class TestInferenceId:
    def test_is_stable_unique_and_short_enough_for_invoke_endpoint(self) -> None:
        arn = "arn:aws:states:us-east-1:123456789012:execution:scones:one"

        assert contract.inference_id(arn) == contract.inference_id(arn)
        assert contract.inference_id(arn) != contract.inference_id(arn + "2")
        assert len(contract.inference_id(arn)) <= 64


class TestRejection:
    @given(st.floats(0, 1), st.floats(0.5, 1))
    def test_reads_the_numbers_back_out_of_the_cause(self, first: float, threshold: float) -> None:
        state = contract.with_decision({**ORIGINAL, "inferences": [first, 1 - first]}, threshold)

        rejection = contract.read_rejection(state.get("rejection"))

        if state["meets_threshold"]:
            assert rejection is None
        else:
            assert rejection == contract.Rejection(state["label"], state["confidence"], threshold)

    def test_names_the_image_in_the_cause(self) -> None:
        state = contract.with_decision({**ORIGINAL, "inferences": [0.6, 0.4]}, 0.93)

        assert state["rejection"] == (
            "Confidence 0.6 for bicycle is below the threshold 0.93: "
            "s3://a-bucket/test/bicycle_s_000513.png"
        )

    def test_forgets_an_earlier_rejection(self) -> None:
        state = {"inferences": [0.99, 0.01], "rejection": "from a lower threshold"}

        assert "rejection" not in contract.with_decision(state, 0.93)

    @pytest.mark.parametrize(
        "cause",
        [None, "", "THRESHOLD", "Confidence x for bicycle is below the threshold 0.93: s3://b/k"],
    )
    def test_takes_nothing_else_for_one(self, cause: str | None) -> None:
        assert contract.read_rejection(cause) is None


class TestStorageErrors:
    @pytest.mark.parametrize(
        ("code", "error"),
        [
            ("NoSuchKey", contract.ImageNotFound),
            ("NoSuchBucket", contract.ImageNotFound),
            ("AccessDenied", contract.ImageAccessDenied),
            ("SlowDown", contract.StorageUnavailable),
            ("InternalError", contract.StorageUnavailable),
            ("PermanentRedirect", contract.ImageNotFound),
        ],
    )
    def test_gives_each_code_its_class(
        self, code: str, error: type[contract.ContractError]
    ) -> None:
        found = contract.storage_error(code, "why", contract.ImageLocation("b", "k"))

        assert type(found) is error
        assert "s3://b/k" in str(found)


class TestEndpointErrors:
    @pytest.mark.parametrize(
        ("code", "message", "status", "error"),
        [
            ("AccessDeniedException", "no", 0, contract.EndpointAccessDenied),
            ("ValidationError", "Endpoint x not found.", 0, contract.EndpointNotFound),
            ("ValidationError", "Body is invalid", 0, contract.ModelRejected),
            ("ModelError", "not an image", 415, contract.ModelRejected),
            ("ModelError", "crashed", 500, contract.EndpointUnavailable),
            ("ServiceUnavailable", "later", 0, contract.EndpointUnavailable),
            ("ThrottlingException", "later", 0, contract.EndpointUnavailable),
        ],
    )
    def test_gives_each_answer_its_class(
        self, code: str, message: str, status: int, error: type[contract.ContractError]
    ) -> None:
        found = contract.endpoint_error(code, message, "an-endpoint", status)

        assert type(found) is error
        assert message in str(found)


def test_a_log_line_is_one_json_object() -> None:
    line = contract.log_line("image_read", image=contract.ImageLocation("b", "k\n"), size=3)

    assert json.loads(line) == {"event": "image_read", "image": "s3://b/k\n", "size": 3}
    assert "\n" not in line


def test_a_refused_image_is_one_line_without_the_toolkits_traceback() -> None:
    said = 'The image is empty: it has 0 bytes.\nTraceback (most recent call last):\n  File "a.py"'

    found = contract.endpoint_error("ModelError", said, "an-endpoint", 400)

    assert str(found) == "The model refuses the image: The image is empty: it has 0 bytes."


def test_an_answer_of_several_lines_that_is_no_traceback_is_kept() -> None:
    said = '{\n  "code": 503,\n  "message": "Prediction failed"\n}'

    assert said in str(contract.endpoint_error("ModelError", said, "an-endpoint", 503))


class TestClasses:
    def test_are_those_of_the_workflow_where_none_are_given(self) -> None:
        assert contract.read_classes(None) == contract.read_classes("") == contract.LABELS

    @given(st.lists(st.text(min_size=1), min_size=2, max_size=100, unique=True))
    def test_are_read_as_they_were_written(self, names: list[str]) -> None:
        assert contract.read_classes(json.dumps(names)) == tuple(names)

    @pytest.mark.parametrize(
        "text", ["{}", '["a"]', '["a", "a"]', '["a", ""]', "[1, 2]", '"ab"', "[[], []]"]
    )
    def test_of_another_form_are_refused(self, text: str) -> None:
        with pytest.raises(
            ValueError, match="not a JSON list of two or more different class names"
        ):
            contract.read_classes(text)

    def test_that_are_many_are_shortened_in_a_sentence(self) -> None:
        names = [f"class {number}" for number in range(100)]
        with pytest.raises(contract.BadInference) as caught:
            contract.read_inferences("[0.5, 0.5]", names)

        assert "2 probabilities for 100 classes (class 0, " in str(caught.value)
        assert len(str(caught.value)) < 400
