"""Pages ask who is there; what a role may not do is refused where it is done, with a reason."""

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.access import session
from dashboard.aws.cloud import Connection
from tests.builders import png

pytestmark = pytest.mark.cloud
APP = Path(__file__).parents[3] / "dashboard" / "app.py"
PEOPLE = '[users]\n"ana@example.com" = "operator"\n"rev@example.com" = "reviewer"\n'

Open = Callable[..., AppTest]


@pytest.fixture
def page(
    environ: dict[str, str], deployed: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Open:
    """Open a page as somebody whom a proxy names, or as a reader."""
    people = tmp_path / "access.toml"
    people.write_text(PEOPLE)

    def run(name: str, **variables: str) -> AppTest:
        given = {**environ, "SCONES_ACCESS_FILE": str(people), **variables}
        for variable, value in given.items():
            monkeypatch.setenv(variable, value)
        st.cache_resource.clear()
        test = AppTest.from_file(str(APP), default_timeout=60)
        return test.switch_page(f"app_pages/{name}.py").run()

    return run


def named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have the proxy's header say this name: AppTest has no headers."""
    monkeypatch.setattr(session, "_read_identity", lambda _: {"email": name})


def errors(test: AppTest) -> str:
    assert not test.exception
    return "\n".join(error.value for error in test.error)


def submit(test: AppTest) -> AppTest:
    test.file_uploader[0].set_value([("a.png", png(), "image/png")]).run()
    (button,) = [one for one in test.button if one.label == "Classify (1)"]
    return button.click().run()


def objects(connection: Connection, prefix: str) -> int:
    found = connection.client("s3").list_objects_v2(
        Bucket=connection.settings.bucket, Prefix=prefix
    )
    return int(found["KeyCount"])


def test_somebody_whom_the_file_does_not_name_sees_nothing(
    page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, "eve@example.com")

    test = page("classify", SCONES_ACCESS="proxy")

    assert r"eve@" in errors(test).replace("\u2060", "")
    assert "has no role on this dashboard" in errors(test)
    assert not test.file_uploader
    assert not [one for one in test.sidebar.caption if "Account" in one.value]


def test_a_request_that_the_proxy_gave_no_name_sees_nothing(page: Open) -> None:
    test = page("classify", SCONES_ACCESS="proxy")

    assert "Nobody is logged in" in errors(test)
    assert not test.file_uploader


def test_a_reviewer_may_not_submit_and_nothing_is_written(
    page: Open, deployed: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, "rev@example.com")
    before = objects(deployed, "batches/")

    test = submit(page("classify", SCONES_ACCESS="proxy"))

    assert "is reviewer here; submit needs the role operator" in errors(test)
    assert objects(deployed, "batches/") == before


def test_an_operator_may_submit(page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "ana@example.com")

    test = submit(page("classify", SCONES_ACCESS="proxy"))

    assert errors(test) == ""
    assert test.query_params["batch"]


def test_a_reader_may_open_every_page_and_change_nothing(page: Open) -> None:
    for name in ("overview", "inferences", "executions", "failures", "deployment"):
        test = page(name, SCONES_ACCESS="read-only")
        assert errors(test) == "", name
    assert "a reader is viewer here; submit" in errors(
        submit(page("classify", SCONES_ACCESS="read-only"))
    )


def test_a_role_that_is_taken_away_is_gone_at_the_next_click(
    page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, "ana@example.com")
    test = page("classify", SCONES_ACCESS="proxy")
    (tmp_path / "access.toml").write_text(PEOPLE.replace("operator", "viewer"))

    assert "is viewer here" in errors(submit(test))
