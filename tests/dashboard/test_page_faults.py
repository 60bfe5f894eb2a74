"""Pages that show data when AWS begins to fail: they keep it, say so with a remedy, and recover.

A page is first loaded from a local cloud, through one that then fails from the next call on. A
refresh comes later than anything counts as fresh. How long a page takes is told by how long its
thread waits in vain, which no busy machine changes.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

from dashboard.alerts.outbox import ALERTS_PREFIX
from dashboard.aws import cloud as clouds
from dashboard.aws.cloud import Connection, connect
from dashboard.aws.quotas import Pacer
from dashboard.captures.feed import CaptureFeed
from dashboard.executions.feed import ExecutionFeed
from dashboard.failures.inbox import build_inbox
from dashboard.failures.notes import NoteLog
from dashboard.review.client import ReviewClient
from dashboard.review.model import DrawRequest, draw_photos
from dashboard.shared import cloud_reads, connections
from dashboard.shared.cloud_reads import CloudRead
from dashboard.shared.store_root import store_root
from tests.builders import capture_lines, captured, png
from tests.dashboard.conftest import deploy
from tests.dashboard.test_fault_matrix import PAGES, has_remedy, problems
from tests.faulty_cloud import Fault, FaultyCloud
from workflow.access import Privilege
from workflow.audit import AuditRow, Phase, encode, key_of
from workflow.reviews import GroundTruth, Review
from workflow.triage_notes import TriageAction, TriageEvent

pytestmark = [
    pytest.mark.cloud,
    # Of pandas about plotly and Streamlit, which turn times into arrays.
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray"),
]

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PATIENCE_S = 0.3
HURRY_S = cloud_reads._HURRY_S * PATIENCE_S / cloud_reads.PATIENCE_S
LONGEST_S = 5.0 * PATIENCE_S / cloud_reads.PATIENCE_S
"""What five seconds are at this patience."""

FAILED, NOTE, ALERT, ACTION = "never-there", "Ana looks at it", "It broke.", "Silence of a test"
PHOTOS = 24
"""Captured, beside the one that an execution of the world leads to."""

AWAITED = "AWS has not answered"
REPLACED = (AWAITED, "Every alert was delivered.", "all of them read.")
"""No data: in their place stands why one could not be sent or read."""

GROUP, EXECUTION = "{group}", "{execution}"
"""Stand for what is known once the workflow has run."""

VIEWS: dict[str, tuple[str, dict[str, str], str]] = {
    "overview": ("overview", {}, "Too few captures to tell"),
    "classify": ("classify", {}, "Classify"),
    **{
        f"inferences, {view}": ("inferences", {"view": view}, f"Records: {PHOTOS + 1}")
        for view in (
            "Confidence",
            "Over time",
            "Before and after",
            "Threshold",
            "Drift",
            "Data health",
            "Records",
        )
    },
    **{
        f"review, {view}": ("review", {"view": view}, "")
        for view in ("Label", "Disagreements", "Draws")
    },
    **{
        f"quality, {view}": ("quality", {"view": view}, "")
        for view in ("Accuracy", "Confusion", "Calibration", "Threshold", "Parts", "Training set")
    },
    "rollout": ("rollout", {}, "AllTraffic"),
    "executions": ("executions", {}, FAILED),
    "one execution": ("executions", {"execution": EXECUTION}, FAILED),
    "failures": ("failures", {}, "ImageNotFound"),
    "one group of failures": ("failures", {"group": GROUP}, NOTE),
    "alerts": ("alerts", {}, ALERT),
    "audit": ("audit", {}, ACTION),
    "deployment": ("deployment", {}, "pagefaults"),
    "workflows": ("workflows", {}, "pagefaults"),
}
"""Page, address, and what of the data is on it."""


class World:
    """A deployed workflow with data of every kind, behind a cloud that fails on request."""

    def __init__(self, cloud: Connection, faulty: FaultyCloud, environ: dict[str, str]) -> None:
        self.cloud, self.faulty, self.environ = cloud, faulty, environ
        core = clouds._LocalSession(faulty.url)
        known = cloud.session.get_credentials()
        assert known is not None
        core.set_credentials(known.access_key, known.secret_key, known.token)
        session, pacer = clouds._make_session(core, cloud.cloud.region), Pacer(cloud.cloud.region)
        self.connection = Connection(cloud.cloud, cloud.settings, session, pacer)
        machine = cloud.settings.state_machine_arn
        self.names = {EXECUTION: f"{machine.replace(':stateMachine:', ':execution:')}:{FAILED}"}
        self._put_objects()
        self._classify()
        self._label()

    def _put_objects(self) -> None:
        """Put captures, an image and an action."""
        now = datetime.now(UTC)
        lines = capture_lines(*(capture(n, now - timedelta(minutes=n)) for n in range(PHOTOS)))
        settings = self.cloud.settings
        folder = f"{settings.capture_prefix}/{settings.endpoint}/AllTraffic/{now:%Y/%m/%d/%H}"
        action = AuditRow(
            id="action",
            phase=Phase.ENDED,
            at=now,
            actor="ana",
            role="admin",
            action=Privilege.SUBMIT,
            request=ACTION,
            result="done",
            origin="dashboard",
        )
        for key, body in {
            f"{folder}/00-00.jsonl": lines,
            key_of(action): encode(action),
            "images/there.png": png(40, 30),
        }.items():
            self._put(key, body)

    def _put(self, key: str, body: bytes) -> None:
        s3, bucket = self.cloud.client("s3"), self.cloud.settings.bucket
        s3.put_object(Bucket=bucket, Key=key, Body=body)

    def _classify(self) -> None:
        """Execute twice; one fails, which has been told by an alert and has a note."""
        client, settings = self.cloud.client("stepfunctions"), self.cloud.settings
        for name, key in ((FAILED, "nothing.png"), ("there", "there.png")):
            given = {"s3_bucket": settings.bucket, "s3_key": f"images/{key}", "image_data": ""}
            client.start_execution(
                stateMachineArn=settings.alias_arn, name=name, input=json.dumps(given)
            )
        feed = ExecutionFeed(self.cloud, store_root(self.cloud, self.environ), None)
        feed.watch()
        until(lambda: feed.listing().height == 2 and bool(feed.failures()))
        feed.close()
        now = datetime.now(UTC)
        (group,) = build_inbox(feed.attempts(), feed.listing(), (), {}, now=now)
        self.names[GROUP] = group.fingerprint.digest
        # Under the key of its failure, so that no page sends another one.
        alert = {"key": f"new-{group.fingerprint.digest}", "subject": "New failure", "body": ALERT}
        self._put(f"{ALERTS_PREFIX}{alert['key']}.json", json.dumps(alert).encode())
        note = TriageEvent(
            id="note",
            at=now,
            author="ana",
            fingerprint=group.fingerprint.digest,
            action=TriageAction.COMMENT,
            text=NOTE,
        )
        NoteLog(self.cloud.client("s3"), settings.bucket).append(note)

    def _label(self) -> None:
        """Draw photos and label half of them."""
        feed = CaptureFeed(self.cloud, store_root(self.cloud, self.environ, kind="captures"))
        feed.watch()
        until(lambda: feed.as_of is not None and feed.names().height > 0)
        until(lambda: feed.store.scan("captures").collect().height == PHOTOS + 1)
        feed.close()
        asked = DrawRequest(size=12, random_share=0.5, threshold=0.5, since=None, by="ana")
        now = datetime.now(UTC)
        captures = feed.store.scan("captures")
        draw = draw_photos(captures, (), asked, now=now, token="t", seed=0)
        reviews = ReviewClient(self.cloud)
        reviews.add_draw(draw)
        for photo in draw.photos[::2]:
            truth = GroundTruth(photo.id, "0", now, Review(reviewer="ana", draw=draw.id))
            reviews.write_answer(truth, 0, photo.id)


def capture(number: int, at: datetime) -> dict[str, object]:
    confidence = 0.55 + 0.4 * (number % 5) / 5
    output = json.dumps([confidence, 1 - confidence])
    time_of = {"inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    return captured(output, event_id=f"photo-{number}", **time_of)


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not said():
        assert time.monotonic() < deadline, "It took too long."
        time.sleep(0.1)


# Of the session, not the module: a worker may come back to this module after another one, and
# would make the same executions again.
@pytest.fixture(scope="session")
def variables(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "SCONES_PROJECT": "pagefaults"}


@pytest.fixture(scope="session")
def world(variables: dict[str, str]) -> Iterator[World]:
    cloud = connect(variables)
    deploy(cloud)
    assert cloud.cloud.endpoint_url is not None
    with FaultyCloud({}, behind=cloud.cloud.endpoint_url) as faulty:
        yield World(cloud, faulty, variables)


@pytest.fixture
def vain(
    world: World, variables: dict[str, str], patient: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[float]]:
    """Connect the pages to the world; seconds that they waited in vain."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(connections, "connect", lambda _: world.connection)
    fresh, forever = cloud_reads._Known.is_fresh, float("inf")
    monkeypatch.setattr(
        cloud_reads._Known,
        "is_fresh",
        lambda known, fresh_s: fresh_s == forever and fresh(known, fresh_s),
    )
    st.cache_resource.clear()
    found: list[float] = []
    wait = CloudRead.wait

    def watched(self: CloudRead, patience_s: float | None) -> bool:
        drawing = get_script_run_ctx(suppress_warning=True) is not None
        left = 60.0 if patience_s is None else self._began + patience_s - time.monotonic()
        ended = wait(self, patience_s)
        if drawing and not ended:
            found.append(max(0.0, left))
        return ended

    monkeypatch.setattr(CloudRead, "wait", watched)
    yield found
    world.faulty.heal()
    st.cache_resource.clear()


