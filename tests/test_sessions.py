"""Several readers at once over all views: no tab stops the others.

`make bench-sessions` does the same with twenty readers for two minutes, and measures.
"""

from pathlib import Path

import pytest

from benchmarks import sessions

pytestmark = pytest.mark.cloud


def test_readers_of_all_views_lose_no_rerun(tmp_path: Path) -> None:
    with sessions.running(tmp_path, records=20_000, executions=1_000) as (app, _):
        seen = sessions.drive(app, sessions=8, seconds=10.0, think=0.0)

    assert seen.lost == []
    assert len(seen.seconds) > len(sessions.VIEWS) / 2
