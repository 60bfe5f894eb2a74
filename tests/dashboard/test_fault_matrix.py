"""Every fault of AWS over every page: no traceback, a remedy, and none of it once it is over.

All calls fail but the one that says that the workflow is deployed. How long a page takes is told by
how long its thread waits in vain, which no busy machine changes.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.aws import cloud as clouds
from dashboard.aws.cloud import Cloud, Connection
from dashboard.aws.quotas import Pacer
from dashboard.shared import cloud_reads, connections
from dashboard.shared.cloud_reads import CloudRead
from tests.faulty_cloud import Fault, FaultyCloud
from tests.nightly import NIGHTLY
from workflow.regions import Region
from workflow.settings import Settings

pytestmark = pytest.mark.cloud

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PAGES = (
    "overview",
    "classify",
    "inferences",
    "review",
    "quality",
    "rollout",
    "executions",
    "failures",
    "alerts",
    "audit",
    "deployment",
    "workflows",
)
ACCOUNT, REGION = "123456789012", "us-east-1"
ALIAS = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:faults-dev"
DEPLOYED = {
    "DescribeStateMachineAlias": {
        "stateMachineAliasArn": f"{ALIAS}:live",
        "name": "live",
        "routingConfiguration": [{"stateMachineVersionArn": f"{ALIAS}:1", "weight": 100}],
        "creationDate": 1_700_000_000,
        "updateDate": 1_700_000_000,
    }
}
PATIENCE_S = 0.2
LONGEST_S = 5.0 * PATIENCE_S / cloud_reads.PATIENCE_S
"""What five seconds are at this patience."""


@pytest.fixture(scope="module")
def faulty() -> Iterator[FaultyCloud]:
    with FaultyCloud(DEPLOYED) as cloud:
        yield cloud


@pytest.fixture
def waited(
    faulty: FaultyCloud, patient: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[list[float]]:
    """Connect the pages to the faulty cloud; seconds that they waited in vain."""
    monkeypatch.setenv("SCONES_LOCALCLOUD_DIR", str(tmp_path))
    core = clouds._LocalSession(faulty.url)
    core.set_credentials("AKIAFAULTY", "secret")
    settings = Settings.from_env(
        {"SCONES_PROJECT": "faults"}, account=ACCOUNT, region=Region(REGION, "test")
    )
    cloud = Cloud(name="Local cloud", account=ACCOUNT, region=REGION, endpoint_url=faulty.url)
    connection = Connection(cloud, settings, clouds._make_session(core, REGION), Pacer(REGION))
    monkeypatch.setattr(connections, "connect", lambda _: connection)
    monkeypatch.setattr(cloud_reads, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(cloud_reads, "_FAILED_S", 0.0)  # a refresh comes later than that
    st.cache_resource.clear()
    vain: list[float] = []
    wait = CloudRead.wait

    def watched(self: CloudRead, patience_s: float | None) -> bool:
        ended = wait(self, patience_s)
        if not ended and patience_s is not None:
            vain.append(patience_s)
        return ended

    monkeypatch.setattr(CloudRead, "wait", watched)
    yield vain
    faulty.heal()
    st.cache_resource.clear()


def opened(page: str) -> AppTest:
    return AppTest.from_file(str(APP), default_timeout=120).switch_page(f"app_pages/{page}.py")


def problems(test: AppTest) -> list[str]:
    return [str(one.value) for one in (*test.error, *test.warning)]


def has_remedy(problem: str) -> bool:
    """Return whether a problem says more than what happened: at least two sentences."""
    return len(re.findall(r"[.!?](?=\W|$)", problem)) >= 2


def passes(test: AppTest, page: str, said: list[str]) -> None:
    """Assert that a page is run again without what it said, soon and by the same process."""
    deadline = time.monotonic() + 60
    while left := set(problems(test.run())) & set(said):
        assert time.monotonic() < deadline, (page, left)
        time.sleep(0.1)
    assert not test.exception, page


MATRIX = {fault: PAGES if NIGHTLY else PAGES[n % 4 :: 4] for n, fault in enumerate(Fault)}
"""Pages that are tried with a fault: every run tries each page with two faults or three."""


@pytest.mark.parametrize("fault", MATRIX, ids=[one.value for one in MATRIX])
def test_a_fault_of_every_service_is_said_and_passes(
    faulty: FaultyCloud, waited: list[float], fault: Fault
) -> None:
    faulty.fail(fault)
    seen: list[tuple[str, AppTest, list[str]]] = []
    for page in MATRIX[fault]:
        waited.clear()
        test = opened(page).run()
        said = problems(test)
        assert not test.exception, page
        assert sum(waited) < LONGEST_S, page
        seen.append((page, test, said))

    # A call that is tried again may take longer than a page waits: then the next run says it.
    deadline = time.monotonic() + 60
    while fault is not Fault.HANGS and not any(said for _, _, said in seen):
        assert time.monotonic() < deadline, "no page says anything"
        seen = [(page, test, problems(test.run())) for page, test, _ in seen]
    assert all(has_remedy(one) for _, _, said in seen for one in said), seen

    faulty.heal()
    for page, test, said in seen:
        passes(test, page, said)
