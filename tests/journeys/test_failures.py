"""The journey from red to resolved: see, understand, repair all at once, prove, resolve."""

import io
import re
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import fits, picture, settle
from tests.journeys.troubled import MISSING, Trouble

pytestmark = [pytest.mark.journey, pytest.mark.cloud]
Visit = Callable[..., Page]
PROBLEM = "ImageNotFound in SerializeImage"


def open_group(page: Page) -> None:
    page.get_by_role("button", name=PROBLEM).click()
    expect(page.get_by_text("Probable cause.")).to_be_visible()


def test_the_inbox_names_each_problem_with_its_count(night: Trouble, visit: Visit) -> None:
    page = visit(night.app, "failures")
    expect(page.get_by_role("button", name=PROBLEM)).to_be_visible()
    expect(page.get_by_text(f"{MISSING} executions")).to_be_visible()
    expect(page.get_by_role("button", name="NotAnImage in SerializeImage")).to_be_visible()
    settle(page)
    picture(page, "failures")


@pytest.mark.parametrize("theme", ["dark", pytest.param("light", marks=pytest.mark.nightly)])
def test_the_inbox_fits_a_phone(night: Trouble, visit: Visit, theme: str) -> None:
    page = visit(night.app, "failures", theme=theme, phone=True)
    expect(page.get_by_role("button", name=PROBLEM)).to_be_visible()
    assert fits(page)
    picture(page, f"failures-phone-{theme}")


def test_the_overview_says_what_needs_somebody_and_leads_there(
    night: Trouble, visit: Visit
) -> None:
    page = visit(night.app, "overview")
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    settle(page)
    picture(page, "overview")
    page.get_by_role("link", name=re.compile(rf"{PROBLEM} \(")).click()
    expect(page.get_by_text("Probable cause.")).to_be_visible()


def test_a_failure_becomes_a_test_to_take_away(night: Trouble, visit: Visit) -> None:
    page = visit(night.app, "failures")
    open_group(page)
    page.get_by_role("tab", name="Test").click()
    page.get_by_role("button", name="Make a test of the newest failure").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the test").click()
    archive = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    assert any(name.endswith(".py") for name in archive.namelist())
    assert any(name.endswith(".test_state.json") for name in archive.namelist())


def test_from_red_to_resolved(night: Trouble, visit: Visit) -> None:
    for number in range(MISSING):
        night.put(f"images/missing-{number}.png")  # the remedy: the images are there now
    page = visit(night.app, "failures")
    open_group(page)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("acknowledged").first).to_be_visible()
    page.get_by_role("tab", name="Repair").click()
    page.get_by_text("Redrive all", exact=True).click()
    picture(page, "failures-repair")
    page.get_by_role("button", name=f"Redrive {MISSING}, restart 0").click()
    expect(page.get_by_text(f"{MISSING} of {MISSING} done")).to_be_visible()
    expect(page.get_by_text("This problem has no failures left")).to_be_visible()
    picture(page, "failures-repaired")
    assert sorted(night.redrives())[-MISSING:] == [1] * MISSING
