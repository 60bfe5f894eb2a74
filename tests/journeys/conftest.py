"""A real browser against the real app on a free port, with a local cloud of its own.

Journeys take ``app`` (nothing deployed) or ``deployed`` (the workflow is up), and ``visit``:

    def test_a_photo_is_classified(deployed, visit):
        page = visit(deployed, "classify")
        page.get_by_role("button", name="Classify").click()
        settle(page)

Screenshots are written to docs/screenshots only where ``SCONES_SCREENSHOTS=1``, so that a test run
leaves the tree as it was.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "docs" / "screenshots"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
START_SECONDS = 60
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
NOTHING_STALE = (
    "() => document.querySelectorAll('[data-testid=stSkeleton],[data-stale=true]').length === 0"
)


@dataclass(frozen=True)
class App:
    """A running dashboard."""

    url: str
    directory: Path
    environ: dict[str, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settle(page: Page, seconds: float = 60) -> None:
    """Wait until the script has run and nothing on the page is stale."""
    page.wait_for_selector(SETTLED, timeout=seconds * 1000)
    page.wait_for_function(NOTHING_STALE, timeout=seconds * 1000)


def fits(page: Page) -> bool:
    """Whether the page needs no sideways scrolling."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    own = playwright.chromium.executable_path
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which(own)
    if found is None:
        pytest.skip("No Chromium on this machine: `apt-get install chromium` lets journeys run.")
    running = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
    yield running
    running.close()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app as a new user starts it: an empty local cloud, nothing deployed."""
    yield from running_app(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with the workflow deployed; one for all journeys that only use it."""
    for running in running_app(tmp_path_factory.mktemp("deployed")):
        urllib.request.urlopen(running.url, timeout=START_SECONDS).close()
        deploy_workflow(running)
        yield running


def running_app(directory: Path, **environ: str) -> Iterator[App]:
    """Start the app on a free port, with its local cloud in a directory; stop both at the end."""
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {
        "SCONES_LOCALCLOUD_DIR": str(directory / "cloud"),
        "SCONES_LOCALCLOUD_PORT": str(free_port()),
        "SCONES_HOME": str(directory / "home"),
        **environ,
    }
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py")]
    command += ["--server.port", str(port), "--server.headless", "true"]
    with (directory / "app.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=directory)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health", process, log.name)
        yield App(f"http://127.0.0.1:{port}", directory, env)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("The app did not start:\n" + Path(log).read_text()[-2000:])


def deploy_workflow(app: App) -> None:
    """Deploy by the command line, which is faster than clicking and tested elsewhere."""
    cloud = subprocess.Popen(
        [sys.executable, "-m", "localcloud", "--dir", app.environ["SCONES_LOCALCLOUD_DIR"]]
        + ["--port", app.environ["SCONES_LOCALCLOUD_PORT"]],
        env=app.environ,
        stdout=subprocess.PIPE,
    )
    assert cloud.stdout is not None
    with cloud.stdout as ready:
        assert ready.readline()
    environ = {
        **app.environ,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{app.environ['SCONES_LOCALCLOUD_PORT']}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    command = [sys.executable, "-m", "deploy", "apply", "--yes"]
    subprocess.run(command, env=environ, cwd=ROOT, check=True)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page of an app in a context of its own, and wait until it has settled."""
    contexts = []

    def open_page(app: App, path: str = "", *, theme: str = "light", phone: bool = False) -> Page:
        context = browser.new_context(
            viewport=PHONE if phone else WIDE,
            color_scheme="dark" if theme == "dark" else "light",
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{app.url}/{path}")
        settle(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


def picture(page: Page, name: str) -> None:
    """Write docs/screenshots/{name}.png, the whole page high, where screenshots are wanted."""
    if os.environ.get("SCONES_SCREENSHOTS") != "1":
        return
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    height = page.evaluate(
        "Math.max(...[...document.querySelectorAll('[data-testid=stMainBlockContainer]')]"
        ".map(e => e.scrollHeight + 80))"
    )
    width = page.viewport_size["width"] if page.viewport_size else WIDE["width"]
    page.set_viewport_size({"width": width, "height": max(700, min(int(height), 2600))})
    page.wait_for_timeout(600)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
