"""The page shows what was done, narrowed by its address, and what cannot be read."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection
from dashboard.shared import components, permits, time_range_panel
from workflow.access import Privilege
from workflow.errors import WorkflowError

PAGE = Path(__file__).parents[3] / "dashboard/app_pages/audit.py"


def page(**params: str) -> AppTest:
    test = AppTest.from_file(str(PAGE), default_timeout=60)
    for name, value in params.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return test


def act(privilege: Privilege, request: str) -> None:
    components.run_action("doing it", privilege, lambda _: None, request=request)


def shown(test: AppTest) -> list[str]:
    return [text for frame in test.dataframe for text in frame.value["Request"]]


@pytest.mark.usefixtures("account")
def test_what_was_done_is_listed_the_latest_first() -> None:
    act(Privilege.SUBMIT, "a.png")
    act(Privilege.DEPLOY, "the plan")

    test = page()

    assert shown(test) == ["doing it: the plan", "doing it: a.png"]
    assert "2 actions of 2" in "".join(one.value for one in test.caption)
    assert len(test.get("download_button")) == 2


@pytest.mark.usefixtures("account")
def test_times_are_shown_in_the_zone_that_is_picked(monkeypatch: pytest.MonkeyPatch) -> None:
    act(Privilege.SUBMIT, "a.png")
    monkeypatch.setattr(time_range_panel, "picked_zone", lambda: ZoneInfo("Asia/Tokyo"))

    test = page()

    (table,) = test.dataframe
    assert "When (Asia/Tokyo)" in table.proto.columns
    assert any(re.search(r"As of .* \(..:.. UTC\)", one.value) for one in test.caption)


@pytest.mark.usefixtures("account")
def test_the_address_narrows_the_list_and_the_controls_show_it() -> None:
    act(Privilege.SUBMIT, "a.png")
    act(Privilege.DEPLOY, "the plan")

    test = page(what="submit", who="ANA")

    assert shown(test) == ["doing it: a.png"]
    assert test.text_input[0].value == "ANA"
    test.text_input[0].set_value("eve").run()
    assert test.query_params["who"] == "eve"
    assert "Nothing matches" in "".join(one.value for one in test.markdown)


@pytest.mark.usefixtures("account")
def test_before_anything_was_done_the_page_says_so() -> None:
    assert "Nothing has been done yet" in "".join(one.value for one in page().markdown)


def test_an_audit_that_may_not_be_read_is_said(
    account: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = permits.audit_log()

    def refuse() -> None:
        raise WorkflowError("AccessDenied", "You may not list.", "Ask for s3:ListBucket.")

    monkeypatch.setattr(log, "read", refuse)

    assert "You may not list" in "".join(one.value for one in page().error)
    assert account.alive()


def test_rows_that_s3_has_not_taken_and_strange_objects_are_named(account: Connection) -> None:
    bucket = account.settings.bucket
    account.client("s3").put_object(Bucket=bucket, Key="audit/stray.json", Body=b"{}")

    test = page()

    assert "stray.json" in "".join(one.value for one in test.warning)
