"""Fixtures of the journeys: a real browser against the real app, with a local cloud of its own.

    def test_a_photo_is_classified(deployed: App, visit: Visit) -> None:
        page = visit(deployed, "classify")
        page.get_by_role("button", name="Classify").click()
        settle(page)

Screenshots are written to docs/screenshots only where ``SCONES_SCREENSHOTS=1``, so that a test run
leaves the tree as it was.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from tests.journeys.browser import PHONE, WIDE, App, running_app, settle
from tests.journeys.troubled import Trouble, troubled
from tests.loopback import sitecustomize as loopback

PATIENCE_MS = 120_000  # a loaded machine is slow, not wrong
expect.set_options(timeout=PATIENCE_MS)

CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def note_beyond_loopback(request: Request) -> None:
    """Note a request of a page to another machine, which fails the run."""
    address = urlsplit(request.url)
    if address.scheme in ("http", "https", "ws", "wss"):
        host = address.hostname or ""
        if not loopback.is_loopback(host):
            loopback.note(f"a page asks {host}")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", playwright.chromium.executable_path)
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("No Chromium on this machine: `apt-get install chromium` lets journeys run.")
    running = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
    yield running
    running.close()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[App]:
    """The app as a new user starts it: an empty, AWS-like local cloud, nothing deployed."""
    yield from running_app(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[App]:
    """The app with the workflow deployed; one for all journeys that only use it."""
    yield from running_app(tmp_path_factory.mktemp("deployed"), deployed=True)


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Trouble]:
    """The app after a bad night; one for all journeys through executions and failures."""
    yield from troubled(tmp_path_factory.mktemp("night"))


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> Iterator[Callable[[str, bool], BrowserContext]]:
    """Give one browser context for each theme and width, so that scripts are compiled once."""

    @cache
    def context(theme: str, phone: bool) -> BrowserContext:  # noqa: FBT001 - a key
        made = browser.new_context(
            viewport=PHONE if phone else WIDE,
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
            accept_downloads=True,
        )
        made.set_default_timeout(PATIENCE_MS)
        made.on("request", note_beyond_loopback)
        return made

    yield context
    for made in browser.contexts:
        made.close()


@pytest.fixture
def visit(contexts: Callable[[str, bool], BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Open a page of an app in a tab of its own, and wait until it has settled.

    A page that follows a running job is drawn again and again: open it with ``settled=False``.
    """
    pages: list[Page] = []

    def open_page(
        app: App,
        path: str = "",
        *,
        theme: str = "light",
        phone: bool = False,
        settled: bool = True,
    ) -> Page:
        page = contexts(theme, phone).new_page()
        pages.append(page)
        page.goto(f"{app.url}/{path}")
        if settled:
            settle(page)
        return page

    yield open_page
    for page in pages:
        page.close()
