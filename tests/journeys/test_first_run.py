"""The first thing a new user does: from an empty cloud to a classified photo."""

import re
from collections.abc import Callable
from itertools import product

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.journeys.browser import PICTURED, App, barriers, fits, picture, settle
from tests.journeys.photos import bicycle
from tests.nightly import NIGHTLY

pytestmark = pytest.mark.journey
Visit = Callable[..., Page]


def test_four_clicks_lead_from_an_empty_cloud_to_a_classified_photo(app: App, visit: Visit) -> None:
    page = visit(app, "deployment")
    expect(page.get_by_text("to create.")).to_be_visible()
    picture(page, "deployment-plan")

    page.get_by_role("button", name="Deploy").click()  # 1
    expect(page.get_by_text("Everything is up to date")).to_be_visible()
    settle(page)
    picture(page, "deployment-done")

    page.get_by_role("link", name="Classify a photo").click()  # 2
    chooser = page.get_by_test_id("stFileUploaderDropzoneInput")
    chooser.set_input_files(  # 3
        [FilePayload(name="my bicycle.jpg", mimeType="image/jpeg", buffer=bicycle())]
    )
    page.get_by_role("button", name="Classify (1)").click()  # 4

    expect(page.get_by_text("1 accepted")).to_be_visible()
    settle(page)
    expect(page.get_by_text("my bicycle.jpg")).to_be_visible()
    expect(page.get_by_text("ClassifyImage")).to_be_visible()
    expect(page.get_by_role("link", name="Open the execution")).to_be_visible()
    expect(page).to_have_url(re.compile("batch="))
    picture(page, "classify-accepted")


def test_a_deployment_can_be_left_and_found_again(app: App, visit: Visit) -> None:
    page = visit(app, "deployment?threshold=0.6")
    page.get_by_role("button", name=re.compile("^(Deploy|Apply these changes)$")).click()

    other = visit(app, "deployment?threshold=0.6", settled=False)

    expect(other.get_by_text("Everything is up to date")).to_be_visible()
    expect(other.get_by_text("left 32 of 32 resources up to date.")).to_be_visible()


LOOKS = list(product(("deployment", "classify"), ("light", "dark"), ("desk", "phone")))
QUICK = (LOOKS[1], LOOKS[6])
"""Each path, theme and device once; ``make nightly`` tries all."""


@pytest.mark.parametrize(("path", "theme", "device"), LOOKS if NIGHTLY or PICTURED else QUICK)
def test_a_page_fits_and_keeps_nobody_out(
    app: App, visit: Visit, path: str, theme: str, device: str
) -> None:
    page = visit(app, path, theme=theme, phone=device == "phone")

    assert fits(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    picture(page, f"{path}-{theme}-{device}")
    assert barriers(page) == []