def data_of(test: AppTest) -> set[str]:
    """Return what a page shows beside what it says of a fault, without ages and the time."""
    found = [f"{one.label}: {one.value} {one.delta}" for one in test.metric]
    found += [f"button {one.label}" for one in test.button]
    found += [str(one.value) for one in (*test.title, *test.header, *test.subheader)]
    found += [str(one.value) for one in (*test.markdown, *test.code, *test.text, *test.caption)]
    for place, table in enumerate(test.dataframe):
        rows = table.value.to_dict("records")
        found += [f"table {place}: {row}" for row in rows]
    for kind in ("plotly_chart", "imgs", "graphviz_chart"):
        found.append(f"{len(test.get(kind))} of {kind}")
    # Captures of the last minute are not counted yet.
    times = (
        r"\d+ captures in|Up to .*? UTC|\d+ (s|min|h)( \d+ (s|min))?( ago)?\b|\b\d\d:\d\d(:\d\d)?\b"
    )
    # A sentence may get another one beside it, about what could not be read.
    sentences = {part for one in found for part in re.split(r"(?<=\.) ", one)}
    kept = [one for one in sentences if not any(part in one for part in REPLACED)]
    return {re.sub(times, "…", one) for one in kept}


def opened(world: World, view: str) -> AppTest:
    """Load a page until its data is there and nothing is awaited any more."""
    page, query, wanted = VIEWS[view]
    test = AppTest.from_file(str(APP), default_timeout=120)
    test.query_params.update({name: world.names.get(to, to) for name, to in query.items()})
    test.switch_page(f"app_pages/{page}.py").run()
    shown: set[str] = set()
    deadline = time.monotonic() + 30
    while not (any(wanted in one for one in shown) and shown == data_of(test)):
        assert time.monotonic() < deadline, (wanted, shown, problems(test))
        assert not test.exception
        shown = data_of(test)
        time.sleep(0.1)
        test.run()
    return test


