"""The journey through executions: filter, open one, look at all of it, compare, export, import."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import fits, picture, settle
from tests.journeys.troubled import DRAWN, GOOD, MISSING, Trouble

pytestmark = [pytest.mark.journey, pytest.mark.cloud]
Visit = Callable[..., Page]


def loaded(page: Page) -> None:
    expect(page.get_by_text("histories of failures")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()


def test_the_list_counts_every_execution(night: Trouble, visit: Visit) -> None:
    page = visit(night.app, "executions")
    loaded(page)
    total = len(night.redrives())
    assert total >= GOOD + MISSING + 1
    expect(page.get_by_text(f"{total} executions").first).to_be_visible()
    settle(page)
    picture(page, "executions")


def test_filters_are_in_the_address_and_come_from_it(night: Trouble, visit: Visit) -> None:
    page = visit(night.app, "executions?error=ImageNotFound&range=7d")
    loaded(page)
    expect(page.get_by_label("Error contains")).to_have_value("ImageNotFound")
    page.get_by_text("Fault", exact=True).first.click()
    page.wait_for_url("**outcome=fault**")
    assert "error=ImageNotFound" in page.url


@pytest.mark.parametrize("theme", ["dark", pytest.param("light", marks=pytest.mark.nightly)])
def test_the_page_fits_a_phone(night: Trouble, visit: Visit, theme: str) -> None:
    page = visit(night.app, "executions", theme=theme, phone=True)
    loaded(page)
    assert fits(page)
    picture(page, f"executions-phone-{theme}")


def test_one_execution_shows_all_there_is(night: Trouble, visit: Visit) -> None:
    arn = night.start(DRAWN)
    page = visit(night.app, f"executions?execution={arn}")
    expect(page.get_by_role("heading", name=arn.rpartition(":")[2])).to_be_visible()
    for tab, said in (
        ("States", "ClassifyImage"),
        ("Image", DRAWN),
        ("Logs", "Include lines of executions that ran at the same time"),
    ):
        page.get_by_role("tab", name=tab, exact=True).click()
        expect(page.get_by_text(said).first).to_be_visible()
    page.get_by_role("tab", name="Timeline").click()
    settle(page)
    picture(page, "execution")
    assert page.get_by_test_id("stException").count() == 0


def test_what_is_exported_can_be_imported(night: Trouble, visit: Visit, tmp_path: Path) -> None:
    listed = night.states.list_executions(stateMachineArn=night.machine, statusFilter="FAILED")
    arn = listed["executions"][0]["executionArn"]
    page = visit(night.app, f"executions?execution={arn}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON").click()
    exported = tmp_path / "execution-detail.json"
    exported.write_bytes(download.value.path().read_bytes())
    assert json.loads(exported.read_text())["execution"]["executionArn"] == arn

    page = visit(night.app, "executions")
    loaded(page)
    page.get_by_text("Open an export of the console").click()
    page.locator("input[type=file]").set_input_files(exported)
    expect(page.get_by_role("button", name="Close the file")).to_be_visible()
    expect(page.get_by_text(arn.rpartition(":")[2]).first).to_be_visible()


def test_a_file_that_is_no_export_is_refused_in_words(
    night: Trouble, visit: Visit, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[]")
    page = visit(night.app, "executions")
    loaded(page)
    page.get_by_text("Open an export of the console").click()
    page.locator("input[type=file]").set_input_files(wrong)
    expect(page.get_by_text("not an object")).to_be_visible()
