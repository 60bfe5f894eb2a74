"""The first minute: from an empty cloud to pages that are alive, and the README's screenshots.

``make screenshots`` writes those of docs/screenshots anew, from the demonstration.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.journeys.browser import PICTURED, App, barriers, fits, picture, running_app, settle
from tests.nightly import NIGHTLY

pytestmark = pytest.mark.journey
Visit = Callable[..., Page]
Contexts = Callable[..., BrowserContext]

SECONDS = 90.0
"""From the page to a living Overview, on a machine that has nothing else to do."""

ALIVE = {
    "overview": "Up to",
    "inferences Confidence": "Accepted",
    "executions": "Executions",
    "failures": "NotAnImage",
    "alerts": "Alarms",
    "deployment": "Everything is up to date",
    "lab": "Blurred lens",
}
"""What a page says once it is alive, in the first of its states."""

STATES: dict[str, tuple[str, ...]] = {
    "overview": ("overview",),
    "overview checks": ("overview", "text=/^\\d+ checks/"),
    "overview in UTC": ("overview?range=24h&zone=UTC",),
    "classify": ("classify",),
    "classify paste": ("classify", "role=tab[name=Paste]"),
    "classify from S3": ("classify", "role=tab[name='From S3']"),
    **{
        f"inferences {view}": (f"inferences?view={view}",)
        for view in (
            *("Confidence", "Over time", "Before and after", "Threshold", "Drift"),
            "Records",
        )
    },
    "inferences data health": ("inferences?view=Data health",),
    "inferences filters": ("inferences", "text=Filters"),
    "review": ("review",),
    "review draws": ("review?view=Draws",),
    "review a new draw": ("review", "role=button[name=/Draw photos/]"),
    **{
        f"quality {view}": (f"quality?view={view}",)
        for view in ("Accuracy", "Confusion", "Calibration", "Threshold", "Parts", "Training set")
    },
    "rollout": ("rollout",),
    "executions": ("executions",),
    "executions filters": ("executions?outcome=fault&range=90d",),
    "executions none": ("executions?name=nobody",),
    **{
        f"execution {tab}": ("executions?execution={arn}", f"role=tab[name='{tab}']")
        for tab in ("Timeline", "States", "Events", "State machine", "Image", "Capture", "Logs")
    },
    "failures": ("failures",),
    **{
        f"failure {tab}": ("failures?group={group}", f"role=tab[name={tab}]")
        for tab in ("Decide", "Repair", "Executions", "Test")
    },
    "alerts": ("alerts",),
    "deployment": ("deployment",),
    **{
        f"workflows {way}": ("workflows", f"role=radio[name='{way}']")
        for way in ("State machines", "Endpoints", "By name", "Import")
    },
    "lab": ("lab",),
}
"""Every page, view, tab and dialog: its address, and what is clicked there."""

SHORT = (
    *("overview", "classify", "inferences Confidence", "review", "quality Accuracy", "rollout"),
    *("executions", "execution Timeline", "failures", "failure Decide", "alerts", "deployment"),
    *("workflows State machines", "lab"),
)
"""One state of each page, which every run reads; ``make nightly`` reads all."""

DARK = ("overview", "classify", "inferences Threshold", "review", "failure Decide")
"""States that a run reads in the dark theme too: all controls are on them."""

LOOKS = [(theme, device) for theme in ("light", "dark") for device in ("phone", "desk")]
"""Every one of them is photographed; a test run reads the first, the narrowest."""
READ = [(look, state) for look in LOOKS for state in STATES]
if not PICTURED:
    READ = [(LOOKS[0], state) for state in (STATES if NIGHTLY else SHORT)]
    READ += [(("dark", "desk"), state) for state in DARK]


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


@pytest.fixture(scope="module")
def demonstrated(shown: App, contexts: Contexts) -> None:
    """Write the demonstration where another worker has the test that does."""
    with contexts("light", phone=False).new_page() as page:
        page.goto(f"{shown.url}/overview")
        button = page.get_by_role("button", name="Deploy and show me")
        there = page.get_by_text("Demonstration data")
        expect(button.or_(there).first).to_be_visible()
        if button.count():
            button.click()
        expect(there).to_be_visible()


@pytest.fixture(autouse=True)
def begin(request: pytest.FixtureRequest) -> None:
    """Have the demonstration there for all tests but the one that makes it."""
    if request.function is not test_one_click_leads_from_an_empty_cloud_to_a_living_overview:
        request.getfixturevalue("demonstrated")


@pytest.fixture(scope="module")
def named(demonstrated: None, shown: App, contexts: Contexts) -> dict[str, str]:
    """A group of failures and an execution of it, as the pages lead there."""
    found = {}
    with contexts("light", phone=False).new_page() as page:
        page.goto(f"{shown.url}/failures")
        page.get_by_role("button", name="NotAnImage in SerializeImage").click()
        for name, parameter in (("group", "group"), ("arn", "execution")):
            expect(page).to_have_url(re.compile(f"{parameter}="))
            found[name] = parse_qs(urlsplit(page.url).query)[parameter][0]
            if name == "group":
                page.get_by_role("tab", name="Executions").click()
                page.get_by_role("link", name=re.compile("^demonstration-")).first.click()
    return found


@pytest.mark.parametrize(
    ("look", "state"), READ, ids=[f"{' '.join(look)} {state}" for look, state in READ]
)
def test_a_page_is_alive_fits_keeps_nobody_out_and_asks_no_other_host(
    shown: App, contexts: Contexts, named: dict[str, str], look: tuple[str, str], state: str
) -> None:
    (theme, device), (address, *clicked) = look, STATES[state]
    with contexts(theme, phone=device == "phone").new_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{shown.url}/{address.format(**named)}")
        settle(page)
        for selector in clicked:
            page.locator(selector).first.click()
            settle(page)

        expect(page.get_by_text("Traceback")).to_have_count(0)
        path = address.partition("?")[0]
        expect(page).to_have_title(f"{path.capitalize()} · Scones Unlimited")
        if state in ALIVE:
            main = page.get_by_test_id("stMainBlockContainer")  # a phone hides the sidebar
            expect(main.get_by_text(ALIVE[state]).first).to_be_visible()
            if look == ("light", "desk"):
                picture(page, f"demonstration-{path}")
        if device == "desk":
            expect(page.get_by_text("Demonstration data")).to_be_visible()
        picture(page, f"every/{state} {theme} {device}")
        assert fits(page)
        assert barriers(page) == []
        assert [url for url in asked if not url.startswith((shown.url, "data:", "blob:"))] == []


def test_the_list_of_checks_stays_open_when_the_page_is_drawn_again(
    shown: App, visit: Visit
) -> None:
    page = visit(shown, "overview")
    title = page.get_by_text(re.compile(r"^\d+ checks"))
    before = title.inner_text()

    title.click()
    expect(title).not_to_have_text(before)

    expect(page.get_by_role("link", name="Data health")).to_be_visible()


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
