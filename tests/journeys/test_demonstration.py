"""The first minute: from an empty cloud to pages that are alive, and the README's screenshots.

``make screenshots`` writes those of docs/screenshots anew, from the demonstration.
"""

import os
import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.browser import App, barriers, fits, picture, running_app, settle

pytestmark = pytest.mark.journey
Visit = Callable[..., Page]

SECONDS = 90.0
"""From the page to a living Overview, on a machine that has nothing else to do."""

PAGES = {
    "overview": "Up to",
    "inferences": "Accepted",
    "executions": "Executions",
    "failures": "NotAnImage",
    "alerts": "Alarms",
    "deployment": "Everything is deployed as wanted",
    "lab": "Blurred lens",
}
"""What each page says once it is alive."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[App]:
    """The app as a new user starts it; the first test writes the demonstration."""
    yield from running_app(tmp_path_factory.mktemp("shown"), aws_like=False)


def test_one_click_leads_from_an_empty_cloud_to_a_living_overview(
    shown: App, visit: Visit, capsys: pytest.CaptureFixture[str]
) -> None:
    page = visit(shown, "overview")
    began = time.monotonic()

    page.get_by_role("button", name="Deploy and show me").click()
    expect(page.get_by_text("Demonstration data")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^\d+ checks"))).to_be_visible()
    expect(page.get_by_text("Volume", exact=True)).to_be_visible()

    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\nA living Overview after {took:.0f} s")  # noqa: T201 - the stopwatch
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert took < SECONDS * busy


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_alive(shown: App, visit: Visit, path: str) -> None:
    page = visit(shown, path)

    expect(page.get_by_text(PAGES[path]).first).to_be_visible()
    settle(page)
    expect(page).to_have_title(f"{path.capitalize()} · Scones Unlimited")
    expect(page.get_by_text("Demonstration data")).to_be_visible()
    picture(page, f"demonstration-{path}")


@pytest.mark.parametrize("path", ["overview", "alerts", "lab", "classify"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desk", "phone"])
def test_a_page_fits_and_keeps_nobody_out(
    shown: App, visit: Visit, path: str, theme: str, device: str
) -> None:
    page = visit(shown, path, theme=theme, phone=device == "phone")

    assert fits(page)
    assert barriers(page) == []


def test_a_condition_of_the_lab_is_seen_on_its_page_and_undone(shown: App, visit: Visit) -> None:
    page = visit(shown, "lab")
    page.locator(".st-key-break-bad-version button").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()

    overview = visit(shown, "overview", settled=False)
    expect(overview.get_by_text("InvalidInput in ClassifyImage").first).to_be_visible()
    expect(overview.get_by_text(re.compile(r"\bv5\b")).first).to_be_visible()

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_one_click_removes_the_demonstration(shown: App, visit: Visit) -> None:
    page = visit(shown, "overview")

    page.get_by_role("button", name="Remove the demonstration").click()

    expect(page.get_by_text("Demonstration data")).to_have_count(0)
