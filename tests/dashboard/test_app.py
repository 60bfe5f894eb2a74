"""The app and its pages, run by Streamlit's own test harness against a real local cloud."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.aws.cloud import Connection, connect
from dashboard.feeds import panel as feeds
from dashboard.shared import components
from tests.builders import png

pytestmark = pytest.mark.cloud

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SECONDS = 60


def until(go: threading.Event) -> Callable[[object], None]:
    """Return work that waits for an event."""

    def work(_: object) -> None:
        go.wait(SECONDS)

    return work


@pytest.fixture
def app(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Run a page of the app in the session's cloud; variables change the environment."""

    def run(page: str, query: dict[str, str] | None = None, **variables: str) -> AppTest:
        for name, value in {**environ, **variables}.items():
            monkeypatch.setenv(name, value)
        st.cache_resource.clear()
        st.cache_data.clear()
        test = AppTest.from_file(str(APP), default_timeout=SECONDS)
        if query:  # the address of a page that is come to from the Overview
            test.run().query_params.update(query)
        return settled(test.switch_page(f"app_pages/{page}.py").run())

    return run


def settled(test: AppTest) -> AppTest:
    """Run again until no job is under way, as the page's own ticking would."""
    deadline = time.monotonic() + SECONDS
    while any(job.running for job in components.background_jobs()._jobs.values()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    test.run()
    assert not test.exception
    return test


def said(test: AppTest) -> str:
    elements = [*test.markdown, *test.caption, *test.error, *test.success, *test.title]
    return "\n".join(str(element.value) for element in elements)


def button(test: AppTest, label: str) -> AppTest:
    (found,) = [one for one in test.button if one.label == label]
    return settled(found.click().run())


def test_the_badge_says_which_cloud_account_and_region(
    app: Callable[..., AppTest], deployed: Connection
) -> None:
    test = app("classify")

    assert "Local cloud" in said(test)
    assert f"Account {deployed.cloud.account}" in said(test)
    assert f"Region {deployed.cloud.region}" in said(test)


def test_a_cloud_that_cannot_be_had_is_a_sentence_with_a_remedy(
    app: Callable[..., AppTest],
) -> None:
    test = app("classify", SCONES_CLOUD="azure")

    (error,) = test.error
    assert "is 'azure'" in error.value
    assert "Set it to aws" in error.value
    assert "Try again" in [button.label for button in test.button]


def test_aws_without_credentials_names_the_way_to_the_local_cloud(
    app: Callable[..., AppTest], tmp_path: Path
) -> None:
    nothing = str(tmp_path / "nothing")
    test = app(
        "classify",
        SCONES_CLOUD="aws",
        AWS_REGION="eu-central-1",
        AWS_CONFIG_FILE=nothing,
        AWS_SHARED_CREDENTIALS_FILE=nothing,
        AWS_EC2_METADATA_DISABLED="true",
    )

    (error,) = test.error
    assert "No AWS credentials" in error.value
    assert r"leave out SCONES\_CLOUD=aws" in error.value
    assert "Try again" in [button.label for button in test.button]


def test_a_cloud_that_was_started_again_is_announced(app: Callable[..., AppTest]) -> None:
    test = app("classify")
    test.session_state["cloud_pid"] = -1

    test.run()

    assert "started again" in test.toast[0].value
    assert not test.run().toast


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("executions", {"outcome": "foo"}),
        ("executions", {"colour": "red", "tz": "Mars/Base"}),
        ("overview", {"range": "zzz", "tz": "Mars/Base"}),
        ("review", {"view": "zzz", "colour": "red"}),
        ("quality", {"colour": "red"}),
        ("rollout", {"colour": "red"}),
        ("batch", {"colour": "red"}),
        ("alerts", {"zone": "Mars", "colour": "red"}),
        ("workflows", {"colour": "red"}),
        ("executions", {"execution": "nope"}),
        ("failures", {"kind": "zzz"}),
        ("inferences", {"view": "zzz", "colour": "red"}),
        ("classify", {"colour": "red"}),
        ("deployment", {"threshold": "much"}),
    ],
)
def test_a_stale_or_foreign_address_is_ignored_and_said(
    app: Callable[..., AppTest], deployed: Connection, page: str, query: dict[str, str]
) -> None:
    test = app(page, query)

    told = "\n".join(warning.value for warning in test.warning)
    assert all(name in told for name in query if name != "view")
    assert "ignored" in told


@pytest.mark.parametrize(
    ("page", "name", "good"),
    [("alerts", "zone", "UTC"), ("executions", "range", "24h"), ("overview", "zone", "UTC")],
)
def test_what_was_ignored_is_said_once_until_the_address_holds_something_else(
    app: Callable[..., AppTest], deployed: Connection, page: str, name: str, good: str
) -> None:
    test = app(page, {name: "Mars", "colour": "red"})
    both = sorted(warning.value for warning in test.warning)

    del test.query_params[name]  # as a browser does that Streamlit told to
    again = sorted(warning.value for warning in test.run().warning)
    test.query_params[name] = good
    later = [warning.value for warning in test.run().warning]

    assert [f"{name}=Mars" in one for one in both] == [False, True]
    assert again == both
    assert later == both[:1]
    test.query_params.clear()
    assert not test.switch_page("app_pages/classify.py").run().warning


