"""Text of others in a real browser: nothing is fetched from elsewhere, no element is made of it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from dashboard.aws.cloud import connect
from tests.builders import PNG
from tests.dashboard.hostile.elements import MARK, PAYLOAD
from tests.dashboard.hostile.world import poison, their_workflow
from tests.journeys.browser import App, running_app, settle

pytestmark = [pytest.mark.journey, pytest.mark.cloud]

MADE = f"""() => [...document.querySelectorAll(
    'img[src*=evil], a[href*="//evil"], a[href*="//www.evil"], strong, em, del, .katex, span[style]'
)].filter(e => !e.matches('strong, em, del, span') || e.textContent.trim() === '{MARK}')
  .map(e => e.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[App]:
    """The app with a workflow full of payloads."""
    yield from running_app(tmp_path_factory.mktemp("poisoned"), deployed=True, aws_like=False)


def test_payloads_fetch_nothing_and_make_no_element(
    poisoned: App, visit: Callable[..., Page], tmp_path: Path
) -> None:
    connection = connect(poisoned.environ)
    poison(connection, poisoned.environ)
    theirs = their_workflow(connection, poisoned.environ)
    machine = theirs.state_machine_arn.replace(":stateMachine:", ":execution:")
    one = {"workflow": theirs.reference, "execution": f"{machine}:run-0"}
    addresses = [
        *("overview", "failures", "alerts", "audit", "executions", "workflows"),
        *(f"inferences?view={view}" for view in ("Confidence", "Records", "Data+health")),
        f"deployment?{urlencode({'workflow': theirs.reference})}",
        *(
            f"executions?{urlencode({**one, 'view': tab})}"
            for tab in ("Timeline", "States", "Events")
        ),
    ]
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    context = visit(poisoned, "lab").context
    context.on("request", note)
    for address in addresses:
        page = visit(poisoned, address)
        expect(page.get_by_text(re.compile("evil|EVIL")).first).to_be_attached()
        assert page.evaluate(MADE) == [], address
        page.close()

    name = tmp_path / PAYLOAD.replace("/", "-").replace("\x07", "")[:200]
    name.with_suffix(".txt").write_bytes(PNG[:20])
    page = visit(poisoned, f"classify?{urlencode({'view': PAYLOAD, 'unknown': PAYLOAD})}")
    page.locator("input[type=file]").first.set_input_files(name.with_suffix(".txt"))
    settle(page)
    context.remove_listener("request", note)
    assert page.evaluate(MADE) == []
    own = urlsplit(poisoned.url).netloc
    assert {urlsplit(url).netloc for url in asked if url.startswith("http")} == {own}
