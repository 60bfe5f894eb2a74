"""First load: what a browser that has nothing yet receives for a page with charts.

Run: ``python -m benchmarks.first_load``. Starts a dashboard as ``benchmarks.sessions`` does, opens
*Inferences* in Chromium with an empty cache, and adds up what came over the wire, bodies as they
were encoded. Bar: 3.5 MB. Ends with 1 where it is missed.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import sync_playwright

from benchmarks.sessions import running

MOST_MB: Final = 3.5
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PATIENCE_MS: Final = 120_000


def load(app: str) -> list[tuple[float, str]]:
    """Megabytes and address of each answer, the largest first."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        page = browser.new_page()
        devtools = page.context.new_cdp_session(page)
        devtools.send("Network.enable")
        urls: dict[str, str] = {}
        sizes: dict[str, float] = {}

        def begun(event: dict[str, Any]) -> None:
            urls[event["requestId"]] = event["request"]["url"]

        def ended(event: dict[str, Any]) -> None:
            sizes[event["requestId"]] = event["encodedDataLength"] / 1e6

        devtools.on("Network.requestWillBeSent", begun)
        devtools.on("Network.loadingFinished", ended)
        page.goto(f"{app}/inferences", timeout=PATIENCE_MS)
        page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=PATIENCE_MS)
        page.wait_for_load_state("networkidle", timeout=PATIENCE_MS)
        browser.close()
    return sorted(((size, urls[key]) for key, size in sizes.items()), reverse=True)


def main() -> int:
    """Print the largest answers and the sum of all."""
    with tempfile.TemporaryDirectory() as name, running(Path(name), 20_000) as (app, _):
        answers = load(app)
    for size, url in answers[:8]:
        print(f"{size:6.2f} MB  {url.rpartition('/')[2]}")
    total = sum(size for size, _ in answers)
    met = total <= MOST_MB
    print(
        f"{total:6.2f} MB in {len(answers)} answers (bar: {MOST_MB}): {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
