"""A running dashboard and the browser's view of it: what every journey needs at hand."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "docs" / "screenshots"
START_SECONDS = 60
CALM_SECONDS = 15
"""Until then a page's colours are those that it keeps."""
PICTURED = os.environ.get("SCONES_SCREENSHOTS") == "1"
"""Whether screenshots are wanted."""
AWS_LIKE = "40"
"""How many times faster than on AWS time passes in a cloud as unkind as a new account."""
WIDE = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=390, height=844)
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
NOTHING_STALE = (
    "() => document.querySelectorAll('[data-testid=stSkeleton],[data-stale=true]').length === 0"
)
AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
STREAMLITS_OWN = {"svg-img-alt", "presentation-role-conflict"}
"""Violations that no app can mend: the sparkline of a metric, and the file uploader."""
RUN_AXE = """async () => (await axe.run(document, {runOnly: [
    'wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'
]})).violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))])"""
CONTENT_HEIGHT = (
    "Math.max(...[...document.querySelectorAll('[data-testid=stMainBlockContainer]')]"
    ".map(e => e.scrollHeight + 80))"
)


@dataclass(frozen=True)
class App:
    """A running dashboard; ``environ`` is what it was started with."""

    url: str
    environ: dict[str, str]

    @property
    def cloud_arguments(self) -> list[str]:
        """How ``python -m localcloud`` is told the directory and the port of this app's cloud."""
        directory = self.environ["SCONES_LOCALCLOUD_DIR"]
        return ["--dir", directory, "--port", self.environ["SCONES_LOCALCLOUD_PORT"]]

    @property
    def aws_environ(self) -> dict[str, str]:
        """The environment in which any AWS client reaches this app's cloud."""
        return {
            **self.environ,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.environ['SCONES_LOCALCLOUD_PORT']}",
            "AWS_SHARED_CREDENTIALS_FILE": f"{self.environ['SCONES_LOCALCLOUD_DIR']}/credentials",
            "AWS_REGION": "us-east-1",
        }


def running_app(
    directory: Path,
    *,
    deployed: bool = False,
    aws_like: bool = True,
    root: Path = ROOT,
    **environ: str,
) -> Iterator[App]:
    """Start the app on a free port, with its local cloud in a directory; stop both at the end.

    Args:
        directory: Where its cloud, its store and its log go.
        deployed: Deploy the workflow first, by the command line, which is faster than clicking.
        aws_like: Make its cloud as unkind as a new AWS account; not where a stopwatch runs,
            where failures are counted (a new account throttles on a busy machine), or where
            a test plays somebody who creates things without waiting for them.
        root: The checkout that is run; another one than this has to be on PYTHONPATH.
        environ: Further environment variables.
    """
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {
        "SCONES_LOCALCLOUD_DIR": str(directory / "cloud"),
        "SCONES_LOCALCLOUD_PORT": str(free_port()),
        "SCONES_HOME": str(directory / "home"),
        **({"SCONES_LOCALCLOUD_AWS_LIKE": AWS_LIKE} if aws_like else {}),
        **environ,
    }
    app = App(f"http://127.0.0.1:{port}", env)
    command = [sys.executable, "-m", "streamlit", "run", str(root / "dashboard" / "app.py")]
    command += ["--server.port", str(port), "--server.headless", "true"]
    log = directory / "app.log"
    with ExitStack() as stack:
        if deployed:
            stack.enter_context(_deployed_cloud(app, root))
        out = stack.enter_context(log.open("wb"))
        stack.callback(_end_cloud, directory / "cloud")
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, cwd=directory)
        stack.enter_context(_ending(process))
        _wait_until_healthy(port, process, log)
        yield app


@contextmanager
def _deployed_cloud(app: App, root: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "localcloud", *app.cloud_arguments]
    cloud = subprocess.Popen(command, env=app.environ, stdout=subprocess.PIPE)
    assert cloud.stdout is not None
    with _ending(cloud), cloud.stdout:
        assert cloud.stdout.readline(), "The local cloud did not start."
        apply = [sys.executable, "-m", "deploy", "apply", "--yes"]
        subprocess.run(apply, env=app.aws_environ, cwd=root, check=True, stdout=subprocess.DEVNULL)
        yield


def _end_cloud(directory: Path) -> None:
    """End the local cloud that an app started, which serves on after the app."""
    ready = directory / "endpoint.json"
    if ready.exists():
        with suppress(ProcessLookupError):
            os.kill(json.loads(ready.read_text())["pid"], signal.SIGTERM)


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    """A port below those that the kernel gives to connections: it would give away a free one."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def settle(page: Page) -> None:
    """Wait until the script has run and nothing on the page is stale."""
    page.wait_for_selector(SETTLED)
    page.wait_for_function(NOTHING_STALE)


def fits(page: Page) -> bool:
    """Whether the page needs no sideways scrolling."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def barriers(page: Page) -> list[list[object]]:
    """What axe-core finds that keeps people out (WCAG 2.2 AA), but for what is Streamlit's own."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: `make node` does it where Node is present.")
    page.add_script_tag(path=AXE)
    deadline = time.monotonic() + CALM_SECONDS
    while True:
        found = [one for one in page.evaluate(RUN_AXE) if one[0] not in STREAMLITS_OWN]
        if not found or time.monotonic() > deadline:
            return found
        page.wait_for_timeout(500)  # what fades in, or is coloured later, is pale at first


def picture(page: Page, name: str) -> None:
    """Write docs/screenshots/{name}.png, the whole page high, where screenshots are wanted."""
    if not PICTURED:
        return
    width = page.viewport_size["width"] if page.viewport_size else WIDE["width"]
    height = max(700, min(int(page.evaluate(CONTENT_HEIGHT)), 2600))
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(600)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")  # makes the folder


def _wait_until_healthy(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("The app did not start:\n" + log.read_text()[-2000:])