@pytest.mark.parametrize(
    "page", ["classify", "inferences", "review", "quality", "executions", "failures", "alerts"]
)
def test_where_nothing_is_deployed_a_page_leads_to_the_deployment_and_says_no_more(
    app: Callable[..., AppTest], page: str
) -> None:
    test = app(page, SCONES_PROJECT="nothing")

    assert "not deployed yet" in said(test)
    assert not [*test.error, *test.warning, *test.pills]


def test_the_bare_address_keeps_what_it_asks_for(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    test = AppTest.from_file(str(APP), default_timeout=SECONDS)
    test.query_params["workflow"] = "nobody's"

    test.run()

    assert [title.value for title in test.title] == ["Overview"]
    assert test.query_params["workflow"] == "nobody's"


def test_photos_are_classified_and_a_bad_file_is_refused_beside_them(
    app: Callable[..., AppTest], deployed: Connection
) -> None:
    test = app("classify")
    test.file_uploader[0].set_value(
        [("red*.png", png(64, 64), "image/png"), ("notes.png", b"text", "image/png")]
    )
    test.run()

    button(test, "Classify (2)")

    assert len(test.query_params["batch"]) == 12
    assert ":green-badge[:material/check_circle: Accepted]" in said(test)
    assert r"red\*.png" in said(test), "a name is text, not Markdown"
    assert "**notes.png is text.**" in test.error[0].value
    assert "[Open the execution](executions?execution=arn" in said(test)
    assert list(test.dataframe[0].value["outcome"]) == ["Accepted", "Not submitted"]


def test_a_batch_is_found_again_by_its_address_after_a_restart(
    app: Callable[..., AppTest], deployed: Connection
) -> None:
    first = app("classify")
    first.file_uploader[0].set_value([("a.png", png(), "image/png")]).run()
    batch = button(first, "Classify (1)").query_params["batch"]

    found = app("classify", {"batch": batch})

    assert "Accepted" in said(found)


@pytest.mark.parametrize(
    ("kept", "says"),
    [(True, "Nothing has to be chosen again"), (False, "choose again what S3 never took")],
)
def test_photos_to_submit_again_are_only_to_be_chosen_where_the_dashboard_lost_them(
    *, kept: bool, says: str
) -> None:
    def page(*, kept: bool) -> None:
        from dashboard.classify import panel  # noqa: PLC0415 - the function is a script of its own

        panel.offer_again(2, kept=kept)

    test = AppTest.from_function(page, kwargs={"kept": kept}).run()

    assert says in test.caption[0].value


def test_an_image_is_classified_by_its_key(
    app: Callable[..., AppTest], deployed: Connection
) -> None:
    bucket = deployed.settings.bucket
    deployed.client("s3").put_object(Bucket=bucket, Key="images/by key.png", Body=png())
    test = app("classify")
    test.text_area[0].set_value("images/by key.png\n\n s3://nobodys-bucket/a.png \n").run()

    button(test, "Classify (2)")

    assert "Accepted" in said(test)
    assert r"s3\://nobodys\-bucket/a.png" in test.error[0].value, "an address, not a link"


def test_checks_of_captures_are_made_for_alerts_whatever_page_is_looked_at(
    app: Callable[..., AppTest], deployed: Connection
) -> None:
    app("failures")

    found = feeds._known_feeds().get_feed(deployed, as_known=True)
    assert found.alerts is not None
    assert found.alerts.checks is not None
    assert {one.name for one in found.alerts.checks(datetime.now(UTC))} == {"Drift", "Data health"}


@pytest.mark.parametrize("batch", ["abcdef0123456789", "not-a-batch"])
def test_a_batch_that_is_not_there_is_a_sentence_and_can_be_tried_again(
    app: Callable[..., AppTest], deployed: Connection, batch: str
) -> None:
    test = app("classify", {"batch": batch})
    assert len(test.error) == 1

    button(test, "Try again")

    assert len(test.error) == 1


def test_one_click_deploys_another_destroys_and_what_is_there_is_shown(
    app: Callable[..., AppTest],
) -> None:
    unset = {"SCONES_PROJECT": "clicks", "SCONES_THRESHOLD": ""}
    test = app("deployment", {"threshold": "0.8"}, **unset)
    assert "to create." in said(test)

    button(test, "Deploy")
    assert "Everything is up to date" in said(test)
    assert "- Bucket: `clicks-dev-" in said(test)
    assert not [one.label for one in test.button if one.label.startswith("Roll back")]

    # A threshold that was applied is what the next plan keeps.
    again = app("deployment", **unset)
    assert "Everything is up to date" in said(again)
    assert "Threshold of the plan: 0.8. 0.8 is what is deployed." in said(again).replace("\\", "")
    asked = app("deployment", **{**unset, "SCONES_THRESHOLD": "0.93"})
    assert "Apply these changes" in [one.label for one in asked.button]
    assert (
        "Threshold of the plan: 0.93. 0.8 is what is deployed. The plan would change it."
    ) in said(asked).replace("\\", "")

    # An earlier configuration is retained in one line until all is destroyed.
    sampled = app("deployment", **unset, SCONES_SAMPLING_PERCENTAGE="50")
    test = button(sampled, "Apply these changes")
    assert "Everything is up to date: 32 resources, nothing to do." in said(test)
    assert "Earlier endpoint configurations retained, with their models: 1." in said(test)

    (confirm,) = [one for one in test.text_input if one.label.startswith("Type")]
    confirm.set_value("clicks-dev").run()
    button(test, "Destroy")
    assert "to create." in said(test)
    assert "retained" not in said(test)


def routed(test: AppTest) -> list[str]:
    """Return the share of new executions of each version, the newest first."""
    (versions,) = [one.value for one in test.dataframe if "Version" in one.value.columns]
    return list(versions["New executions"])


def told(test: AppTest, sentence: str) -> None:
    """Run again until the page says a sentence."""
    deadline = time.monotonic() + SECONDS
    while sentence not in said(test):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        test.run()


def compared(test: AppTest) -> list[str]:
    """Return how the executions of version 2 ended, as soon as the page knows of any."""
    deadline = time.monotonic() + SECONDS
    while True:
        for one in test.table:
            if "Version 2 (new)" in one.value.columns and one.value["Version 2 (new)"][2] == "0":
                return list(one.value["Version 2 (new)"])
        assert time.monotonic() < deadline
        time.sleep(0.1)
        test.run()


def test_a_new_version_gets_a_share_until_it_is_promoted_and_is_rolled_back_after_that(
    app: Callable[..., AppTest], environ: dict[str, str]
) -> None:
    cloud = connect({**environ, "SCONES_PROJECT": "shares"})
    button(app("deployment", SCONES_PROJECT="shares"), "Deploy")

    test = app("deployment", {"threshold": "0.9", "share": "10"}, SCONES_PROJECT="shares")
    assert "The new version gets **10 %** of new executions" in said(test)
    diffs = [frame.value for frame in test.dataframe if "Property" in frame.value.columns]
    assert any("0.9" in set(frame["After"]) for frame in diffs)
    button(test, "Apply these changes")
    assert routed(test) == ["10 %", "90 %"]
    assert "version 2 gets 10 % of new executions and version 1 the rest" in said(test)
    told(test, "No execution since the shift")

    cloud.client("stepfunctions").start_execution(
        stateMachineArn=f"{cloud.settings.state_machine_arn}:2", input="{}"
    )
    assert compared(test)[:3] == ["10 %", "1", "0"]
    assert compared(test)[-1].startswith("1 · 100.0%")

    button(test, "Roll back")
    assert routed(test) == ["0 %", "100 %"]
    button(test, "Apply these changes")
    assert routed(test) == ["10 %", "90 %"]
    button(test, "Promote")
    assert routed(test) == ["100 %", "0 %"]
    assert "Promote" not in [one.label for one in test.button]
    assert any("version 2" in code.value for code in test.code)

    button(test, "Roll back to version 1 now")
    assert routed(test) == ["0 %", "100 %"]
    # Version 2 was live before, so that is what a rollback goes to now.
    assert "Roll back to version 2 now" in [one.label for one in test.button]


def test_while_a_deploy_is_under_way_nobody_can_start_a_second_one(
    app: Callable[..., AppTest], deployed: Connection
) -> None:
    test = app("deployment", {"threshold": "0.7"})
    go = threading.Event()
    running = components.background_jobs().start("deployment", "Deploy", until(go))

    (apply,) = [one for one in test.button if one.label == "Apply these changes"]
    apply.click().run()

    assert components.background_jobs().get("deployment") is running
    assert "Apply these changes" not in [one.label for one in test.button]
    go.set()
    running.wait(SECONDS)


def test_a_deployment_that_cannot_be_planned_says_why(
    app: Callable[..., AppTest], deployed: Connection
) -> None:
    test = app("deployment", SCONES_THRESHOLD="much")

    assert "is 'much', which is not a number" in test.error[0].value


def test_the_camera_is_off_until_it_is_asked_for(
    app: Callable[..., AppTest], deployed: Connection
) -> None:
    test = app("classify")
    assert not test.camera_input

    test.toggle[0].set_value(True).run()

    assert test.camera_input


def test_destroy_waits_for_the_typed_name(
    app: Callable[..., AppTest], deployed: Connection
) -> None:
    test = app("deployment")
    (destroy,) = [one for one in test.button if one.label == "Destroy"]

    assert destroy.disabled
