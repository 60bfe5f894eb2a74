"""Kills of both processes lose nothing that was acknowledged; `make soak` kills 200 times."""

from pathlib import Path

import pytest

from benchmarks import kills
from tests.nightly import often

pytestmark = pytest.mark.cloud


def test_what_was_acknowledged_survives_kills_of_the_local_cloud_and_the_dashboard(
    tmp_path: Path,
) -> None:
    assert kills.run(tmp_path, often(nightly=20, otherwise=2), seed=1) == []
