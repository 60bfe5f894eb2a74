"""The Review page, run by Streamlit's own test harness: draw, label, undo, settle."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection, connect
from dashboard.review import panel
from tests.builders import png

pytestmark = pytest.mark.cloud

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SECONDS = 60
PHOTOS = 6


@pytest.fixture(scope="module")
def variables(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "SCONES_PROJECT": "reviews", "SCONES_THRESHOLD": "0.9"}


@pytest.fixture(scope="module")
def cloud(variables: dict[str, str]) -> Connection:
    """A bucket with captures of photos, half of them below the threshold."""
    connection = connect(variables)
    settings, s3 = connection.settings, connection.client("s3")
    s3.create_bucket(Bucket=settings.bucket)
    lines = [line(number) for number in range(PHOTOS)]
    key = f"{settings.capture_prefix}/endpoint/AllTraffic/2026/11/26/12/00-00.jsonl"
    s3.put_object(Bucket=settings.bucket, Key=key, Body="\n".join(lines).encode())
    return connection


def line(number: int) -> str:
    confidence = 0.6 + 0.35 * (number % 2)
    image = base64.b64encode(png(40, 30)).decode()
    both = {
        "endpointInput": {
            "mode": "INPUT",
            "data": image,
            "encoding": "BASE64",
            "observedContentType": "image/png",
        },
        "endpointOutput": {
            "mode": "OUTPUT",
            "encoding": "JSON",
            "data": json.dumps([confidence, 1 - confidence]),
        },
    }
    event = {"eventId": f"photo-{number}", "inferenceTime": f"2026-11-26T12:00:0{number}Z"}
    return json.dumps({"captureData": both, "eventMetadata": event, "eventVersion": "0"})


@pytest.fixture
def page(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open the page as a reviewer, and run it until a button is there."""

    monkeypatch.setattr(panel, "_login", lambda: "")  # AppTest is logged in

    def run(reviewer: str, button: str) -> AppTest:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        test = AppTest.from_file(str(APP), default_timeout=SECONDS).run()
        test.query_params["reviewer"] = reviewer
        test.switch_page("app_pages/review.py").run()
        deadline = time.monotonic() + SECONDS
        while not any(one.label == button for one in test.button):
            assert time.monotonic() < deadline, said(test)
            time.sleep(0.2)
            test.run()
        assert not test.exception
        return test

    st.cache_resource.clear()
    st.cache_data.clear()
    return run


def said(test: AppTest) -> str:
    elements = [*test.markdown, *test.caption, *test.error, *test.info]
    return "\n".join(str(one.value) for one in elements)


def press(test: AppTest, label: str) -> None:
    next(one for one in test.button if one.label == label).click().run()
    assert not test.exception


def labels(cloud: Connection) -> list[dict[str, Any]]:
    s3, bucket = cloud.client("s3"), cloud.settings.bucket
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="ground_truth/").get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed]
    return [json.loads(body) for body in bodies]


def test_photos_are_drawn_labelled_taken_back_and_judged_by_a_second_reviewer(
    cloud: Connection, page: Callable[..., AppTest]
) -> None:
    test = page("ada", "Draw photos")
    deadline = time.monotonic() + SECONDS
    while "Nothing has been drawn yet" not in said(test):  # the captures are being read
        assert time.monotonic() < deadline
        time.sleep(0.2)
        test.run()
    test.number_input[0].set_value(4)
    press(test, "Draw photos")
    assert "Photo 1 of 4" in said(test)
    assert "confidence" not in said(test)
    press(test, "Show the model's answer")
    assert "Bicycle, confidence 0." in said(test)

    press(test, "Bicycle")
    press(test, "Undo")
    assert "Your answer so far: bicycle" in said(test)
    press(test, "Motorcycle")
    press(test, "Neither")
    press(test, "Can't tell")
    press(test, "Skip")
    assert "Photo 4 of 4" in said(test)  # the only one left
    press(test, "Bicycle")
    assert "No photo of this draw is left for you" in said(test)
    given = [line["groundTruthData"]["data"] for line in labels(cloud)]
    assert sorted(given) == ["0", "0", "1", "neither"]
    assert {line["reviewMetadata"]["reviewer"] for line in labels(cloud)} == {"ada"}
    assert {line["reviewMetadata"]["pixels"] for line in labels(cloud)} == {1200.0}

    other = page("bob", "Bicycle")
    assert "Photo 1 of 4" in said(other)
    press(other, "Bicycle")
    assert "No photo of this draw is left for you" in said(other)
    other.session_state["view"] = "Disagreements"
    other.run()
    assert "0 of 1 photos" in said(other)
    other.selectbox[0].set_value(1).run()
    press(other, "Settle")
    assert "Nobody disagrees" in said(other)

    for view in ("Accuracy", "Confusion", "Calibration", "Threshold", "Parts"):
        other.session_state["view"] = view
        other.switch_page("app_pages/quality.py").run()
        assert not other.exception
        assert [one.value for one in other.metric if one.label == "Labels"] == ["3"]
