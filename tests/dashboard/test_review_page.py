"""The Review page, run by Streamlit's own test harness: draw, label, undo, settle."""

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection, connect
from dashboard.review.client import ReviewClient
from dashboard.review.model import DrawRequest, draw_photos
from dashboard.training.client import export_set, zip_set
from tests.builders import png
from tests.captured import NOW
from workflow.draws import Draw
from workflow.errors import WorkflowError
from workflow.verdicts import AgreementStatus, Verdict

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

    def run(reviewer: str, button: str) -> AppTest:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        test = AppTest.from_file(str(APP), default_timeout=SECONDS)
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


def lose_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lose the answer to the first draw that is written."""
    add, late = ReviewClient.add_draw, [WorkflowError("ReadTimeoutError", "It was late.", "Wait.")]

    def add_without_answer(client: ReviewClient, draw: Draw) -> None:
        add(client, draw)
        if late:
            client._draws.clear()
            raise late.pop()

    monkeypatch.setattr(ReviewClient, "add_draw", add_without_answer)


def labels(cloud: Connection) -> list[dict[str, Any]]:
    s3, bucket = cloud.client("s3"), cloud.settings.bucket
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="ground_truth/").get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed]
    return [json.loads(body) for body in bodies]


def test_photos_are_drawn_labelled_taken_back_and_judged_by_a_second_reviewer(
    cloud: Connection, page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_an_answer(monkeypatch)
    test = page("ada", "Draw photos")
    deadline = time.monotonic() + SECONDS
    while "Nothing has been drawn yet" not in said(test):  # the captures are being read
        assert time.monotonic() < deadline
        time.sleep(0.2)
        test.run()
    test.number_input[0].set_value(4)
    press(test, "Draw photos")
    assert "It was late." in said(test)
    test.number_input[0].set_value(4)
    press(test, "Draw photos")
    assert sum(map(len, ReviewClient(cloud).bucket.objects("reviews/draws"))) == 1
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
    assert "No disagreement" in said(other)

    for view in ("Accuracy", "Confusion", "Calibration", "Threshold", "Parts", "Training set"):
        other.session_state["view"] = view
        other.switch_page("app_pages/quality.py").run()
        assert not other.exception
        assert [one.value for one in other.metric if one.label == "Labels"] == ["3"]


def test_labelled_photos_are_written_as_a_training_set(cloud: Connection) -> None:
    client = ReviewClient(cloud)
    captures = pl.DataFrame(
        {
            **{name: [None] * 12 for name in ("inference_id", "inference_time")},
            **{name: ["endpoint"] * 12 for name in ("endpoint", "variant")},
            "label": [0] * 12,
            "confidence": [0.5] * 12,
            "row": [0] * 12,
            "gzipped": [False] * 12,
            "event_id": [f"made-{n}" for n in range(12)],
            "key": [*["made.jsonl"] * 11, "deleted.jsonl"],
            **places(cloud, 12),
        }
    ).cast({"inference_id": pl.String, "inference_time": pl.Datetime("us", "UTC")})
    request = DrawRequest(size=12, random_share=0, threshold=0.9, since=None, by="ada")
    draw = draw_photos(captures.lazy(), (), request, now=NOW, token="t", seed=0)
    known = {
        photo.id: Verdict(AgreementStatus.AGREED, place % 2, ())
        for place, photo in enumerate(draw.photos)
    }
    shares: list[float] = []

    made = export_set(cloud, client.bucket, [draw], known, shares.append)

    s3, prefix = cloud.client("s3"), made.url.split("/", 3)[3]
    listed = s3.list_objects_v2(Bucket=client.bucket.name, Prefix=prefix)["Contents"]
    names = {one["Key"].removeprefix(f"{prefix}/").split("/")[0] for one in listed}
    assert names == {"train", "test", "train.lst", "test.lst", "manifest.json"}
    assert len(listed) == 12 - 2 + 3
    assert shares[-1] == 1.0
    assert len(made.problems) == 2
    assert any("made-11 in deleted.jsonl" in problem for problem in made.problems)
    with zipfile.ZipFile(io.BytesIO(zip_set(cloud, made.url))) as archive:
        assert len(archive.namelist()) == len(listed)


def places(cloud: Connection, count: int) -> dict[str, list[int]]:
    """Write captures of different photos, one of them of no image; return where each lies."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(count):
        pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        data = base64.b64encode(out.getvalue() if number else b"no image").decode()
        given = {"mode": "INPUT", "data": data, "encoding": "BASE64"}
        lines.append(json.dumps({"captureData": {"endpointInput": given}}).encode() + b"\n")
    body = b"".join(lines)
    cloud.client("s3").put_object(Bucket=cloud.settings.bucket, Key="made.jsonl", Body=body)
    starts = np.cumsum([0, *map(len, lines)])[:-1].tolist()
    return {"offset": starts, "length": [len(line) - 1 for line in lines]}
