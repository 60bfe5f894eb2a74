"""Several readers at once over all views: no tab stops the others, and no page is sent again.

`make bench-sessions` does the same with twenty readers for two minutes, and measures;
`python -m benchmarks.pages` measures every page with a million captures.
"""

from collections.abc import Iterator

import pytest

from benchmarks import pages, sessions
from tests.nightly import often

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("sessions")
    with sessions.running(directory, records=20_000, executions=1_000) as (url, _):
        yield url


def test_readers_of_all_views_lose_no_rerun(app: str) -> None:
    seen = sessions.drive(app, sessions=8, seconds=often(10, 4), think=0.0)

    assert seen.lost == []
    assert len(seen.seconds) > len(sessions.VIEWS) / 2


def test_no_page_sends_more_than_100_kb_when_it_is_drawn_again(app: str) -> None:
    session = sessions.Session(app)
    sent = {}
    for page, query in pages.PAGES:
        session.open(page, query)
        again = [session.open(page, query), *session.refresh()]
        sent[page, query] = max(size for _, size in again) / 1e3
    session.close()

    assert session.seen.lost == []
    assert {page: size for page, size in sent.items() if size > pages.LIMIT_KB} == {}
    assert min(sent.values()) > 1  # they were drawn
