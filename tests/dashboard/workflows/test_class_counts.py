"""Every page about classes, with 2, 10 and 100 of them."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection
from dashboard.captures.feed import CaptureFeed
from dashboard.review.client import ReviewClient
from dashboard.review.model import KEYS, DrawRequest, draw_photos
from dashboard.shared.store_root import store_root
from dashboard.shared.workflow_registry import WorkflowRegistry
from tests.builders import capture_lines, captured
from workflow.draws import Draw
from workflow.reviews import GroundTruth, Review
from workflow.watched import WatchedWorkflow, captured_at, read_captures_uri

pytestmark = [
    pytest.mark.cloud,
    # pyarrow asks pandas for values with a time zone; Streamlit hands it every table.
    pytest.mark.filterwarnings("ignore:Series.values"),
]
NOW = datetime.now(UTC)


def record(label: int, classes: int) -> dict[str, object]:
    sure = (0.6 if classes == 2 else 0.25) + 0.39 * (label % 3) / 2
    answer = [(1 - sure) / max(classes - 1, 1)] * classes
    answer[label] = sure
    moment = NOW - timedelta(minutes=label + 1)
    return captured(
        json.dumps(answer), event_id=str(uuid.uuid4()), inferenceTime=f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    )


def label_all(connection: Connection, feed: CaptureFeed, classes: int) -> Draw:
    """Draw every photo but one and label it; each tenth label disagrees with the model."""
    captures = feed.store.scan("captures")
    request = DrawRequest(classes, 0.5, 0.9, None, "ada")
    draw = draw_photos(captures, (), request, now=NOW, token="t", seed=0)
    client = ReviewClient(connection)
    client.add_draw(draw)
    for place, photo in enumerate(draw.photos[1:]):
        truth = (photo.label + (place % 10 == 0)) % classes
        review = Review(reviewer="ada", draw=draw.id)
        said = GroundTruth(photo.id, str(truth), NOW, review)
        client.write_answer(said, truth, f"{place:04}-{photo.id}")
    return draw


@pytest.fixture(params=[2, 10, 100])
def watched(
    request: pytest.FixtureRequest, deployed: Connection, environ: dict[str, str]
) -> Iterator[WatchedWorkflow]:
    """Captures of a model of so many classes, read, with labels."""
    classes, bucket = request.param, f"classes-{uuid.uuid4().hex[:8]}"
    s3 = deployed.client("s3")
    s3.create_bucket(Bucket=bucket)
    hour = f"{NOW:%Y/%m/%d/%H}"
    body = capture_lines(*(record(label, classes) for label in range(classes)))
    s3.put_object(Bucket=bucket, Key=f"captured/many/AllTraffic/{hour}/a.jsonl", Body=body)
    place = read_captures_uri(f"s3://{bucket}/captured")
    names = tuple(f"kind {label:02}" for label in range(classes))
    workflow = replace(
        captured_at(place),
        classes=names,
        bucket=bucket,
        threshold=0.9 if classes == 2 else 0.3,
        threshold_source="entered by you",
    )
    connection = deployed.watching(workflow)
    feed = CaptureFeed(connection, store_root(connection, environ, kind="captures"))
    feed._sync_once()
    label_all(connection, feed, classes)
    feed.close()
    root = store_root(deployed, environ, kind="workflows")
    registry = WorkflowRegistry(root.with_suffix(".json"))
    registry.save(workflow)
    yield workflow
    registry.remove(workflow.reference)


def test_every_page_shows_as_many_classes_as_there_are(
    visit: Callable[..., AppTest],
    seen: Callable[..., str],
    watched: WatchedWorkflow,
) -> None:
    count = len(watched.classes)
    page = visit("inferences", watched.reference)
    seen(page, f"Records {count}")
    choice = next(box for box in page.selectbox if box.label == "Class")
    assert choice.options == ["All", *watched.classes]
    assert len([one for one in page.metric if one.label.startswith("Kind")]) <= 4
    for view in ("Over time", "Before and after", "Threshold", "Drift", "Records"):
        page.session_state["view"] = view
        page.run()
        assert not page.exception
        if view == "Threshold":
            (tried,) = [one for one in page.slider if one.label == "Threshold to try"]
            assert (tried.min, tried.value) == (max(1 / count, 0.01), watched.threshold)
    assert "kind 01" in seen(page, f"Records {count}")

    quality = visit("quality", watched.reference)
    seen(quality, f"Labels {count - 1}", "kind 00")
    for view in ("Confusion", "Calibration", "Threshold", "Parts", "Training set"):
        quality.session_state["view"] = view
        quality.run()
        assert not quality.exception

    review = visit("review", watched.reference)
    seen(review, "Photo ")
    answers = [one.label for one in review.button if one.label.startswith("Kind")]
    assert answers == [f"Kind {label:02}" for label in range(min(count, len(KEYS)))]
    others = [box for box in review.selectbox if box.label == "Another class"]
    assert [len(box.options) for box in others] == [count - len(KEYS)] * (count > len(KEYS))
