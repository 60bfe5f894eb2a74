"""Every service hanging, one at a time, over every page: something useful, and soon.

How soon is told by how long the page's own thread waits, which no busy machine changes: it asks the
network nothing, and waits for reads in other threads no longer than a few times ``PATIENCE_S``.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from botocore.httpsession import URLLib3Session
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

from dashboard.aws import cloud as clouds
from dashboard.aws.cloud import Connection, connect
from dashboard.aws.objects import Bucket
from dashboard.aws.quotas import Pacer
from dashboard.captures.tables import TABLES
from dashboard.executions.feed import ExecutionFeed
from dashboard.shared import cloud_reads, connections
from dashboard.shared.cloud_reads import CloudRead
from dashboard.shared.store import SegmentStore
from dashboard.shared.store_root import store_root
from tests.captured import captured
from tests.dashboard.conftest import deploy
from tests.nightly import NIGHTLY

pytestmark = [
    pytest.mark.cloud,
    # Of pandas about plotly and Streamlit, which turn times into arrays.
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray"),
]

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PATIENCE_S = 0.3
LONGEST_S = 5.0 * PATIENCE_S / cloud_reads.PATIENCE_S
"""What five seconds are at this patience."""

OF_PAGES = ("stepfunctions", "s3", "sagemaker", "cloudwatch", "lambda")
OF_FEEDS_AND_DEPLOYMENT = ("logs", "iam", "sns", "sqs", "events")
FAILED = "never-there"
NOT_OF_CAPTURES = 6  # of `pages`


class Stretched:
    """A cloud in which some services are found at other addresses.

    Args:
        connection: The cloud as it is.
        elsewhere: Address of each service that is not as it should be.
    """

    def __init__(self, connection: Connection, elsewhere: dict[str, str]) -> None:
        url = connection.cloud.endpoint_url or ""

        class Session(clouds._LocalSession):
            def create_client(self, *args: Any, **kwargs: Any) -> Any:
                name = args[0] if args else kwargs["service_name"]
                at = {"endpoint_url": elsewhere.get(name, url)}
                return clouds._Session.create_client(self, *args, **{**kwargs, **at})

        core = Session(url)
        known = connection.session.get_credentials()
        assert known is not None
        core.set_credentials(known.access_key, known.secret_key, known.token)
        session = clouds._make_session(core, connection.cloud.region)
        pacer = Pacer(connection.cloud.region)
        self.connection = Connection(connection.cloud, connection.settings, session, pacer)


@pytest.fixture(scope="module")
def whole(environ: dict[str, str]) -> Connection:
    """A deployed workflow with executions, failures and captures, all in the dashboard's store."""
    connection = connect({**environ, "SCONES_PROJECT": "hangs"})
    deploy(connection)
    client, settings = connection.client("stepfunctions"), connection.settings
    for name in (FAILED, "nor-there"):
        given = {"s3_bucket": settings.bucket, "s3_key": f"images/{name}.png", "image_data": ""}
        client.start_execution(
            stateMachineArn=settings.alias_arn, name=name, input=json.dumps(given)
        )
    feed = ExecutionFeed(connection, store_root(connection, environ), None)
    feed.watch()
    until(lambda: len(feed.failures()) == 2)
    rows = captured(200, endpoints=(settings.endpoint,))
    SegmentStore(store_root(connection, environ, kind="captures"), TABLES).commit(
        {"captures": rows}
    )
    return connection


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not said():
        assert time.monotonic() < deadline, "It took too long."
        time.sleep(0.1)


