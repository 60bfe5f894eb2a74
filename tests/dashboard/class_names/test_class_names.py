"""The dashboard names the classes as the deployed functions do, without a variable of its own."""

import json
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection, connect
from dashboard.aws.deciding_functions import DecidingFunction, read_deciding_functions
from dashboard.class_names.client import deployed_classes
from tests.dashboard.conftest import deploy
from tests.dashboard.workflows.conftest import look, visit
from workflow.errors import WorkflowError

__all__ = ["visit"]
pytestmark = pytest.mark.cloud

PROJECT = "ten-classes"
NAMES = tuple(f"kind {number}" for number in range(10))


@pytest.fixture(scope="module")
def ten(deployed: Connection, environ: dict[str, str]) -> Connection:
    """Return a connection to a workflow of ten classes that uses somebody else's endpoint."""
    variables = {
        **environ,
        "SCONES_PROJECT": PROJECT,
        "SCONES_ENDPOINT": deployed.settings.endpoint,
        "SCONES_CLASSES": json.dumps(NAMES),
        "SCONES_THRESHOLD": "0.3",
    }
    connection = connect(variables)
    deploy(connection)
    return connection


def test_the_classes_are_those_of_the_function_that_decides(
    ten: Connection, empty: Connection
) -> None:
    name = ten.watched.deciding_function

    assert deployed_classes(read_deciding_functions(ten), name) == NAMES
    assert deployed_classes(read_deciding_functions(empty), name) == ()


def test_pages_show_them_without_a_variable(
    ten: Connection, visit: Callable[..., AppTest], deployed: Connection
) -> None:
    page = visit("workflows", "", SCONES_PROJECT=PROJECT)
    assert ", ".join(NAMES) in look(page, "**Classes**")

    other = visit("workflows", "")
    assert "bicycle, motorcycle" in look(other, "**Classes**")


def test_a_threshold_below_one_half_is_read_and_can_be_lowered_to_one_tenth(
    ten: Connection, visit: Callable[..., AppTest]
) -> None:
    page = visit("deployment", "", SCONES_PROJECT=PROJECT, SCONES_THRESHOLD="")
    look(page, "0.3 is what is deployed")

    (asked,) = [one for one in page.number_input if one.label == "Confidence threshold"]
    assert (asked.value, asked.min) == (0.3, 0.1)


def test_a_page_reads_threshold_and_classes_at_once(
    ten: Connection, visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def counted(cloud: Connection) -> tuple[DecidingFunction, ...]:
        reads.append(cloud.watched.started_through)
        return read_deciding_functions(cloud)

    monkeypatch.setattr("dashboard.shared.deployed_functions.read_deciding_functions", counted)
    monkeypatch.setattr("dashboard.shared.deployed_functions._SECONDS", 600)
    page = visit("deployment", "", SCONES_PROJECT=PROJECT, SCONES_THRESHOLD="")

    look(page, "0.3 is what is deployed")
    assert len(reads) == 1


def test_pages_go_on_and_say_so_where_they_may_not_be_read(
    ten: Connection, visit: Callable[..., AppTest]
) -> None:
    page = visit("workflows", "", "GetFunctionConfiguration", SCONES_PROJECT=PROJECT)

    said = look(page, "Not read: the threshold and the class names that are deployed")
    assert "bicycle, motorcycle" in said


def test_names_that_no_list_holds_are_an_error_with_a_remedy() -> None:
    usual = DecidingFunction("arn:1", 10, {"SCONES_CLASSES": json.dumps(NAMES)})
    one = DecidingFunction("arn:2", 90, {"SCONES_CLASSES": '["one"]'})

    with pytest.raises(WorkflowError, match="two or more") as caught:
        deployed_classes([usual, one], "filter")

    assert (caught.value.code, "Deployment page" in caught.value.remedy) == ("ClassesUnknown", True)
