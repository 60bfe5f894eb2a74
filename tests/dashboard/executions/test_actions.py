"""One execution can be redriven and stopped, and leads to its problem."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.executions import actions, actions_panel
from dashboard.shared import components
from tests.workflow.histories import ARN, MACHINE, START, failure
from workflow.access import Privilege
from workflow.executions import Execution, Status

SECONDS = 60


class Client:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def redrive_execution(self, **request: Any) -> None:
        self.calls.append(("redrive", request["executionArn"]))

    def stop_execution(self, **request: Any) -> None:
        self.calls.append(("stop", request["executionArn"]))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    found = Client()
    cloud = SimpleNamespace(endpoint_url=None, region="cn-north-1")
    connection = SimpleNamespace(cloud=cloud, client=lambda _: found)

    def act(
        _title: str, _privilege: Privilege, work: Callable[[Any], None], *, request: str
    ) -> None:
        assert request == ARN
        work(connection)

    monkeypatch.setattr(components, "connection", lambda: connection)
    monkeypatch.setattr(components, "run_action", act)
    monkeypatch.setattr(st, "page_link", lambda *_, **__: None)  # one page has none
    return found


def shown(status: Status, **fields: Any) -> AppTest:
    def script(status, fields):  # noqa: ANN001, ANN202 - its text is run
        from tests.dashboard.executions import test_actions  # noqa: PLC0415 - a script of its own

        test_actions.draw(status, fields)

    return AppTest.from_function(
        script, default_timeout=SECONDS, kwargs={"status": status.value, "fields": fields}
    ).run()


def draw(status: str, fields: dict[str, Any]) -> None:
    execution = Execution(
        arn=ARN,
        name="one",
        state_machine_arn=MACHINE,
        status=Status(status),
        started_at=START,
        **fields,
    )
    failures = {ARN: failure(execution_arn=ARN)} if status == "FAILED" else {}
    feed: Any = SimpleNamespace(failures=lambda: failures, refresh=lambda: None)
    view: Any = SimpleNamespace(execution=execution)
    actions_panel.show_actions(view, feed)


def labels(test: AppTest) -> list[str]:
    return [button.label for button in test.button]


def test_a_failed_execution_can_be_redriven(client: Client) -> None:
    test = shown(Status.FAILED)

    assert labels(test) == ["Redrive now"]
    test.button[0].click().run()
    assert not test.exception
    assert client.calls == [("redrive", ARN)]


def test_a_running_execution_can_be_stopped(client: Client) -> None:
    test = shown(Status.RUNNING)

    assert labels(test) == ["Stop now"]
    test.button[0].click().run()
    assert client.calls == [("stop", ARN)]


def test_what_aws_would_refuse_is_not_offered(client: Client) -> None:
    assert labels(shown(Status.FAILED, redrive_status="NOT_REDRIVABLE")) == []
    assert labels(shown(Status.SUCCEEDED)) == []
    assert client.calls == []


def test_arn_and_input_can_be_copied(client: Client) -> None:
    test = shown(Status.SUCCEEDED, input='{"a": 1}')

    assert [code.value for code in test.code] == [ARN, '{"a": 1}']
    assert client.calls == []


def test_the_actions_are_calls_of_the_execution(client: Client) -> None:
    connection: Any = components.connection()

    actions.redrive_execution(connection, ARN)
    actions.stop_execution(connection, ARN)

    assert client.calls == [("redrive", ARN), ("stop", ARN)]