def marks(test: AppTest) -> list[str]:
    """Return how a page says that something is awaited or could not be read."""
    return problems(test) + [one for one in captions(test) if AWAITED in one]


def captions(test: AppTest) -> list[str]:
    return [str(one.value) for one in test.caption]


EVERY = [(view, fault) for view in VIEWS for fault in Fault]
FIRST = [next(view for view in VIEWS if VIEWS[view][0] == page) for page in PAGES]
DIAGONAL = {(view, list(Fault)[n % len(Fault)]) for n, view in enumerate(FIRST)}
"""What every run tries: the first view of each page with one fault."""


@pytest.mark.parametrize(
    ("view", "fault"),
    [
        pytest.param(
            view,
            fault,
            id=f"{view}, {fault.value}",
            marks=[] if (view, fault) in DIAGONAL else pytest.mark.nightly,
        )
        for view, fault in EVERY
    ],
)
def test_a_page_with_data_keeps_it_under_a_fault_and_says_so(
    world: World, vain: list[float], monkeypatch: pytest.MonkeyPatch, view: str, fault: Fault
) -> None:
    test = opened(world, view)
    healthy, before = data_of(test), marks(test)

    world.faulty.fail(fault)
    with monkeypatch.context() as hasty:
        hasty.setattr(cloud_reads, "PATIENCE_S", PATIENCE_S)
        hasty.setattr(cloud_reads, "_HURRY_S", HURRY_S)
        said: list[str] = []
        deadline = time.monotonic() + 60
        while not said:
            assert time.monotonic() < deadline, "nothing is said"
            vain.clear()
            test.run()
            assert not test.exception
            assert sum(vain) < LONGEST_S, vain
            lost = sorted(healthy - data_of(test))
            assert not lost, sorted(data_of(test) - healthy)
            said = [one for one in marks(test) if one not in before]
    assert all(has_remedy(one) for one in said), said
    assert any("as of" in one.lower() for one in (*said, *captions(test)))

    world.faulty.heal()
    deadline = time.monotonic() + 60
    while left := (set(marks(test.run())) - set(before)) | (healthy - data_of(test)):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert not test.exception