@pytest.fixture
def hole() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def throttled() -> Iterator[str]:
    """The address of a server that throttles every call."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"})
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Watched:
    """What the threads that draw pages did."""

    def __init__(self) -> None:
        self.waited = 0.0
        self.longest = 0.0
        self.asked: list[str] = []

    def run(self, test: AppTest) -> None:
        """Run a page; ``longest`` is what its thread waited in the worst run."""
        self.waited = 0.0
        test.run()
        self.longest = max(self.longest, self.waited)
        assert not test.exception

    def network(self, what: str) -> None:
        if get_script_run_ctx(suppress_warning=True) is not None:
            self.asked.append(what)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    found, send, explained, wait = (
        Watched(),
        URLLib3Session.send,
        Bucket._explain_errors,
        CloudRead.wait,
    )

    def sent(self: Any, request: Any) -> Any:
        found.network(request.url)
        return send(self, request)

    def bucket(self: Any, operation: str, *args: Any) -> Any:
        found.network(operation)
        return explained(self, operation, *args)

    def waited(self: Any, patience_s: float | None) -> bool:
        drawing = get_script_run_ctx(suppress_warning=True) is not None
        left = 60.0 if patience_s is None else self._began + patience_s - time.monotonic()
        ended = wait(self, patience_s)
        if drawing and not ended:  # what was waited for in vain: the rest is the machine's pace
            found.waited += max(0.0, left)
        return ended

    monkeypatch.setattr(URLLib3Session, "send", sent)
    monkeypatch.setattr(Bucket, "_explain_errors", bucket)
    monkeypatch.setattr(CloudRead, "wait", waited)
    return found


@pytest.fixture
def visit(
    whole: Connection,
    environ: dict[str, str],
    patient: None,
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[dict[str, str]], Callable[..., AppTest]]:
    """Give a function that opens pages, in a cloud with some services elsewhere."""
    for name, value in {**environ, "SCONES_PROJECT": "hangs"}.items():
        monkeypatch.setenv(name, value)

    def stretch(elsewhere: dict[str, str]) -> Callable[..., AppTest]:
        stretched = Stretched(whole, elsewhere).connection
        monkeypatch.setattr(connections, "connect", lambda _: stretched)
        st.cache_resource.clear()
        monkeypatch.setattr(cloud_reads, "PATIENCE_S", PATIENCE_S)
        return opened

    def opened(page: str, query: dict[str, str]) -> AppTest:
        test = AppTest.from_file(str(APP), default_timeout=120)
        test.query_params.update(query)
        watched.run(test.switch_page(f"app_pages/{page}.py"))
        return test

    return stretch


def useful(test: AppTest, page: str, query: dict[str, str]) -> bool:
    """Whether a page shows what it is there for, as far as it is known without the cloud."""
    labels = [one.label for one in test.button]
    match page:
        case "classify":
            return "Classify" in labels
        case "failures":
            return any(str(one.key).startswith("open-") for one in test.button)
        case "executions" if query:
            return FAILED in [one.value.replace("\\", "") for one in test.header]
        case "deployment":
            return bool(test.number_input)
        case _:
            return bool(test.metric)


def pages(connection: Connection) -> list[tuple[str, dict[str, str]]]:
    machine = connection.settings.state_machine_arn.replace(":stateMachine:", ":execution:")
    views = ("Confidence", "Before and after", "Drift", "Data health", "Records")
    return [
        *((page, {}) for page in ("overview", "classify", "executions", "failures", "deployment")),
        ("executions", {"execution": f"{machine}:{FAILED}"}),
        *(("inferences", {"view": view}) for view in views),
    ]


def looks_useful(test: AppTest, page: str, query: dict[str, str], watched: Watched) -> None:
    """Assert what a reader is owed, who sees the page refresh itself while its feed starts."""
    deadline = time.monotonic() + 60
    while not useful(test, page, query):
        shown = [one.value for one in (*test.caption, *test.error, *test.info, *test.warning)]
        assert time.monotonic() < deadline, f"{page} {query} shows {shown}"
        watched.run(test)

    assert watched.asked == [], f"{page} {query} asked the cloud in its own thread"
    assert watched.longest < LONGEST_S, f"{page} {query}"


@pytest.mark.parametrize("service", [*OF_PAGES, *(OF_FEEDS_AND_DEPLOYMENT if NIGHTLY else ())])
def test_a_service_that_hangs_holds_up_no_page(
    visit: Callable[[dict[str, str]], Callable[..., AppTest]],
    whole: Connection,
    watched: Watched,
    hole: str,
    service: str,
) -> None:
    opened = visit({service: hole})
    every = pages(whole)
    if not NIGHTLY:
        every = every[OF_PAGES.index(service) % 3 :: 3]

    for page, query in every if service in OF_PAGES else every[:NOT_OF_CAPTURES]:
        looks_useful(opened(page, query), page, query, watched)


def test_a_throttled_step_functions_holds_up_no_page(
    visit: Callable[[dict[str, str]], Callable[..., AppTest]],
    whole: Connection,
    watched: Watched,
    throttled: str,
) -> None:
    opened = visit({"stepfunctions": throttled})

    for page, query in pages(whole) if NIGHTLY else pages(whole)[2::3]:
        looks_useful(opened(page, query), page, query, watched)
