"""The Batch page as a person uses it: deploy, estimate, start, look at the results."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection
from dashboard.batch import client
from tests.builders import png
from workflow.errors import WorkflowError

pytestmark = pytest.mark.cloud

APP = Path(__file__).parents[3] / "dashboard" / "app.py"
SECONDS = 60


@pytest.fixture
def app(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    def run(page: str, query: dict[str, str]) -> AppTest:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        st.cache_resource.clear()
        st.cache_data.clear()
        test = AppTest.from_file(str(APP), default_timeout=SECONDS)
        test.query_params.update(query)
        return test.switch_page(f"app_pages/{page}.py").run()

    return run


def until(page: AppTest, seen: Callable[[AppTest], Any]) -> AppTest:
    deadline = time.monotonic() + SECONDS
    while not seen(page):
        assert time.monotonic() < deadline, [one.value for one in (*page.error, *page.caption)]
        time.sleep(0.1)
        page.run()
    return page


def button(page: AppTest, start: str) -> Any:
    return next((one for one in page.button if one.label.startswith(start)), None)


def test_photos_of_a_prefix_are_classified_on_the_page(
    app: Callable[..., AppTest], batches: Connection
) -> None:
    prefix = f"images/page-{uuid.uuid4().hex[:8]}/"
    for name, body in (("a.png", png()), ("b.txt", b"no photo")):
        batches.client("s3").put_object(
            Bucket=batches.settings.bucket, Key=f"{prefix}{name}", Body=body
        )
    page = app("batch", {"source": f"s3://{batches.settings.bucket}/{prefix}"})

    until(page, lambda page: button(page, "Classify these 2"))
    assert "1 other item, such as" in " ".join(one.value for one in page.caption)
    button(page, "Classify these 2").click().run()
    until(page, lambda page: {one.label: one.value for one in page.metric}.get("Unreadable") == "1")

    assert not page.exception
    assert sum(int(one.value) for one in page.metric) == 2
    table = next(one.value for one in page.dataframe if "confidence" in one.value)
    assert 50 <= table["confidence"].max() <= 100  # in percent
    assert button(page, "Classify these 1 again")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("images/", "is not an address of S3"),
        ("s3://another-bucket/images/", "may read photos below"),
        ("s3://{bucket}/images/nothing-is-here/", "holds nothing to classify"),
        ("s3://{bucket}/batch/missing.csv", "missing.csv"),
    ],
)
def test_a_source_that_cannot_be_classified_is_refused_in_words(
    app: Callable[..., AppTest], batches: Connection, source: str, told: str
) -> None:
    page = app("batch", {"source": source.format(bucket=batches.settings.bucket)})

    until(page, lambda page: page.error)

    assert told in page.error[0].value
    assert not page.exception


def test_a_button_pressed_again_after_an_answer_was_lost_starts_no_second_batch(
    app: Callable[..., AppTest], batches: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"s3://{batches.settings.bucket}/images/lost-{uuid.uuid4().hex[:8]}/"
    key = f"{source.partition('images/')[2]}a.png"
    batches.client("s3").put_object(Bucket=batches.settings.bucket, Key=f"images/{key}", Body=png())
    start, answers = client.start_batch, [WorkflowError("ReadTimeoutError", "Late.", "Wait.")]

    def start_without_answer(*given: Any) -> str:
        arn = start(*given)
        if answers:
            raise answers.pop()
        return arn

    monkeypatch.setattr(client, "start_batch", start_without_answer)
    page = app("batch", {"source": source})
    until(page, lambda page: button(page, "Classify these 1"))
    button(page, "Classify these 1").click().run()
    assert "Late." in page.error[0].value

    until(page, lambda page: button(page, "Classify these 1"))
    button(page, "Classify these 1").click().run()
    until(page, lambda page: page.metric)

    assert not page.exception
    assert [one.source for one in client.list_latest(batches)].count(source) == 1
