"""The Inferences page at a million records of two classes and of a thousand: it sends little."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection
from dashboard.captures import panel as captures
from dashboard.inferences.confidence_panel import PAGE
from dashboard.inferences.panel import VIEWS
from tests.captured import filled, many_captures

pytestmark = pytest.mark.cloud

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SECONDS = 120
RECORDS = 1_000_000
MANY = 1_000
LIMIT = 100_000
"""Bytes of all that a rerun sends; a browser that has some of it already gets less."""

Open = Callable[..., AppTest]


@pytest.fixture(
    scope="module",
    params=[pytest.param(2, marks=pytest.mark.nightly), MANY],
    ids=lambda classes: f"{classes} classes",
)
def classes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def page(
    classes: int,
    environ: dict[str, str],
    deployed: Connection,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Open]:
    """Open a view of the page on a million records of so many classes."""
    root = tmp_path_factory.mktemp("captures")
    filled(root, many_captures(RECORDS, classes=classes))
    st.cache_resource.clear()
    st.cache_data.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captures, "store_root", lambda *_, **__: root)
        for name, value in environ.items():
            patch.setenv(name, value)

        def run(view: str) -> AppTest:
            test = AppTest.from_file(str(APP), default_timeout=SECONDS)
            test.switch_page("app_pages/inferences.py")
            test.query_params.update({"endpoint": "endpoint", "view": view, "range": "All"})
            test.run()
            deadline = time.monotonic() + SECONDS
            while not test.metric:
                assert time.monotonic() < deadline
                test.run()
            assert not test.exception
            assert test.metric[0].value == f"{RECORDS:,}"
            return test

        yield run
    st.cache_resource.clear()


@pytest.mark.parametrize("view", VIEWS)
def test_a_rerun_sends_little(page: Open, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test = page(view)
    sent: list[int] = []
    enqueue = ForwardMsgQueue.enqueue

    def weigh(queue: ForwardMsgQueue, message: ForwardMsg) -> None:
        sent.append(message.ByteSize())
        enqueue(queue, message)

    monkeypatch.setattr(ForwardMsgQueue, "enqueue", weigh)
    test.run()

    assert not test.exception
    assert 1_000 < sum(sent) <= LIMIT, f"{sum(sent):,} bytes"


def test_a_bar_of_the_others_leads_to_their_images(
    page: Open, classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicked: dict[str, Any] = {}

    def click(figure: go.Figure, *, key: str, on_select: Callable[[], None], **_: Any) -> None:
        series = figure.data[-1]
        clicked.update(name=series.name, count=int(series.y[-1]))
        data = json.loads(json.dumps(series.customdata[-1]))  # as it comes back from a browser
        st.session_state[key] = {"selection": {"points": [{"customdata": data}]}}
        on_select()

    monkeypatch.setattr(st, "plotly_chart", click)
    test = page("Confidence").run()  # what is clicked in one run is shown by the next

    said = [one.value for one in (*test.markdown, *test.caption)]
    (title,) = (one for one in said if ", confidence 0.990 to 1.000**" in one)
    name = "996 other classes" if classes == MANY else "motorcycle"
    assert clicked["name"] == name
    assert title.startswith(f"**{name.capitalize()}, confidence 0.990 to 1.000**")
    assert f"{clicked['count']:,} records, newest first" in said
    shown = [found[1] for one in said if (found := re.match(r"\*\*([a-z 0-9]+)\*\* \d", one))]
    assert len(shown) == PAGE
    if classes == MANY:
        assert "all but bicycle, motorcycle, class 2 and class 3" in title
        assert not {"bicycle", "motorcycle", "class 2", "class 3"}.intersection(shown)
    else:
        assert set(shown) == {"motorcycle"}
