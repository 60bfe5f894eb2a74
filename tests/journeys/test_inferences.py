"""Inferences in a browser: traffic, filters, a bar and its images, the threshold, drift."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from playwright.sync_api import TimeoutError as TooLate

from dashboard.aws.cloud import Connection, connect
from dashboard.inferences.panel import VIEWS
from dashboard.shared.store_root import store_root
from tests.builders import png
from tests.captured import filled, many_captures
from tests.journeys.browser import App, barriers, fits, picture, running_app, settle

pytestmark = pytest.mark.journey
Visit = Callable[..., Page]
RECORDS = 1_600
FADED = ".js-plotly-plot .barlayer .point path[style*='opacity: 0.2']"
"""Bars that are drawn as not selected, of the 14 above the threshold; those below are paler."""


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[App]:
    """A deployed workflow whose bucket has captures of one endpoint that drifts and two not."""
    for app in running_app(tmp_path_factory.mktemp("busy"), deployed=True):
        connection = connect(app.environ)
        write_captures(connection, "steady", skill=8)
        write_captures(connection, "growing", skill=8)
        write_captures(connection, "drifting", skill=2)
        yield app


def write_captures(connection: Connection, endpoint: str, *, skill: float) -> None:
    """Two hours of captures as SageMaker writes them; ``skill`` is that of the second hour."""
    rng = np.random.default_rng(len(endpoint))
    image = base64.b64encode(png()).decode()
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    for hour, ability in ((0, 8.0), (1, skill)):
        lines = []
        for number, first in enumerate(rng.beta(ability, 0.6, RECORDS // 2).round(6)):
            one = first if number % 5 < 3 else 1 - first
            moment = start + timedelta(hours=hour, seconds=4 * number)
            lines.append(capture_line(f"{endpoint}-{hour}-{number}", one, moment, image))
        key = f"{start + timedelta(hours=hour):%Y/%m/%d/%H}/00-00-000-{endpoint}.jsonl"
        connection.client("s3").put_object(
            Bucket=connection.settings.bucket,
            Key=f"{connection.settings.capture_prefix}/{endpoint}/AllTraffic/{key}",
            Body="\n".join(lines).encode(),
        )


def capture_line(event: str, first: float, moment: datetime, image: str) -> str:
    output = {
        "observedContentType": "application/json",
        "mode": "OUTPUT",
        "data": json.dumps([first, round(1 - first, 6)]),
        "encoding": "JSON",
    }
    captured_input = {
        "observedContentType": "image/png",
        "mode": "INPUT",
        "data": image,
        "encoding": "BASE64",
    }
    metadata = {"eventId": event, "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    data = {"endpointInput": captured_input, "endpointOutput": output}
    return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})


def metric(page: Page, label: str) -> Locator:
    found = page.get_by_test_id("stMetric").filter(has_text=label).first
    return found.get_by_test_id("stMetricValue")


def number(found: Locator) -> float:
    return float(found.inner_text().strip().replace(",", "").rstrip("%"))


def loaded(page: Page) -> Page:
    expect(page.get_by_test_id("stMetric").first).to_be_visible()
    settle(page)
    return page


def test_a_new_user_sees_living_charts_from_one_click(deployed: App, visit: Visit) -> None:
    page = visit(deployed, "inferences")

    page.get_by_role("button", name="Send traffic").click()

    loaded(page)
    expect(page.locator(".js-plotly-plot .bars path").first).to_be_visible()
    first = number(metric(page, "Records"))
    page.wait_for_function(
        "before => [...document.querySelectorAll('[data-testid=stMetricValue]')]"
        ".some(e => Number(e.innerText.replace(',', '')) > before)",
        arg=first,
    )
    page.get_by_role("button", name="Stop the traffic").click()
    settle(page)
    expect(page.get_by_role("button", name="Send traffic")).to_be_visible()
    images = page.get_by_alt_text(re.compile("Captured image, classified as"))
    expect(images.first).to_be_visible()
    picture(page, "inferences")


def test_filters_are_in_the_address(busy: App, visit: Visit) -> None:
    page = loaded(visit(busy, "inferences"))
    expect(page.get_by_text(re.compile("^As of "))).to_be_visible()
    expect(metric(page, "Records")).to_have_text(f"{3 * RECORDS:,}")

    page.get_by_text("Filters", exact=True).click()
    choose(page, "Endpoint", "steady")

    expect(metric(page, "Records")).to_have_text(f"{RECORDS:,}")
    expect(page).to_have_url(re.compile("endpoint=steady"))
    again = loaded(visit(busy, page.url.removeprefix(f"{busy.url}/")))
    expect(metric(again, "Records")).to_have_text(f"{RECORDS:,}")


def select_the_surest_bicycles(page: Page) -> None:
    """Click the last bar of the first class."""
    bars = page.locator(".js-plotly-plot .barlayer .point path")
    place = bars.nth(bars.count() // 2 - 1).bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x - 40, y)
    page.mouse.move(x, y, steps=5)
    # plotly clicks what hovers, and that may still be the bar beside it
    hovered = page.locator(".hoverlayer").last  # of the newer one while a chart is redrawn
    expect(hovered).to_contain_text(re.compile("bicycle.*0.990 to 1.000"))
    page.mouse.click(x, y)
    settle(page)


def test_a_selected_bar_leads_to_its_images(busy: App, visit: Visit) -> None:
    page = loaded(visit(busy, "inferences?endpoint=growing"))

    select_the_surest_bicycles(page)

    expect(page.get_by_text("Bicycle, confidence 0.990 to 1.000")).to_be_visible()
    expect(page.get_by_alt_text("Captured image, classified as bicycle").first).to_be_visible()
    expect(page.get_by_alt_text("Captured image, classified as motorcycle")).to_have_count(0)
    page.get_by_role("button", name="Details").first.click()
    expect(page.get_by_text(re.compile(r"00-00-000-growing\.jsonl"))).to_be_visible()
    expect(page.get_by_text(re.compile("Event"))).to_be_visible()
    expect(page).to_have_url(re.compile(r"bars=0\.99-1\+of\+0"))


def test_a_selected_bar_stays_selected_while_records_come_in(busy: App, visit: Visit) -> None:
    page = loaded(visit(busy, "inferences?endpoint=growing"))
    select_the_surest_bicycles(page)
    before = int(number(metric(page, "Records")))
    connection, now = connect(busy.environ), datetime.now(UTC)
    connection.client("s3").put_object(
        Bucket=connection.settings.bucket,
        Key=f"{connection.settings.capture_prefix}/growing/AllTraffic/{now:%Y/%m/%d/%H}/{before}.jsonl",
        Body=capture_line(f"{now}", 0.6, now, base64.b64encode(png()).decode()).encode(),
    )

    expect(metric(page, "Records")).to_have_text(f"{before + 1:,}")
    settle(page)
    expect(page.get_by_text("Bicycle, confidence 0.990 to 1.000")).to_be_visible()
    expect(page.locator(FADED)).to_have_count(13)
    page.get_by_role("radio", name="Over time").click()
    expect(page.locator(FADED)).to_have_count(0)
    page.get_by_role("radio", name="Confidence").click()
    expect(page.locator(FADED)).to_have_count(13)
    again = loaded(visit(busy, page.url.removeprefix(f"{busy.url}/")))
    expect(again.locator(FADED)).to_have_count(13)
    again.get_by_role("button", name="Show all").click()
    expect(again.locator(FADED)).to_have_count(0)
    expect(again.get_by_role("slider").first).to_be_visible()
    expect(again).not_to_have_url(re.compile("bars="))


def test_another_threshold_is_tried_and_leads_to_the_deployment(busy: App, visit: Visit) -> None:
    page = loaded(visit(busy, "inferences?endpoint=steady&view=Threshold"))
    expect(page.get_by_text("0.93 is what is deployed.")).to_be_visible()
    before = number(metric(page, "Coverage"))

    page.get_by_role("slider", name="Threshold to try").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Apply 0.95")).to_be_visible()
    settle(page)

    assert number(metric(page, "Coverage")) < before
    picture(page, "inferences-threshold")
    page.get_by_text("Apply 0.95").click()
    page.wait_for_url(re.compile(r"/deployment\?threshold=0\.95"))


@pytest.mark.parametrize(
    ("endpoint", "verdict", "says"),
    [("steady", "stable", "No drift"), ("drifting", "drift", "Confidence drifted")],
)
def test_drift_is_announced_where_there_is_one_and_only_there(
    busy: App, visit: Visit, endpoint: str, verdict: str, says: str
) -> None:
    page = loaded(visit(busy, f"inferences?endpoint={endpoint}&view=Drift"))

    expect(page.get_by_text(says).first).to_be_visible()
    expect(page.locator(".stMarkdownBadge").filter(has_text=verdict).first).to_be_visible()
    picture(page, f"inferences-drift-{endpoint}")


def test_a_baseline_is_saved_and_compared_with(busy: App, visit: Visit) -> None:
    address = "inferences?endpoint=steady&view=Drift&baseline=A+Model+Monitor+baseline"
    page = loaded(visit(busy, address))

    page.get_by_role("button", name="Save the selection as a baseline").click()
    saved = page.get_by_text(re.compile("Saved to s3://"))
    expect(saved).to_be_visible()
    where = saved.inner_text().split("Saved to ")[1].split(": give")[0]
    page.get_by_role("textbox", name=re.compile("Folder of statistics")).fill(where)
    page.keyboard.press("Enter")

    expect(page.get_by_text("No drift").first).to_be_visible()


@pytest.mark.parametrize(
    ("view", "theme", "phone"),
    [("Confidence", "dark", False)]  # test_demonstration.py reads a phone's, and nightly all views
    + [
        pytest.param(view, theme, phone, marks=pytest.mark.nightly)
        for view in VIEWS
        for theme, phone in (("light", True), ("dark", False))
        if (view, theme) != ("Confidence", "dark")
    ],
)
def test_every_view_fits_and_keeps_nobody_out(
    busy: App, visit: Visit, view: str, theme: str, *, phone: bool
) -> None:
    address = f"inferences?endpoint=steady&view={view.replace(' ', '+')}"
    page = loaded(visit(busy, address, theme=theme, phone=phone))

    assert page.get_by_test_id("stException").count() == 0
    assert fits(page)
    # Streamlit sets white on its primary colour (buttons) and small text in it (segments, sliders).
    # On a dark page no colour is 4.5:1 both ways; the buttons have it.
    known = {"color-contrast"} if theme == "dark" else set()
    assert [found for found in barriers(page) if found[0] not in known] == []
    picture(page, f"inferences-{view.lower().replace(' ', '-')}-{'phone' if phone else theme}")


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[App]:
    """An app whose store holds a million captures of a thousand classes."""
    for app in running_app(tmp_path_factory.mktemp("million"), deployed=True):
        root = store_root(connect(app.environ), app.environ, kind="captures")
        filled(root, many_captures(1_000_000, classes=1_000))
        yield app


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a list; what arrives for the first time draws the page, which closes the list."""
    wanted = page.get_by_role("option", name=option)
    for _ in range(20):
        page.get_by_role("combobox", name=label).click()
        try:
            wanted.click(timeout=5_000)
        except TooLate:
            continue
        return
    raise AssertionError(f"{option} cannot be chosen")


@pytest.mark.nightly  # tests/dashboard/test_inferences_size.py counts the same without a browser
@pytest.mark.parametrize("view", VIEWS)
def test_a_rerun_at_a_million_records_sends_little(million: App, visit: Visit, view: str) -> None:
    page = visit(million, "")
    received: list[int] = []

    def listen(socket: Any) -> None:
        socket.on("framereceived", lambda data: received.append(len(data)))

    page.on("websocket", listen)
    page.goto(f"{million.url}/inferences?view={view.replace(' ', '+')}")
    loaded(page)
    expect(metric(page, "Records")).to_have_text("1,000,000")
    received.clear()

    choose(page, "Class", "bicycle")
    expect(metric(page, "Records")).not_to_have_text("1,000,000")
    settle(page)

    assert 1_000 < sum(received) <= 100_000, f"{sum(received):,} bytes"
