"""Text of others on every page: whatever it holds, it is shown as text.

One payload that would act in each way stands in every place of others at once, and every string of
every message of every page is looked at. That the escapes hold for each payload by itself is tested
in ``tests/dashboard/shared/test_escaping.py``.
"""

import io
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection, connect
from dashboard.aws.images import Upload
from dashboard.aws.submissions import prepare, submit
from tests.builders import png
from tests.dashboard.conftest import deploy
from tests.dashboard.hostile.elements import MARK, PAYLOAD, acts, cells, is_shown, texts, turns
from tests.dashboard.hostile.world import poison, their_workflow
from tests.nightly import NIGHTLY
from workflow.watched import WatchedWorkflow

pytestmark = [pytest.mark.cloud, pytest.mark.filterwarnings("ignore:Series.values")]

APP = Path(__file__).parents[3] / "dashboard" / "app.py"
SECONDS = 120
PAGES = (
    *("overview", "classify", "inferences", "review", "quality", "rollout", "executions"),
    *("failures", "alerts", "audit", "deployment", "workflows", "lab"),
)
BLOCKS = ("Code.code_text", "Text.body")
VIEWS = (
    *("Confidence", "Over time", "Before and after", "Threshold", "Drift", "Data health"),
    "Records",
)
TABS = ("Timeline", "States", "Events", "State machine", "Image", "Capture", "Logs", "Compare")
PARAMETERS = (
    *("view", "execution", "compare", "group", "repair", "outcome", "error", "image", "name"),
    *("version", "hours", "since", "until", "endpoint", "variant", "label", "bars", "images"),
    *("baseline", "baseline_version", "against", "moment", "at", "draw", "reviewer", "width"),
    *("by", "zone", "range", "try", "show", "kind", "workflow", "monitor", "measure", "unknown"),
)


@pytest.fixture(scope="module")
def variables(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "SCONES_PROJECT": "hostile"}


@pytest.fixture(scope="module")
def whole(variables: dict[str, str]) -> Connection:
    """A deployed workflow of which every name, id, key, cause and author is the payload."""
    connection = connect(variables)
    deploy(connection)
    poison(connection, variables)
    return connection


@pytest.fixture(scope="module")
def theirs(whole: Connection, variables: dict[str, str]) -> WatchedWorkflow:
    """Somebody else's workflow: states, errors and causes are the payload, and so is its name."""
    return their_workflow(whole, variables)


@pytest.fixture
def visit(
    whole: Connection, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    st.cache_data.clear()

    def run(page: str, **query: str) -> AppTest:
        test = AppTest.from_file(str(APP), default_timeout=SECONDS)
        test.query_params.update(query)
        return test.switch_page(f"app_pages/{page}.py").run()

    return run


def inert(test: AppTest) -> set[str]:
    """Assert that no payload acts; return where one is shown."""
    assert not test.exception, [(one.message, one.stack_trace) for one in test.exception]
    found = [(place, text) for place, text in texts(test) if MARK in text or "evil" in text]
    acting = [
        (place, acts(place, text), text[:300])
        for place, text in found
        if is_shown(place) and acts(place, text)
    ]
    assert acting == []
    assert [place for place, text in found if place in BLOCKS and turns(text)] == []
    in_cells = [text for text in cells(test) if MARK in text or "evil" in text]
    assert [text for text in in_cells if turns(text)] == []
    return {place for place, _ in found} - {"Selectbox.options"} | {"cell" for _ in in_cells}


def until_shown(test: AppTest, wanted: Callable[[AppTest], object] = inert) -> None:
    deadline = time.monotonic() + SECONDS
    while not wanted(test):
        inert(test)
        assert time.monotonic() < deadline, [one.value for one in (*test.error, *test.caption)]
        time.sleep(0.2)
        test.run()


@pytest.mark.parametrize("page", PAGES)
def test_text_of_others_is_text_on_every_page(visit: Callable[..., AppTest], page: str) -> None:
    test = visit(page)

    inert(test)
    if page in ("overview", "executions", "failures", "inferences", "alerts", "audit"):
        until_shown(test)


@pytest.mark.parametrize("view", VIEWS)
def test_text_of_others_is_text_in_every_view(visit: Callable[..., AppTest], view: str) -> None:
    test = visit("inferences", view=view, baseline="Earlier records")

    until_shown(test, lambda test: test.metric)
    inert(test)


def test_text_of_others_is_text_in_a_failure(visit: Callable[..., AppTest]) -> None:
    test = visit("failures")
    until_shown(test, lambda test: [one for one in test.button if "open-" in str(one.key)])
    for button in [one.key for one in test.button if "open-" in str(one.key)]:
        opened = visit("failures", group=str(button).removeprefix("open-"))
        until_shown(opened)
        assert "Code.code_text" in inert(opened)


@pytest.mark.parametrize("page", ["overview", "failures", "deployment", "workflows"])
def test_text_of_others_is_text_in_a_workflow_of_others(
    visit: Callable[..., AppTest], theirs: WatchedWorkflow, page: str
) -> None:
    until_shown(visit(page, workflow=theirs.reference))


def test_names_of_files_and_of_members_of_archives_are_text(
    visit: Callable[..., AppTest], whole: Connection
) -> None:
    name, archive = PAYLOAD.replace("/", "-"), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(f"in {name}.png", png(color="#135"))
        made.writestr(f"bad {name}.png", b"no image")
    files = {f"{name}.png": png(), f"{name}.zip": archive.getvalue(), f"{name}.txt": b"no image"}
    uploads = [Upload(file, data) for file, data in files.items()]
    taken = prepare(whole, uuid.uuid4().hex[:12], uploads, [PAYLOAD])
    submit(whole, taken, lambda _: None)

    test = visit("classify", batch=taken.batch.id)

    until_shown(test, lambda test: len(test.markdown) and "cell" in inert(test))
    shown = "".join(text for _, text in texts(test)) + "".join(cells(test))
    assert all(one in shown for one in ("in ", "bad "))


def test_text_of_others_is_text_in_one_action() -> None:
    def page(payload: str) -> None:
        from datetime import UTC, datetime  # noqa: PLC0415 - the page is run on its own

        from dashboard.audit import panel  # noqa: PLC0415
        from workflow.access import Privilege  # noqa: PLC0415
        from workflow.audit import AuditRecord  # noqa: PLC0415

        fields = dict.fromkeys(("id", "actor", "role", "request", "result", "origin"), payload)
        now = datetime.now(UTC)
        panel._show_record(AuditRecord(at=now, ended_at=now, action=Privilege.SUBMIT, **fields))

    test = AppTest.from_function(page, args=(PAYLOAD,), default_timeout=SECONDS).run()

    assert {"Code.code_text", "Text.body"} <= inert(test)


@pytest.mark.parametrize("tab", TABS)
def test_text_of_others_is_text_in_one_execution(
    visit: Callable[..., AppTest], theirs: WatchedWorkflow, tab: str
) -> None:
    arn = theirs.state_machine_arn.replace(":stateMachine:", ":execution:")
    test = visit("executions", workflow=theirs.reference, execution=f"{arn}:run-0", view=tab)

    until_shown(test)


@pytest.mark.parametrize("page", PAGES)
def test_what_an_address_says_is_text(visit: Callable[..., AppTest], page: str) -> None:
    every = ({name: PAYLOAD} for name in PARAMETERS) if NIGHTLY else ()
    for query in (dict.fromkeys(PARAMETERS, PAYLOAD), *every):
        inert(visit(page, **query))
